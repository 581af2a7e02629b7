/* SPDX-License-Identifier: MIT */
#include "io/hub_config.h"

#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "io/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_LIMIT (16u << 20) /* those of ImageNet-22k hold the names of all classes */
#define SIDE_LIMIT 8192
#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* What cannot be taken, several with commas between them. */
static void leave(struct graft_hub_config *config, const char *what)
{
    const size_t length = strlen(config->untold);
    (void)snprintf(config->untold + length, sizeof config->untold - length, "%s%s", length ? ", " : "", what);
}

/* A name that fits; what is none is not taken. */
static bool read_name(struct graft_hub_config *config, const json_t *object, const char *key, char *text,
                      size_t size)
{
    const json_t *const value = json_object_get(object, key);
    const char *const found = json_string_value(value);
    const size_t length = found ? strlen(found) : 0;
    const bool word = found && strspn(found, WORD) == length;
    const bool fits = word && length > 0 && length < size;
    if (fits)
        (void)snprintf(text, size, "%s", found);
    else if (value && !json_is_null(value))
        leave(config, key);
    return fits;
}

static bool read_three(const json_t *list, float values[3])
{
    bool fits = json_is_array(list) && json_array_size(list) == 3;
    for (size_t i = 0; i < 3 && fits; i++) {
        const json_t *const value = json_array_get(list, i);
        fits = json_is_number(value) && fabs(json_number_value(value)) < 1e6;
        values[i] = fits ? (float)json_number_value(value) : 0;
    }
    return fits;
}

static void read_normalization(struct graft_hub_config *config, const json_t *object)
{
    const json_t *const mean = json_object_get(object, "mean"), *const std = json_object_get(object, "std");
    if (!mean && !std)
        return;
    config->has_normalization = read_three(mean, config->mean) && read_three(std, config->std);
    for (int c = 0; c < 3; c++)
        config->has_normalization = config->has_normalization && config->std[c] > 0;
    if (!config->has_normalization)
        leave(config, "mean and std");
}

/* [3, side, side]; or the size that the network was made for, where it is for one size only (img_size: side,
 * or [side, side]). */
static int32_t read_side(struct graft_hub_config *config, const json_t *object, const json_t *arguments)
{
    const json_t *const size = json_object_get(object, "input_size");
    const json_t *const made = json_is_true(json_object_get(object, "fixed_input_size"))
                                   ? json_object_get(arguments, "img_size")
                                   : NULL;
    json_int_t sides[3] = {0};
    for (size_t i = 0; i < 3 && json_array_size(size) == 3; i++)
        sides[i] = json_integer_value(json_array_get(size, i));
    for (size_t i = 0; i < 2 && made; i++)
        sides[1 + i] = json_integer_value(json_is_array(made) ? json_array_get(made, i) : made);
    if (sides[0] == 3 && sides[1] == sides[2] && sides[1] >= 1 && sides[1] <= SIDE_LIMIT)
        return (int32_t)sides[1];
    if (size)
        leave(config, "input_size");
    return 0;
}

/* As timm prepares pictures to judge a network by: the short side is the input's by crop_pct, rounded down,
 * and the middle is cut out (crop_mode "center"); or all is stretched ("squash"). */
static void read_geometry(struct graft_hub_config *config, const json_t *object, const json_t *arguments)
{
    const int32_t side = read_side(config, object, arguments);
    const json_t *const share = json_object_get(object, "crop_pct");
    const double part = json_is_number(share) ? json_number_value(share) : 0;
    char mode[16] = "center";
    if (side == 0 || !share ||
        !read_name(config, object, "interpolation", config->filter, sizeof config->filter))
        return;
    const size_t before = strlen(config->untold);
    (void)read_name(config, object, "crop_mode", mode, sizeof mode);
    if (strlen(config->untold) > before)
        return;
    const bool center = strcmp(mode, "center") == 0, squash = strcmp(mode, "squash") == 0;
    if (!(part > 0 && part <= 1 && side / part <= SIDE_LIMIT))
        leave(config, "crop_pct");
    else if (!center && !(squash && part == 1)) /* none of ours: stretched beyond the input, then cropped */
        leave(config, "crop_mode");
    else {
        config->resize_short_side = squash ? 0 : (int32_t)floor(side / part);
        config->crop = side;
    }
}

/* "resnet50"; older ones name the weights too: "resnet50.a1_in1k". */
static void read_architecture(struct graft_hub_config *config, const json_t *object)
{
    char name[sizeof config->architecture];
    if (!read_name(config, object, "architecture", config->architecture, sizeof config->architecture))
        return;
    (void)snprintf(name, sizeof name, "%s", config->architecture);
    name[strcspn(name, ".")] = '\0';
    config->info = graft_model_named(name);
}

static void read_object(struct graft_hub_config *config, const json_t *object)
{
    const json_t *const pretrained = json_object_get(object, "pretrained_cfg");
    read_architecture(config, object);
    if (!config->architecture[0] && !pretrained) /* another program's, a run's among them */
        return;
    read_normalization(config, pretrained ? pretrained : object); /* older ones have all in one object */
    read_geometry(config, pretrained ? pretrained : object, json_object_get(object, "model_args"));
}

/* NULL where there is none; what is no JSON leaves a word. GRAFT_ERROR_IO, GRAFT_ERROR_MEMORY. */
static enum graft_status parse(struct graft_context *context, const char *path,
                               struct graft_hub_config *config, json_t **json)
{
    struct graft_kept_error before;
    struct stat facts;
    json_error_t error;
    char *text = NULL;
    size_t size = 0;
    *json = NULL;
    const bool found = stat(path, &facts) == 0;
    if (found ? !S_ISREG(facts.st_mode) : errno == ENOENT || errno == ENOTDIR)
        return GRAFT_OK;
    graft_keep_error(context, &before);
    enum graft_status status = graft_file_read(context, path, SIZE_LIMIT, &text, &size);
    if (status == GRAFT_OK)
        status = graft_json_read(context, text, size, 0, path, json, &error);
    graft_release(context, text);
    if (status != GRAFT_ERROR_FORMAT)
        return status;
    graft_restore_error(context, &before);
    leave(config, "all of it, for it is no JSON");
    return GRAFT_OK;
}

enum graft_status graft_hub_config_read(struct graft_context *context, const char *weights,
                                        struct graft_hub_config *config)
{
    struct graft_text path = {0};
    json_t *json = NULL;
    *config = (struct graft_hub_config){.info = NULL};
    const char *const slash = strrchr(weights, '/');
    graft_text_append(context, &path, "%.*s" GRAFT_HUB_CONFIG, slash ? (int)(slash + 1 - weights) : 0,
                      weights);
    const enum graft_status status =
        path.failed ? GRAFT_ERROR_MEMORY : parse(context, path.data, config, &json);
    if (status == GRAFT_OK && json)
        read_object(config, json);
    json_decref(json);
    graft_text_close(context, &path);
    return status;
}
