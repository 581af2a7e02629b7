/* SPDX-License-Identifier: MIT */
/* graft convert: weights from one kind of file into another. */
#include "graft/convert.h"
#include "output.h"
#include "verbs.h"

#include <stdio.h>

static int say(struct graft_command *command, const struct graft_convert_options *request,
               const struct graft_conversion *made)
{
    char shown[GRAFT_NAME_SHOWN], tensors[32];
    const bool onnx = made->height > 0;
    if (command->json) {
        json_t *const document =
            json_pack("{s:o, s:s, s:o, s:I}", "file", graft_json_text(request->out), "format", made->format,
                      "network", made->network[0] != '\0' ? graft_json_text(made->network) : json_null(),
                      "tensors", (json_int_t)made->tensors);
        if (document != NULL && onnx) {
            const int a = request->preprocess_inside ? made->height : made->channels;
            const int b = request->preprocess_inside ? made->width : made->height;
            const int c = request->preprocess_inside ? made->channels : made->width;
            graft_json_add_member(
                document, "input",
                json_pack("[o, i, i, i]", made->any_batch ? json_null() : json_integer(1), a, b, c));
            graft_json_add_member(document, "preprocess",
                                  json_string(request->preprocess_inside ? "inside" : "metadata"));
        }
        return graft_json_print(command, document);
    }
    printf("%s: %s, ", graft_show_name(request->out, shown), made->format);
    printf("%s, %s tensors\n",
           made->network[0] != '\0' ? graft_show_name(made->network, shown) : "network not known",
           graft_show_count(made->tensors, tensors));
    if (onnx && request->preprocess_inside) {
        printf("input: bytes [%s, %d, %d, %d] (pictures, rows, columns, %s); output: probabilities\n",
               made->any_batch ? "any" : "1", (int)made->height, (int)made->width, (int)made->channels,
               made->channels == 3 ? "red green blue" : "grey");
    } else if (onnx) {
        printf("input: f32 [%s, %d, %d, %d] (pictures, channels, rows, columns), normalized as the metadata "
               "say; output: "
               "logits\n",
               made->any_batch ? "any" : "1", (int)made->channels, (int)made->height, (int)made->width);
    }
    return GRAFT_EXIT_DONE;
}

static int run(struct graft_command *command)
{
    static const char *const places[] = {"metadata", "inside"};
    struct graft_convert_options request = {.in = NULL};
    struct graft_conversion conversion;
    const char *preprocess = NULL;
    int64_t input[2] = {0, 0};
    const struct graft_option options[] = {
        {"--model", "NAME", "the network whose weights IN holds; else as IN or its tensors say",
         GRAFT_OPTION_TEXT, &request.network, 0, 0},
        {"--half", NULL, "safetensors: f32 stored as f16, half the size", GRAFT_OPTION_FLAG, &request.half, 0,
         0},
        {"--preprocess", "WHERE", "ONNX: metadata, or inside: bytes in, probabilities out",
         GRAFT_OPTION_TEXT, &preprocess, 0, 0, .usual = "metadata"},
        {"--input", "SIDE", "ONNX: side of the pictures, or 192x256; else as they were trained",
         GRAFT_OPTION_SIDES, input, 0, 0},
        {"--overwrite", NULL, "OUT may be there already", GRAFT_OPTION_FLAG, &request.overwrite, 0, 0},
    };
    const int done = graft_command_begin(command, options, sizeof options / sizeof options[0]);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    if (preprocess != NULL) {
        const int place = graft_command_choice(command, "--preprocess", preprocess, places, 2);
        if (place < 0) {
            return GRAFT_EXIT_USAGE;
        }
        request.preprocess_inside = place == 1;
    }
    request.in = command->operands[0];
    request.out = command->operands[1];
    request.input = (int32_t)input[0];
    request.input_width = (int32_t)input[1];
    const enum graft_status status = graft_convert(command->context, &request, &conversion);
    if (status == GRAFT_ERROR_ARGUMENT) {
        return graft_command_failed_name(command, status);
    }
    return status == GRAFT_OK ? say(command, &request, &conversion) : graft_command_failed(command, status);
}

const struct graft_verb graft_verb_convert = {
    .name = "convert",
    .operands = "RUN-or-FILE-or-MODEL OUT",
    .purpose = "writes weights as safetensors or PyTorch's .pth, or a network with them as ONNX",
    .examples =
        "  graft convert runs/flowers-1 flowers.pth           for torch.load and load_state_dict\n"
        "  graft convert runs/flowers-1 flowers.onnx --preprocess inside\n"
        "                                                     bytes in, probabilities out, for ONNX Runtime\n"
        "  graft convert resnet50-11ad3fa6.pth resnet50.safetensors\n"
        "  graft convert vgg16.h5 vgg16.safetensors --half    from Keras, at half the size\n"
        "  graft convert resnet50 resnet50.onnx               what `graft pull` has fetched\n",
    .notes =
        "  OUT's ending says what is written: .safetensors, .pth or .pt, .onnx.\n"
        "  Of weights, names and tensors stay as they are; with --model, and from Keras, they become those "
        "of the\n"
        "  network, in PyTorch's layout. Class names and preprocessing go along; PyTorch does not see them.\n"
        "  ONNX (opset 17) is the network itself, for any number of pictures, with the weights under "
        "PyTorch's\n"
        "  names. Input f32 [pictures, channels, rows, columns], normalized as the file's metadata and its\n"
        "  description say, output \"logits\"; with --preprocess inside u8 [pictures, rows, columns, red "
        "green blue],\n"
        "  resized and cropped, output \"probabilities\".\n",
    .least = 2,
    .most = 2,
    .writes_files = true,
    .run = run,
};
