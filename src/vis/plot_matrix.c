/* SPDX-License-Identifier: MIT */
/* A matrix of counts, rows against columns: a confusion matrix. */
#include "vis/plot.h"

#include "base/context.h"
#include "base/file.h"
#include "vis/axis.h"
#include "vis/canvas.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SCALE 1.5       /* pixels to a unit */
#define COUNTS_UP_TO 20 /* classes */
#define NAMES_UP_TO 60  /* classes */
#define HEAT_SIDE 660.0 /* units, of a matrix without names */
#define MOST_BLOCKS 990 /* of a heat map: HEAT_SIDE in pixels */
#define MOST_CLASSES 65536
#define LONGEST_NAME 170.0

static const struct graft_lettering title_text = {
    .size = 15, .bold = true, .colour = {0.13, 0.13, 0.16}, .room = 900};

struct sheet {
    struct graft_context *context;
    struct graft_canvas canvas;
    const struct graft_plot_matrix *matrix;
    double *sums;           /* [classes] of rows */
    double left, top;       /* of the cells */
    double cell, side;      /* of one, of all */
    double name_size;       /* of letters */
    double widest_name;     /* units */
    bool level;             /* names below the columns need not be turned */
    struct graft_axis axis; /* without names */
};

static const char *name_of(const struct sheet *sheet, int32_t index, char *number, size_t size)
{
    if (sheet->matrix->names != NULL) {
        return sheet->matrix->names[index];
    }
    (void)snprintf(number, size, "%d", (int)index);
    return number;
}

static double share(const struct sheet *sheet, int32_t row, int32_t column)
{
    const double count = (double)sheet->matrix->counts[(int64_t)row * sheet->matrix->classes + column];
    return sheet->sums[row] > 0 ? count / sheet->sums[row] : 0;
}

/* Sizes of what will be drawn; texts are measured on a canvas of one pixel. */
static enum graft_status lay_out(struct sheet *sheet, int *width, int *height)
{
    const int32_t classes = sheet->matrix->classes;
    struct graft_canvas ruler;
    char number[16];
    double below;
    const double right = 110;
    const enum graft_status status = graft_canvas_open(sheet->context, 1, 1, 1, &ruler);
    if (status != GRAFT_OK) {
        return status;
    }
    sheet->widest_name = 0;
    if (classes <= NAMES_UP_TO) {
        sheet->cell = classes <= COUNTS_UP_TO ? fmax(30, fmin(76, 480.0 / classes)) : 15;
        sheet->name_size = classes <= COUNTS_UP_TO ? 13 : 10.5;
        const struct graft_lettering text = {.size = sheet->name_size, .room = LONGEST_NAME};
        for (int32_t i = 0; i < classes; i++) {
            const char *const name = name_of(sheet, i, number, sizeof number);
            sheet->widest_name = fmax(sheet->widest_name, graft_canvas_text_width(&ruler, &text, name));
        }
        sheet->level = sheet->widest_name < sheet->cell - 6;
        below = sheet->level ? 60 : sheet->widest_name * M_SQRT1_2 + 50;
    } else {
        sheet->cell = HEAT_SIDE / classes;
        sheet->name_size = 12.5;
        sheet->widest_name = 40;
        below = 60;
        sheet->axis = (struct graft_axis){.whole = true};
        graft_axis_fit(&sheet->axis, 0, classes, false, 12);
    }
    sheet->side = sheet->cell * classes;
    sheet->left = sheet->widest_name + 52;
    sheet->top = 58;
    const double title = graft_canvas_text_width(&ruler, &title_text, sheet->matrix->title);
    graft_canvas_close(&ruler);
    *width = (int)ceil(fmax(sheet->left + sheet->side + right, title + 42) * SCALE);
    *height = (int)ceil((sheet->top + fmax(sheet->side, 120) + below) * SCALE);
    return GRAFT_OK;
}

static void draw_counts(struct sheet *sheet)
{
    const int32_t classes = sheet->matrix->classes;
    const struct graft_colour white = {1, 1, 1};
    int64_t largest = 0;
    char text[32];
    for (int64_t i = 0; i < (int64_t)classes * classes; i++) {
        largest = sheet->matrix->counts[i] > largest ? sheet->matrix->counts[i] : largest;
    }
    struct graft_lettering lettering = {.size = fmin(15, 0.42 * sheet->cell), .align = 0.5};
    (void)snprintf(text, sizeof text, "%" PRId64, largest);
    const double width = graft_canvas_text_width(&sheet->canvas, &lettering, text);
    lettering.size *= fmin(1, (sheet->cell - 4) / width);
    for (int32_t r = 0; r < classes; r++) {
        for (int32_t c = 0; c < classes; c++) {
            const int64_t count = sheet->matrix->counts[(int64_t)r * classes + c];
            lettering.colour = share(sheet, r, c) > 0.35 ? white : count > 0 ? GRAFT_INK : GRAFT_FAINT;
            lettering.bold = r == c;
            (void)snprintf(text, sizeof text, "%" PRId64, count);
            if (count > 0 || r == c) {
                graft_canvas_text(&sheet->canvas, sheet->left + (c + 0.5) * sheet->cell,
                                  sheet->top + (r + 0.5) * sheet->cell, &lettering, text);
            }
        }
    }
}

