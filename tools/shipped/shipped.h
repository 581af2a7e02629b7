/* SPDX-License-Identifier: MIT */
/* Training of the network that ships: what its two halves share. */
#ifndef GRAFT_TOOLS_SHIPPED_H
#define GRAFT_TOOLS_SHIPPED_H

#include "graft/graft.h"

#define TEACHER "tf_efficientnet_lite0"
#define TEACHER_FEATURES 1280
#define TEACHER_CLASSES 1000
#define TEACHER_SIZE 160 /* pictures of 64×64 gain nothing from more */
#define STUDENT "graft_small"
#define STUDENT_SIZE 128
/* What its weights ask for: photographs show more than the pictures of 64×64 that it has learnt from, and are told
 * apart better a little larger (README). */
#define STUDENT_PICTURES 192
#define SEED 1

struct shipped {
    struct graft_context *context;
    struct graft_device *device;
    struct graft_dataset *dataset;
    const char *teacher_file;
    const char
        *names_file;    /* NULL, or lines of "class<TAB>names": what the classes are called in the weights */
    const char *folder; /* of what is kept between starts */
    int versions;       /* of each picture: other crops, each with the teacher's features of its own */
    int epochs;
    int32_t size; /* the student's pictures; smaller ones than STUDENT_SIZE for the first epochs save time */
    int until;    /* stops after so many of the epochs, for the rest to go on at another size */
    int64_t batch;
    double rate;
};

/* The crops of version v are those of the loader's epoch v, for teacher and student alike. */
enum graft_status shipped_loader(const struct shipped *job, int32_t side, int32_t batch, bool shuffle,
                                 struct graft_loader **loader);

/* teacher.c: features of all versions in FOLDER/teacher-V.f16, [pictures, TEACHER_FEATURES]; goes on where an
 * earlier start ended. */
enum graft_status shipped_teach(const struct shipped *job);
/* The classifier of the teacher: w [TEACHER_CLASSES, TEACHER_FEATURES], b [TEACHER_CLASSES]. */
enum graft_status shipped_classifier(const struct shipped *job, struct graft_tensor_set **set,
                                     const float **w, const float **b);

/* student.c: trains, a checkpoint an epoch, and at the end writes FOLDER/graft_small.safetensors in f16. */
enum graft_status shipped_learn(const struct shipped *job);

#endif
