/* SPDX-License-Identifier: MIT */
#include "world.h"

#include "support/support.h"
#include "unit/pictures_expected.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

#define MEMORY (1u << FAULT_MEMORY)
#define SYSTEM (1u << FAULT_SYSTEM)
#define LIBRARY (1u << FAULT_LIBRARY)
#define OPENCL (1u << FAULT_OPENCL | 1u << FAULT_ANSWER | 1u << FAULT_EVENT)

/* `kinds`: the files' failures once, not for every scenario that happens to open the device. */
const struct scenario scenarios[] = {
    {"devices", MEMORY | SYSTEM | OPENCL, {step_list_devices, step_open_device}},
    {"threads", MEMORY | SYSTEM, {step_open_device, step_graph, step_plan, step_run}, .threads = 3},
    {"helper", MEMORY | SYSTEM | OPENCL, {step_use_helper, step_open_device, step_small}, .of_opencl = true},
    {"plan", MEMORY | OPENCL, {step_open_device, step_graph, step_plan, step_run, step_run}},
    {"numbers", MEMORY | OPENCL, {step_open_device, step_graph, step_check_numbers}},
    {"library",
     1u << FAULT_OPENCL | 1u << FAULT_EVENT,
     {step_open_device, step_graph, step_library},
     .of_opencl = true},
    {"profile", MEMORY | OPENCL, {step_open_device, step_graph, step_profile}},
    {"train", MEMORY | OPENCL, {step_open_device, step_model, step_trainer, step_train}},
    {"not finite", MEMORY | OPENCL, {step_open_device, step_trainer, step_train_not_finite}},
    {"weights", MEMORY | OPENCL, {step_open_device, step_load_weights}},
    {"convert", MEMORY | SYSTEM | LIBRARY, {step_convert}},
    {"convert zip", MEMORY | SYSTEM, {step_convert_zip}},
    {"pulled", MEMORY | LIBRARY, {step_pulled}},
    {"config beside weights", MEMORY | SYSTEM | LIBRARY, {step_hub_config}},
    {"tensors", MEMORY | SYSTEM | LIBRARY, {step_fill_set, step_save_set, step_load_set, step_npy}},
    {"pictures", MEMORY | SYSTEM | LIBRARY, {step_pictures}},
    {"tiff", MEMORY | SYSTEM, {step_tiff}}, /* libtiff 4.5 itself crashes where a directory's memory lacks */
    {"data", MEMORY | SYSTEM | LIBRARY, {step_open_data, step_load_data}},
    {"loader", MEMORY | SYSTEM, {step_open_data, step_load_data}, .threads = 3},
    {"table", MEMORY | SYSTEM | LIBRARY, {step_open_table, step_load_data}},
    /* libarchive ends the process where it has no memory for a name: not made to. */
    {"archive", MEMORY | SYSTEM, {step_open_archive, step_load_data}},
    {"links, doubles", MEMORY, {step_open_links, step_open_doubles}},
    {"lists", MEMORY | SYSTEM, {step_open_pets, step_open_food, step_open_cifar, step_open_pattern}},
    {"faults, idx, memory", MEMORY, {step_open_faults, step_open_idx, step_open_source}},
    {"classifier",
     MEMORY | SYSTEM | OPENCL,
     {step_open_device, step_classifier, step_classify, step_classify_files, step_evaluate}},
    {"labels, numbers", MEMORY | LIBRARY, {step_targets}},
    {"explain", MEMORY | OPENCL, {step_open_device, step_explain}},
    {"ascent", MEMORY | OPENCL, {step_open_device, step_ascent}},
    {"attack", MEMORY | OPENCL, {step_open_device, step_attack}},
    {"examples", MEMORY | SYSTEM | OPENCL, {step_open_device, step_open_data, step_examples}},
    {"embed", MEMORY | OPENCL, {step_open_device, step_embed}},
    {"fit", MEMORY | SYSTEM | LIBRARY | OPENCL, {step_open_device, step_fit}},
    {"resume", MEMORY | SYSTEM | LIBRARY, {step_open_device, step_resume}},
    {"plots", MEMORY | SYSTEM | LIBRARY, {step_plots}},
    {"sheet", MEMORY | SYSTEM | LIBRARY, {step_sheet}},
    {"plane", MEMORY | SYSTEM | LIBRARY, {step_plane}},
    {"report", MEMORY | SYSTEM | LIBRARY, {step_report}},
};
const int scenario_count = (int)(sizeof scenarios / sizeof scenarios[0]);

