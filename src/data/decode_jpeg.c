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
    JPEG_END_CORRUPT,
    JPEG_END_SCANS,
    JPEG_END_FAULT
};

struct jpeg_job {
    struct jpeg_error_mgr manager; /* first: the library hands back its address */
    jmp_buf jump;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct info;
    enum jpeg_end end;
    char text[JMSG_LENGTH_MAX];    /* of the error */
    char warning[JMSG_LENGTH_MAX]; /* of the first warning */
    int warnings;
    bool complete; /* all rows are there */

    struct graft_decoding *decoding;
};

static _Noreturn void leave(struct jpeg_job *job, enum jpeg_end end)
{
    job->end = end;
    longjmp(job->jump, 1);
}

static void on_error(j_common_ptr common)
{
    struct jpeg_job *const job = (struct jpeg_job *)common->err;
    common->err->format_message(common, job->text);
    if (common->err->msg_code == JERR_OUT_OF_MEMORY) {
        leave(job, JPEG_END_MEMORY);
    } else if (job->complete) { /* behind the picture: not worse than a warning */
        if (job->warnings++ == 0) {
            memcpy(job->warning, job->text, sizeof job->warning);
        }
        leave(job, JPEG_END_OK);
    }
    leave(job, JPEG_END_ERROR);
}

/* Behind a restart marker decoding goes on, so that only the part before it is lost. */
static bool ends_at_restart(const struct jpeg_decompress_struct *info)
{
    return info->restart_interval > 0 && info->unread_marker >= JPEG_RST0 &&
           info->unread_marker <= JPEG_RST0 + 7;
}

/*
 * A warning is damage that the library patches over. As in Pillow the pixels are taken, with a remark, where
 * they are right or only a part is lost; where the data ends before the picture does, or what follows the
 * damage cannot be right, the picture is damaged.
 */
