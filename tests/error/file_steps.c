/* SPDX-License-Identifier: MIT */
/* Weights, pictures, data sets, plots: what is read from files and written to them. */
#include "io/hub_config.h"
#include "io/pulled.h"
#include "world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLD "this was here before"

/* ---- writing over an old file */

static void put_old(const char *path)
{
    fault_pause(true);
    FILE *const file = fopen(path, "wb");
    if (file != NULL) {
        (void)fwrite(OLD, 1, sizeof OLD, file);
        (void)fclose(file);
    }
    fault_pause(false);
}

/* After a write that failed the old file must be there; after one that did not, the new one counts. */
static enum graft_status look_at(struct world *world, const char *name, enum graft_status status)
{
    char text[sizeof OLD + 1] = "";
    fault_pause(true);
    if (status == GRAFT_OK) {
        world_hash_file(world, name);
    } else {
        FILE *const file = fopen(world_path(world, name), "rb");
        const size_t size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
        if (file != NULL) {
            (void)fclose(file);
        }
        if (size != sizeof OLD || memcmp(text, OLD, sizeof OLD) != 0) {
            printf("       %s is not as it was before the write that failed\n", name);
            world->broken = true;
        }
    }
    fault_pause(false);
    return status;
}

/* ---- tensors */

enum graft_status step_fill_set(struct world *world)
{
    static const float values[6] = {1, -2, 3.5f, 4, 5, 6};
    static const int32_t numbers[4] = {1, 2, 3, -4};
    const struct graft_desc real = {GRAFT_DTYPE_F32, graft_shape_of(2, 2, 3)};
    const struct graft_desc whole = {GRAFT_DTYPE_I32, graft_shape_of(1, 4)};
    graft_tensor_set_close(&world->set);
    enum graft_status status = graft_tensor_set_open(world->context, &world->set);
    for (int i = 0; i < 10 && status == GRAFT_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "tensor.%d", i);
        status = i % 2 == 0 ? graft_tensor_set_add(world->set, name, &real, values)
                            : graft_tensor_set_add(world->set, name, &whole, numbers);
    }
    if (status == GRAFT_OK) {
        status = graft_tensor_set_put_text(world->set, "key", "a text with \"quotes\" and ü");
    }
    if (status == GRAFT_OK) {
        status = graft_tensor_set_put_text(world->set, "key", "another");
    }
    return status;
}

enum graft_status step_save_set(struct world *world)
{
    const char *const path = world_path(world, "set.safetensors");
    put_old(path);
    return look_at(world, "set.safetensors", graft_safetensors_save(world->context, path, world->set));
}

static void hash_set(struct world *world, const struct graft_tensor_set *set)
{
    for (size_t i = 0; i < graft_tensor_set_count(set); i++) {
        const struct graft_named_tensor *const tensor = graft_tensor_set_at(set, i);
        world_hash(world, tensor->name, strlen(tensor->name));
        world_hash(world, tensor->data, (size_t)graft_desc_bytes(&tensor->desc));
    }
}

enum graft_status step_load_set(struct world *world)
{
    const enum graft_status status =
        graft_safetensors_load(world->context, world_path(world, "set.safetensors"), &world->other);
    if (status == GRAFT_OK) {
        hash_set(world, world->other);
        world_hash(world, graft_tensor_set_text(world->other, "key"), 7);
        graft_tensor_set_close(&world->other);
    }
    return status;
}

/* Weights that were pulled, found by the note beside them. */
enum graft_status step_pulled(struct world *world)
{
    struct graft_text path = {0};
    fault_pause(true);
    (void)setenv("GRAFT_PULLED", "yes", 1);
    (void)mkdir(world_path(world, "cache"), 0777);
    (void)mkdir(world_path(world, "cache/weights"), 0777);
    fault_pause(false);
    put_old(world_path(world, "cache/weights/own.pth"));
    fault_pause(true);
    FILE *const note = fopen(world_path(world, "cache/weights/tiny_convnet.json"), "wb");
    if (note != NULL) {
        (void)fputs("{\"file\": \"own.pth\"}", note);
        (void)fclose(note);
    }
    fault_pause(false);
    const enum graft_status status = graft_pulled_find(world->context, "tiny_convnet", &path);
    fault_pause(true);
    (void)setenv("GRAFT_PULLED", "", 1);
    fault_pause(false);
    if (status == GRAFT_OK && (path.data == NULL || !graft_text_ends(path.data, "/weights/own.pth"))) {
        printf("       what was pulled is not found\n");
        world->broken = true;
    }
    graft_text_close(world->context, &path);
    return status;
}

