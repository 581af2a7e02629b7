/* SPDX-License-Identifier: MIT */
/*
 * Pictures and data sets: decoding, resizing, augmentation, finding classes and splits, and the loader that
 * runs ahead of the device.
 *
 * Pictures are u8, row-major [height, width, channels], 3 channels (RGB) or 1 (grey). Normalization to float
 * ((x / 255 − mean) / std) is not done here: an op does it on the device.
 */
#ifndef GRAFT_DATA_H
#define GRAFT_DATA_H

#include "graft/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Pictures ---- */

struct graft_image {
    int32_t width;
    int32_t height;
    int32_t channels; /* 3: red, green, blue; 1: grey */
    uint8_t *pixels;  /* [height, width, channels] */
};

/* All zero: RGB, orientation applied. */
struct graft_decode_options {
    int32_t channels;        /* 3 (also 0) or 1 */
    bool ignore_orientation; /* true: rows as stored, whatever the EXIF orientation says */
    /* A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size (as Pillow's draft), as long as its short side is no
     * shorter than this: quicker, with other pixels. 0: as it is. */
    int32_t least_side;
};

/* Largest side and largest number of pixels that are decoded. */
#define GRAFT_IMAGE_MAX_SIDE 65536
#define GRAFT_IMAGE_MAX_PIXELS (1 << 28)

/*
 * Decodes a picture; its format is told by its first bytes, never by a file name (README names those that are
 * read). Pixels are Pillow's; alpha is composited on white, 16 bits a channel become 8 (the upper ones); the
 * orientation is that of Pillow's exif_transpose. `name` is for messages only. `options` may be NULL.
 * Where the file is suspect (its library warns, but the pixels are there), the log gets a warning.
 * GRAFT_ERROR_FORMAT (not a picture, damaged, truncated, too large), GRAFT_ERROR_UNSUPPORTED (a picture of a
 * kind that is not read; the message names it), GRAFT_ERROR_MEMORY; *image is then all zero. Release with
 * graft_image_close.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_image_decode(struct graft_context *context, const void *data, size_t size, const char *name,
                   const struct graft_decode_options *options, struct graft_image *image);
/* The same for a file; also GRAFT_ERROR_NOT_FOUND, GRAFT_ERROR_IO. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_image_read(struct graft_context *context, const char *path,
                                                              const struct graft_decode_options *options,
                                                              struct graft_image *image);
GRAFT_API void graft_image_close(struct graft_context *context, struct graft_image *image);

/* Writes a PNG, whole or not at all. GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_image_write_png(struct graft_context *context, const char *path, const struct graft_image *image);

enum graft_filter {
    GRAFT_FILTER_BILINEAR = 0,
    GRAFT_FILTER_NEAREST = 1,
    GRAFT_FILTER_BOX = 2,
    GRAFT_FILTER_BICUBIC = 3,
    GRAFT_FILTER_LANCZOS = 4
};

/* "bilinear" …; NULL for a number that is none. */
GRAFT_API const char *graft_filter_name(enum graft_filter filter);
/* GRAFT_ERROR_NOT_FOUND, with the nearest name proposed. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_filter_find(struct graft_context *context,
                                                               const char *name, enum graft_filter *filter);

/* Resizes to width × height, bit for bit as Pillow 13. GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_image_resize(struct graft_context *context,
                                                                const struct graft_image *image,
                                                                enum graft_filter filter, int32_t width,
                                                                int32_t height, struct graft_image *result);

/* ---- From a picture to the input of a network ---- */

/*
 * A step on the way from a decoded picture to the input of a network. Steps follow each other in a list;
 * those that draw at random depend on (seed, epoch, sample) only, so on no thread and no batch.
 */
