/* SPDX-License-Identifier: MIT */
/*
 * Using a trained network: what it says of pictures in files, in memory, in data sets; feature vectors;
 * evaluation.
 */
#ifndef GRAFT_CLASSIFIER_H
#define GRAFT_CLASSIFIER_H

#include "graft/train.h"

#ifdef __cplusplus
extern "C" {
#endif

enum graft_orientation {
    GRAFT_ORIENTATION_AS_TRAINED = 0,
    GRAFT_ORIENTATION_APPLY = 1, /* pictures are turned as EXIF says */
    GRAFT_ORIENTATION_IGNORE = 2 /* pictures are taken as they are stored */
};

/* In how many ways each picture of many is seen; what is handed out then is the logarithm of the mean
 * probability of all, which is as good as logits: test-time augmentation. */
enum graft_views {
    GRAFT_VIEWS_ONE = 0,
    GRAFT_VIEWS_FLIP = 1, /* as it is; left and right changed */
    GRAFT_VIEWS_FIVE = 2, /* corners and middle of the resized picture: torchvision's FiveCrop */
    GRAFT_VIEWS_TEN = 3   /* these, and those of the flipped picture: its TenCrop */
};
#define GRAFT_VIEWS_COUNT 4
/* "one", "flip", "five", "ten"; NULL for a number that is none. */
GRAFT_API const char *graft_views_name(enum graft_views views);
/* How many they are. */
GRAFT_API int32_t graft_views_count(enum graft_views views);

struct graft_classifier_options {
    const char *network; /* name of a network, a run folder that graft_fit has written, an ONNX file, or a
                            file of weights, whose network is found by its tensors */
    const char *weights; /* file; with a network's name. NULL or "": of a run folder its own, of a
                            network those that `graft pull` has fetched */
    int64_t batch; /* the most pictures at a time; 0: 16. Fewer where memory asks for it, with a remark */
    /* What comes out: NULL: the logits; "features": what enters the head; else what the layer or the stage of
     * this name gives (graft_model lists them). */
    const char *output;
    enum graft_model_pool
        pool;      /* of an output that is a map [h, w, c]: over all its places; others stay as they are */
    int32_t input; /* side of the input; 0: as the weights or the network say. Resizing follows it … */
    int32_t input_width; /* … and stretches pictures where this is another width; 0: it is not … */
    int32_t resize;      /* … unless this is the short side; 0: not given */
    enum graft_orientation orientation;
    enum graft_views views; /* of data sets and files; with logits as the output */
    struct graft_plan_options plan;
};

struct graft_classifier;

/*
 * Opens a network with its weights on a device. A name that is a network's means the network, unless a folder
 * of that name holds a run and no weights are given. GRAFT_ERROR_NOT_FOUND proposes the nearest name;
 * GRAFT_ERROR_ARGUMENT: no weights, no layer of that name, or no sensible input; statuses of
 * graft_tensor_set_load and graft_plan_open.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_classifier_open(struct graft_device *device, const struct graft_classifier_options *options,
                      struct graft_classifier **classifier);
GRAFT_API void graft_classifier_close(struct graft_classifier **classifier);
/* Does a name mean a run folder (and not a network)? See graft_classifier_open. */
GRAFT_API bool graft_classifier_is_run(const char *name, const char *weights);
/* Does it mean a file of weights (and neither a network nor an ONNX file)? */
GRAFT_API bool graft_classifier_is_weights(const char *name, const char *weights);

GRAFT_API int32_t graft_classifier_class_count(const struct graft_classifier *classifier);
/* [class_count]; the names that weights or run carry, else "0", "1" …; never NULL. */
GRAFT_API const char *const *graft_classifier_class_names(const struct graft_classifier *classifier);
/* What its logits mean: see graft_target_read. */
GRAFT_API const struct graft_target *graft_classifier_target(const struct graft_classifier *classifier);
GRAFT_API const struct graft_preprocess *
graft_classifier_preprocess(const struct graft_classifier *classifier);
GRAFT_API const struct graft_model *graft_classifier_model(const struct graft_classifier *classifier);
GRAFT_API struct graft_plan *graft_classifier_plan(struct graft_classifier *classifier);
/* Pictures at a time. */
GRAFT_API int64_t graft_classifier_batch(const struct graft_classifier *classifier);
/* Values for one picture (logits: class_count), and their shape without the batch: [classes], [h, w, c] … */
GRAFT_API int64_t graft_classifier_width(const struct graft_classifier *classifier);
GRAFT_API struct graft_shape graft_classifier_shape(const struct graft_classifier *classifier);
/* Are they a map that is pooled? */
GRAFT_API bool graft_classifier_pooled(const struct graft_classifier *classifier);

/*
 * One picture: decoded, of any size; encoded (`name` is for messages, may be NULL); in a file. `values`: f32
 * [width]. Statuses of graft_image_decode and graft_image_read; GRAFT_ERROR_NUMERIC if a value is not finite
 * (it names the weights that are not); of graft_plan_run.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_classifier_image(struct graft_classifier *classifier, const struct graft_image *image, float *values);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_classifier_encoded(struct graft_classifier *classifier,
                                                                      const void *data, size_t size,
                                                                      const char *name, float *values);
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_classifier_file(struct graft_classifier *classifier,
                                                                   const char *path, float *values);
/* Preprocessed pictures, u8 [count, crop_height, crop_width, channels], count ≤ batch; values: f32 [count,
 * width]. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_classifier_run(struct graft_classifier *classifier,
                                                                  const uint8_t *pixels, int64_t count,
                                                                  float *values);

/* What came of one picture of many. Texts and values are valid during the call only. */
struct graft_classified {
    enum graft_split split;
    int64_t index;            /* in this part of the data set, or in the list of files */
    int32_t label;            /* class of the data set; -1: not known */
    enum graft_status status; /* GRAFT_OK, or why there are no values */
    const char *note; /* NULL, or "NAME: what is wrong"; with GRAFT_OK its file is suspect, but was decoded */
    const float *values; /* [width]; NULL unless GRAFT_OK */
};
/* Called on the calling thread, once for each picture, in their order. Anything but GRAFT_OK ends it, and is
 * what the function returns. */
typedef enum graft_status graft_classified_function(void *user, const struct graft_classified *classified);

/*
 * All pictures of a part of a data set, decoded ahead on all threads. A picture that cannot be decoded is
 * reported as such and does not end it. GRAFT_ERROR_CANCELLED after graft_context_cancel (what was computed
 * by then has been handed out); statuses of graft_loader_open, graft_plan_run; GRAFT_ERROR_NUMERIC.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_classifier_dataset(struct graft_classifier *classifier, const struct graft_dataset *dataset,
                         enum graft_split split, graft_classified_function *function, void *user);
/* The same for files; a path may come twice. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_classifier_files(struct graft_classifier *classifier,
                                                                    const char *const *paths, int64_t count,
                                                                    graft_classified_function *function,
                                                                    void *user);

struct graft_evaluate_options {
    enum graft_split split; /* GRAFT_SPLIT_COUNT: all of the data */
    bool skip_damaged; /* pictures that cannot be read are left out and told; false: the first one ends it */
    struct graft_predictions
        *predictions; /* NULL, or what is said of each picture is added; the caller closes it */
    graft_classified_function *each; /* NULL, or called with each picture that was read */
    void *each_user;
    graft_progress_function *progress; /* may be NULL */
    void *progress_user;
};
/* Evaluates on data whose classes are in the classifier's order. `options` NULL: all zero. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_classifier_evaluate(struct graft_classifier *classifier, const struct graft_dataset *dataset,
                          const struct graft_evaluate_options *options, struct graft_evaluation *evaluation);

#ifdef __cplusplus
}
#endif
#endif