static void draw_cells(struct sheet *sheet)
{
    const int32_t classes = sheet->matrix->classes;
    const double gap = classes <= COUNTS_UP_TO ? 1.5 : 0.7;
    for (int32_t r = 0; r < classes; r++) {
        for (int32_t c = 0; c < classes; c++) {
            graft_canvas_box(&sheet->canvas, sheet->left + c * sheet->cell + gap / 2,
                             sheet->top + r * sheet->cell + gap / 2, sheet->cell - gap, sheet->cell - gap,
                             graft_colour_share(share(sheet, r, c)));
        }
    }
    if (classes <= COUNTS_UP_TO) {
        draw_counts(sheet);
    }
}

static void draw_names(struct sheet *sheet)
{
    struct graft_lettering text = {.size = sheet->name_size, .colour = GRAFT_INK, .room = LONGEST_NAME};
    char number[16];
    for (int32_t i = 0; i < sheet->matrix->classes; i++) {
        const char *const name = name_of(sheet, i, number, sizeof number);
        const double middle = (i + 0.5) * sheet->cell;
        text.align = 1;
        text.angle = 0;
        graft_canvas_text(&sheet->canvas, sheet->left - 7, sheet->top + middle, &text, name);
        text.align = sheet->level ? 0.5 : 1;
        text.angle = sheet->level ? 0 : -M_PI / 4;
        graft_canvas_text(&sheet->canvas, sheet->left + middle + (sheet->level ? 0 : 2),
                          sheet->top + sheet->side + (sheet->level ? 15 : 10), &text, name);
    }
}

/* One dot a class, or one a block of classes with the largest share in it. */
static enum graft_status draw_heat(struct sheet *sheet)
{
    const int32_t classes = sheet->matrix->classes;
    const int32_t blocks = classes < MOST_BLOCKS ? classes : MOST_BLOCKS;
    float *const largest = graft_allocate(sheet->context, (size_t)blocks * (size_t)blocks, sizeof *largest);
    uint32_t *const pixels = graft_allocate(sheet->context, (size_t)blocks * (size_t)blocks, sizeof *pixels);
    if (largest == NULL || pixels == NULL) {
        graft_release(sheet->context, largest);
        graft_release(sheet->context, pixels);
        return GRAFT_ERROR_MEMORY;
    }
    for (int32_t r = 0; r < classes; r++) {
        float *const row = largest + (int64_t)r * blocks / classes * blocks;
        for (int32_t c = 0; c < classes; c++) {
            float *const block = &row[(int64_t)c * blocks / classes];
            *block = fmaxf(*block, (float)share(sheet, r, c));
        }
    }
    for (int64_t i = 0; i < (int64_t)blocks * blocks; i++) {
        const struct graft_colour colour = graft_colour_share((double)largest[i]);
        pixels[i] = (uint32_t)lround(255 * colour.red) << 16 | (uint32_t)lround(255 * colour.green) << 8 |
                    (uint32_t)lround(255 * colour.blue);
    }
    cairo_t *const cairo = sheet->canvas.cairo;
    cairo_surface_t *const heat = cairo_image_surface_create_for_data(
        (unsigned char *)pixels, CAIRO_FORMAT_RGB24, blocks, blocks, 4 * blocks);
    cairo_save(cairo);
    cairo_translate(cairo, sheet->left, sheet->top);
    cairo_scale(cairo, sheet->side / blocks, sheet->side / blocks);
    cairo_set_source_surface(cairo, heat, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_NEAREST);
    cairo_rectangle(cairo, 0, 0, blocks, blocks);
    cairo_fill(cairo);
    cairo_restore(cairo);
    cairo_surface_destroy(heat);
    graft_release(sheet->context, largest);
    graft_release(sheet->context, pixels);
    return GRAFT_OK;
}