enum graft_transform_kind {
    GRAFT_TRANSFORM_RESIZE = 0,
    GRAFT_TRANSFORM_CENTER_CROP = 1, /* to the input's size; a smaller picture is padded with 0 */
    GRAFT_TRANSFORM_RANDOM_CROP = 2,
    GRAFT_TRANSFORM_FLIP = 3,
    GRAFT_TRANSFORM_JITTER = 4,
    GRAFT_TRANSFORM_ROTATE = 5,
    GRAFT_TRANSFORM_SHIFT = 6,
    GRAFT_TRANSFORM_SHEAR = 7,
    GRAFT_TRANSFORM_ZOOM = 8,
    GRAFT_TRANSFORM_GRAY = 9,
    GRAFT_TRANSFORM_BLUR = 10,
    GRAFT_TRANSFORM_ERASE = 11,
    GRAFT_TRANSFORM_TRIVIAL = 12,
    GRAFT_TRANSFORM_RAND = 13,
    GRAFT_TRANSFORM_CORNER_CROP = 14 /* to the input's size, as of torchvision's FiveCrop */
};

/* What is shown where nothing of the picture is: black; the nearest edge pixel; the picture mirrored; the
 * picture again. */
enum graft_fill {
    GRAFT_FILL_CONSTANT = 0,
    GRAFT_FILL_NEAREST = 1,
    GRAFT_FILL_REFLECT = 2,
    GRAFT_FILL_WRAP = 3
};

struct graft_resize_step {
    int32_t short_side; /* pixels; the long side in proportion. 0: stretched to the input's size */
    enum graft_filter filter;
};

/* torchvision's RandomResizedCrop: a part of the picture, resized to the input's size. */
struct graft_random_crop_step {
    float scale[2]; /* share of the area, lowest and highest */
    float ratio[2]; /* width : height, lowest and highest; log-uniform */
    enum graft_filter filter;
};

/* Left and right change places. */
struct graft_flip_step {
    float probability;
};

/* Colours, in an order that is drawn too. b: factor in [max(0, 1 − b), 1 + b]; 0: as they are. Hues turn by
 * up to so much of the circle, 0.5 at most, to either side. torchvision's ColorJitter. */
struct graft_jitter_step {
    float brightness;
    float contrast;
    float saturation;
    float hue;
};

/*
 * The picture about its middle, drawn evenly from the range: ROTATE by up to `amount` degrees to either side;
 * SHIFT by up to that part of its width, and of its height; SHEAR along its rows by up to `amount` degrees;
 * ZOOM by 1 − amount to 1 + amount, its width and its height by themselves. As Keras' ImageDataGenerator
 * draws them. Steps that follow each other are one resampling, with the fill of the last one.
 */
struct graft_turn_step {
    float amount;
    enum graft_fill fill;
};

/* All channels become the luma. */
struct graft_gray_step {
    float probability;
};

/* torchvision's GaussianBlur; the deviation, in pixels, is drawn evenly; it is cut off at three of them. */
struct graft_blur_step {
    float deviation[2]; /* at most 5 */
    float probability;
};

/* torchvision's RandomErasing: a rectangle, of a part of the area and with a ratio as for crops, becomes the
 * colour that the network's normalization makes 0. */
struct graft_erase_step {
    float probability;
    float scale[2];
    float ratio[2];
};

/* torchvision's TrivialAugmentWide (one of 14 changes, its strength drawn from 31) and RandAugment (`count`
 * changes of strength `magnitude`, 0 to 30), with bilinear interpolation. */
struct graft_policy_step {
    int32_t count; /* of RAND only, as the magnitude */
    int32_t magnitude;
    enum graft_fill fill;
};

/* Never of a network's own preprocessing. An axis that is too short is padded as by CENTER_CROP. */
struct graft_corner_step {
    int32_t corner; /* 0: top left, 1: top right, 2: bottom left, 3: bottom right */
};