void world_hash(struct world *world, const void *data, size_t bytes)
{
    uint64_t hash = world->bits != 0 ? world->bits : 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    world->bits = hash;
}

const char *world_path(const struct world *world, const char *name)
{
    static char texts[2][256];
    static int turn;
    turn = 1 - turn;
    (void)snprintf(texts[turn], sizeof texts[turn], "%s/%s", world->folder, name);
    return texts[turn];
}

void world_hash_file(struct world *world, const char *name)
{
    uint8_t block[4096];
    FILE *const file = fopen(world_path(world, name), "rb");
    size_t size = 0;
    while (file != NULL && (size = fread(block, 1, sizeof block, file)) > 0) {
        world_hash(world, block, size);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

void world_close(struct world *world)
{
    graft_loader_close(&world->loader);
    graft_classifier_close(&world->classifier);
    graft_trainer_close(&world->trainer);
    graft_plan_close(&world->plan);
    graft_variables_close(&world->variables);
    graft_model_close(&world->model);
    graft_graph_close(&world->graph);
    graft_dataset_close(&world->dataset);
    graft_tensor_set_close(&world->set);
    graft_tensor_set_close(&world->other);
    graft_device_close(&world->device);
    unsetenv("GRAFT_COMPILER");
}

/* ---- what is there from the beginning */

static bool draw(struct world *world, const char *split, int kind, int number)
{
    uint8_t pixels[20 * 24 * 3];
    const struct graft_image image = {.width = 24, .height = 20, .channels = 3, .pixels = pixels};
    for (int i = 0; i < 20 * 24 * 3; i++) {
        const int at = kind == 0 ? i / (24 * 3) : i / 3 % 24;
        pixels[i] = (uint8_t)(at / (3 + number) % 2 * 200 + i * 7 % 31);
    }
    char name[64];
    (void)snprintf(name, sizeof name, "data/%s/%c/%d.png", split, 'a' + kind, number);
    return graft_image_write_png(world->context, world_path(world, name), &image) == GRAFT_OK;
}

/* A JPEG that is to be turned: EXIF orientation 6. */
static bool draw_jpeg(const struct world *world)
{
    static const unsigned char exif[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                         0x12, 1,   3,   0,   1, 0, 0,   0,   6,  0, 0, 0, 0, 0, 0, 0};
    FILE *const file = fopen(world_path(world, "turned.jpg"), "wb");
    if (file == NULL) {
        return false;
    }
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_width = 24;
    info.image_height = 16;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof exif);
    for (int y = 0; y < 16; y++) {
        JSAMPLE row[24 * 3];
        JSAMPROW rows[1] = {row};
        for (int i = 0; i < 24 * 3; i++) {
            row[i] = (JSAMPLE)(i * 3 + y * 5);
        }
        jpeg_write_scanlines(&info, rows, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return fclose(file) == 0;
}

/*
 * A picture of each format that a library decodes. Of WebP a lossy one: libwebp 1.2.4 itself crashes where it
 * lacks memory for the Huffman tables of lossless pixels (it frees a list that it has not begun).
 */
static bool write_pictures(const struct world *world)
{
    static const char *const names[][2] = {{"webp/lossy_9x6_80", "picture.webp"},
                                           {"gif/2_inside_own", "picture.gif"},
                                           {"tiff/L_tiff_lzw", "picture.tif"}};
    int written = 0;
    for (size_t i = 0; i < sizeof expected_pictures / sizeof expected_pictures[0]; i++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (strcmp(expected_pictures[i].name, names[k][0]) == 0) {
                FILE *const file = fopen(world_path(world, names[k][1]), "wb");
                const size_t size = expected_pictures[i].size;
                written += file != NULL && fwrite(expected_pictures[i].data, 1, size, file) == size;
                written -= file != NULL && fclose(file) != 0;
            }
        }
    }
    return written == (int)(sizeof names / sizeof names[0]);
}

static void cancel(void *user, const struct graft_run_epoch *epoch, const char *from)
{
    (void)from;
    if (epoch->epoch == 1) {
        graft_context_cancel(user);
    }
}

static bool train(struct world *world, const char *out, bool interrupt)
{
    char data[160], folder[160];
    (void)snprintf(data, sizeof data, "%s", world_path(world, "data"));
    (void)snprintf(folder, sizeof folder, "%s", world_path(world, out));
    struct graft_device *device = NULL;
    struct graft_fit_result result;
    const struct graft_fit_options options = {
        .recipe = {.data = data, .model = "tiny_convnet", .epochs = 2, .batch = 4, .input = 16},
        .out = folder,
        .epoch_done = interrupt ? cancel : NULL,
        .user = world->context};
    enum graft_status status = graft_device_open(world->context, "cpu", &device);
    if (status == GRAFT_OK) {
        status = graft_fit(device, &options, &result);
        graft_fit_result_close(world->context, &result);
    }
    graft_context_cancel_clear(world->context);
    graft_device_close(&device);
    return status == GRAFT_OK;
}

static bool make_files(struct world *world)
{
    bool good = true;
    char command[2048];
    const char *const splits[] = {"train", "val"};
    (void)snprintf(command, sizeof command,
                   "mkdir -p %s/data/train/a %s/data/train/b %s/data/val/a %s/data/val/b", world->folder,
                   world->folder, world->folder, world->folder);
    good = system(command) == 0;
    for (int split = 0; split < 2; split++) {
        for (int kind = 0; kind < 2; kind++) {
            for (int number = 0; number < (split == 0 ? 4 : 2) && good; number++) {
                good = draw(world, splits[split], kind, number);
            }
        }
    }
    (void)snprintf(
        command, sizeof command,
        "cd %s && tar cf data.tar data && (echo path,label,split; for f in data/*/*/*; do "
        "echo $f,$(basename $(dirname $f)),$(basename $(dirname $(dirname $f))); done) > table.csv",
        world->folder);
    good = good && draw_jpeg(world) && write_pictures(world) && system(command) == 0;
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir -p links/val idx && cp -rl data/train links/train && "
                   "cp -rl data/train/a links/val/a && ln -s ../train/b links/val/b && tar cf links.tar links && "
                   "cp -r data/train one && for f in one/*/*; do cp $f ${f%%.png}x.png; done && "
                   "(cat table.csv; printf 'x.png,a,train\\n,b,val\\n\"y,a,val\\n') > faults.csv && "
                   "mkdir -p pets/images pets/annotations food/images food/meta && cp data/train/a/0.png pets/images/A_1.png && "
                   "cp data/train/b/0.png pets/images/b_1.png && cp -r data/train/? food/images && "
                   "printf 'A_1 1 1 1\\nb_1 2 2 1\\n' > pets/annotations/trainval.txt && "
                   "printf '{\"a\": [\"a/0\", \"a/1\"], \"b\": [\"b/0\"]}' > food/meta/train.json && "
                   "printf '{\"b\": [\"b/1\"]}' > food/meta/test.json && mkdir cifar && "
                   "(head -c 3073 /dev/zero; printf '\\1'; head -c 3072 /dev/zero) > cifar/data_batch_1.bin && "
                   "cp cifar/data_batch_1.bin cifar/test_batch.bin && printf 'a\\nb\\n' > cifar/batches.meta.txt && "
                   "printf '\\0\\0\\10\\3\\0\\0\\0\\4\\0\\0\\0\\2\\0\\0\\0\\2abcdefghijklmnop' > "
                   "idx/train-images-idx3-ubyte && "
                   "printf '\\0\\0\\10\\1\\0\\0\\0\\4\\0\\1\\0\\1' > idx/train-labels-idx1-ubyte",
                   world->folder);
    return good && system(command) == 0;
}

bool world_prepare(struct world *world)
{
    const struct graft_context_options options = {.threads = 1, .cache_folder = ""};
    bool good = graft_context_open(&options, &world->context) == GRAFT_OK;
    good = good && make_files(world) && train(world, "first", false) && train(world, "interrupted", true);
    if (good) {
        char command[400];
        (void)snprintf(command, sizeof command, "cp %s/first/model.safetensors %s/weights.safetensors",
                       world->folder, world->folder);
        good = system(command) == 0;
    }
    if (!good) {
        printf("cannot make the test's files in %s: %s\n", world->folder,
               graft_context_error(world->context));
    }
    graft_context_close(&world->context);
    return good;
}
