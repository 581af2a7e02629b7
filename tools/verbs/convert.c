/* SPDX-License-Identifier: MIT */
/* graft convert: weights from one kind of file into another. */
#include "graft/convert.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>

static int say(struct graft_command *command, const char *out, const struct graft_conversion *conversion)
{
    char shown[GRAFT_NAME_SHOWN], tensors[32];
    if (command->json) {
        return graft_json_print(
            command,
            json_pack("{s:o, s:s, s:o, s:I}", "file", graft_json_text(out), "format", conversion->format,
                      "network",
                      conversion->network[0] != '\0' ? graft_json_text(conversion->network) : json_null(),
                      "tensors", (json_int_t)conversion->tensors));
    }
    printf("%s: %s, ", graft_show_name(out, shown), conversion->format);
    printf("%s, %s tensors\n",
           conversion->network[0] != '\0' ? graft_show_name(conversion->network, shown) : "network not known",
           graft_show_count(conversion->tensors, tensors));
    return GRAFT_EXIT_DONE;
}

static int run(struct graft_command *command)
{
    struct graft_convert_options request = {.in = NULL};
    struct graft_conversion conversion;
    const struct graft_option options[] = {
        {"--model", "NAME", "the network whose weights IN holds; else as IN or its tensors say",
         GRAFT_OPTION_TEXT, &request.network, 0, 0},
        {"--half", NULL, "safetensors: f32 stored as f16, half the size", GRAFT_OPTION_FLAG, &request.half, 0,
         0},
        {"--overwrite", NULL, "OUT may be there already", GRAFT_OPTION_FLAG, &request.overwrite, 0, 0},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    request.in = command->operands[0];
    request.out = command->operands[1];
    const enum graft_status status = graft_convert(command->context, &request, &conversion);
    if (status == GRAFT_ERROR_ARGUMENT) {
        return graft_command_failed_name(command, status);
    }
    return status == GRAFT_OK ? say(command, request.out, &conversion)
                              : graft_command_failed(command, status);
}

const struct graft_verb graft_verb_convert = {
    .name = "convert",
    .operands = "RUN-or-FILE-or-MODEL OUT",
    .purpose = "writes weights as another kind of file: safetensors or PyTorch's .pth",
    .examples = "  graft convert runs/flowers-1 flowers.pth           for torch.load and load_state_dict\n"
                "  graft convert resnet50-11ad3fa6.pth resnet50.safetensors\n"
                "  graft convert vgg16.h5 vgg16.safetensors --half    from Keras, at half the size\n"
                "  graft convert resnet50 resnet50.safetensors        what `graft pull` has fetched\n",
    .notes = "  OUT's ending says what is written: .safetensors, .pth or .pt. Names and tensors stay as they "
             "are;\n"
             "  with --model, and from Keras, they become those of the network, in PyTorch's layout. Class "
             "names and\n"
             "  preprocessing go along; PyTorch does not see them.\n",
    .least = 2,
    .most = 2,
    .writes_files = true,
    .run = run,
};