struct graft_transform {
    enum graft_transform_kind kind;
    union {
        struct graft_resize_step resize;
        struct graft_random_crop_step random_crop;
        struct graft_flip_step flip;
        struct graft_jitter_step jitter;
        struct graft_turn_step turn; /* ROTATE, SHIFT, SHEAR, ZOOM */
        struct graft_gray_step gray;
        struct graft_blur_step blur;
        struct graft_erase_step erase;
        struct graft_policy_step policy; /* TRIVIAL, RAND */
        struct graft_corner_step corner;
    };
};

#define GRAFT_TRANSFORM_LIMIT 16

/* At its end a picture must have the input's size. */
struct graft_transforms {
    int32_t count;
    struct graft_transform steps[GRAFT_TRANSFORM_LIMIT];
};

/*
 * What is done to whole batches of training pictures, each with another of its batch: mixup (Zhang et al. 2018) lays them
 * over each other, CutMix (Yun et al. 2019) puts a rectangle of the other one into it. The share of a picture's own
 * pixels is drawn from the distribution Beta(alpha, alpha), once for a batch; with both, one of them is drawn for each
 * batch. As torchvision.transforms.v2.MixUp and CutMix. 0: never.
 */
struct graft_mix {
    float mixup;
    float cutmix;
};
#define GRAFT_MIX_LEAST 0.001 /* of an alpha */
#define GRAFT_MIX_MOST 1000.0

/* "resize", "center_crop" …; NULL for a number that is none. */
GRAFT_API const char *graft_transform_name(enum graft_transform_kind kind);

/* "constant", "nearest", "reflect", "wrap"; NULL for a number that is none. */
GRAFT_API const char *graft_fill_name(enum graft_fill fill);

/* What a network expects of its input; goes with every set of weights. */
struct graft_preprocess {
    int32_t crop_height; /* of the input */
    int32_t crop_width;
    int32_t channels; /* 3 or 1 */
    float mean[3];    /* of values in 0..1; used by the op on the device, not here */
    float std[3];
    bool ignore_orientation;            /* pixels as stored, whatever the EXIF orientation says */
    bool scaled;                        /* JPEGs may be decoded smaller, not below what the steps ask for */
    struct graft_transforms transforms; /* nothing at random */
};

/* Resize and centre crop, as torchvision. `short_side` 0: stretched to the input's size. */
GRAFT_API struct graft_transforms graft_transforms_usual(int32_t short_side, enum graft_filter filter);

/* Resize 256, crop 224, bilinear, 3 channels, mean and deviation of ImageNet. */
GRAFT_API struct graft_preprocess graft_preprocess_imagenet(void);

/* GRAFT_ERROR_ARGUMENT, naming the field, unless sizes are in 1..8192, channels 1 or 3, deviations over 0,
 * and the steps sensible and none at random. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_preprocess_check(struct graft_context *context, const struct graft_preprocess *preprocess);

/* A decoded picture through the steps. `result` is u8 [crop_height, crop_width, channels]. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_preprocess_image(struct graft_context *context,
                                                                    const struct graft_preprocess *preprocess,
                                                                    const struct graft_image *image,
                                                                    uint8_t *result);
/* Where the input lies in the picture that it was made of: its pixel (x, y) begins at (left + x × across,
 * top + y × down) in pixels of the picture. */
struct graft_region {
    double left, top;
    double across, down; /* pixels of the picture for one of the input */
};
/* Of a picture of width × height, upright. */
GRAFT_API struct graft_region graft_preprocess_region(const struct graft_preprocess *preprocess,
                                                      int32_t width, int32_t height);
/* A picture in a file through the steps. Statuses of graft_image_read. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_preprocess_file(struct graft_context *context,
                                                                   const struct graft_preprocess *preprocess,
                                                                   const char *path, uint8_t *result);

/* Steps for training pictures, in place of those of preprocessing: a random crop of 0.08–1 of the area with
 * ratio 3/4–4/3, resized with the filter of the first resize there, and a flip of one half. */
GRAFT_API struct graft_transforms graft_augment_default(const struct graft_preprocess *preprocess);

