/* SPDX-License-Identifier: MIT */
/*
 * train-shipped DATA TEACHER FOLDER [--versions N] [--epochs N] [--batch N] [--rate R] [--device NAME]
 *               [--size N] [--until N] [--names FILE]
 *
 * Trains the network that ships: a small one learns what EfficientNet-Lite0 makes of the same pictures (its
 * features, and the classes that it sees in them) besides their labels (Hinton et al., arXiv 1503.02531).
 * DATA: Tiny ImageNet's pictures, a folder a class; TEACHER: the weights of EfficientNet-Lite0. What is done
 * is kept in FOLDER: the same command goes on after an interruption. Epochs at a smaller size take less time:
 * first `--size 80 --until 13`, then the rest at the size of the network.
 */
#include "shipped.h"

#include "base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum graft_status shipped_loader(const struct shipped *job, int32_t side, int32_t batch, bool shuffle,
                                 struct graft_loader **loader)
{
    struct graft_preprocess preprocess = graft_preprocess_imagenet();
    preprocess.crop_height = preprocess.crop_width = side;
    preprocess.transforms = graft_transforms_usual(side, GRAFT_FILTER_BILINEAR);
    /* Large crops: a part of a picture of 64×64 that is a tenth of it shows nothing any more. */
    struct graft_transforms augment = graft_augment_default(&preprocess);
    augment.steps[0].random_crop.scale[0] = 0.35f;
    const struct graft_loader_options options = {.split = GRAFT_SPLIT_TRAIN,
                                                 .batch = batch,
                                                 .shuffle = shuffle,
                                                 .seed = SEED,
                                                 .transforms = &augment,
                                                 .ahead = 4};
    return graft_loader_open(job->context, job->dataset, &preprocess, &options, loader);
}

static void tell(void *user, enum graft_log_level level, const char *text)
{
    (void)user;
    if (level != GRAFT_LOG_PROGRESS)
        fprintf(stderr, "%s\n", text);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: train-shipped DATA TEACHER FOLDER [--versions N] [--epochs N] [--batch N] [--rate R] "
            "[--device NAME] [--size N] [--until N] [--names FILE]\n");
    return 2;
}

int main(int count, char **arguments)
{
    struct shipped job = {.versions = 4, .epochs = 40, .size = STUDENT_SIZE, .batch = 128, .rate = 3e-3};
    const char *device = "cpu";
    struct graft_context_options options = {.log = tell};
    if (count < 4 || count % 2 != 0)
        return usage();
    for (int i = 4; i < count; i += 2) {
        const char *const name = arguments[i], *const value = arguments[i + 1];
        if (strcmp(name, "--versions") == 0)
            job.versions = atoi(value);
        else if (strcmp(name, "--epochs") == 0)
            job.epochs = atoi(value);
        else if (strcmp(name, "--size") == 0)
            job.size = atoi(value);
        else if (strcmp(name, "--until") == 0)
            job.until = atoi(value);
        else if (strcmp(name, "--names") == 0)
            job.names_file = value;
        else if (strcmp(name, "--batch") == 0)
            job.batch = atoi(value);
        else if (strcmp(name, "--rate") == 0)
            job.rate = atof(value);
        else if (strcmp(name, "--device") == 0)
            device = value;
        else
            return usage();
    }
    job.teacher_file = arguments[2];
    job.folder = arguments[3];
    if (!job.until)
        job.until = job.epochs;
    (void)mkdir(job.folder, 0777);
    const struct graft_dataset_options all = {.val_fraction = -1};
    enum graft_status status = graft_context_open(&options, &job.context);
    if (status == GRAFT_OK)
        status = graft_device_open(job.context, device, &job.device);
    if (status == GRAFT_OK)
        status = graft_dataset_open(job.context, arguments[1], &all, &job.dataset);
    if (status == GRAFT_OK)
        status = shipped_teach(&job);
    if (status == GRAFT_OK)
        status = shipped_learn(&job);
    if (status != GRAFT_OK)
        fprintf(stderr, "train-shipped: %s\n", graft_context_error(job.context));
    graft_dataset_close(&job.dataset);
    graft_device_close(&job.device);
    graft_context_close(&job.context);
    return status != GRAFT_OK;
}
