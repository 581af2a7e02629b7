/* SPDX-License-Identifier: MIT */
/* From a file or from bytes to pixels: limits, orientation, grey. The formats are rows of formats.c. */
#include "data/decode.h"

#include "base/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 30)

bool graft_buffer_reserve(struct graft_context *context, struct graft_buffer *buffer, size_t bytes)
{
    if (buffer->data && bytes <= buffer->capacity) {
        return true;
    }
    if (bytes > SIZE_MAX / 2) {
        return false;
    }
    graft_release(context, buffer->data);
    buffer->capacity = bytes + bytes / 8;
    buffer->data = graft_allocate_raw(context, buffer->capacity + 64, 1);
    if (!buffer->data) {
        buffer->capacity = 0;
    }
    return buffer->data != NULL;
}

static void buffer_close(struct graft_context *context, struct graft_buffer *buffer)
{
    graft_release(context, buffer->data);
    *buffer = (struct graft_buffer){0};
}

void graft_scratch_close(struct graft_scratch *scratch)
{
    buffer_close(scratch->context, &scratch->file);
    buffer_close(scratch->context, &scratch->pixels);
    buffer_close(scratch->context, &scratch->turned);
    buffer_close(scratch->context, &scratch->rows);
    buffer_close(scratch->context, &scratch->weights);
    buffer_close(scratch->context, &scratch->changed);
    buffer_close(scratch->context, &scratch->stages[0]);
    buffer_close(scratch->context, &scratch->stages[1]);
}

/* Reads up to `size` bytes, fewer at the end of the file; −1 with errno. */
static ssize_t read_fully(int descriptor, uint8_t *target, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t got = read(descriptor, target + done, size - done);
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

enum graft_status graft_read_encoded(struct graft_scratch *scratch, const char *path, size_t *size,
                                     struct graft_fault *fault)
{
    enum graft_status status = GRAFT_OK;
    struct stat facts;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return graft_fault_set(fault, absent ? GRAFT_ERROR_NOT_FOUND : GRAFT_ERROR_IO, path,
                               "cannot be opened: %s", strerror(errno));
    }
    if (fstat(descriptor, &facts) != 0) {
        status = graft_fault_set(fault, GRAFT_ERROR_IO, path, "cannot be read: %s", strerror(errno));
        goto done;
    }
    if (!S_ISREG(facts.st_mode)) {
        status = graft_fault_set(fault, GRAFT_ERROR_FORMAT, path, "is %s, not a picture",
                                 S_ISDIR(facts.st_mode) ? "a folder" : "no regular file");
        goto done;
    }
    if (facts.st_size < 0 || (uint64_t)facts.st_size > FILE_LIMIT) {
        status = graft_fault_set(fault, GRAFT_ERROR_FORMAT, path, "%lld bytes are too many for a picture",
                                 (long long)facts.st_size);
        goto done;
    }
    if (!graft_buffer_reserve(scratch->context, &scratch->file, (size_t)facts.st_size)) {
        status = graft_fault_set(fault, GRAFT_ERROR_MEMORY, path, "no memory for a file of %lld bytes",
                                 (long long)facts.st_size);
        goto done;
    }
    const ssize_t got = read_fully(descriptor, scratch->file.data, (size_t)facts.st_size);
    if (got < 0) {
        status = graft_fault_set(fault, GRAFT_ERROR_IO, path, "cannot be read: %s", strerror(errno));
        goto done;
    }
    *size = (size_t)got;
done:
    close(descriptor);
    return status;
}

enum graft_status graft_check_dimensions(uint64_t width, uint64_t height, const char *name,
                                         struct graft_fault *fault)
{
    if (width == 0 || height == 0) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "a picture of %llu × %llu pixels; replace it",
                               (unsigned long long)width, (unsigned long long)height);
    }
    if (width > GRAFT_IMAGE_MAX_SIDE || height > GRAFT_IMAGE_MAX_SIDE ||
        width * height > GRAFT_IMAGE_MAX_PIXELS) {
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "%llu × %llu pixels are too many (at most %d a side and %d in all); make it smaller",
            (unsigned long long)width, (unsigned long long)height, GRAFT_IMAGE_MAX_SIDE,
            GRAFT_IMAGE_MAX_PIXELS);
    }
    return GRAFT_OK;
}

void graft_to_grey(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pixels[i] = graft_luma(pixels + 3 * i);
    }
}

