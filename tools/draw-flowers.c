/* SPDX-License-Identifier: MIT */
/*
 * draw-flowers FOLDER [--train N] [--val N] [--seed N]: a data set of made-up flowers, N pictures a class:
 * FOLDER/{train,val}/CLASS/NUMBER.{jpg,png}. The same numbers give the same pictures.
 */
#include "base/context.h"
#include "base/file.h"
#include "base/pool.h"
#include "flowers/flowers.h"
#include "graft/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

struct job {
    struct graft_context *context;
    const char *folder;
    int64_t train, val; /* pictures a class */
    uint64_t seed;
    enum graft_status *status; /* of each picture */
};

static void draw_flower(struct brush *brush, const struct species *species, struct colour colour, double x,
                        double y, double radius)
{
    cairo_save(brush->cairo);
    cairo_translate(brush->cairo, x, y);
    cairo_scale(brush->cairo, radius, radius);
    /* Looked at from the side: pressed together in some direction, after a turn of its own. */
    const double from = between(brush, 0, M_PI);
    if (species->slant < 1) {
        cairo_rotate(brush->cairo, from);
        cairo_scale(brush->cairo, 1, between(brush, species->slant, 1));
        cairo_rotate(brush->cairo, -from);
    }
    cairo_rotate(brush->cairo, between(brush, -species->turn, species->turn));
    species->draw(brush, colour);
    cairo_restore(brush->cairo);
}

static void draw_picture(struct brush *brush, const struct species *species)
{
    const double side = fmin(brush->width, brush->height);
    const double radius = side * between(brush, 0.27, 0.43);
    int colours = 0;
    while (species->colours[colours] >= 0) {
        colours++;
    }
    const int colour = species->colours[below(brush, colours)];
    draw_background(brush);
    if (below(brush, 4) == 0) { /* a neighbour */
        const double angle = between(brush, 0, 2 * M_PI);
        draw_flower(brush, species, petal_colour(brush, colour), brush->width / 2 + 0.42 * side * cos(angle),
                    brush->height / 2 + 0.42 * side * sin(angle), radius * between(brush, 0.4, 0.65));
    }
    draw_flower(brush, species, petal_colour(brush, colour),
                brush->width / 2 + side * between(brush, -0.1, 0.1),
                brush->height / 2 + side * between(brush, -0.1, 0.1), radius);
    if (below(brush, 3) == 0) {
        draw_foreground(brush);
    }
    draw_light(brush);
}

/* The sensor: exposure, white balance, noise. */
static void expose(struct brush *brush, const unsigned char *drawn, int stride, struct graft_image *image)
{
    const double exposure = between(brush, 0.65, 1.15), warmth = between(brush, -0.1, 0.1);
    const double gains[3] = {exposure * (1 + warmth), exposure, exposure * (1 - warmth)};
    const double noise = between(brush, 0.5, 8);
    for (int y = 0; y < image->height; y++) {
        const uint32_t *const row = (const uint32_t *)(const void *)(drawn + (int64_t)y * stride);
        uint8_t *pixel = image->pixels + 3 * (int64_t)y * image->width;
        for (int x = 0; x < image->width; x++, pixel += 3) {
            for (int c = 0; c < 3; c++) {
                /* Four bytes' sum is near to normal: mean 510, deviation 147.8. */
                const uint32_t dice = graft_random_u32(&brush->random);
                const double sum = (dice & 255) + (dice >> 8 & 255) + (dice >> 16 & 255) + (dice >> 24);
                const double value = (row[x] >> (16 - 8 * c) & 255) * gains[c] + noise * (sum - 510) / 147.8;
                pixel[c] = (uint8_t)lround(fmax(0, fmin(255, value)));
            }
        }
    }
}

/* libjpeg's errors end the process here: nothing but missing memory can cause one. */
static enum graft_status write_jpeg(struct graft_context *context, const char *path,
                                    const struct graft_image *image, int quality, bool progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = (JDIMENSION)image->width;
    jpeg.image_height = (JDIMENSION)image->height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    if (progressive) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = image->pixels + 3 * (int64_t)jpeg.next_scanline * image->width;
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    const enum graft_status status = graft_file_write(context, path, data, size);
    free(data);
    return status;
}