static void on_message(j_common_ptr common, int level)
{
    struct jpeg_job *const job = (struct jpeg_job *)common->err;
    if (level >= 0) {
        return;
    }
    if (job->warnings++ == 0) {
        common->err->format_message(common, job->warning);
    }
    if (job->complete) {
        return;
    }
    common->err->format_message(common, job->text);
    switch (common->err->msg_code) {
    case JWRN_JPEG_EOF:
        leave(job, JPEG_END_TRUNCATED);
    case JWRN_HIT_MARKER:
        if (!ends_at_restart(&job->info)) {
            leave(job, JPEG_END_CORRUPT);
        }
        break;
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
        if (job->info.restart_interval == 0) {
            leave(job, JPEG_END_CORRUPT);
        }
        break;
    default:
        break;
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

#define EXIF_HEADER "Exif\0"
#define XMP_HEADER "http://ns.adobe.com/xap/1.0/"

static int find_orientation(const struct jpeg_job *job)
{
    const uint8_t *exif = NULL, *xmp = NULL;
    size_t exif_size = 0, xmp_size = 0;
    for (const struct jpeg_marker_struct *marker = job->info.marker_list; marker; marker = marker->next) {
        const size_t length = marker->data_length;
        if (!exif && length >= sizeof EXIF_HEADER &&
            memcmp(marker->data, EXIF_HEADER, sizeof EXIF_HEADER) == 0) {
            exif = marker->data;
            exif_size = length;
        } else if (length >= sizeof XMP_HEADER && memcmp(marker->data, XMP_HEADER, sizeof XMP_HEADER) == 0) {
            xmp = marker->data + sizeof XMP_HEADER;
            xmp_size = length - sizeof XMP_HEADER;
        }
    }
    return graft_orientation_find(job->decoding->scratch, exif, exif_size, xmp, xmp_size);
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
    const size_t stride = job->decoding->view->stride;
    while (info->output_scanline < info->output_height) {
        JSAMPROW rows[8];
        const JDIMENSION left = info->output_height - info->output_scanline;
        const JDIMENSION count = cmyk_row ? 1 : left < 8 ? left : 8;
        uint8_t *const target = pixels + (size_t)info->output_scanline * stride;
        for (JDIMENSION i = 0; i < count; i++) {
            rows[i] = cmyk_row ? cmyk_row : target + (size_t)i * stride;
        }
        jpeg_read_scanlines(info, rows, count);
        if (cmyk_row) {
            cmyk_to_rgb(cmyk_row, info->output_width, target);
        }
    }
}

/* By how much it is decoded smaller: 1, 2, 4 or 8, for which the library has transforms of their own. */
static unsigned choose_scale(const struct jpeg_job *job)
{
    const struct jpeg_decompress_struct *const info = &job->info;
    const JDIMENSION side = info->image_width < info->image_height ? info->image_width : info->image_height;
    const JDIMENSION least = (JDIMENSION)job->decoding->least_side;
    for (unsigned by = 8; least > 0 && by > 1; by /= 2) {
        if (side / by >= least) {
            return by;
        }
    }
    return 1;
}

/* Everything between setjmp and the end; changes nothing but *job, so that a jump finds all in order. */
static void run(struct jpeg_job *job)
{
    struct graft_decoding *const decoding = job->decoding;
    struct jpeg_decompress_struct *const info = &job->info;
    jpeg_create_decompress(info);
    info->progress = &job->progress;
    jpeg_mem_src(info, decoding->data, decoding->size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(info, TRUE);
    if (graft_check_dimensions(info->image_width, info->image_height, decoding->name, decoding->fault) !=
        GRAFT_OK) {
        job->end = JPEG_END_FAULT;
        return;
    }
    decoding->orientation = find_orientation(job);
    const bool cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    const bool grey = info->jpeg_color_space == JCS_GRAYSCALE && decoding->channels == 1;
    info->out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    info->scale_num = 1;
    info->scale_denom = choose_scale(job);
    jpeg_start_decompress(info);

    const size_t channels = grey ? 1 : 3;
    uint8_t *const pixels =
        graft_decoding_pixels(decoding, info->output_width, info->output_height, (int32_t)channels, channels);
    if (!pixels || (cmyk && !graft_buffer_reserve(decoding->scratch->context, &decoding->scratch->rows,
                                                  (size_t)info->output_width * 4))) {
        job->end = pixels ? JPEG_END_MEMORY : JPEG_END_FAULT;
        return;
    }
    read_rows(job, pixels, cmyk ? decoding->scratch->rows.data : NULL);
    job->complete = true;
    jpeg_finish_decompress(info); /* looks for the end marker */
}

/* What kind of JPEG a frame header means that the library does not decode; NULL: it is damaged. */
static const char *unread_kind(const struct jpeg_job *job)
{
    const int value = job->manager.msg_parm.i[0];
    switch (job->manager.msg_code) {
    case JERR_BAD_PRECISION:
        return value == 12 || value == 16 ? "a JPEG of 12 or 16 bits a channel" : NULL;
    case JERR_SOF_UNSUPPORTED:
        return value == 0xc3 || value == 0xcb ? "a lossless JPEG" : "a hierarchical or differential JPEG";
    case JERR_ARITH_NOTIMPL:
        return "a JPEG with arithmetic coding";
    case JERR_CONVERSION_NOTIMPL:
        return "a JPEG of two or more than four channels";
    default:
        return NULL;
    }
}

static enum graft_status report(const struct jpeg_job *job)
{
    struct graft_fault *const fault = job->decoding->fault;
    const char *const name = job->decoding->name;
    const char *kind = NULL;
    switch (job->end) {
    case JPEG_END_OK:
        break;
    case JPEG_END_FAULT:
        return fault->status;
    case JPEG_END_MEMORY:
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this JPEG");
    case JPEG_END_TRUNCATED:
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "this JPEG is truncated: its %zu bytes end before the picture does; copy it again",
            job->decoding->size);
    case JPEG_END_CORRUPT:
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name,
                               "damaged JPEG: %s, and what follows is lost; replace it", job->text);
    case JPEG_END_SCANS:
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name,
                               "this JPEG has more than %d scans, as hostile files have: convert it",
                               SCAN_LIMIT);
    case JPEG_END_ERROR:
        kind = unread_kind(job);
        return kind
                   ? graft_fault_set(fault, GRAFT_ERROR_UNSUPPORTED, name,
                                     "this is %s, which is not read: convert it to a usual JPEG or PNG", kind)
                   : graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "damaged JPEG: %s; replace it",
                                     job->text);
    }
    if (job->warnings > 1) {
        graft_fault_warn(fault, name, "libjpeg says: %s, and %d more remarks", job->warning,
                         job->warnings - 1);
    } else if (job->warnings > 0) {
        graft_fault_warn(fault, name, "libjpeg says: %s", job->warning);
    }
    return GRAFT_OK;
}

enum graft_status graft_decode_jpeg(struct graft_decoding *decoding)
{
    struct jpeg_job job = {.decoding = decoding};
    job.info.err = jpeg_std_error(&job.manager);
    job.manager.error_exit = on_error;
    job.manager.emit_message = on_message;
    job.manager.output_message = no_output;
    job.progress.progress_monitor = on_progress;
    if (setjmp(job.jump) == 0) {
        run(&job);
    }
    jpeg_destroy_decompress(&job.info);
    return report(&job);
}