/*
 * The steps that a text names, one after the other: a preset (light, imagenet, keras, trivial, rand) or a
 * list as "crop:0.5-1,flip,rotate:40,color:0.4,0.4,0.4,0.1,fill:reflect". A list without a crop begins with
 * the steps of preprocessing. `fill` is for the whole list; so are mixup and cutmix, which go into *mix (NULL: they are
 * refused). Where nothing else stands there, the steps are those of preprocessing. GRAFT_ERROR_ARGUMENT: what cannot be
 * read, and its place in the list. README says what each name takes.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_augment_parse(struct graft_context *context,
                                                                 const char *text,
                                                                 const struct graft_preprocess *preprocess,
                                                                 struct graft_transforms *transforms,
                                                                 struct graft_mix *mix);

/* One picture through other steps, as of the loader; `transforms` NULL: those of preprocessing. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_transform_image(struct graft_context *context, const struct graft_preprocess *preprocess,
                      const struct graft_transforms *transforms, uint64_t seed, int64_t epoch, int64_t sample,
                      const struct graft_image *image, uint8_t *result);

/* ---- Data sets ---- */

enum graft_split { GRAFT_SPLIT_TRAIN = 0, GRAFT_SPLIT_VAL = 1, GRAFT_SPLIT_TEST = 2 };
#define GRAFT_SPLIT_COUNT 3

/* "train", "val", "test". */
GRAFT_API const char *graft_split_name(enum graft_split split);

enum graft_dataset_kind {
    GRAFT_DATASET_AUTO = 0,    /* found out; a remark in the log says what was found */
    GRAFT_DATASET_FOLDERS = 1, /* folder, tar or zip: a folder per class, below train, val, test or not */
    GRAFT_DATASET_NAMES = 2,   /* one flat folder, tar or zip of CLASS.NUMBER.jpg (Kaggle's cats and dogs) */
    GRAFT_DATASET_IDX = 3,     /* MNIST's files, gzip or plain */
    GRAFT_DATASET_CSV = 4,     /* a table with path and label, and perhaps split */
    GRAFT_DATASET_MEMORY = 5,  /* a program's own pictures: graft_dataset_open_source */
    GRAFT_DATASET_LISTS = 6,   /* a published layout with lists beside the pictures: README names them */
    GRAFT_DATASET_CIFAR = 7    /* CIFAR-10 and CIFAR-100, binary version */
};

/* All zero: kind found out, a fifth for validation where the data has no such part, classes as found. */
struct graft_dataset_options {
    enum graft_dataset_kind kind; /* other than AUTO: anything else is an error */
    /* Share of the training pictures of each class that is set aside for validation when the data has no
     * validation part. 0: a fifth, but nothing where a test part is there. Below 0: nothing. */
    double val_fraction;
    uint64_t seed;        /* of that choice */
    const char *val_path; /* NULL, or another folder or archive that holds the validation pictures */
    /* NULL, or the classes in the order of a trained network: a class of the data that is not among them is
     * an error, one that the data lacks is not. */
    const char *const *class_names;
    int32_t class_count;
    uint64_t memory_limit; /* bytes that pictures of zip and compressed tar files may take; 0: 4 GiB */
    /* Pictures without classes: every one that is found, in whatever layout, as training part, in the order
     * of the paths; labels are −1. */
    bool unlabelled;
    /* Columns of a table, by name or by number from 1; NULL: known by their names. */
    const char *column_path;
    const char *column_label;
    const char *column_split;
    /* "classes", "labels" or "number": what is to be learnt; NULL: with class_names it is classes; else a table tells it:
     * several labels in a cell or a column of 0 and 1 for each are labels, fractions a number, all others classes. */
    const char *task;
    /* NULL, or parts that change places: "train=test,val=train+val". A part of the data that is named on no
     * right side stays what it is, or is left out where its name stands on a left side. */
    const char *parts;
    /* NULL, or how many of each class: "1000,500,500" for train, val, test, fewer numbers for the first of
     * them; "-" or nothing: all there are. Drawn by the seed; parts that the data lacks come from train. */
    const char *take;
    /* NULL, or an extended regular expression (\d is a digit) that is looked for in each picture's path behind
     * the folder of its part; the first group in parentheses is the class. */
    const char *class_pattern;
    /* NULL, or which labels, of data sets that have several: "species" (Oxford-IIIT Pet), "coarse" (CIFAR-100). */
    const char *labels;
    /* A file that a table names and that is not there stays in the list and fails when it is read, as a
     * damaged picture or member of an archive does; false: it is an error. */
    bool keep_damaged;
    /* What else is wrong (rows, class folders, unknown classes, a cut archive) is noted as a fault and left
     * out, so that all of it can be listed; false: it is an error. */
    bool list_faults;
};

