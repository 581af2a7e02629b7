/* SPDX-License-Identifier: MIT */
/* GIF by giflib: the first frame on its canvas, as Pillow shows it; what is transparent is white. */
#include "data/decode.h"

#include <errno.h>
#include <gif_lib.h>
#include <string.h>

#define EXTENSION_LIMIT 100000 /* blocks before the first frame */

struct gif {
    struct graft_decoding *decoding;
    GifFileType *file;
    size_t at;
    bool ran_out;    /* bytes behind the end were asked for */
    bool in_pixels;  /* blocks of pixels are being read: a byte with the length, then so many */
    bool at_data;    /* the next are those, not a length */
    int transparent; /* an index; −1: none */
    uint8_t palette[256][3];
};

/* Behind the end there is a length of 0, which ends blocks: files are known that lack the last bytes. */
static int on_read(GifFileType *file, GifByteType *target, int count)
{
    struct gif *const gif = file->UserData;
    const size_t left = gif->decoding->size - gif->at;
    const size_t size = count < 0 ? 0 : (size_t)count;
    const size_t taken = size < left ? size : left;
    memcpy(target, gif->decoding->data + gif->at, taken);
    memset(target + taken, 0, size - taken);
    gif->at += taken;
    gif->ran_out = gif->ran_out || taken < size;
    const bool lacks_pixels = taken < size && (!gif->in_pixels || gif->at_data);
    gif->at_data = !gif->at_data && size == 1 && target[0] > 0;
    return lacks_pixels ? 0 : count;
}

static enum graft_status failed(const struct gif *gif, int error)
{
    struct graft_fault *const fault = gif->decoding->fault;
    const char *const name = gif->decoding->name;
    if (error == D_GIF_ERR_NOT_ENOUGH_MEM || errno == ENOMEM) {
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this GIF");
    }
    if (gif->ran_out) {
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "this GIF is truncated: its %zu bytes end before the picture does; copy it again",
            gif->decoding->size);
    }
    const char *const text = GifErrorString(error);
    return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "damaged GIF: %s; replace it",
                           text ? text : "no frame in it");
}

/* A graphic control block may name a transparent colour. */
static enum graft_status read_extension(struct gif *gif)
{
    int code = 0;
    GifByteType *block = NULL;
    if (DGifGetExtension(gif->file, &code, &block) != GIF_OK) {
        return failed(gif, gif->file->Error);
    }
    for (int blocks = 0; block; blocks++) {
        if (code == GRAPHICS_EXT_FUNC_CODE && blocks == 0 && block[0] >= 4 && block[1] & 1) {
            gif->transparent = block[4];
        }
        if (DGifGetExtensionNext(gif->file, &block) != GIF_OK || blocks == EXTENSION_LIMIT) {
            return failed(gif, gif->file->Error);
        }
    }
    return GRAFT_OK;
}

/* Goes to the first frame. */
static enum graft_status find_frame(struct gif *gif)
{
    for (int records = 0; records < EXTENSION_LIMIT; records++) {
        GifRecordType type = UNDEFINED_RECORD_TYPE;
        if (DGifGetRecordType(gif->file, &type) != GIF_OK) {
            return failed(gif, gif->file->Error);
        }
        if (type == IMAGE_DESC_RECORD_TYPE) {
            const int got = DGifGetImageDesc(gif->file);
            gif->in_pixels = true;
            gif->at_data = false;
            return got == GIF_OK ? GRAFT_OK : failed(gif, gif->file->Error);
        }
        if (type == TERMINATE_RECORD_TYPE) {
            break;
        }
        if (type == EXTENSION_RECORD_TYPE) {
            const enum graft_status status = read_extension(gif);
            if (status != GRAFT_OK) {
                return status;
            }
        }
    }
    return failed(gif, 0);
}

