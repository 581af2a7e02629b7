/* SPDX-License-Identifier: MIT */
#include "together.h"

#include "base/text.h"
#include "graft/device.h"
#include "graft/ranks.h"

#include <stdio.h>
#include <string.h>

int graft_together_begin(struct graft_command *command)
{
    if (graft_ranks_launched(&command->rank) == 1) {
        return GRAFT_EXIT_GO_ON;
    }
    if (command->rank > 0) {
        command->quiet = true;
        if (freopen("/dev/null", "w", stdout) == NULL) {
            return GRAFT_EXIT_FAILED;
        }
    }
    enum graft_status status = graft_context_open(NULL, &command->together);
    if (status == GRAFT_OK) {
        status = graft_ranks_open(command->together, &command->ranks);
    }
    if (status != GRAFT_OK && command->rank == 0) {
        fprintf(stderr, "graft: %s\n",
                command->together != NULL ? graft_context_error(command->together) : graft_status_name(status));
    }
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : GRAFT_EXIT_FAILED;
}

void graft_together_end(struct graft_command *command, int code)
{
    if (command->ranks != NULL && code != GRAFT_EXIT_DONE && code != GRAFT_EXIT_CLOSED) {
        graft_ranks_fail(command->ranks, code == GRAFT_EXIT_INTERRUPTED ? GRAFT_ERROR_CANCELLED : GRAFT_ERROR_ARGUMENT,
                         command->said[0] != '\0' ? command->said : "it has failed");
    }
    graft_ranks_close(&command->ranks);
    graft_context_close(&command->together);
}

/* A rank for which there is no device says how many there are. */
static int check_rank_device(struct graft_command *command, int number)
{
    struct graft_device_list *list = NULL;
    int found = 0;
    if (graft_device_list_open(command->together, &list) != GRAFT_OK) {
        return graft_command_error(command, "%s", graft_context_error(command->together));
    }
    for (int i = 0; i < list->count; i++) {
        found += graft_text_starts(list->devices[i].id, "opencl:");
    }
    graft_device_list_close(command->together, &list);
    return number < found || found == 0 /* opening it says what to install */
               ? GRAFT_EXIT_GO_ON
               : graft_command_usage(command, "--device opencl:rank gives each rank of a machine an OpenCL device of its own, and "
                                              "this one has %d for %d or more ranks: start fewer, or choose another --device",
                                     found, number + 1);
}

int graft_together_device(struct graft_command *command, char name[64])
{
    static const char wanted[] = "opencl:rank";
    if (command->device == NULL || strcmp(command->device, wanted) != 0) {
        return GRAFT_EXIT_GO_ON;
    }
    if (command->ranks == NULL) {
        return graft_command_usage(command, "--device %s is for processes that mpirun starts, each on a device of its own; one "
                                            "alone takes opencl:0, or another one of graft devices",
                                   wanted);
    }
    const int number = graft_ranks_local_number(command->ranks);
    snprintf(name, 64, "opencl:%d", number);
    command->device = name;
    return check_rank_device(command, number);
}
