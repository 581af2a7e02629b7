/* SPDX-License-Identifier: MIT */
/* PNG by libpng: every kind to 8-bit RGB, alpha composited on white; and writing. */
#include "data/decode.h"

#include "base/context.h"
#include "base/file.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct png_job {
    png_structp png;
    png_infop info;
    bool truncated;
    bool faulty;    /* `fault` says what */
    bool no_memory; /* at some point; libpng can go on without in places */
    char text[160];

    struct graft_scratch *scratch;
    const uint8_t *data;
    size_t size;
    size_t position;
    const char *name;
    struct graft_view *view;
    struct graft_fault *fault;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct png_job *const job = png_get_error_ptr(png);
    snprintf(job->text, sizeof job->text, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp on_allocate(png_structp png, png_alloc_size_t size)
{
    struct png_job *const job = png_get_mem_ptr(png);
    void *const memory = graft_allocate_raw(job->scratch->context, 1, size);
    job->no_memory = job->no_memory || !memory;
    return memory;
}

static void on_release(png_structp png, png_voidp memory)
{
    graft_release(((struct png_job *)png_get_mem_ptr(png))->scratch->context, memory);
}

static void on_read(png_structp png, png_bytep target, size_t size)
{
    struct png_job *const job = png_get_io_ptr(png);
    if (size > job->size - job->position) {
        job->truncated = true;
        png_error(png, "end of file");
    }
    memcpy(target, job->data + job->position, size);
    job->position += size;
}

/* [height, width, 4] to [height, width, 3] on white, in place. */
static void composite_on_white(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *const in = pixels + 4 * i;
        const uint32_t alpha = in[3];
        const uint8_t red = in[0], green = in[1], blue = in[2];
        const uint32_t white = 255 * (255 - alpha) + 128;
        const uint32_t sums[3] = {red * alpha + white, green * alpha + white, blue * alpha + white};
        for (size_t c = 0; c < 3; c++) {
            pixels[3 * i + c] = (uint8_t)(((sums[c] >> 8) + sums[c]) >> 8);
        }
    }
}

static void run(struct png_job *job)
{
    png_structp png = job->png;
    png_infop info = job->info;
    png_set_user_limits(png, GRAFT_IMAGE_MAX_SIDE, GRAFT_IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 16u << 20);
    png_set_read_fn(png, job, on_read);
    png_read_info(png, info);
    const uint32_t width = png_get_image_width(png, info);
    const uint32_t height = png_get_image_height(png, info);
    if (graft_check_dimensions(width, height, job->name, job->fault) != GRAFT_OK) {
        job->faulty = true;
        return;
    }
    png_set_expand(png);   /* palette to RGB, 1, 2, 4 bits to 8, transparent colour to alpha */
    png_set_strip_16(png); /* the upper byte, as Pillow */
    png_set_gray_to_rgb(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const size_t channels = png_get_channels(png, info);
    const size_t stride = png_get_rowbytes(png, info);
    if ((channels != 3 && channels != 4) || stride != channels * width) {
        png_error(png, "unexpected kind of pixels");
    }
    if (!graft_buffer_reserve(job->scratch->context, &job->scratch->pixels, stride * height)) {
        graft_fault_set(job->fault, GRAFT_ERROR_MEMORY, job->name, "no memory for %u × %u pixels", width,
                        height);
        job->faulty = true;
        return;
    }
    uint8_t *const pixels = job->scratch->pixels.data;
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < height; y++) {
            png_read_row(png, pixels + y * stride, NULL);
        }
    }
    png_read_end(png, NULL);
    if (channels == 4) {
        composite_on_white(pixels, (size_t)width * height);
    }
    *job->view = (struct graft_view){.pixels = pixels,
                                     .width = (int32_t)width,
                                     .height = (int32_t)height,
                                     .channels = 3,
                                     .stride = (size_t)width * 3};
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The eXIf chunk may stand before or behind the pixels; its content lacks JPEG's "Exif\0\0", which libexif
 * expects. */
