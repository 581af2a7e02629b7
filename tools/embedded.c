/* SPDX-License-Identifier: MIT */
#include "embedded.h"

#include "base/context.h"
#include "base/text.h"
#include "progress.h"

#include <stdio.h>

int graft_open_pictures(struct graft_command *command, const char *path,
                        const struct graft_dataset_options *options, bool skip_damaged,
                        struct graft_dataset **dataset)
{
    struct graft_context *const context = command->context;
    struct graft_dataset_options wanted = *options;
    wanted.val_fraction = -1;
    wanted.keep_damaged = skip_damaged;
    enum graft_status status = graft_dataset_open(context, path, &wanted, dataset);
    if (status != GRAFT_ERROR_FORMAT) {
        return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
    }
    struct graft_text reason = {0};
    graft_text_append(context, &reason, "%s", graft_context_error(context));
    wanted.unlabelled = true;
    status = graft_dataset_open(context, path, &wanted, dataset);
    if (status == GRAFT_OK) {
        graft_command_remark(command, "without classes: %s", reason.data != NULL ? reason.data : "");
    }
    graft_text_close(context, &reason);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

static void show_done(void *user, int64_t done, int64_t total)
{
    graft_command_progress(user, "features: %lld/%lld pictures", (long long)done, (long long)total);
}

int graft_embedded_open(struct graft_command *command, struct graft_device *device,
                        const struct graft_network_options *network,
                        const struct graft_dataset_options *options, bool skip_damaged,
                        struct graft_embedded_data *data)
{
    struct graft_network_options features = *network;
    features.output = network->output != NULL ? network->output : "features";
    features.pool = GRAFT_MODEL_POOL_AVG;
    int code = graft_network_open(command, device, &features, &data->classifier);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_open_pictures(command, command->operands[1], options, skip_damaged, &data->dataset);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        const enum graft_status status = graft_embed_dataset(data->classifier, data->dataset, skip_damaged,
                                                             show_done, command, &data->embedding);
        graft_command_progress_end(command);
        code = status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
    }
    return code;
}

void graft_embedded_close(struct graft_command *command, struct graft_embedded_data *data)
{
    graft_embedding_close(command->context, &data->embedding);
    graft_dataset_close(&data->dataset);
    graft_classifier_close(&data->classifier);
}

const char *graft_embedded_note(const struct graft_embedded_data *data, int64_t row, char *text, size_t size)
{
    const struct graft_embedded *const picture = &data->embedding.pictures[row];
    const bool parts = graft_dataset_count(data->dataset, GRAFT_SPLIT_TRAIN) < data->embedding.count;
    (void)snprintf(text, size, "%s%s%s",
                   picture->label >= 0 ? graft_dataset_class_names(data->dataset)[picture->label] : "",
                   picture->label >= 0 && parts ? ", " : "", parts ? graft_split_name(picture->split) : "");
    return text;
}

enum graft_status graft_embedded_picture(struct graft_command *command,
                                         const struct graft_embedded_data *data, int64_t row, int32_t side,
                                         struct graft_image *image)
{
    const struct graft_embedded *const picture = &data->embedding.pictures[row];
    const struct graft_decode_options decode = {
        .ignore_orientation = graft_classifier_preprocess(data->classifier)->ignore_orientation};
    struct graft_image whole = {0};
    enum graft_status status =
        graft_dataset_read(data->dataset, picture->split, picture->index, &decode, &whole);
    const int32_t larger = whole.width > whole.height ? whole.width : whole.height;
    *image = whole;
    if (status == GRAFT_OK && larger > side) {
        const int32_t width = (int32_t)((int64_t)whole.width * side / larger),
                      height = (int32_t)((int64_t)whole.height * side / larger);
        status = graft_image_resize(command->context, &whole, GRAFT_FILTER_BILINEAR, width > 0 ? width : 1,
                                    height > 0 ? height : 1, image);
        graft_image_close(command->context, &whole);
    }
    return status;
}