/* What timm writes beside weights. */
enum graft_status step_hub_config(struct world *world)
{
    struct graft_hub_config config;
    const char *const path = world_path(world, "hub/" GRAFT_HUB_CONFIG);
    fault_pause(true);
    (void)mkdir(world_path(world, "hub"), 0777);
    FILE *const file = fopen(path, "wb");
    if (file != NULL) {
        (void)fputs("{\"architecture\": \"resnet18\", \"pretrained_cfg\": {\"input_size\": [3, 96, 96], \"crop_pct\": 1, "
                    "\"interpolation\": \"box\", \"mean\": [0, 0, 0], \"std\": [1, 1, 0.5]}}",
                    file);
        (void)fclose(file);
    }
    fault_pause(false);
    const enum graft_status status =
        graft_hub_config_read(world->context, world_path(world, "hub/w.safetensors"), &config);
    if (status == GRAFT_OK) {
        world_hash(world, &config.crop, sizeof config.crop);
        world_hash(world, config.std, sizeof config.std);
        world_hash(world, config.untold, sizeof config.untold);
    }
    return status;
}

/* A network's weights from the file of the run, and back into a set. */
enum graft_status step_load_weights(struct world *world)
{
    const struct graft_model_options options = {.height = 16, .width = 16, .classes = 2};
    graft_variables_close(&world->variables);
    graft_model_close(&world->model);
    graft_tensor_set_close(&world->set);
    graft_tensor_set_close(&world->other);
    enum graft_status status = graft_model_open(world->context, "tiny_convnet", &options, &world->model);
    if (status == GRAFT_OK) {
        status = graft_variables_open(world->device, &world->variables);
    }
    if (status == GRAFT_OK) {
        status =
            graft_safetensors_load(world->context, world_path(world, "weights.safetensors"), &world->set);
    }
    if (status == GRAFT_OK) {
        status = graft_model_load_weights(world->model, world->variables, world->set, false, NULL);
    }
    if (status == GRAFT_OK) {
        status = graft_tensor_set_open(world->context, &world->other);
    }
    if (status == GRAFT_OK) {
        status = graft_model_store_weights(world->model, world->variables, world->other);
    }
    if (status == GRAFT_OK) {
        hash_set(world, world->other);
    }
    return status;
}

static enum graft_status convert(struct world *world, const char *from, const char *to, const char *network,
                                 bool inside)
{
    char in[256];
    (void)snprintf(in, sizeof in, "%s", world_path(world, from));
    const char *const out = world_path(world, to);
    const struct graft_convert_options options = {
        .in = in, .out = out, .overwrite = true, .network = network, .preprocess_inside = inside};
    put_old(out);
    return look_at(world, to, graft_convert(world->context, &options, NULL));
}

/* As they are, with the network's names, which are the same, and as ONNX, which is read again. */
enum graft_status step_convert(struct world *world)
{
    const uint64_t before = world->bits;
    enum graft_status status = convert(world, "weights.safetensors", "net.pth", NULL, false);
    if (status == GRAFT_OK) {
        status = convert(world, "weights.safetensors", "net.safetensors", "tiny_convnet", false);
    }
    if (status == GRAFT_OK) {
        status = convert(world, "weights.safetensors", "net.onnx", NULL, true);
    }
    if (status == GRAFT_OK) {
        status = convert(world, "net.onnx", "again.onnx", NULL, false);
    }
    world->bits = status == GRAFT_OK ? world->bits : before;
    return status;
}

/* From PyTorch's container, which libarchive reads; it crashes itself where its own memory lacks. */
enum graft_status step_convert_zip(struct world *world)
{
    char in[256];
    (void)snprintf(in, sizeof in, "%s", world_path(world, "weights.safetensors"));
    const struct graft_convert_options options = {
        .in = in, .out = world_path(world, "net.pth"), .overwrite = true};
    fault_pause(true);
    const bool written = graft_convert(world->context, &options, NULL) == GRAFT_OK;
    fault_pause(false);
    if (!written) {
        printf("       net.pth cannot be made\n");
        world->broken = true;
    }
    return convert(world, "net.pth", "zip.safetensors", NULL, false);
}

enum graft_status step_npy(struct world *world)
{
    const char *const path = world_path(world, "array.npy");
    const struct graft_desc desc = {GRAFT_DTYPE_F32, graft_shape_of(2, 3, 2)};
    const float values[6] = {6, 5, 4, 3, 2, 1};
    graft_tensor_set_close(&world->other);
    put_old(path);
    enum graft_status status = graft_tensor_set_open(world->context, &world->other);
    if (status == GRAFT_OK) {
        const uint64_t before = world->bits;
        status = look_at(world, "array.npy", graft_npy_save(world->context, path, &desc, values));
        if (status == GRAFT_OK) {
            status = graft_npy_load(world->context, path, world->other, "array");
        }
        world->bits = status == GRAFT_OK ? world->bits : before;
    }
    if (status == GRAFT_OK) {
        hash_set(world, world->other);
    }
    graft_tensor_set_close(&world->other);
    return status;
}

