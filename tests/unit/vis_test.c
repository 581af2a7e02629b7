/* SPDX-License-Identifier: MIT */
/* Plots, the drawings and the report of a run folder. */
#include "base/context.h"
#include "base/file.h"
#include "graft/vis.h"
#include "support/support.h"
#include "vis/axis.h"
#include "vis/canvas.h"
#include "vis/colour.h"

#include "run_fixture.h"

#include <math.h>
#include <sys/stat.h>

static struct graft_image decode(const struct place *place, const char *name)
{
    char path[256];
    struct graft_image image;
    assert_int_equal(graft_image_read(place->context, in(place, name, path), NULL, &image), GRAFT_OK);
    return image;
}

/* Pixels of a colour (± 3 for rounding) in a part of the picture, given in shares of its sides. */
static int64_t count_colour(const struct graft_image *image, struct graft_colour colour, double left,
                            double top, double right, double bottom)
{
    const double wanted[3] = {255 * colour.red, 255 * colour.green, 255 * colour.blue};
    int64_t count = 0;
    for (int y = (int)(top * image->height); y < (int)(bottom * image->height); y++) {
        for (int x = (int)(left * image->width); x < (int)(right * image->width); x++) {
            const uint8_t *const pixel = image->pixels + 3 * ((int64_t)y * image->width + x);
            bool same = true;
            for (int c = 0; c < 3; c++) {
                same = same && fabs(pixel[c] - wanted[c]) <= 3;
            }
            count += same;
        }
    }
    return count;
}

static int64_t whole(const struct graft_image *image, struct graft_colour colour)
{
    return count_colour(image, colour, 0, 0, 1, 1);
}

