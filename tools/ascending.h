/* SPDX-License-Identifier: MIT */
/* Options of verbs that climb: dream and filters. */
#ifndef GRAFT_TOOLS_ASCENDING_H
#define GRAFT_TOOLS_ASCENDING_H

#include "graft/ascent.h"
#include "network.h"

struct graft_ascending_options {
    int64_t steps, octaves;
    double rate, variation, jitter, blur;
    bool variation_given, jitter_given;
};

/* Rows for the verb's table; `steps` and `rate`: what is usual there. */
#define GRAFT_ASCENDING_OPTIONS(o, steps_usual, rate_usual)                                                  \
    {                                                                                                        \
        "--steps", "N",    "of gradient ascent", GRAFT_OPTION_INTEGER, &(o).steps,                           \
        1,         100000, .usual = steps_usual},                                                            \
        {"--octaves",                                                                                        \
         "N",                                                                                                \
         "sizes of detail: the picture's, half of it, a quarter ...",                                        \
         GRAFT_OPTION_INTEGER,                                                                               \
         &(o).octaves,                                                                                       \
         1,                                                                                                  \
         8,                                                                                                  \
         .usual = "5"},                                                                                      \
        {"--variation",                                                                                      \
         "X",                                                                                                \
         "weight of the total variation; 0: none",                                                           \
         GRAFT_OPTION_REAL,                                                                                  \
         &(o).variation,                                                                                     \
         0,                                                                                                  \
         100,                                                                                                \
         .usual = "0.15",                                                                                    \
         .given = &(o).variation_given},                                                                     \
        {"--jitter",                                                                                         \
         "PIXELS",                                                                                           \
         "how far aside, nearer and turned each step looks; 0: it does not",                                 \
         GRAFT_OPTION_REAL,                                                                                  \
         &(o).jitter,                                                                                        \
         0,                                                                                                  \
         2048,                                                                                               \
         .usual = "a 16th of the side",                                                                      \
         .given = &(o).jitter_given},                                                                        \
        {"--blur",                                                                                           \
         "X",                                                                                                \
         "share of the finest detail that each step smoothes away",                                          \
         GRAFT_OPTION_REAL,                                                                                  \
         &(o).blur,                                                                                          \
         0,                                                                                                  \
         1,                                                                                                  \
         .usual = "0"},                                                                                      \
    {                                                                                                        \
        "--rate", "X", "how far a step goes", GRAFT_OPTION_REAL, &(o).rate, 1e-6, 10, .usual = rate_usual    \
    }

/* The same for the library; layer and side are left to the verb. */
static inline struct graft_ascent_options
graft_ascending_settings(const struct graft_command *command, const struct graft_network_options *network,
                         const struct graft_ascending_options *o)
{
    return (struct graft_ascent_options){
        .classifier = graft_network_classifier(command, network),
        .steps = (int32_t)o->steps,
        .octaves = (int32_t)o->octaves,
        .rate = (float)o->rate,
        .variation = (float)(o->variation_given && o->variation == 0 ? -1 : o->variation),
        .jitter = (float)(o->jitter_given && o->jitter == 0 ? -1 : o->jitter),
        .blur = (float)o->blur,
        .seed = (uint64_t)command->seed};
}

#endif