struct graft_dataset;

/*
 * Finds classes and pictures; decodes nothing. `path` may be the name of a data set that `graft pull --data`
 * has fetched ("cifar10"), where nothing of that name lies in the current folder. `options` may be NULL.
 * Strings are copied. GRAFT_ERROR_NOT_FOUND, GRAFT_ERROR_IO (unreadable folder or file), GRAFT_ERROR_FORMAT
 * (no pictures, an empty class folder, one class only, a validation class that training lacks, damaged
 * archive or table), GRAFT_ERROR_ARGUMENT, GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_dataset_open(struct graft_context *context,
                                                                const char *path,
                                                                const struct graft_dataset_options *options,
                                                                struct graft_dataset **dataset);

/* One picture as a source hands it over: encoded, or as pixels. */
struct graft_sample {
    const void *data;      /* an encoded picture (JPEG, PNG …), or NULL: pixels */
    size_t size;           /* its bytes */
    const uint8_t *pixels; /* [height, width, channels] */
    int32_t width;
    int32_t height;
    int32_t channels;   /* 3: RGB; 1: grey */
    const char *reason; /* why reading it failed, for the message; may be NULL */
    void *token;        /* the source's own, for release */
};

/* A program's own pictures as a data set: from memory, a camera, a data base, drawn on the spot. */
struct graft_picture_source {
    const char *title; /* for messages; NULL: "memory" */
    int64_t count;     /* pictures, 1 or more */
    const char *const *class_names;
    int32_t class_count;
    void *user; /* handed to the functions */
    /* 0..class_count − 1. Called when the data set is opened, as is split. */
    int32_t (*label)(void *user, int64_t index);
    /* NULL: all are for training, and of those a part is set aside for validation as the options say. */
    enum graft_split (*split)(void *user, int64_t index);
    /* A name for messages, at most `size` bytes with the zero; NULL: "TITLE[index]". */
    void (*name)(void *user, int64_t index, char *text, size_t size);
    /*
     * Fills the zeroed sample; other statuses count like a damaged file. Called again for every epoch, from
     * several threads at a time.
     */
    enum graft_status (*read)(void *user, int64_t index, struct graft_sample *sample);
    /* Takes back what read gave, once it has been used; NULL: it stays until the data set is closed. */
    void (*release)(void *user, int64_t index, struct graft_sample *sample);
};

/* A data set of these pictures. Class names and title are copied; `user` must outlive it. Statuses as of
 * graft_dataset_open; GRAFT_ERROR_ARGUMENT if a function, a label or a split is none. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_dataset_open_source(struct graft_context *context, const struct graft_picture_source *source,
                          const struct graft_dataset_options *options, struct graft_dataset **dataset);
/* A data set of these files, without classes, as training part in the order of the list; a path may come
 * twice. Nothing is opened yet. The paths are copied. GRAFT_ERROR_ARGUMENT: no file; GRAFT_ERROR_MEMORY. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_dataset_open_files(struct graft_context *context,
                                                                      const char *const *paths, int64_t count,
                                                                      struct graft_dataset **dataset);
GRAFT_API void graft_dataset_close(struct graft_dataset **dataset);

/* A number for what a part is made of: names (relative to the data set), sizes in bytes, classes. Another one
 * means that something was added, removed, renamed or changed in size; contents are not read. 0: the system
 * refuses to tell a size. */
