/* SPDX-License-Identifier: MIT */
/* What a loader can be asked for. */
#include "base/context.h"
#include "data/dataset.h"
#include "data/mix.h"
#include "data/preprocess.h"

/* Every part of a batch, or of the pictures, must have something. */
static enum graft_status check_part(struct graft_context *context, const struct graft_loader_options *options,
                                    int64_t pictures)
{
    const int32_t parts = options->parts > 1 ? options->parts : 1;
    const int64_t shared = options->shuffle ? options->batch : pictures;
    if (options->parts < 0 || options->part < 0 || options->part >= parts) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "there is no part %d of %d", options->part, options->parts);
    }
    return parts <= shared ? GRAFT_OK
                           : graft_fail(context, GRAFT_ERROR_ARGUMENT, "%lld pictures cannot be shared by %d loaders",
                                        (long long)shared, parts);
}

enum graft_status graft_loader_check(struct graft_context *context, const struct graft_dataset *dataset,
                                     const struct graft_preprocess *preprocess,
                                     const struct graft_loader_options *options)
{
    enum graft_status status = options->look ? GRAFT_OK : graft_preprocess_check(context, preprocess);
    if (status == GRAFT_OK && options->transforms) {
        status = graft_transforms_check(context, options->transforms);
    }
    if (status == GRAFT_OK) {
        status = graft_mix_check(context, &options->mix, !options->look);
    }
    for (int32_t v = 0; v < options->view_count && status == GRAFT_OK; v++) {
        status = graft_transforms_check(context, &options->views[v]);
    }
    if (status != GRAFT_OK) {
        return status;
    }
    if ((int)options->split < 0 || (int)options->split >= GRAFT_SPLIT_COUNT) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "no split has the number %d", (int)options->split);
    }
    if (options->batch < 1 || options->batch > 65536) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "a batch of %d pictures; use 1 to 65536",
                          options->batch);
    }
    if (options->ahead < 0 || options->ahead > 64) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%d batches ahead; use 1 to 64", options->ahead);
    }
    if (graft_dataset_count(dataset, options->split) == 0) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "%s has no %s pictures", dataset->path,
                          graft_split_name(options->split));
    }
    return check_part(context, options, graft_dataset_count(dataset, options->split));
}
