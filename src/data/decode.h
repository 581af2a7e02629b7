/* SPDX-License-Identifier: MIT */
/* Decoding into memory that is used again for the next picture. */
#ifndef GRAFT_SRC_DATA_DECODE_H
#define GRAFT_SRC_DATA_DECODE_H

#include "graft/data.h"

#include "data/fault.h"

struct graft_buffer {
    uint8_t *data;
    size_t capacity;
};

/* Memory of one thread's work on one picture. Zeroed, with the context set, it is ready. */
struct graft_scratch {
    struct graft_context *context;
    struct graft_buffer file;    /* the encoded picture */
    struct graft_buffer pixels;  /* decoded */
    struct graft_buffer turned;  /* decoded, orientation applied */
    struct graft_buffer rows;    /* between the two passes of a resize */
    struct graft_buffer weights; /* of a resize */
    struct graft_buffer changed; /* augmentation */
};

/* At least `bytes` (and 64 to spare, so that vector loads may read on); the content is lost. False: no
 * memory. */
bool graft_buffer_reserve(struct graft_context *context, struct graft_buffer *buffer, size_t bytes);
void graft_scratch_close(struct graft_scratch *scratch);

/* Pixels somewhere: row y begins at pixels + y × stride. */
struct graft_view {
    const uint8_t *pixels; /* [height, width, channels] */
    int32_t width;
    int32_t height;
    int32_t channels;
    size_t stride; /* bytes from row to row */
};

/* Reads a file of at most 1 GiB into scratch->file. */
enum graft_status graft_read_encoded(struct graft_scratch *scratch, const char *path, size_t *size,
                                     struct graft_fault *fault);

/* Decodes; the view points into the scratch memory. `data` may be scratch->file. */
enum graft_status graft_decode(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                               const char *name, const struct graft_decode_options *options,
                               struct graft_view *view, struct graft_fault *fault);

/* True for the first bytes of a JPEG or PNG. */
bool graft_picture_magic(const uint8_t *data, size_t size);

/* The decoders: 3 channels, or 1 if that is what `channels` asks and the file is grey; rows as stored.
 * *orientation is 1..8 of EXIF, 1 if there is none. */
enum graft_status graft_decode_jpeg(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                                    const char *name, int32_t channels, struct graft_view *view,
                                    int *orientation, struct graft_fault *fault);
enum graft_status graft_decode_png(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                                   const char *name, int32_t channels, struct graft_view *view,
                                   int *orientation, struct graft_fault *fault);

/* Checks dimensions before memory is taken for them. */
enum graft_status graft_check_dimensions(uint64_t width, uint64_t height, const char *name,
                                         struct graft_fault *fault);

/* Orientation 1..8 from an EXIF block that begins with "Exif\0\0"; 1 if absent or damaged; 0: no memory to
 * look. */
int graft_exif_orientation(const uint8_t *data, size_t size);

/* Turns [height, width, channels] as EXIF orientation 2..8 says; `result` holds as many bytes. */
void graft_orient(const struct graft_view *view, int orientation, uint8_t *result, struct graft_view *turned);

/* Luma as Pillow computes it: (19595 R + 38470 G + 7471 B + 2^15) >> 16. */
static inline uint8_t graft_luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

/* a × b / 255, rounded to nearest, for a, b in 0..255. */
static inline uint8_t graft_multiply_255(uint32_t a, uint32_t b)
{
    const uint32_t product = a * b + 128;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

/* [height, width, 3] to [height, width, 1] in place. */
void graft_to_grey(uint8_t *pixels, size_t count);

#endif
