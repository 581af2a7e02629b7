/* SPDX-License-Identifier: MIT */
/* PNG by libpng: every kind to 8-bit RGB, alpha composited on white; and writing. */
#include "data/decode.h"
#include "data/encode.h"

#include "base/context.h"
#include "base/file.h"

#include <ctype.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct png_job {
    png_structp png;
    png_infop info;
    bool truncated;
    bool faulty;    /* the fault says what */
    bool no_memory; /* at some point; libpng can go on without in places */
    uint64_t rows;  /* to be decoded, of all passes */
    uint64_t rows_decoded;
    size_t channels; /* of the pixels: 3, or 4 with alpha */
    char text[160];  /* of the error */
    char warning[160];
    size_t position;
    struct graft_decoding *decoding;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct png_job *const job = png_get_error_ptr(png);
    snprintf(job->text, sizeof job->text, "%s", text);
    png_longjmp(png, 1);
}

/* Most warnings are about colour profiles, which nobody asks for. Told is what is damaged. */
static void on_warning(png_structp png, png_const_charp text)
{
    struct png_job *const job = png_get_error_ptr(png);
    if (!job->warning[0] && (strstr(text, "CRC error") || strncmp(text, "IDAT", 4) == 0)) {
        snprintf(job->warning, sizeof job->warning, "%s", text);
    }
}

static void on_write_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp on_allocate(png_structp png, png_alloc_size_t size)
{
    struct png_job *const job = png_get_mem_ptr(png);
    void *const memory = graft_allocate_raw(job->decoding->scratch->context, 1, size);
    job->no_memory = job->no_memory || !memory;
    return memory;
}

static void on_release(png_structp png, png_voidp memory)
{
    graft_release(((struct png_job *)png_get_mem_ptr(png))->decoding->scratch->context, memory);
}

static void on_read(png_structp png, png_bytep target, size_t size)
{
    struct png_job *const job = png_get_io_ptr(png);
    if (size > job->decoding->size - job->position) {
        job->truncated = true;
        png_error(png, "end of file");
    }
    memcpy(target, job->decoding->data + job->position, size);
    job->position += size;
}

/* Where the file may say its orientation: eXIf, a text of ImageMagick (an EXIF block in hexadecimal digits
 * behind three lines), a text of Adobe. */
struct png_notes {
    const uint8_t *exif, *xmp;
    size_t exif_size, xmp_size;
};