static enum graft_status make_picture(const struct job *job, const struct species *species, const char *split,
                                      int64_t number)
{
    char name[64], path[4096];
    struct brush brush;
    (void)snprintf(name, sizeof name, "%s/%s/%04lld", split, species->name, (long long)number);
    graft_random_start(&brush.random, job->seed, graft_hash_text(name));
    struct graft_image image = {.channels = 3};
    image.width = 96 + below(&brush, 161);
    image.height = (int)fmax(96, fmin(256, image.width * between(&brush, 0.75, 1.33)));
    brush.width = image.width;
    brush.height = image.height;
    image.pixels = graft_allocate(job->context, 3 * (size_t)image.width, (size_t)image.height);
    if (image.pixels == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    cairo_surface_t *const surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, image.width, image.height);
    brush.cairo = cairo_create(surface);
    draw_picture(&brush, species);
    const cairo_status_t drawn = cairo_status(brush.cairo);
    enum graft_status status = GRAFT_OK;
    if (drawn == CAIRO_STATUS_SUCCESS) {
        cairo_surface_flush(surface);
        expose(&brush, cairo_image_surface_get_data(surface), cairo_image_surface_get_stride(surface),
               &image);
        const bool png = below(&brush, 5) < 2;
        (void)snprintf(path, sizeof path, "%s/%s.%s", job->folder, name, png ? "png" : "jpg");
        status = png ? graft_image_write_png(job->context, path, &image)
                     : write_jpeg(job->context, path, &image, 75 + below(&brush, 21), below(&brush, 3) == 0);
    } else {
        status = graft_fail(job->context, GRAFT_ERROR_MEMORY, "%s: %s", name, cairo_status_to_string(drawn));
    }
    cairo_destroy(brush.cairo);
    cairo_surface_destroy(surface);
    graft_image_close(job->context, &image);
    return status;
}

static void make_item(void *argument, int64_t item, int thread)
{
    struct job *const job = argument;
    const int64_t each = job->train + job->val, number = item % each;
    const bool train = number < job->train;
    (void)thread;
    job->status[item] = make_picture(job, &graft_flower_species[item / each], train ? "train" : "val",
                                     train ? number : number - job->train);
}

static enum graft_status make_folders(const struct job *job)
{
    char path[4096];
    enum graft_status status = GRAFT_OK;
    for (int i = 0; i < 2 * SPECIES && status == GRAFT_OK; i++) {
        (void)snprintf(path, sizeof path, "%s/%s/%s", job->folder, i % 2 == 0 ? "train" : "val",
                       graft_flower_species[i / 2].name);
        status = graft_folder_create(job->context, path);
    }
    return status;
}

static enum graft_status draw_all(struct job *job)
{
    const int64_t items = SPECIES * (job->train + job->val);
    struct graft_pool *const pool = graft_context_pool(job->context);
    enum graft_status status = pool != NULL ? make_folders(job) : GRAFT_ERROR_MEMORY;
    job->status =
        status == GRAFT_OK ? graft_allocate(job->context, (size_t)items, sizeof *job->status) : NULL;
    if (job->status == NULL) {
        return status == GRAFT_OK ? GRAFT_ERROR_MEMORY : status;
    }
    graft_pool_run(pool, items, make_item, job);
    for (int64_t i = 0; i < items && status == GRAFT_OK; i++) {
        status = job->status[i];
    }
    graft_release(job->context, job->status);
    return status;
}

static bool take_number(const char *text, int64_t most, int64_t *number)
{
    char *end = NULL;
    *number = strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && *number >= 0 && *number <= most;
}

int main(int count, char **arguments)
{
    struct job job = {.train = 80, .val = 25};
    int64_t seed = 1;
    bool right = count > 1 && count % 2 == 0 && arguments[1][0] != '-' && strlen(arguments[1]) < 3000;
    for (int i = 2; right && i + 1 < count; i += 2) {
        int64_t *const number = strcmp(arguments[i], "--train") == 0  ? &job.train
                                : strcmp(arguments[i], "--val") == 0  ? &job.val
                                : strcmp(arguments[i], "--seed") == 0 ? &seed
                                                                      : NULL;
        right = number != NULL && take_number(arguments[i + 1], number == &seed ? INT64_MAX : 9999, number);
    }
    if (!right || job.train + job.val == 0) {
        fprintf(stderr,
                "usage: draw-flowers FOLDER [--train N] [--val N] [--seed N]   (N pictures a class, up to "
                "9999; else 80 and 25)\n");
        return 2;
    }
    job.folder = arguments[1];
    job.seed = (uint64_t)seed;
    if (graft_context_open(NULL, &job.context) != GRAFT_OK) {
        fprintf(stderr, "draw-flowers: the library does not start\n");
        return 1;
    }
    const enum graft_status status = draw_all(&job);
    if (status != GRAFT_OK) {
        fprintf(stderr, "draw-flowers: %s\n", graft_context_error(job.context));
    } else {
        printf("%d kinds of flowers, %lld + %lld pictures each: %s\n", SPECIES, (long long)job.train,
               (long long)job.val, job.folder);
    }
    graft_context_close(&job.context);
    return status == GRAFT_OK ? 0 : 1;
}
