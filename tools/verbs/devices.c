/* SPDX-License-Identifier: MIT */
/* graft devices: what there is to compute on. */
#include "output.h"
#include "verbs.h"

#include <stdio.h>

/* A device that cannot be opened, or not be asked, has what its driver says; why, its users are told. */
static struct graft_device_half probe(struct graft_command *command, const struct graft_device_info *info)
{
    struct graft_device_half half = {info->fp16, info->fp16};
    struct graft_device *device = NULL;
    enum graft_status status = graft_device_open(command->context, info->id, &device);
    if (status == GRAFT_OK) {
        status = graft_device_probe_half(device, &half);
    }
    if (status != GRAFT_OK) {
        graft_command_remark(command, "%s: %s", info->id, graft_context_error(command->context));
        half = (struct graft_device_half){info->fp16, info->fp16};
    }
    graft_device_close(&device);
    return half;
}

static json_t *describe(const struct graft_device_info *info, const struct graft_device_half *half)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:s, s:I, s:I, s:b, s:b, s:b}", "id", info->id, "name",
                     graft_json_text(info->name), "platform", graft_json_text(info->platform), "driver",
                     graft_json_text(info->driver), "kind", info->kind == GRAFT_DEVICE_GPU ? "gpu" : "cpu",
                     "memory_bytes", (json_int_t)info->memory_bytes, "max_allocation_bytes",
                     (json_int_t)info->max_allocation_bytes, "fp16", (int)half->arithmetic, "fp64",
                     (int)info->fp64, "fp16_storage", (int)half->storage);
}

static int print_json(struct graft_command *command, const struct graft_device_list *list)
{
    json_t *document = json_array();
    for (int i = 0; i < list->count; i++) {
        const struct graft_device_half half = probe(command, &list->devices[i]);
        if (json_array_append_new(document, describe(&list->devices[i], &half)) != 0) {
            json_decref(document);
            document = NULL;
            break;
        }
    }
    return graft_json_print(command, document);
}

static void print_table(struct graft_command *command, const struct graft_device_list *list)
{
    char memory[32], largest[32];
    for (int i = 0; i < list->count; i++) {
        const struct graft_device_info *const info = &list->devices[i];
        const struct graft_device_half half = probe(command, info);
        printf("%-10s %s\n", info->id, info->name);
        printf("%-10s %s, %s, driver %s\n", "", info->kind == GRAFT_DEVICE_GPU ? "GPU" : "CPU",
               info->platform, info->driver);
        printf("%-10s %s of memory, buffers up to %s, %d compute unit%s%s%s\n", "",
               graft_show_bytes(info->memory_bytes, memory),
               graft_show_bytes(info->max_allocation_bytes, largest), info->compute_units,
               info->compute_units == 1 ? "" : "s",
               half.arithmetic ? ", fp16"
               : half.storage  ? ", fp16 in memory only"
                               : "",
               info->fp64 ? ", fp64" : "");
    }
}

static int run(struct graft_command *command)
{
    const int done = graft_command_begin(command, NULL, 0);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    if (command->device != NULL) {
        return graft_command_usage(command, "devices lists them all: it takes no --device");
    }
    struct graft_device_list *list = NULL;
    const enum graft_status status = graft_device_list_open(command->context, &list);
    if (status != GRAFT_OK) {
        return graft_command_failed(command, status);
    }
    int code = GRAFT_EXIT_DONE;
    if (command->json) {
        code = print_json(command, list);
    } else {
        print_table(command, list);
    }
    if (list->hint[0] != '\0') {
        graft_command_remark(command, "%s", list->hint);
    }
    graft_device_list_close(command->context, &list);
    return code;
}

const struct graft_verb graft_verb_devices = {
    .name = "devices",
    .operands = "",
    .purpose = "lists the devices that can compute, and what is missing if there is none",
    .examples = "  graft devices                   what there is\n"
                "  graft devices --json            the same for programs\n"
                "  graft predict ... --device cpu  any verb takes one by its id, or by a part of its name\n",
    .run = run,
};