/* Ticks worked out by hand. */
static void axes_have_round_ticks(void **state)
{
    (void)state;
    static const struct {
        struct graft_axis axis;
        double low, high;
        bool round_ends;
        int most;
        double first, last;
        int count;
        const char *label; /* of the second tick */
    } cases[] = {
        {{0}, 0, 2.3, true, 7, 0, 2.5, 6, "0.5"},
        {{.percent = true}, 0.42, 1, true, 7, 0.4, 1, 7, "50 %"},
        {{.whole = true}, 0.5, 1.5, false, 10, 1, 1, 1, NULL},
        {{.whole = true}, 0.9, 30.1, false, 7, 5, 30, 6, "10"},
        {{0}, 0, 1e9, true, 5, 0, 1e9, 6, "2e+08"},
        {{0}, -0.02, 0.02, true, 4, -0.02, 0.02, 5, "-0.01"},
        {{.logarithmic = true}, 0.002, 30, true, 7, 0.001, 100, 6, "0.01"},
        {{0}, 3, 3, true, 5, 2.8, 3.2, 5, "2.9"},
        {{0}, -1.7e308, 1.7e308, false, 5, -1e308, 1e308, 3, "0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct graft_axis axis = cases[i].axis;
        char label[64];
        graft_axis_fit(&axis, cases[i].low, cases[i].high, cases[i].round_ends, cases[i].most);
        if (axis.tick_count != cases[i].count) {
            print_message("case %zu: %d ticks\n", i, axis.tick_count);
        }
        assert_int_equal(axis.tick_count, cases[i].count);
        assert_true(fabs(axis.ticks[0] - cases[i].first) <= fabs(cases[i].first) * 1e-9);
        assert_true(fabs(axis.ticks[axis.tick_count - 1] - cases[i].last) <= fabs(cases[i].last) * 1e-9);
        assert_true(axis.low <= cases[i].low && axis.high >= cases[i].high);
        assert_true(fabs(graft_axis_place(&axis, axis.low)) < 1e-9);
        assert_true(fabs(graft_axis_place(&axis, axis.high) - 1) < 1e-9);
        if (cases[i].label != NULL) {
            graft_axis_label(&axis, axis.ticks[1], label, sizeof label);
            assert_string_equal(label, cases[i].label);
        }
    }
}

/* The order in which marks are given does not show: names that are near each other lay over each other. */
static void marks_are_drawn_from_left_to_right(void **state)
{
    const struct place *const place = *state;
    const double x[] = {1, 2, 3, 4};
    const struct graft_plot_line line = {"one", x, x, 4};
    const struct graft_plot_mark marks[] = {{2.3, "the first of three"}, {2.5, "the second"}, {2.5, "the third"}};
    const struct graft_plot_mark back[] = {{2.5, "the second"}, {2.5, "the third"}, {2.3, "the first of three"}};
    struct graft_plot_panel panel = {.title = "Title", .x_label = "x", .y_label = "y", .lines = &line, .line_count = 1,
                                     .marks = marks, .mark_count = 3};
    char path[256];
    assert_int_equal(graft_plot_lines(place->context, in(place, "a.png", path), &panel, 1, 640, 400), GRAFT_OK);
    panel.marks = back;
    assert_int_equal(graft_plot_lines(place->context, in(place, "b.png", path), &panel, 1, 640, 400), GRAFT_OK);
    struct graft_image one = decode(place, "a.png"), other = decode(place, "b.png");
    assert_memory_equal(one.pixels, other.pixels, 3 * 640 * 400);
    graft_image_close(place->context, &one);
    graft_image_close(place->context, &other);
}

static void lines_are_drawn(void **state)
{
    const struct place *const place = *state;
    const double x[] = {1, 2, 3, 4}, up[] = {0.1, 0.4, (double)NAN, 0.9}, down[] = {0.9, 0.5, 0.2, 1e200};
    const struct graft_plot_line lines[] = {{"one", x, up, 4}, {"two", x, down, 4}};
    const struct graft_plot_mark marks[] = {{2.5, "here"}, {1e9, "outside"}};
    const struct graft_plot_panel panel = {.title = "Title",
                                           .x_label = "x",
                                           .y_label = "y",
                                           .lines = lines,
                                           .line_count = 2,
                                           .marks = marks,
                                           .mark_count = 2,
                                           .whole_x = true};
    struct graft_plot_panel unmarked = panel;
    unmarked.mark_count = 0;
    char path[256];
    assert_int_equal(graft_plot_lines(place->context, in(place, "a.png", path), &panel, 1, 640, 400),
                     GRAFT_OK);
    struct graft_image image = decode(place, "a.png");
    assert_int_equal(image.width, 640);
    assert_int_equal(image.height, 400);
    /* A line of 2 pixels and some hundred pixels' length: both are there, the third colour is not. */
    assert_true(whole(&image, graft_colour_series(0)) > 200);
    assert_true(whole(&image, graft_colour_series(1)) > 200);
    assert_int_equal(whole(&image, graft_colour_series(2)), 0);
    assert_true(count_colour(&image, GRAFT_INK, 0, 0, 0.5, 0.12) > 20); /* the title: is a font installed? */
    assert_int_equal(graft_plot_lines(place->context, in(place, "b.png", path), &unmarked, 1, 640, 400),
                     GRAFT_OK);
    struct graft_image without = decode(place, "b.png");
    /* All that the marks change is a line in the middle, from x = 2.5, and its name. */
    int64_t near = 0, elsewhere = 0;
    for (int64_t i = 0; i < 640 * 400; i++) {
        const bool same = memcmp(image.pixels + 3 * i, without.pixels + 3 * i, 3) == 0;
        const bool middle = i % 640 > 300 && i % 640 < 420;
        near += !same && middle;
        elsewhere += !same && !middle;
    }
    assert_true(near > 150);
    assert_int_equal(elsewhere, 0);
    graft_image_close(place->context, &without);
    graft_image_close(place->context, &image);
    unmarked.line_count = 1;
    assert_int_equal(graft_plot_lines(place->context, path, &unmarked, 1, 640, 400), GRAFT_OK);
    image = decode(place, "b.png");
    assert_int_equal(whole(&image, graft_colour_series(1)), 0);
    graft_image_close(place->context, &image);
}

static void wrong_plots_are_refused(void **state)
{
    const struct place *const place = *state;
    struct graft_context *const c = place->context;
    const double x[] = {1, (double)INFINITY}, y[] = {0, 1};
    const struct graft_plot_line line = {"line", x, y, 2};
    struct graft_plot_panel panel = {
        .title = "T", .x_label = "x", .y_label = "y", .lines = &line, .line_count = 1};
    char path[256];
    in(place, "no.png", path);
    assert_int_equal(graft_plot_lines(c, path, &panel, 1, 0, 0), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(c), "x[1] is inf"));
    assert_int_equal(graft_plot_lines(c, path, &panel, 0, 0, 0), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_plot_lines(c, path, &panel, 1, 100, 10000), GRAFT_ERROR_ARGUMENT);
    panel.line_count = GRAFT_PLOT_MAX_LINES + 1;
    assert_int_equal(graft_plot_lines(c, path, &panel, 1, 0, 0), GRAFT_ERROR_ARGUMENT);
    const int64_t counts[] = {1, -1, 0, 0};
    struct graft_plot_matrix matrix = {"T", "r", "c", NULL, counts, 2};
    assert_int_equal(graft_plot_matrix(c, path, &matrix), GRAFT_ERROR_ARGUMENT);
    assert_non_null(strstr(graft_context_error(c), "-1"));
    matrix.classes = 0;
    assert_int_equal(graft_plot_matrix(c, path, &matrix), GRAFT_ERROR_ARGUMENT);
    struct graft_plot_bars bars = {.title = "T", .value_label = "v", .groups = 1, .series = 0};
    assert_int_equal(graft_plot_bars(c, path, &bars), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(access(path, F_OK), -1);
    const int64_t good[] = {3};
    matrix = (struct graft_plot_matrix){"T", "r", "c", NULL, good, 1};
    assert_int_equal(graft_plot_matrix(c, "/no/such/folder/a.png", &matrix), GRAFT_ERROR_IO);
    assert_non_null(strstr(graft_context_error(c), "/no/such/folder/a.png"));
}

/* The diagonal is dark, what is off it pale, for each of the three ways in which a matrix is drawn. */
static void matrices_are_drawn(void **state)
{
    const struct place *const place = *state;
    static const int32_t sizes[] = {1, 2, 20, 21, 60, 61, 1200};
    char path[256];
    in(place, "m.png", path);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int32_t n = sizes[i];
        int64_t *const counts = calloc((size_t)n * (size_t)n, sizeof *counts);
        for (int32_t k = 0; k < n; k++) {
            counts[(int64_t)k * n + k] = 9;
        }
        const struct graft_plot_matrix matrix = {"Title", "true", "predicted", NULL, counts, n};
        assert_int_equal(graft_plot_matrix(place->context, path, &matrix), GRAFT_OK);
        struct graft_image image = decode(place, "m.png");
        assert_true(image.width <= 2000 && image.height <= 2000 && image.width > 200);
        const double dark = (double)whole(&image, graft_colour_share(1));
        const double pale = (double)whole(&image, graft_colour_share(0));
        if (n > 1 && n <= 60) { /* gaps and digits take some of it */
            assert_true(dark > 0 && fabs(pale / dark - (n - 1)) < 0.35 * (n - 1));
        }
        assert_true(dark > 500);
        graft_image_close(place->context, &image);
        free(counts);
    }
}