static int find_orientation(struct graft_scratch *scratch, const uint8_t *data, size_t size)
{
    size_t position = 8;
    while (size - position >= 12) {
        const uint32_t length = big_endian(data + position);
        if (length > size - position - 12) {
            break;
        }
        if (memcmp(data + position + 4, "eXIf", 4) == 0 && length <= 1u << 20) {
            int orientation = 0;
            uint8_t *const block = graft_allocate_raw(scratch->context, (size_t)length + 6, 1);
            if (block) {
                memcpy(block, "Exif\0", 6);
                memcpy(block + 6, data + position + 8, length);
                orientation = graft_exif_orientation(block, (size_t)length + 6);
                graft_release(scratch->context, block);
            }
            return orientation;
        }
        position += (size_t)length + 12;
    }
    return 1;
}

enum graft_status graft_decode_png(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                                   const char *name, int32_t channels, struct graft_view *view,
                                   int *orientation, struct graft_fault *fault)
{
    (void)channels;
    struct png_job job = {
        .scratch = scratch, .data = data, .size = size, .name = name, .view = view, .fault = fault};
    job.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, on_allocate,
                                       on_release);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info) {
        png_destroy_read_struct(&job.png, NULL, NULL);
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this PNG");
    }
    if (setjmp(png_jmpbuf(job.png)) == 0) {
        run(&job);
    }
    png_destroy_read_struct(&job.png, &job.info, NULL);
    if (job.faulty) {
        return fault->status;
    }
    if (job.truncated) {
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "this PNG is truncated: its %zu bytes end before the picture does; copy it again", size);
    }
    if (job.text[0] && job.no_memory) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this PNG");
    }
    if (job.text[0]) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "damaged PNG: %s; replace it", job.text);
    }
    *orientation = find_orientation(scratch, data, size);
    return *orientation > 0
               ? GRAFT_OK
               : graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to read its EXIF block");
}

struct png_write_job {
    struct graft_context *context;
    bool no_memory;
    struct graft_file_writer writer;
    enum graft_status status; /* of the writer, which has recorded the message */
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
    job->status = graft_file_writer_write(&job->writer, data, size);
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
    png_write_info(png, info);
    for (int32_t y = 0; y < image->height; y++) {
        png_write_row(png, image->pixels + (size_t)y * stride);
    }
    png_write_end(png, info);
}

enum graft_status graft_image_write_png(struct graft_context *context, const char *path,
                                        const struct graft_image *image)
{
    if (image->width < 1 || image->height < 1 || image->width > GRAFT_IMAGE_MAX_SIDE ||
        image->height > GRAFT_IMAGE_MAX_SIDE || (image->channels != 1 && image->channels != 3)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "%s: a picture of %d × %d × %d cannot be written as PNG", path, image->width,
                          image->height, image->channels);
    }
    struct png_write_job job = {.context = context, .status = GRAFT_OK};
    enum graft_status status = graft_file_writer_open(context, path, &job.writer);
    if (status != GRAFT_OK) {
        return status;
    }
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, on_write_error, on_warning, &job,
                                                on_write_allocate, on_write_release);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        graft_file_writer_abort(&job.writer);
        return graft_fail(context, GRAFT_ERROR_MEMORY, "%s: no memory to write a PNG", path);
    }
    if (setjmp(png_jmpbuf(png)) == 0) {
        write_rows(png, info, &job, image);
    }
    png_destroy_write_struct(&png, &info);
    if (job.status == GRAFT_OK && job.text[0] && job.no_memory) {
        job.status = graft_fail(context, GRAFT_ERROR_MEMORY, "%s: no memory to write a PNG", path);
    } else if (job.status == GRAFT_OK && job.text[0]) {
        job.status = graft_fail(context, GRAFT_ERROR_IO, "%s: not written as PNG: %s", path, job.text);
    }
    if (job.status == GRAFT_OK) {
        job.status = graft_file_writer_commit(&job.writer);
    }
    if (job.status != GRAFT_OK) {
        graft_file_writer_abort(&job.writer);
    }
    return job.status;
}