/* The frame's colours, else the file's, else greys; black behind their end, but a ramp of greys goes on. */
static void read_palette(struct gif *gif)
{
    const ColorMapObject *const own = gif->file->Image.ColorMap;
    const ColorMapObject *const map = own ? own : gif->file->SColorMap;
    const int count = map ? (map->ColorCount < 256 ? map->ColorCount : 256) : 0;
    bool ramp = true;
    for (int i = 0; i < count; i++) {
        const GifColorType colour = map->Colors[i];
        gif->palette[i][0] = colour.Red;
        gif->palette[i][1] = colour.Green;
        gif->palette[i][2] = colour.Blue;
        ramp = ramp && colour.Red == i && colour.Green == i && colour.Blue == i;
    }
    for (int i = count; ramp && i < 256; i++) {
        memset(gif->palette[i], i, 3);
    }
}

/* Lines come as they are stored; interlaced in four passes. */
static enum graft_status read_lines(struct gif *gif, uint8_t *rgb, uint8_t *line)
{
    static const uint8_t first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    const GifImageDesc *const frame = &gif->file->Image;
    const size_t stride = gif->decoding->view->stride;
    for (int pass = 0; pass < (frame->Interlace ? 4 : 1); pass++) {
        const int from = frame->Interlace ? first[pass] : 0;
        for (int y = from; y < frame->Height; y += frame->Interlace ? step[pass] : 1) {
            uint8_t *const out = rgb + (size_t)(frame->Top + y) * stride + (size_t)frame->Left * 3;
            if (DGifGetLine(gif->file, line, frame->Width) != GIF_OK) {
                return failed(gif, gif->file->Error);
            }
            for (int x = 0; x < frame->Width; x++) {
                memcpy(out + 3 * x, gif->palette[line[x]], 3);
            }
        }
    }
    return GRAFT_OK;
}

/* The canvas grows to hold the frame. Where the frame does not lie it is transparent, else of colour 0. */
static enum graft_status read_frame(struct gif *gif)
{
    struct graft_decoding *const decoding = gif->decoding;
    const GifImageDesc *const frame = &gif->file->Image;
    if (frame->Left < 0 || frame->Top < 0 || frame->Width < 1 || frame->Height < 1) {
        return failed(gif, 0);
    }
    const int right = frame->Left + frame->Width, bottom = frame->Top + frame->Height;
    const int width = gif->file->SWidth > right ? gif->file->SWidth : right;
    const int height = gif->file->SHeight > bottom ? gif->file->SHeight : bottom;
    uint8_t *const rgb = graft_decoding_pixels(decoding, (uint64_t)width, (uint64_t)height, 3, 3);
    if (!rgb) {
        return decoding->fault->status;
    }
    struct graft_buffer *const line = &decoding->scratch->rows;
    if (!graft_buffer_reserve(decoding->scratch->context, line, (size_t)frame->Width)) {
        return failed(gif, D_GIF_ERR_NOT_ENOUGH_MEM);
    }
    read_palette(gif);
    if (gif->transparent >= 0) {
        memset(gif->palette[gif->transparent], 255, 3);
    }
    const uint8_t *const outside = gif->palette[gif->transparent >= 0 ? gif->transparent : 0];
    if (frame->Width < width || frame->Height < height) {
        for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
            memcpy(rgb + 3 * i, outside, 3);
        }
    }
    const enum graft_status status = read_lines(gif, rgb, line->data);
    if (status == GRAFT_OK && gif->ran_out) {
        graft_fault_warn(decoding->fault, decoding->name,
                         "the picture is there, but the file ends too early");
    }
    return status;
}

enum graft_status graft_decode_gif(struct graft_decoding *decoding)
{
    struct gif gif = {.decoding = decoding, .transparent = -1};
    int error = 0;
    errno = 0; /* the library does not always say that it lacks memory; malloc's errno does */
    gif.file = DGifOpen(&gif, on_read, &error);
    if (!gif.file) {
        return failed(&gif, error);
    }
    enum graft_status status = find_frame(&gif);
    if (status == GRAFT_OK) {
        status = read_frame(&gif);
    }
    DGifCloseFile(gif.file, &error);
    return status;
}