/* ---- pictures and data sets */

static enum graft_status read_format(struct world *world, const char *name)
{
    struct graft_image image;
    const enum graft_status status = graft_image_read(world->context, world_path(world, name), NULL, &image);
    if (status == GRAFT_OK) {
        world_hash(world, image.pixels, (size_t)(3 * image.width * image.height));
    }
    graft_image_close(world->context, &image);
    return status;
}

enum graft_status step_tiff(struct world *world)
{
    return read_format(world, "picture.tif");
}

enum graft_status step_pictures(struct world *world)
{
    const struct graft_decode_options grey = {.channels = 1};
    const uint64_t before = world->bits;
    struct graft_image image = {0}, small = {0}, again = {0}, turned = {0};
    enum graft_status status =
        graft_image_read(world->context, world_path(world, "data/train/a/0.png"), NULL, &image);
    if (status == GRAFT_OK) {
        status = graft_image_read(world->context, world_path(world, "turned.jpg"), NULL, &turned);
    }
    if (status == GRAFT_OK) {
        status = graft_image_resize(world->context, &image, GRAFT_FILTER_BICUBIC, 9, 7, &small);
    }
    if (status == GRAFT_OK) {
        const char *const path = world_path(world, "small.png");
        put_old(path);
        status = look_at(world, "small.png", graft_image_write_png(world->context, path, &small));
    }
    if (status == GRAFT_OK) {
        status = graft_image_read(world->context, world_path(world, "small.png"), &grey, &again);
    }
    if (status == GRAFT_OK) {
        world_hash(world, again.pixels, 9 * 7);
        world_hash(world, turned.pixels, 24 * 16 * 3);
        world_hash(world, &turned.height, sizeof turned.height);
        status = read_format(world, "picture.webp");
    }
    if (status == GRAFT_OK) {
        status = read_format(world, "picture.gif");
    }
    if (status != GRAFT_OK) {
        world->bits = before;
    }
    graft_image_close(world->context, &turned);
    graft_image_close(world->context, &again);
    graft_image_close(world->context, &small);
    graft_image_close(world->context, &image);
    return status;
}

static enum graft_status open_with(struct world *world, const char *name,
                                   const struct graft_dataset_options *options)
{
    graft_loader_close(&world->loader);
    graft_dataset_close(&world->dataset);
    const enum graft_status status =
        graft_dataset_open(world->context, world_path(world, name), options, &world->dataset);
    if (status == GRAFT_OK) {
        const int32_t classes = graft_dataset_class_count(world->dataset);
        const int64_t count = graft_dataset_count(world->dataset, GRAFT_SPLIT_TRAIN);
        const int64_t faults = graft_dataset_fault_count(world->dataset);
        world_hash(world, &classes, sizeof classes);
        world_hash(world, &count, sizeof count);
        world_hash(world, &faults, sizeof faults);
    }
    return status;
}

static enum graft_status open_data(struct world *world, const char *name)
{
    return open_with(world, name, NULL);
}

/* An archive that is half links. */
enum graft_status step_open_links(struct world *world)
{
    return open_data(world, "links.tar");
}

/* A folder in which each picture is there twice, split by the seed. */
enum graft_status step_open_doubles(struct world *world)
{
    return open_data(world, "one");
}

/* Pets by their lists. */
enum graft_status step_open_pets(struct world *world)
{
    return open_with(world, "pets", &(struct graft_dataset_options){.labels = "species"});
}

/* Food by its lists in JSON. */
enum graft_status step_open_food(struct world *world)
{
    return open_with(world, "food", &(struct graft_dataset_options){.parts = "val=test"});
}

enum graft_status step_open_cifar(struct world *world)
{
    return open_data(world, "cifar");
}

/* Classes by a pattern, so many of each. */
enum graft_status step_open_pattern(struct world *world)
{
    return open_with(world, "one", &(struct graft_dataset_options){.class_pattern = "([ab])/", .take = "2,1,1"});
}

/* A table with rows that are wrong, and a file that is not there. */
enum graft_status step_open_faults(struct world *world)
{
    return open_with(world, "faults.csv",
                     &(struct graft_dataset_options){.keep_damaged = true, .list_faults = true});
}

enum graft_status step_open_idx(struct world *world)
{
    return open_data(world, "idx");
}

static int32_t label_by_number(void *user, int64_t index)
{
    (void)user;
    return (int32_t)(index % 2);
}

static enum graft_status read_grey(void *user, int64_t index, struct graft_sample *sample)
{
    (void)index;
    sample->pixels = user;
    sample->width = sample->height = 2;
    sample->channels = 1;
    return GRAFT_OK;
}