static void bars_are_drawn(void **state)
{
    const struct place *const place = *state;
    const char *const names[] = {"first", "second"}, *const series[] = {"a", "b"};
    const double values[] = {100, 50, (double)NAN, 25};
    const struct graft_plot_bars bars = {"Title", "images per second", names, 2, series, 2, values};
    char path[256];
    assert_int_equal(graft_plot_bars(place->context, in(place, "b.png", path), &bars), GRAFT_OK);
    struct graft_image image = decode(place, "b.png");
    /* Areas tell values: 100 against 50 + 25, besides the two squares of the legend. */
    const double a = (double)whole(&image, graft_colour_series(0));
    const double b = (double)whole(&image, graft_colour_series(1));
    assert_true(fabs(b / a - 0.75) < 0.03);
    graft_image_close(place->context, &image);
}

static void make_run(const struct place *place)
{
    write_text(place, "config.json", CONFIG, strlen(CONFIG));
    write_text(place, "history.csv", HISTORY, strlen(HISTORY));
}

static struct graft_class_figures figures[] = {{5, 0.8, 0.8, 0.8}, {4, 0.75, 0.75, 0.75}};
static int64_t confusion[] = {4, 1, 1, 3};
static const struct graft_evaluation evaluation = {.images = 9,
                                                   .loss = 0.5,
                                                   .top1 = 7.0 / 9,
                                                   .top5 = 1,
                                                   .classes = 2,
                                                   .figures = figures,
                                                   .confusion = confusion};

/* Decodes the base64 that follows `from`; the number of bytes. */
static size_t decode_base64(const char *from, unsigned char *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count = 0, bits = 0;
    unsigned word = 0;
    for (const char *digit; *from != '\0' && (digit = strchr(digits, *from)) != NULL; from++) {
        word = word << 6 | (unsigned)(digit - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[count++] = (unsigned char)(word >> bits);
        }
    }
    return count;
}