GRAFT_API uint64_t graft_dataset_fingerprint(const struct graft_dataset *dataset, enum graft_split split);

GRAFT_API enum graft_dataset_kind graft_dataset_kind(const struct graft_dataset *dataset);
/* CLASSES, LABELS or NUMBER. */
GRAFT_API enum graft_task_kind graft_dataset_task(const struct graft_dataset *dataset);
/* Of a NUMBER 1: what its column is called. */
GRAFT_API int32_t graft_dataset_class_count(const struct graft_dataset *dataset);
/* Sorted as strings (IDX: by number; or the order of options.class_names). Owned by the data set. */
GRAFT_API const char *const *graft_dataset_class_names(const struct graft_dataset *dataset);
GRAFT_API int64_t graft_dataset_count(const struct graft_dataset *dataset, enum graft_split split);
/* Class index of sample `index` of the split; samples are ordered by path. LABELS: that of its first label, without any 0;
 * NUMBER: 0. */
GRAFT_API int32_t graft_dataset_label(const struct graft_dataset *dataset, enum graft_split split,
                                      int64_t index);
/* What is to be learnt of a sample, [class_count]: 1 for its class or each of its labels, else 0; or the number. */
GRAFT_API void graft_dataset_targets(const struct graft_dataset *dataset, enum graft_split split, int64_t index,
                                     float *targets);
/* The same for people: "cats", "cats;dogs", "41.5"; into `text` (cut at `size`); returns `text`. */
GRAFT_API char *graft_dataset_truth(const struct graft_dataset *dataset, enum graft_split split, int64_t index,
                                    char *text, size_t size);
/* Path of a sample, archive and member, or file and number, for people; into `text` (cut at `size`); returns
 * `text`. */
GRAFT_API char *graft_dataset_sample_name(const struct graft_dataset *dataset, enum graft_split split,
                                          int64_t index, char *text, size_t size);
/* Width, height and channels that all pictures share, known without decoding (IDX only); else false. */
GRAFT_API bool graft_dataset_fixed_size(const struct graft_dataset *dataset, int32_t *width, int32_t *height,
                                        int32_t *channels);
/* Files that lie among the pictures and are none; they were left out. */
GRAFT_API int64_t graft_dataset_skipped_count(const struct graft_dataset *dataset);
GRAFT_API const char *graft_dataset_skipped(const struct graft_dataset *dataset, int64_t index);

/* What was wrong and left out (options.list_faults): one line each, owned by the data set. */
GRAFT_API int64_t graft_dataset_fault_count(const struct graft_dataset *dataset);
GRAFT_API const char *graft_dataset_fault(const struct graft_dataset *dataset, int64_t index);

/* Reads and decodes one sample; statuses of graft_image_read. Safe from several threads. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_dataset_read(const struct graft_dataset *dataset,
                                                                enum graft_split split, int64_t index,
                                                                const struct graft_decode_options *options,
                                                                struct graft_image *image);

/* ---- The loader ---- */