enum graft_status step_open_source(struct world *world)
{
    static const char *const names[] = {"a", "b"};
    static uint8_t pixels[4] = {1, 2, 3, 4};
    const struct graft_picture_source source = {.count = 6,
                                                .class_names = names,
                                                .class_count = 2,
                                                .user = pixels,
                                                .label = label_by_number,
                                                .read = read_grey};
    struct graft_image image = {0};
    graft_loader_close(&world->loader);
    graft_dataset_close(&world->dataset);
    enum graft_status status = graft_dataset_open_source(world->context, &source, NULL, &world->dataset);
    if (status == GRAFT_OK) {
        status = graft_dataset_read(world->dataset, GRAFT_SPLIT_TRAIN, 0, NULL, &image);
    }
    if (status == GRAFT_OK) {
        world_hash(world, image.pixels, 12);
    }
    graft_image_close(world->context, &image);
    return status;
}

enum graft_status step_open_data(struct world *world)
{
    return open_data(world, "data");
}

enum graft_status step_open_table(struct world *world)
{
    return open_data(world, "table.csv");
}

enum graft_status step_open_archive(struct world *world)
{
    return open_data(world, "data.tar");
}

/* One epoch of augmented pictures. */
enum graft_status step_load_data(struct world *world)
{
    struct graft_preprocess preprocess = graft_preprocess_imagenet();
    preprocess.transforms.steps[0].resize.short_side = 18;
    preprocess.crop_height = preprocess.crop_width = 16;
    const struct graft_transforms varied = graft_augment_default(&preprocess);
    const struct graft_loader_options options = {
        .batch = 3, .shuffle = true, .seed = 3, .transforms = &varied};
    const uint64_t before = world->bits;
    graft_loader_close(&world->loader);
    enum graft_status status =
        graft_loader_open(world->context, world->dataset, &preprocess, &options, &world->loader);
    struct graft_batch batch = {.valid = 1};
    while (status == GRAFT_OK && batch.valid > 0) {
        status = graft_loader_next(world->loader, &batch);
        if (status == GRAFT_OK && batch.valid > 0) {
            world_hash(world, batch.pixels, (size_t)batch.valid * 16 * 16 * 3);
        }
    }
    if (status != GRAFT_OK) {
        world->bits = before;
    }
    return status;
}

/* ---- plots */

enum graft_status step_plots(struct world *world)
{
    const double x[4] = {1, 2, 3, 4}, y[4] = {0.9, 0.5, (double)NAN, 0.3};
    const struct graft_plot_line line = {"loss", x, y, 4};
    const struct graft_plot_mark mark = {2, "stage"};
    const struct graft_plot_panel panel = {.title = "Loss",
                                           .x_label = "epoch",
                                           .y_label = "loss",
                                           .lines = &line,
                                           .line_count = 1,
                                           .marks = &mark,
                                           .mark_count = 1};
    const int64_t counts[4] = {3, 1, 0, 4};
    const char *const names[2] = {"ant", "bee"};
    const struct graft_plot_matrix matrix = {"Confusion", "true", "found", names, counts, 2};
    const char *path = world_path(world, "lines.png");
    put_old(path);
    enum graft_status status =
        look_at(world, "lines.png", graft_plot_lines(world->context, path, &panel, 1, 240, 200));
    if (status == GRAFT_OK) {
        path = world_path(world, "matrix.png");
        put_old(path);
        const uint64_t before = world->bits;
        status = look_at(world, "matrix.png", graft_plot_matrix(world->context, path, &matrix));
        world->bits = before;
    }
    world->bits = 0; /* a font that is missing for once changes the picture */
    return status;
}

enum graft_status step_sheet(struct world *world)
{
    const float heat[6] = {0, 0.2f, 1, 0.4f, 0.6f, 0.1f};
    uint8_t pixels[12 * 8 * 3] = {90, 20, 30};
    const struct graft_image picture = {12, 8, 3, pixels};
    const struct graft_region region = {2, 1, 3, 3};
    const struct graft_sheet_bar bar = {"ant", 0.7, true};
    struct graft_image map = {0}, overlay = {0};
    enum graft_status status = graft_vis_heat(world->context, heat, 3, 2, &map);
    if (status == GRAFT_OK) {
        status = graft_vis_overlay(world->context, &picture, &region, heat, 3, 2, &overlay);
    }
    const struct graft_sheet_tile tiles[3] = {
        {.caption = "map", .picture = &map}, {.picture = &overlay}, {.bars = &bar, .bar_count = 1}};
    if (status == GRAFT_OK) {
        const char *const path = world_path(world, "sheet.png");
        put_old(path);
        status = look_at(world, "sheet.png", graft_vis_sheet(world->context, path, "Sheet", tiles, 3, 3, 64));
    }
    graft_image_close(world->context, &map);
    graft_image_close(world->context, &overlay);
    world->bits = 0; /* a font that is missing for once changes the picture */
    return status;
}