static void draw_numbers(struct sheet *sheet)
{
    struct graft_lettering text = {.size = sheet->name_size, .colour = GRAFT_FAINT};
    char label[64];
    for (int i = 0; i < sheet->axis.tick_count; i++) {
        const double tick = sheet->axis.ticks[i];
        if (tick >= sheet->matrix->classes) {
            break;
        }
        const double place = (tick + 0.5) * sheet->cell;
        graft_axis_label(&sheet->axis, tick, label, sizeof label);
        text.align = 1;
        graft_canvas_line(&sheet->canvas, sheet->left - 5, sheet->top + place, sheet->left - 1,
                          sheet->top + place, 1, GRAFT_FAINT);
        graft_canvas_text(&sheet->canvas, sheet->left - 8, sheet->top + place, &text, label);
        text.align = 0.5;
        graft_canvas_line(&sheet->canvas, sheet->left + place, sheet->top + sheet->side + 1,
                          sheet->left + place, sheet->top + sheet->side + 5, 1, GRAFT_FAINT);
        graft_canvas_text(&sheet->canvas, sheet->left + place, sheet->top + sheet->side + 15, &text, label);
    }
}

/* The colours' meaning, to the right of the cells; title and labels. */
static void draw_frame(struct sheet *sheet)
{
    struct graft_canvas *const canvas = &sheet->canvas;
    const double x = sheet->left + sheet->side + 26, length = fmin(fmax(sheet->side, 120), 260);
    struct graft_lettering text = {.size = 12, .colour = GRAFT_FAINT};
    char label[16];
    for (int i = 0; i < 130; i++) {
        graft_canvas_box(canvas, x, sheet->top + length * (129 - i) / 130, 13, length / 130 + 0.4,
                         graft_colour_share(i / 129.0));
    }
    for (int i = 0; i <= 4; i++) {
        (void)snprintf(label, sizeof label, "%d %%", 25 * i);
        graft_canvas_text(canvas, x + 19, sheet->top + 5 + (length - 10) * (4 - i) / 4, &text, label);
    }
    text.size = 12.5;
    text.align = 0.5;
    text.room = sheet->side + sheet->widest_name;
    const double middle = sheet->left + sheet->side / 2;
    graft_canvas_text(canvas, fmax(middle, 60), canvas->height - 20, &text, sheet->matrix->column_label);
    text.angle = -M_PI / 2;
    graft_canvas_text(canvas, 20, fmax(sheet->top + sheet->side / 2, 70), &text, sheet->matrix->row_label);
    graft_canvas_text(canvas, 20, 28, &title_text, sheet->matrix->title);
}

static enum graft_status check(struct graft_context *context, const struct graft_plot_matrix *matrix)
{
    if (matrix->classes < 1 || matrix->classes > MOST_CLASSES) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a matrix of %d classes: 1 to %d are drawn",
                          (int)matrix->classes, MOST_CLASSES);
    }
    for (int64_t i = 0; i < (int64_t)matrix->classes * matrix->classes; i++) {
        if (matrix->counts[i] < 0) {
            return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                              "a matrix with a count of %" PRId64 " is not drawn", matrix->counts[i]);
        }
    }
    return GRAFT_OK;
}

enum graft_status graft_draw_matrix(struct graft_context *context, const struct graft_plot_matrix *matrix,
                                    struct graft_text *png)
{
    struct sheet sheet = {.context = context, .matrix = matrix};
    int width = 0, height = 0;
    enum graft_status status = check(context, matrix);
    if (status != GRAFT_OK) {
        return status;
    }
    sheet.sums = graft_allocate(context, (size_t)matrix->classes, sizeof *sheet.sums);
    status = sheet.sums == NULL ? GRAFT_ERROR_MEMORY : lay_out(&sheet, &width, &height);
    if (status == GRAFT_OK) {
        status = graft_canvas_open(context, width, height, SCALE, &sheet.canvas);
    }
    if (status != GRAFT_OK) {
        goto fail;
    }
    for (int64_t i = 0; i < (int64_t)matrix->classes * matrix->classes; i++) {
        sheet.sums[i / matrix->classes] += (double)matrix->counts[i];
    }
    if (matrix->classes <= NAMES_UP_TO) {
        draw_cells(&sheet);
        draw_names(&sheet);
    } else {
        status = draw_heat(&sheet);
        draw_numbers(&sheet);
    }
    draw_frame(&sheet);
    if (status == GRAFT_OK) {
        status = graft_canvas_png(&sheet.canvas, png);
    }
fail:
    graft_release(context, sheet.sums);
    graft_canvas_close(&sheet.canvas);
    return status;
}

enum graft_status graft_plot_matrix(struct graft_context *context, const char *path,
                                    const struct graft_plot_matrix *matrix)
{
    struct graft_text png = {0};
    enum graft_status status = graft_draw_matrix(context, matrix, &png);
    if (status == GRAFT_OK) {
        status = graft_file_write(context, path, png.data, png.length);
    }
    graft_text_close(context, &png);
    return status;
}
