/* SPDX-License-Identifier: MIT */
/* WebP by libwebp: still pictures, and the first frame of an animation on its canvas. */
#include "data/decode.h"

#include <errno.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static enum graft_status no_memory(const struct graft_decoding *decoding)
{
    return graft_fault_set(decoding->fault, GRAFT_ERROR_MEMORY, decoding->name,
                           "no memory to decode this WebP");
}

static enum graft_status truncated(const struct graft_decoding *decoding)
{
    return graft_fault_set(decoding->fault, GRAFT_ERROR_FORMAT, decoding->name,
                           "this WebP is truncated: its %zu bytes end before the picture does; copy it again",
                           decoding->size);
}

/* The library does not always say that it lacks memory; malloc's errno does. */
static enum graft_status damaged(const struct graft_decoding *decoding)
{
    if (errno == ENOMEM) {
        return no_memory(decoding);
    }
    return graft_fault_set(decoding->fault, GRAFT_ERROR_FORMAT, decoding->name,
                           "damaged WebP: its chunks or its pixels cannot be read; replace it");
}

/* Decodes a frame to its place on the canvas of `channels` bytes a pixel. */
static enum graft_status decode_frame(const struct graft_decoding *decoding, const WebPIterator *frame,
                                      size_t channels, uint8_t *canvas)
{
    WebPDecoderConfig config;
    const size_t stride = (size_t)decoding->view->width * channels;
    if (frame->x_offset < 0 || frame->y_offset < 0 || frame->width < 1 || frame->height < 1 ||
        frame->x_offset > decoding->view->width - frame->width ||
        frame->y_offset > decoding->view->height - frame->height || !WebPInitDecoderConfig(&config)) {
        return damaged(decoding);
    }
    const size_t offset = (size_t)frame->y_offset * stride + (size_t)frame->x_offset * channels;
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = canvas + offset;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)decoding->view->height - offset;
    switch (WebPDecode(frame->fragment.bytes, frame->fragment.size, &config)) {
    case VP8_STATUS_OK:
        return GRAFT_OK;
    case VP8_STATUS_OUT_OF_MEMORY:
        return no_memory(decoding);
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return truncated(decoding);
    default:
        return damaged(decoding);
    }
}

static enum graft_status decode_canvas(struct graft_decoding *decoding, const WebPDemuxer *demuxer)
{
    WebPIterator frame = {0};
    const uint32_t width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    const uint32_t height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    if (!WebPDemuxGetFrame(demuxer, 1, &frame)) {
        return damaged(decoding);
    }
    const bool alpha = WebPDemuxGetI(demuxer, WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG;
    const bool covered = frame.width == (int)width && frame.height == (int)height;
    const size_t channels = alpha ? 4 : 3;
    enum graft_status status = GRAFT_OK;
    uint8_t *const canvas = graft_decoding_pixels(decoding, width, height, 3, channels);
    if (!canvas) {
        status = decoding->fault->status;
    } else {
        if (!covered) {
            memset(canvas, 0, (size_t)width * height * channels);
        }
        status = decode_frame(decoding, &frame, channels, canvas);
    }
    if (status == GRAFT_OK && alpha) {
        graft_composite_on_white(canvas, (size_t)width * height);
    }
    WebPDemuxReleaseIterator(&frame);
    return status;
}

static void find_orientation(struct graft_decoding *decoding, const WebPDemuxer *demuxer)
{
    WebPChunkIterator exif = {0}, xmp = {0};
    const bool has_exif = WebPDemuxGetChunk(demuxer, "EXIF", 1, &exif);
    const bool has_xmp = WebPDemuxGetChunk(demuxer, "XMP ", 1, &xmp);
    decoding->orientation =
        graft_orientation_find(decoding->scratch, has_exif ? exif.chunk.bytes : NULL, exif.chunk.size,
                               has_xmp ? xmp.chunk.bytes : NULL, xmp.chunk.size);
    WebPDemuxReleaseChunkIterator(&exif);
    WebPDemuxReleaseChunkIterator(&xmp);
}

enum graft_status graft_decode_webp(struct graft_decoding *decoding)
{
    const WebPData data = {.bytes = decoding->data, .size = decoding->size};
    WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
    errno = 0;
    WebPDemuxer *const demuxer = WebPDemuxPartial(&data, &state);
    if (!demuxer || state != WEBP_DEMUX_DONE) {
        const uint8_t *const size = decoding->data + 4;
        const bool whole =
            ((uint64_t)size[3] << 24 | (uint64_t)size[2] << 16 | (uint64_t)size[1] << 8 | size[0]) + 8 <=
            decoding->size; /* by its own header */
        WebPDemuxDelete(demuxer);
        return state == WEBP_DEMUX_PARSE_ERROR || whole ? damaged(decoding) : truncated(decoding);
    }
    const enum graft_status status = decode_canvas(decoding, demuxer);
    if (status == GRAFT_OK) {
        find_orientation(decoding, demuxer);
    }
    WebPDemuxDelete(demuxer);
    return status;
}
