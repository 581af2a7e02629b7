/* SPDX-License-Identifier: MIT */
#include "data/film.h"

#include "base/context.h"
#include "base/file.h"

#include <webp/encode.h>
#include <webp/mux.h>

#define QUALITY 85

struct graft_film {
    struct graft_context *context;
    WebPAnimEncoder *encoder;
    int32_t width, height;
    int frames, time; /* milliseconds from the beginning to the next frame */
    uint8_t *colours; /* a grey frame as RGB */
};

enum graft_status graft_film_open(struct graft_context *context, int32_t width, int32_t height,
                                  struct graft_film **film)
{
    WebPAnimEncoderOptions options;
    struct graft_film *made = graft_allocate(context, 1, sizeof *made);
    *film = NULL;
    if (!made)
        return GRAFT_ERROR_MEMORY;
    *made = (struct graft_film){.context = context, .width = width, .height = height};
    made->colours = graft_allocate(context, (size_t)width * (size_t)height, 3);
    if (made->colours && WebPAnimEncoderOptionsInit(&options)) /* endless, as it stands there */
        made->encoder = WebPAnimEncoderNew(width, height, &options);
    enum graft_status status = GRAFT_OK;
    if (!made->colours || !made->encoder) {
        status = graft_fail(context, GRAFT_ERROR_MEMORY, "no memory for a film of %d × %d", width, height);
        graft_film_close(&made);
    }
    *film = made;
    return status;
}

void graft_film_close(struct graft_film **film)
{
    struct graft_film *const old = *film;
    if (!old)
        return;
    WebPAnimEncoderDelete(old->encoder);
    graft_release(old->context, old->colours);
    graft_release(old->context, old);
    *film = NULL;
}

static enum graft_status fail(const struct graft_film *film, WebPEncodingError code)
{
    return code == VP8_ENC_ERROR_OUT_OF_MEMORY || code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY
               ? graft_fail(film->context, GRAFT_ERROR_MEMORY, "no memory for frame %d of a film", film->frames)
               : graft_fail(film->context, GRAFT_ERROR_UNSUPPORTED, "frame %d of a film cannot be encoded: %s",
                            film->frames, WebPAnimEncoderGetError(film->encoder));
}

enum graft_status graft_film_add(struct graft_film *film, const struct graft_image *frame, int milliseconds)
{
    WebPConfig config;
    WebPPicture picture;
    const uint8_t *pixels = frame->pixels;
    if (frame->width != film->width || frame->height != film->height || (frame->channels != 1 && frame->channels != 3))
        return graft_fail(film->context, GRAFT_ERROR_ARGUMENT, "a frame of %d × %d × %d in a film of %d × %d",
                          frame->width, frame->height, frame->channels, film->width, film->height);
    if (frame->channels == 1) {
        for (int64_t i = 0; i < 3 * (int64_t)film->width * film->height; i++)
            film->colours[i] = frame->pixels[i / 3];
        pixels = film->colours;
    }
    if (!WebPConfigPreset(&config, WEBP_PRESET_PICTURE, QUALITY) || !WebPPictureInit(&picture))
        return graft_fail(film->context, GRAFT_ERROR_UNSUPPORTED, "another version of libwebp than this was built with");
    picture.use_argb = 1;
    picture.width = film->width;
    picture.height = film->height;
    const bool added = WebPPictureImportRGB(&picture, pixels, 3 * film->width) &&
                       WebPAnimEncoderAdd(film->encoder, &picture, film->time, &config);
    const enum graft_status status = added ? GRAFT_OK : fail(film, picture.error_code);
    WebPPictureFree(&picture);
    film->frames++;
    film->time += milliseconds;
    return status;
}

enum graft_status graft_film_save(struct graft_film *film, const char *path)
{
    WebPData data;
    if (film->frames == 0)
        return graft_fail(film->context, GRAFT_ERROR_ARGUMENT, "%s: a film without frames", path);
    WebPDataInit(&data);
    if (!WebPAnimEncoderAdd(film->encoder, NULL, film->time, NULL) || /* when the last frame ends */
        !WebPAnimEncoderAssemble(film->encoder, &data))
        return graft_fail(film->context, GRAFT_ERROR_MEMORY, "%s: no memory to put a film together", path);
    const enum graft_status status = graft_file_write(film->context, path, data.bytes, data.size);
    WebPDataClear(&data);
    return status;
}