static void runs_are_drawn(void **state)
{
    const struct place *const place = *state;
    struct graft_context *const c = place->context;
    char path[256];
    char *html = NULL, *png = NULL;
    size_t html_size = 0, png_size = 0;
    make_run(place);
    assert_int_equal(graft_vis_run(c, place->folder, NULL), GRAFT_OK);
    assert_int_equal(access(in(place, "confusion.png", path), F_OK), -1);
    assert_int_equal(graft_vis_run(c, place->folder, &evaluation), GRAFT_OK);
    struct graft_image image = decode(place, "curves.png");
    assert_int_equal(image.width, 1440);
    assert_int_equal(image.height, 600);
    assert_true(whole(&image, graft_colour_series(0)) > 1000 && whole(&image, graft_colour_series(1)) > 1000);
    graft_image_close(c, &image);
    image = decode(place, "confusion.png");
    /* 4 of 5 and 3 of 4 on the diagonal, 1 of 5 and 1 of 4 beside it */
    assert_true(whole(&image, graft_colour_share(0.8)) > 1000 &&
                whole(&image, graft_colour_share(0.25)) > 1000);
    graft_image_close(c, &image);

    assert_int_equal(graft_file_read(c, in(place, "report.html", path), 1 << 24, &html, &html_size),
                     GRAFT_OK);
    assert_null(strstr(html, "<bees>"));
    assert_non_null(strstr(html, "&#60;bees&#62; &#38; &#34;co&#34;"));
    assert_non_null(strstr(html, "squeezenet1_0"));
    assert_non_null(strstr(html, "<td>0.8000</td>"));
    assert_non_null(strstr(html, "87.50 %"));
    assert_null(strstr(html, "<script"));
    assert_int_equal(graft_file_read(c, in(place, "curves.png", path), 1 << 24, &png, &png_size), GRAFT_OK);
    const char *const embedded = strstr(html, "base64,");
    assert_non_null(embedded);
    unsigned char *const bytes = malloc(html_size);
    assert_int_equal(decode_base64(embedded + 7, bytes), png_size);
    assert_memory_equal(bytes, png, png_size);
    free(bytes);
    graft_release(c, html);
    graft_release(c, png);
}

static void broken_runs_are_refused(void **state)
{
    const struct place *const place = *state;
    struct graft_context *const c = place->context;
    struct graft_evaluation other = evaluation;
    char path[256];
    other.classes = 3;
    assert_int_equal(graft_vis_run(c, place->folder, NULL), GRAFT_ERROR_NOT_FOUND);
    assert_non_null(strstr(graft_context_error(c), "is no run folder"));
    make_run(place);
    assert_int_equal(graft_vis_run(c, place->folder, &other), GRAFT_ERROR_ARGUMENT);
    static const char *const configs[] = {
        "", "{", "[]", "{\"classes\": []}", "{\"classes\": [1]}", "{\"classes\": 7}"};
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        write_text(place, "config.json", configs[i], strlen(configs[i]));
        assert_int_equal(graft_vis_run(c, place->folder, NULL), GRAFT_ERROR_FORMAT);
        assert_non_null(strstr(graft_context_error(c), "config.json"));
    }
    make_run(place);
    write_text(place, "history.csv", HEADER "x", strlen(HEADER) + 1);
    assert_int_equal(graft_vis_run(c, place->folder, NULL), GRAFT_ERROR_FORMAT);
    assert_non_null(strstr(graft_context_error(c), "history.csv, line 2"));
    assert_int_equal(access(in(place, "curves.png", path), F_OK), -1);
    /* Stages of nonsense only cost their lines; a run without an epoch is drawn empty. */
    static const char odd[] =
        "{\"classes\": [\"a\"], \"stages\": [1, {\"epochs\": -1e300}, {\"from\": 3}, null]}";
    write_text(place, "config.json", odd, strlen(odd));
    write_text(place, "history.csv", HEADER, strlen(HEADER));
    assert_int_equal(graft_vis_run(c, place->folder, NULL), GRAFT_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(mkdir(in(place, "confusion.png", path), 0777), 0); /* cannot be written */
    write_text(place, "config.json", CONFIG, strlen(CONFIG));
    assert_int_equal(graft_vis_run(c, place->folder, &evaluation), GRAFT_ERROR_IO);
    assert_non_null(strstr(graft_context_error(c), path));
}

