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
    struct graft_buffer file;      /* the encoded picture */
    struct graft_buffer pixels;    /* decoded */
    struct graft_buffer turned;    /* decoded, orientation applied */
    struct graft_buffer rows;      /* between two steps: of a decoder, of the passes of a resize */
    struct graft_buffer weights;   /* of a resize */
    struct graft_buffer changed;   /* other channels */
    struct graft_buffer stages[2]; /* between transforms */
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

/*
 * Decodes; the view points into the scratch memory. `data` may be scratch->file. On success fault->status is
 * GRAFT_OK, and fault->text is empty or a remark (graft_fault_suspect): the pixels are there, but something
 * is wrong with the file.
 */
enum graft_status graft_decode(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                               const char *name, const struct graft_decode_options *options,
                               struct graft_view *view, struct graft_fault *fault);

/* ---- Formats: a decoder is a file and a row of the table in formats.c ---- */

/* What a decoder works on, and what it fills. */
struct graft_decoding {
    struct graft_scratch *scratch;
    const uint8_t *data;
    size_t size;
    const char *name;          /* of the file, for messages */
    const char *format;        /* the name of its row */
    int32_t channels;          /* 1: a grey file may be decoded to one channel; else 3 */
    int32_t least_side;        /* of a file that may be decoded smaller, its short side; 0: as it is */
    struct graft_fault *fault; /* a failure, or a remark (graft_fault_warn) */

    struct graft_view *view; /* to be filled: rows as stored, 3 channels or 1 */
    int orientation;         /* 1..8 of EXIF; 1 at the beginning */
};

struct graft_picture_format {
    const char *name;
    const char *endings; /* of file names, without dots, separated by spaces; "" if there are none */
    bool (*recognizes)(const uint8_t *data, size_t size);         /* by the first bytes */
    enum graft_status (*decode)(struct graft_decoding *decoding); /* NULL: not read */
    const char *advice;       /* where it is not decoded: why, and what to do */
    enum graft_status status; /* of that: GRAFT_ERROR_UNSUPPORTED for a picture, GRAFT_ERROR_FORMAT */
};

/* The first bytes that tell a format; fewer tell most of them. */
#define GRAFT_MAGIC_SIZE 512

/* The row of the first format that recognizes the bytes; NULL: none does. */
const struct graft_picture_format *graft_picture_format_find(const uint8_t *data, size_t size);
/* True for the first bytes of a picture that is decoded. */
bool graft_picture_magic(const uint8_t *data, size_t size);
/* True if the name ends as pictures' names do, whether they are decoded or not. */
bool graft_picture_ending(const char *name);
/* Fails with what the bytes are: a format that is not read (NULL: none that is known), and the way out. */
enum graft_status graft_picture_refuse(struct graft_decoding *decoding,
                                       const struct graft_picture_format *format);

enum graft_status graft_decode_bmp(struct graft_decoding *decoding);
enum graft_status graft_decode_gif(struct graft_decoding *decoding);
enum graft_status graft_decode_heif(struct graft_decoding *decoding); /* with GRAFT_HAVE_HEIF only */
enum graft_status graft_decode_jpeg(struct graft_decoding *decoding);
enum graft_status graft_decode_png(struct graft_decoding *decoding);
enum graft_status graft_decode_pnm(struct graft_decoding *decoding);
enum graft_status graft_decode_tiff(struct graft_decoding *decoding);
enum graft_status graft_decode_webp(struct graft_decoding *decoding);

/* Checks dimensions before memory is taken for them. */
enum graft_status graft_check_dimensions(uint64_t width, uint64_t height, const char *name,
                                         struct graft_fault *fault);
/*
 * Checks the dimensions, takes scratch->pixels for [height, width, bytes_per_pixel] and fills the view with 3
 * (or 1) channels of it. NULL with the fault set. The memory is not zeroed.
 */
uint8_t *graft_decoding_pixels(struct graft_decoding *decoding, uint64_t width, uint64_t height,
                               int32_t channels, size_t bytes_per_pixel);

/* [count, 4] to [count, 3] on white, in place. */
void graft_composite_on_white(uint8_t *pixels, size_t count);

/*
 * Orientation as Pillow's exif_transpose finds it: from an EXIF block (with or without the header
 * "Exif\0\0"), else from an XMP packet. Either may be NULL. 1 if there is none or it is damaged; 0: no memory
 * to look.
 */
int graft_orientation_find(struct graft_scratch *scratch, const uint8_t *exif, size_t exif_size,
                           const uint8_t *xmp, size_t xmp_size);

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