struct graft_loader_options {
    enum graft_split split;
    int32_t batch; /* pictures a batch, 1..65536 */
    bool shuffle;  /* another order every epoch, from (seed, epoch); false: 0, 1, 2 … */
    /* With shuffle: pictures are drawn with replacement, each class as often as the others, as many as there are.
     * keep_limit then counts as 0. */
    bool balanced;
    uint64_t seed; /* of order and random steps */
    const struct graft_transforms *transforms; /* copied; NULL: those of preprocessing */
    /* In place of them: each picture in so many ways, one behind the other where else it is once. They stay the
     * caller's. */
    const struct graft_transforms *views;
    int32_t view_count; /* 0: none */
    struct graft_mix mix; /* drawn from (seed, epoch, batch); not with look */
    /* A picture that cannot be decoded is left out, logged once and listed; false: it is an error, unless it
     * was read before and its file is gone. */
    bool skip_damaged;
    /* Its row stays where it is, all 0, and batch->notes says what is wrong; nothing is logged. */
    bool keep_damaged;
    /* NULL, or called with each decoded picture, upright and RGB, in place of preprocessing, from several
     * threads at a time; the picture is gone afterwards. Batches then have no pixels. */
    void (*look)(void *user, int64_t sample, const struct graft_image *picture);
    void *user; /* of look */
    /* Preprocessed pictures stay in memory for later epochs if all fit in so many bytes and no step is at
     * random. 0: none (IDX pictures of the right size never need it). */
    uint64_t keep_limit;
    int32_t ahead; /* batches being prepared at a time, 1..64; 0: 3 */
    /* parts > 1: several loaders of the same data, each with its own number, share the work. With shuffle each gets its
     * part of every batch, of `batch` pictures in all; a part can be empty: the epoch is over when batch->number is
     * graft_loader_batches. Without shuffle each gets the batches of its part of the pictures, which must not be empty. */
    int32_t part, parts;
};

/* What there is to say about a row. */
struct graft_note {
    enum graft_status status; /* GRAFT_OK: the picture is there */
    const char *text; /* "NAME: what is wrong with it": with GRAFT_OK its file is suspect; NULL: nothing */
};

struct graft_batch {
    const uint8_t *pixels;          /* [batch, views or 1, crop_height, crop_width, channels], aligned to 64 bytes */
    const int32_t *labels;          /* [batch] */
    const int64_t *samples;         /* [batch], index within the split */
    const struct graft_note *notes; /* [valid] */
    double share; /* of the row's own picture in it: the rest is of the row before it, in row 0 of row valid − 1. 1: not mixed */
    int32_t valid;  /* rows 0..valid − 1 are this batch's samples; later rows repeat them from row 0 on */
    int64_t number; /* from 0 within the epoch */
};

struct graft_loader;

/*
 * Opens a loader on one split; the data set must outlive it. `preprocess` may be NULL with options->look.
 * Decoding runs on the context's threads, ahead of the consumer, and gives the same batches whatever their
 * number. Begins at epoch 0. GRAFT_ERROR_ARGUMENT (also an empty split), GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_loader_open(struct graft_context *context,
                                                               const struct graft_dataset *dataset,
                                                               const struct graft_preprocess *preprocess,
                                                               const struct graft_loader_options *options,
                                                               struct graft_loader **loader);
GRAFT_API void graft_loader_close(struct graft_loader **loader);

/* Batches an epoch: samples / batch, rounded up. */
GRAFT_API int64_t graft_loader_batches(const struct graft_loader *loader);
/* Goes to a batch of an epoch (resuming, or the next epoch) and begins to decode. GRAFT_ERROR_ARGUMENT. */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_loader_start(struct graft_loader *loader, int64_t epoch,
                                                                int64_t first_batch);
/*
 * The next batch; its memory is the loader's and valid until the next call on the loader. batch->valid is 0
 * once, at the end of the epoch. A picture that cannot be decoded is reported with its name at the batch that
 * contains it (GRAFT_ERROR_FORMAT, _UNSUPPORTED, _IO, _NOT_FOUND), or left out (skip_damaged): then `valid`
 * is smaller, and a batch without any valid picture is passed over. GRAFT_ERROR_CANCELLED,
 * GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_loader_next(struct graft_loader *loader,
                                                               struct graft_batch *batch);

/* Damaged samples met so far (skip_damaged), in the order of their index. */
GRAFT_API int64_t graft_loader_damaged_count(const struct graft_loader *loader);
/* `sample` may be NULL. The message names file and reason; owned by the loader. */
GRAFT_API const char *graft_loader_damaged(const struct graft_loader *loader, int64_t index, int64_t *sample);

#ifdef __cplusplus
}
#endif
#endif