/* Each allocation fails once: the failure is told, nothing leaks, and what is in the folder stays whole. */
static void failing_memory_is_an_error(void **state)
{
    const struct place *const place = *state;
    make_run(place);
    long fail_at = 0;
    enum graft_status status = GRAFT_ERROR_MEMORY;
    for (; status != GRAFT_OK; fail_at += fail_at < 40 ? 1 : 7) {
        struct test_memory memory;
        struct graft_context *context = NULL;
        const struct graft_context_options options = test_memory_options(&memory, fail_at);
        status = graft_context_open(&options, &context);
        if (status == GRAFT_OK) {
            status = graft_vis_run(context, place->folder, &evaluation);
            if (status != GRAFT_OK) {
                assert_true(graft_context_error(context)[0] != '\0');
            }
            graft_context_close(&context);
        }
        assert_true(status == GRAFT_OK || status == GRAFT_ERROR_MEMORY);
        assert_int_equal(atomic_load(&memory.alive), 0);
        assert_true(fail_at < 100000);
    }
    assert_true(fail_at > 15);
    struct graft_image image = decode(place, "curves.png");
    graft_image_close(place->context, &image);
}

#ifdef __SANITIZE_ADDRESS__
/* fontconfig keeps some patterns until the process ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}
#endif

/* Lightness as the eye sees it (CIE L*) grows in steps of nearly the same size. */
static void colours_of_heat_are_even(void **state)
{
    uint8_t table[256][3];
    double before = -1;
    (void)state;
    graft_heat_colours(table);
    for (int i = 0; i < 256; i += 15) {
        double luminance = 0;
        for (int c = 0; c < 3; c++) {
            const double v = table[i][c] / 255.0;
            luminance += (c == 0   ? 0.2126
                          : c == 1 ? 0.7152
                                   : 0.0722) *
                         (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
        }
        const double lightness = luminance > 0.008856 ? 116 * cbrt(luminance) - 16 : 903.3 * luminance;
        assert_true(before < 0 || (lightness - before > 2 && lightness - before < 9));
        before = lightness;
    }
    assert_true(before > 90);
}

/* At the picture's own size; hot where the heat is, dark where the network did not look. */
static void heat_lies_over_the_picture(void **state)
{
    struct place *const place = *state;
    const float heat[4] = {0, 0, 0, 1};
    const struct graft_region region = {20, 0, 20, 20}; /* the middle 40 of 80 columns */
    uint8_t *const pixels = malloc(80 * 40 * 3);
    struct graft_image picture = {80, 40, 3, pixels}, result, map;
    memset(pixels, 120, 80 * 40 * 3);
    assert_int_equal(graft_vis_overlay(place->context, &picture, &region, heat, 2, 2, &result), GRAFT_OK);
    assert_int_equal(result.width, 80);
    assert_int_equal(result.height, 40);
    const uint8_t *const outside = result.pixels + (20 * 80 + 10) * 3,
                         *const cold = result.pixels + (5 * 80 + 25) * 3,
                         *const hot = result.pixels + (35 * 80 + 55) * 3;
    assert_true(outside[0] == outside[1] && outside[1] == outside[2] && outside[0] < 80);
    assert_true(cold[1] > outside[1] && cold[1] <= 120);
    assert_true(hot[0] > 170 && hot[0] > hot[2] + 40);
    graft_image_close(place->context, &result);
    assert_int_equal(graft_vis_heat(place->context, heat, 2, 2, &map), GRAFT_OK);
    assert_true(map.pixels[0] < 60 && map.pixels[9] > 220 && map.pixels[10] > 200);
    graft_image_close(place->context, &map);
    free(pixels);
}

static void sheets_have_their_tiles(void **state)
{
    struct place *const place = *state;
    uint8_t red[4 * 2 * 3];
    char path[256];
    const struct graft_image picture = {4, 2, 3, red};
    const struct graft_sheet_bar bars[] = {{"ant", 0.75, true}, {"bee", 0.25, false}};
    const struct graft_sheet_tile tiles[] = {
        {.caption = "a picture", .picture = &picture}, {.picture = &picture}, {.bars = bars, .bar_count = 2}};
    for (int i = 0; i < 8; i++) {
        memcpy(red + 3 * i, (const uint8_t[]){230, 10, 20}, 3);
    }
    assert_int_equal(graft_vis_sheet(place->context, in(place, "sheet.png", path), "Title", tiles, 3, 2, 100),
                     GRAFT_OK);
    struct graft_image sheet = decode(place, "sheet.png");
    assert_int_equal(sheet.width, 14 + 2 * 114);
    assert_int_equal(sheet.height, 14 + 34 + 2 * (100 + 26 + 14));
    /* Two pictures of half a tile in the first row; a bar of three quarters in the second. */
    const int64_t pixels =
        count_colour(&sheet, (struct graft_colour){230 / 255.0, 10 / 255.0, 20 / 255.0}, 0, 0, 1, 0.6);
    assert_true(pixels > 2 * 100 * 50 * 9 / 10 && pixels <= 2 * 100 * 50);
    const int64_t bar = count_colour(&sheet, graft_colour_series(1), 0, 0.5, 0.5, 1);
    assert_true(bar > 75 * 8 * 8 / 10 && bar <= 75 * 8);
    graft_image_close(place->context, &sheet);
    assert_int_equal(graft_vis_sheet(place->context, path, NULL, tiles, 0, 2, 100), GRAFT_ERROR_ARGUMENT);
    assert_int_equal(graft_vis_sheet(place->context, path, NULL, tiles, 3, 3, 5000), GRAFT_ERROR_ARGUMENT);
}

/* Five channels of 2 x 3, the fourth dead: cells of 10 x 15 pixels in three columns of two rows. */
static void channels_lie_side_by_side(void **state)
{
    struct place *const place = *state;
    float values[2 * 3 * 5];
    uint8_t table[256][3];
    struct graft_image image;
    for (int i = 0; i < 30; i++) {
        values[i] = i % 5 == 3 ? 0 : (float)(i / 5 + 1);
    }
    assert_int_equal(graft_vis_channels(place->context, values, 2, 3, 5, 0, 6, 16, &image), GRAFT_OK);
    const int columns = (image.width - 2) / 17;
    assert_int_equal(image.width, 2 + columns * 17);
    assert_int_equal(image.height, 2 + ((5 - 1) / columns + 1) * 12);
    graft_heat_colours(table);
    for (int c = 0; c < 5; c++) {
        const int left = 2 + c % columns * 17, top = 2 + c / columns * 12;
        int crossed = 0;
        for (int y = 0; y < 10; y++) {
            for (int x = 0; x < 15; x++) {
                const uint8_t *const pixel = image.pixels + 3 * ((top + y) * image.width + left + x);
                const int level = (int)(values[(y / 5 * 3 + x / 5) * 5 + c] * 255 / 6 + 0.5f);
                crossed += memcmp(pixel, table[level], 3) != 0;
            }
        }
        assert_true(c == 3 ? crossed > 15 && crossed <= 30 : crossed == 0);
    }
    assert_int_equal(memcmp(image.pixels, (const uint8_t[]){255, 255, 255}, 3), 0);
    graft_image_close(place->context, &image);
    assert_int_equal(graft_vis_channels(place->context, values, 9000, 1, 1, 0, 1, 64, &image),
                     GRAFT_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_have_round_ticks),
        cmocka_unit_test_setup_teardown(marks_are_drawn_from_left_to_right, open_place, close_place),
        cmocka_unit_test_setup_teardown(lines_are_drawn, open_place, close_place),
        cmocka_unit_test_setup_teardown(wrong_plots_are_refused, open_place, close_place),
        cmocka_unit_test_setup_teardown(matrices_are_drawn, open_place, close_place),
        cmocka_unit_test_setup_teardown(bars_are_drawn, open_place, close_place),
        cmocka_unit_test(colours_of_heat_are_even),
        cmocka_unit_test_setup_teardown(heat_lies_over_the_picture, open_place, close_place),
        cmocka_unit_test_setup_teardown(sheets_have_their_tiles, open_place, close_place),
        cmocka_unit_test_setup_teardown(channels_lie_side_by_side, open_place, close_place),
        cmocka_unit_test_setup_teardown(runs_are_drawn, open_place, close_place),
        cmocka_unit_test_setup_teardown(broken_runs_are_refused, open_place, close_place),
        cmocka_unit_test_setup_teardown(failing_memory_is_an_error, open_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
