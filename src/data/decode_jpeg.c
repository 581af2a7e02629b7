/* SPDX-License-Identifier: MIT */
/* JPEG by libjpeg-turbo with its defaults (slow integer DCT, fancy upsampling): the pixels of Pillow. */
#include "data/decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

/* A progressive file may repeat tiny scans over a huge picture; real ones have about ten. */
#define SCAN_LIMIT 400

enum jpeg_end {
    JPEG_END_OK,
    JPEG_END_ERROR,
    JPEG_END_MEMORY,
    JPEG_END_TRUNCATED,
    JPEG_END_SCANS,
    JPEG_END_FAULT
};

struct jpeg_job {
    struct jpeg_error_mgr manager; /* first: the library hands back its address */
    jmp_buf jump;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct info;
    enum jpeg_end end;
    char text[JMSG_LENGTH_MAX];

    struct graft_scratch *scratch;
    const uint8_t *data;
    size_t size;
    const char *name;
    int32_t channels;
    struct graft_view *view;
    int orientation;
    struct graft_fault *fault;
};

static void leave(struct jpeg_job *job, enum jpeg_end end)
{
    job->end = end;
    longjmp(job->jump, 1);
}

static void on_error(j_common_ptr common)
{
    struct jpeg_job *const job = (struct jpeg_job *)common->err;
    common->err->format_message(common, job->text);
    leave(job, common->err->msg_code == JERR_OUT_OF_MEMORY ? JPEG_END_MEMORY : JPEG_END_ERROR);
}

/* Warnings are damage that the library patches over; as in Pillow they are accepted, but for the end of the
 * data. */
static void on_message(j_common_ptr common, int level)
{
    if (level < 0 && common->err->msg_code == JWRN_JPEG_EOF) {
        leave((struct jpeg_job *)common->err, JPEG_END_TRUNCATED);
    }
}

static void no_output(j_common_ptr common)
{
    (void)common;
}

static void on_progress(j_common_ptr common)
{
    if (common->is_decompressor && ((j_decompress_ptr)common)->input_scan_number > SCAN_LIMIT) {
        leave((struct jpeg_job *)common->err, JPEG_END_SCANS);
    }
}

static int find_orientation(const struct jpeg_decompress_struct *info)
{
    for (const struct jpeg_marker_struct *marker = info->marker_list; marker; marker = marker->next) {
        if (marker->marker == JPEG_APP0 + 1 && marker->data_length >= 14 &&
            memcmp(marker->data, "Exif\0", 6) == 0) {
            return graft_exif_orientation(marker->data, marker->data_length);
        }
    }
    return 1;
}

/* Inverted CMYK (as Adobe writes it, and Pillow assumes) to RGB, in place over a longer row. */
static void cmyk_to_rgb(const uint8_t *cmyk, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *const in = cmyk + 4 * i;
        const uint8_t light = in[3]; /* 255 − black */
        for (int c = 0; c < 3; c++) {
            const uint8_t ink = (uint8_t)(255 - in[c]);
            rgb[3 * i + (size_t)c] = (uint8_t)(light - graft_multiply_255(ink, light));
        }
    }
}

static void read_rows(struct jpeg_job *job, uint8_t *pixels, uint8_t *cmyk_row)
{
    struct jpeg_decompress_struct *const info = &job->info;
    while (info->output_scanline < info->output_height) {
        JSAMPROW rows[8];
        const JDIMENSION left = info->output_height - info->output_scanline;
        const JDIMENSION count = cmyk_row ? 1 : left < 8 ? left : 8;
        uint8_t *const target = pixels + (size_t)info->output_scanline * job->view->stride;
        for (JDIMENSION i = 0; i < count; i++) {
            rows[i] = cmyk_row ? cmyk_row : target + (size_t)i * job->view->stride;
        }
        jpeg_read_scanlines(info, rows, count);
        if (cmyk_row) {
            cmyk_to_rgb(cmyk_row, info->output_width, target);
        }
    }
}

/* Everything between setjmp and the end; changes nothing but *job, so that a jump finds all in order. */
static void run(struct jpeg_job *job)
{
    struct jpeg_decompress_struct *const info = &job->info;
    jpeg_create_decompress(info);
    info->progress = &job->progress;
    jpeg_mem_src(info, job->data, job->size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(info, TRUE);
    if (graft_check_dimensions(info->image_width, info->image_height, job->name, job->fault) != GRAFT_OK) {
        job->end = JPEG_END_FAULT;
        return;
    }
    job->orientation = find_orientation(info);
    if (job->orientation == 0) {
        job->end = JPEG_END_MEMORY;
        return;
    }
    const bool cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    const bool grey = info->jpeg_color_space == JCS_GRAYSCALE && job->channels == 1;
    info->out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(info);

    const size_t channels = grey ? 1 : 3;
    const size_t width = info->output_width;
    const size_t bytes = width * info->output_height * channels;
    if (!graft_buffer_reserve(job->scratch->context, &job->scratch->pixels, bytes + (cmyk ? width * 4 : 0))) {
        graft_fault_set(job->fault, GRAFT_ERROR_MEMORY, job->name, "no memory for %u × %u pixels",
                        info->output_width, info->output_height);
        job->end = JPEG_END_FAULT;
        return;
    }
    uint8_t *const pixels = job->scratch->pixels.data;
    *job->view = (struct graft_view){.pixels = pixels,
                                     .width = (int32_t)width,
                                     .height = (int32_t)info->output_height,
                                     .channels = (int32_t)channels,
                                     .stride = width * channels};
    read_rows(job, pixels, cmyk ? pixels + bytes : NULL);
}

enum graft_status graft_decode_jpeg(struct graft_scratch *scratch, const uint8_t *data, size_t size,
                                    const char *name, int32_t channels, struct graft_view *view,
                                    int *orientation, struct graft_fault *fault)
{
    struct jpeg_job job = {.scratch = scratch,
                           .data = data,
                           .size = size,
                           .name = name,
                           .channels = channels,
                           .view = view,
                           .orientation = 1,
                           .fault = fault};
    job.info.err = jpeg_std_error(&job.manager);
    job.manager.error_exit = on_error;
    job.manager.emit_message = on_message;
    job.manager.output_message = no_output;
    job.progress.progress_monitor = on_progress;
    if (setjmp(job.jump) == 0) {
        run(&job);
    }
    jpeg_destroy_decompress(&job.info);
    *orientation = job.orientation;
    switch (job.end) {
    case JPEG_END_OK:
        return GRAFT_OK;
    case JPEG_END_FAULT:
        return fault->status;
    case JPEG_END_MEMORY:
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this JPEG");
    case JPEG_END_TRUNCATED:
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "this JPEG is truncated: its %zu bytes end before the picture does; copy it again", size);
    case JPEG_END_SCANS:
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name,
                               "this JPEG has more than %d scans; it is not read", SCAN_LIMIT);
    default:
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "damaged JPEG: %s; replace it", job.text);
    }
}