/* In place; 0 if it is none. */
static size_t read_hexadecimal(char *text)
{
    uint8_t *const bytes = (uint8_t *)text;
    size_t digits = 0;
    for (int line = 0; line < 3; line++) {
        text = strchr(text, '\n');
        if (!text) {
            return 0;
        }
        text++;
    }
    for (; *text; text++) {
        const char *const all = "0123456789abcdef";
        const char *const digit = strchr(all, tolower((unsigned char)*text));
        if (digit) {
            const uint8_t value = (uint8_t)(digit - all);
            bytes[digits / 2] = (uint8_t)(digits % 2 == 0 ? value << 4 : bytes[digits / 2] | value);
            digits++;
        } else if (!isspace((unsigned char)*text)) {
            return 0;
        }
    }
    return digits / 2;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The last eXIf chunk, before or behind the pixels; libpng leaves out those that begin with JPEG's
 * "Exif\0\0". */
static void find_exif_chunk(const uint8_t *data, size_t size, struct png_notes *notes)
{
    size_t position = 8;
    while (size - position >= 12) {
        const uint32_t length = big_endian(data + position);
        if (length > size - position - 12) {
            break;
        }
        if (memcmp(data + position + 4, "eXIf", 4) == 0) {
            notes->exif = data + position + 8;
            notes->exif_size = length;
        }
        position += (size_t)length + 12;
    }
}

static void find_notes(const struct png_job *job, struct png_notes *notes)
{
    png_textp texts = NULL;
    const int count = png_get_text(job->png, job->info, &texts, NULL);
    for (int i = 0; i < count; i++) {
        const size_t length = texts[i].text_length > 0 ? texts[i].text_length : texts[i].itxt_length;
        if (strcmp(texts[i].key, "Raw profile type exif") == 0) {
            notes->exif_size = read_hexadecimal(texts[i].text);
            notes->exif = (const uint8_t *)texts[i].text;
        } else if (strcmp(texts[i].key, "XML:com.adobe.xmp") == 0) {
            notes->xmp = (const uint8_t *)texts[i].text;
            notes->xmp_size = length;
        }
    }
    find_exif_chunk(job->decoding->data, job->decoding->size, notes);
}

static bool is_complete(const struct png_job *job)
{
    return job->rows > 0 && job->rows_decoded == job->rows;
}

/* Counts what has been decoded: the last row's call fails, too, where something is wrong behind the pixels.
 */
static void on_row(png_structp png, png_row_infop row, png_bytep data)
{
    (void)row;
    (void)data;
    ((struct png_job *)png_get_io_ptr(png))->rows_decoded++;
}

static uint64_t count_rows(png_uint_32 width, png_uint_32 height, int passes)
{
    uint64_t rows = 0;
    for (int pass = 0; pass < passes && passes > 1; pass++) {
        rows += PNG_PASS_COLS(width, pass) > 0 ? PNG_PASS_ROWS(height, pass) : 0;
    }
    return passes > 1 ? rows : height;
}

static void run(struct png_job *job)
{
    png_structp png = job->png;
    png_infop info = job->info;
    png_set_user_limits(png, GRAFT_IMAGE_MAX_SIDE, GRAFT_IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 16u << 20);
    png_set_read_fn(png, job, on_read);
    png_read_info(png, info);
    png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_WARN_DISCARD); /* zlib has a sum of its own */
    const uint32_t width = png_get_image_width(png, info);
    const uint32_t height = png_get_image_height(png, info);
    if (graft_check_dimensions(width, height, job->decoding->name, job->decoding->fault) != GRAFT_OK) {
        job->faulty = true;
        return;
    }
    png_set_expand(png);   /* palette to RGB, 1, 2, 4 bits to 8, transparent colour to alpha */
    png_set_strip_16(png); /* the upper byte, as Pillow */
    png_set_gray_to_rgb(png);
    png_set_read_user_transform_fn(png, on_row);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    job->channels = png_get_channels(png, info);
    const size_t stride = png_get_rowbytes(png, info);
    if ((job->channels != 3 && job->channels != 4) || stride != job->channels * width) {
        png_error(png, "unexpected kind of pixels");
    }
    uint8_t *const pixels = graft_decoding_pixels(job->decoding, width, height, 3, job->channels);
    if (!pixels) {
        job->faulty = true;
        return;
    }
    job->rows = count_rows(width, height, passes);
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < height; y++) {
            png_read_row(png, pixels + y * stride, NULL);
        }
    }
    png_read_end(png, info);
}

static enum graft_status report(struct png_job *job)
{
    struct graft_fault *const fault = job->decoding->fault;
    const char *const name = job->decoding->name;
    if (job->faulty) {
        return fault->status;
    }
    if (job->no_memory) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this PNG");
    }
    if (job->truncated && !is_complete(job)) {
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "this PNG is truncated: its %zu bytes end before the picture does; copy it again",
            job->decoding->size);
    }
    if (strstr(job->text, "incorrect data check") || strstr(job->warning, "incorrect data check")) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name,
                               "damaged PNG: the pixels' checksum is wrong; replace it");
    }
    if (job->text[0] && !is_complete(job)) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "damaged PNG: %s; replace it", job->text);
    }
    if (job->truncated) {
        graft_fault_warn(fault, name, "the picture is there, but the file ends too early");
    } else if (job->text[0] || job->warning[0]) {
        graft_fault_warn(fault, name, "libpng says: %s", job->warning[0] ? job->warning : job->text);
    }
    return GRAFT_OK;
}

enum graft_status graft_decode_png(struct graft_decoding *decoding)
{
    struct png_job job = {.decoding = decoding};
    struct png_notes notes = {0};
    job.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, on_allocate,
                                       on_release);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info) {
        png_destroy_read_struct(&job.png, NULL, NULL);
        return graft_fault_set(decoding->fault, GRAFT_ERROR_MEMORY, decoding->name,
                               "no memory to decode this PNG");
    }
    if (setjmp(png_jmpbuf(job.png)) == 0) {
        run(&job);
    }
    if (is_complete(&job)) {
        if (job.channels == 4) {
            graft_composite_on_white(decoding->scratch->pixels.data,
                                     (size_t)decoding->view->width * (size_t)decoding->view->height);
        }
        find_notes(&job, &notes);
        decoding->orientation =
            graft_orientation_find(decoding->scratch, notes.exif, notes.exif_size, notes.xmp, notes.xmp_size);
    }
    png_destroy_read_struct(&job.png, &job.info, NULL);
    return report(&job);
}