uint8_t *graft_decoding_pixels(struct graft_decoding *decoding, uint64_t width, uint64_t height,
                               int32_t channels, size_t bytes_per_pixel)
{
    struct graft_scratch *const scratch = decoding->scratch;
    if (graft_check_dimensions(width, height, decoding->name, decoding->fault) != GRAFT_OK) {
        return NULL;
    }
    if (!graft_buffer_reserve(scratch->context, &scratch->pixels,
                              (size_t)(width * height) * bytes_per_pixel)) {
        graft_fault_set(decoding->fault, GRAFT_ERROR_MEMORY, decoding->name,
                        "no memory for %llu × %llu pixels", (unsigned long long)width,
                        (unsigned long long)height);
        return NULL;
    }
    *decoding->view = (struct graft_view){.pixels = scratch->pixels.data,
                                          .width = (int32_t)width,
                                          .height = (int32_t)height,
                                          .channels = channels,
                                          .stride = (size_t)width * (size_t)channels};
    return scratch->pixels.data;
}

void graft_composite_on_white(uint8_t *pixels, size_t count)
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

enum graft_status graft_decode(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                               const char *name, const struct graft_decode_options *options,
                               struct graft_view *view, struct graft_fault *fault)
{
    struct graft_decoding decoding = {.scratch = scratch,
                                      .data = data,
                                      .size = size,
                                      .name = name,
                                      .channels = options && options->channels == 1 ? 1 : 3,
                                      .least_side = options ? options->least_side : 0,
                                      .fault = fault,
                                      .view = view,
                                      .orientation = 1};
    const struct graft_picture_format *const format = graft_picture_format_find(data, size);
    decoding.format = format ? format->name : NULL;
    *view = (struct graft_view){0};
    fault->status = GRAFT_OK;
    fault->text[0] = '\0';
    const enum graft_status status =
        format && format->decode ? format->decode(&decoding) : graft_picture_refuse(&decoding, format);
    if (status != GRAFT_OK) {
        return status;
    }
    if (decoding.channels == 1 && view->channels == 3) {
        graft_to_grey(scratch->pixels.data, (size_t)view->width * (size_t)view->height);
        view->channels = 1;
        view->stride = (size_t)view->width;
    }
    if (decoding.orientation == 0) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to read its orientation");
    }
    if (decoding.orientation > 1 && !(options && options->ignore_orientation)) {
        const size_t bytes = view->stride * (size_t)view->height;
        if (!graft_buffer_reserve(scratch->context, &scratch->turned, bytes)) {
            return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to turn %d × %d pixels",
                                   view->width, view->height);
        }
        const struct graft_view stored = *view;
        graft_orient(&stored, decoding.orientation, scratch->turned.data, view);
    }
    return GRAFT_OK;
}

static enum graft_status decode_into_image(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                                           const char *name, const struct graft_decode_options *options,
                                           struct graft_image *image)
{
    struct graft_fault fault;
    struct graft_view view;
    if (options && options->channels != 0 && options->channels != 1 && options->channels != 3) {
        return graft_fail(scratch->context, GRAFT_ERROR_ARGUMENT, "%s: decoding to %d channels; use 1 or 3",
                          name, options->channels);
    }
    if (graft_decode(scratch, data, size, name, options, &view, &fault) != GRAFT_OK) {
        return graft_fault_report(scratch->context, &fault);
    }
    if (graft_fault_suspect(&fault)) {
        graft_log(scratch->context, GRAFT_LOG_WARNING, "suspect: %s", fault.text);
    }
    struct graft_buffer *const owner =
        view.pixels == scratch->pixels.data ? &scratch->pixels : &scratch->turned;
    *image = (struct graft_image){
        .width = view.width, .height = view.height, .channels = view.channels, .pixels = owner->data};
    *owner = (struct graft_buffer){0};
    return GRAFT_OK;
}

enum graft_status graft_image_decode(struct graft_context *context, const void *data, size_t size,
                                     const char *name, const struct graft_decode_options *options,
                                     struct graft_image *image)
{
    struct graft_scratch scratch = {.context = context};
    *image = (struct graft_image){0};
    const enum graft_status status = decode_into_image(&scratch, data, size, name, options, image);
    graft_scratch_close(&scratch);
    return status;
}

enum graft_status graft_image_read(struct graft_context *context, const char *path,
                                   const struct graft_decode_options *options, struct graft_image *image)
{
    struct graft_scratch scratch = {.context = context};
    struct graft_fault fault;
    size_t size = 0;
    *image = (struct graft_image){0};
    enum graft_status status = graft_read_encoded(&scratch, path, &size, &fault);
    if (status != GRAFT_OK) {
        status = graft_fault_report(context, &fault);
    } else {
        status = decode_into_image(&scratch, scratch.file.data, size, path, options, image);
    }
    graft_scratch_close(&scratch);
    return status;
}

void graft_image_close(struct graft_context *context, struct graft_image *image)
{
    if (image) {
        graft_release(context, image->pixels);
        *image = (struct graft_image){0};
    }
}
