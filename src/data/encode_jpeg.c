/* SPDX-License-Identifier: MIT */
/* JPEG in memory, for small pictures on pages: by libjpeg-turbo, with its usual subsampling. */
#include "base/context.h"
#include "base/text.h"
#include "data/encode.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

struct encode_job {
    struct jpeg_error_mgr manager; /* first: the library hands back its address */
    jmp_buf jump;
    struct jpeg_compress_struct info;
    unsigned char *bytes; /* the library's, by malloc */
    unsigned long size;
    bool no_memory;
    char text[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr common)
{
    struct encode_job *const job = (struct encode_job *)common->err;
    common->err->format_message(common, job->text);
    job->no_memory = common->err->msg_code == JERR_OUT_OF_MEMORY;
    longjmp(job->jump, 1);
}

static void no_output(j_common_ptr common)
{
    (void)common;
}

static void encode(struct encode_job *job, const struct graft_image *image, int quality)
{
    jpeg_create_compress(&job->info);
    jpeg_mem_dest(&job->info, &job->bytes, &job->size);
    job->info.image_width = (JDIMENSION)image->width;
    job->info.image_height = (JDIMENSION)image->height;
    job->info.input_components = image->channels;
    job->info.in_color_space = image->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&job->info);
    jpeg_set_quality(&job->info, quality, TRUE);
    job->info.optimize_coding = TRUE;
    jpeg_start_compress(&job->info, TRUE);
    while (job->info.next_scanline < job->info.image_height) {
        JSAMPROW row =
            image->pixels + (size_t)job->info.next_scanline * (size_t)image->width * (size_t)image->channels;
        jpeg_write_scanlines(&job->info, &row, 1);
    }
    jpeg_finish_compress(&job->info);
}

enum graft_status graft_image_encode_jpeg(struct graft_context *context, const struct graft_image *image,
                                          int quality, struct graft_text *bytes)
{
    struct encode_job job = {0};
    enum graft_status status = GRAFT_OK;
    job.info.err = jpeg_std_error(&job.manager);
    job.manager.error_exit = on_error;
    job.manager.output_message = no_output;
    if (setjmp(job.jump) == 0) {
        encode(&job, image, quality);
        graft_text_append_bytes(context, bytes, (const char *)job.bytes, job.size);
        status = bytes->failed ? GRAFT_ERROR_MEMORY : GRAFT_OK;
    } else {
        status = job.no_memory
                     ? graft_fail(context, GRAFT_ERROR_MEMORY, "no memory to write a JPEG")
                     : graft_fail(context, GRAFT_ERROR_UNSUPPORTED, "no JPEG was made: %s", job.text);
    }
    jpeg_destroy_compress(&job.info);
    free(job.bytes);
    return status;
}