struct png_write_job {
    struct graft_context *context;
    bool no_memory;
    struct graft_text *bytes; /* NULL: to the writer */
    struct graft_file_writer writer;
    enum graft_status status; /* of writing, which has recorded the message */
    char text[160];
};

static void on_write_error(png_structp png, png_const_charp text)
{
    struct png_write_job *const job = png_get_error_ptr(png);
    snprintf(job->text, sizeof job->text, "%s", text);
    png_longjmp(png, 1);
}

static png_voidp on_write_allocate(png_structp png, png_alloc_size_t size)
{
    struct png_write_job *const job = png_get_mem_ptr(png);
    void *const memory = graft_allocate_raw(job->context, 1, size);
    job->no_memory = job->no_memory || !memory;
    return memory;
}

static void on_write_release(png_structp png, png_voidp memory)
{
    graft_release(((struct png_write_job *)png_get_mem_ptr(png))->context, memory);
}

static void on_write(png_structp png, png_bytep data, size_t size)
{
    struct png_write_job *const job = png_get_io_ptr(png);
    if (job->bytes) {
        graft_text_append_bytes(job->context, job->bytes, (const char *)data, size);
        job->status = job->bytes->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    } else {
        job->status = graft_file_writer_write(&job->writer, data, size);
    }
    if (job->status != GRAFT_OK) {
        png_error(png, "not written");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void write_rows(png_structp png, png_infop info, struct png_write_job *job,
                       const struct graft_image *image)
{
    const size_t stride = (size_t)image->width * (size_t)image->channels;
    png_set_write_fn(png, job, on_write, on_flush);
    png_set_IHDR(png, info, (uint32_t)image->width, (uint32_t)image->height, 8,
                 image->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* Photographs gain little from more: a tenth of the bytes, for several times the work. */
    png_set_compression_level(png, 2);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
    png_write_info(png, info);
    for (int32_t y = 0; y < image->height; y++) {
        png_write_row(png, image->pixels + (size_t)y * stride);
    }
    png_write_end(png, info);
}

/* `name`: what messages begin with. */
static enum graft_status encode(struct png_write_job *job, const char *name, const struct graft_image *image)
{
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, job, on_write_error, on_write_warning, job,
                                                on_write_allocate, on_write_release);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return graft_fail(job->context, GRAFT_ERROR_MEMORY, "%s: no memory to write a PNG", name);
    }
    if (setjmp(png_jmpbuf(png)) == 0) {
        write_rows(png, info, job, image);
    }
    png_destroy_write_struct(&png, &info);
    if (job->status == GRAFT_OK && job->text[0]) {
        return job->no_memory
                   ? graft_fail(job->context, GRAFT_ERROR_MEMORY, "%s: no memory to write a PNG", name)
                   : graft_fail(job->context, GRAFT_ERROR_IO, "%s: not written as PNG: %s", name, job->text);
    }
    return job->status;
}

static enum graft_status check_written(struct graft_context *context, const char *name, const struct graft_image *image)
{
    return image->width < 1 || image->height < 1 || image->width > GRAFT_IMAGE_MAX_SIDE ||
                   image->height > GRAFT_IMAGE_MAX_SIDE || (image->channels != 1 && image->channels != 3)
               ? graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s: a picture of %d × %d × %d cannot be written as PNG",
                            name, image->width, image->height, image->channels)
               : GRAFT_OK;
}

enum graft_status graft_image_encode_png(struct graft_context *context, const struct graft_image *image,
                                         struct graft_text *bytes)
{
    struct png_write_job job = {.context = context, .bytes = bytes};
    const enum graft_status status = check_written(context, "a picture", image);
    return status == GRAFT_OK ? encode(&job, "a picture", image) : status;
}

enum graft_status graft_image_write_png(struct graft_context *context, const char *path,
                                        const struct graft_image *image)
{
    struct png_write_job job = {.context = context};
    enum graft_status status = check_written(context, path, image);
    if (status == GRAFT_OK) {
        status = graft_file_writer_open(context, path, &job.writer);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    status = encode(&job, path, image);
    if (status == GRAFT_OK) {
        status = graft_file_writer_commit(&job.writer);
    }
    if (status != GRAFT_OK) {
        graft_file_writer_abort(&job.writer);
    }
    return status;
}
