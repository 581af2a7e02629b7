/* SPDX-License-Identifier: MIT */
/* From a file or from bytes to pixels: kind by first bytes, limits, orientation, grey. */
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

static bool begins(const uint8_t *data, size_t size, const char *magic, size_t at, size_t length)
{
    return size >= at + length && memcmp(data + at, magic, length) == 0;
}

static bool is_jpeg(const uint8_t *data, size_t size)
{
    return begins(data, size, "\xff\xd8\xff", 0, 3);
}

static bool is_png(const uint8_t *data, size_t size)
{
    return begins(data, size, "\x89PNG\r\n\x1a\n", 0, 8);
}

bool graft_picture_magic(const uint8_t *data, size_t size)
{
    return is_jpeg(data, size) || is_png(data, size);
}

/* A kind of picture that is known and not read; NULL if it is none of these either. */
static const char *other_kind(const uint8_t *data, size_t size)
{
    static const struct {
        const char *magic;
        uint8_t at, length;
        const char *name;
    } kinds[] = {
        {"GIF8", 0, 4, "GIF"},
        {"WEBP", 8, 4, "WebP"},
        {"BM", 0, 2, "BMP"},
        {"II*\0", 0, 4, "TIFF"},
        {"MM\0*", 0, 4, "TIFF"},
        {"ftypavif", 4, 8, "AVIF"},
        {"ftypheic", 4, 8, "HEIC"},
        {"ftypmif1", 4, 8, "HEIC"},
        {"jP  \r\n\x87\n", 4, 8, "JPEG 2000"},
        {"\xff\x0a", 0, 2, "JPEG XL"},
        {"JXL \r\n\x87\n", 4, 8, "JPEG XL"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (begins(data, size, kinds[i].magic, kinds[i].at, kinds[i].length)) {
            return kinds[i].name;
        }
    }
    return NULL;
}

enum graft_status graft_check_dimensions(uint64_t width, uint64_t height, const char *name,
                                         struct graft_fault *fault)
{
    if (width == 0 || height == 0) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "a picture of %llu × %llu pixels",
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

static enum graft_status not_a_picture(const uint8_t *data, size_t size, const char *name,
                                       struct graft_fault *fault)
{
    if (size == 0) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "the file is empty (0 bytes); replace it");
    }
    const char *const kind = other_kind(data, size);
    if (kind) {
        return graft_fault_set(fault, GRAFT_ERROR_UNSUPPORTED, name,
                               "a %s picture; JPEG and PNG are read: convert it", kind);
    }
    if (size < 8) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "%zu bytes are no picture; replace it", size);
    }
    return graft_fault_set(
        fault, GRAFT_ERROR_FORMAT, name,
        "not a picture: neither JPEG nor PNG (it begins with bytes %02x %02x %02x %02x); replace it", data[0],
        data[1], data[2], data[3]);
}

enum graft_status graft_decode(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                               const char *name, const struct graft_decode_options *options,
                               struct graft_view *view, struct graft_fault *fault)
{
    const int32_t channels = options && options->channels == 1 ? 1 : 3;
    int orientation = 1;
    enum graft_status status = GRAFT_OK;
    *view = (struct graft_view){0};
    if (is_jpeg(data, size)) {
        status = graft_decode_jpeg(scratch, data, size, name, channels, view, &orientation, fault);
    } else if (is_png(data, size)) {
        status = graft_decode_png(scratch, data, size, name, channels, view, &orientation, fault);
    } else {
        status = not_a_picture(data, size, name, fault);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    if (channels == 1 && view->channels == 3) {
        graft_to_grey(scratch->pixels.data, (size_t)view->width * (size_t)view->height);
        view->channels = 1;
        view->stride = (size_t)view->width;
    }
    if (orientation > 1 && !(options && options->ignore_orientation)) {
        const size_t bytes = view->stride * (size_t)view->height;
        if (!graft_buffer_reserve(scratch->context, &scratch->turned, bytes)) {
            return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to turn %d × %d pixels",
                                   view->width, view->height);
        }
        const struct graft_view stored = *view;
        graft_orient(&stored, orientation, scratch->turned.data, view);
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
