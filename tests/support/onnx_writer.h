/* SPDX-License-Identifier: MIT */
/* Small ONNX files, made field by field: what a test needs of the format, from its definition (onnx.proto).
 */
#ifndef GRAFT_TESTS_ONNX_WRITER_H
#define GRAFT_TESTS_ONNX_WRITER_H

#include "io/protobuf_write.h"
#include "support/seeds.h"
#include "support/support.h"

struct onnx_writer {
    struct graft_context *context;
    struct graft_text graph; /* GraphProto so far */
};

static inline void onnx_put_text(struct graft_context *context, struct graft_text *text, uint32_t number,
                                 const char *value)
{
    graft_protobuf_put_bytes(context, text, number, value, strlen(value));
}

/* Puts a message that is done into another one. */
static inline void onnx_nest(struct graft_context *context, struct graft_text *text, uint32_t number,
                             struct graft_text *message)
{
    graft_protobuf_put_bytes(context, text, number, message->data, message->length);
    graft_text_close(context, message);
}

/* An initializer: TensorProto.DataType, shape, bytes. */
static inline void onnx_add_tensor(struct onnx_writer *writer, const char *name, uint64_t type, int rank,
                                   const int64_t *shape, const void *bytes, size_t size)
{
    struct graft_text tensor = {0};
    for (int i = 0; i < rank; i++)
        graft_protobuf_put_number(writer->context, &tensor, 1, (uint64_t)shape[i]);
    graft_protobuf_put_number(writer->context, &tensor, 2, type);
    onnx_put_text(writer->context, &tensor, 8, name);
    graft_protobuf_put_bytes(writer->context, &tensor, 9, bytes, size);
    onnx_nest(writer->context, &writer->graph, 5, &tensor);
}

/* A node Constant with a tensor of f32. */
static inline void onnx_add_constant(struct onnx_writer *writer, const char *output, int rank,
                                     const int64_t *shape, const float *numbers, size_t count)
{
    struct graft_context *const context = writer->context;
    struct graft_text node = {0}, attribute = {0}, tensor = {0};
    for (int i = 0; i < rank; i++)
        graft_protobuf_put_number(context, &tensor, 1, (uint64_t)shape[i]);
    graft_protobuf_put_number(context, &tensor, 2, 1);
    graft_protobuf_put_bytes(context, &tensor, 9, numbers, count * sizeof *numbers);
    onnx_put_text(context, &attribute, 1, "value");
    onnx_nest(context, &attribute, 5, &tensor);
    graft_protobuf_put_number(context, &attribute, 20, 4);
    onnx_put_text(context, &node, 2, output);
    onnx_put_text(context, &node, 4, "Constant");
    onnx_nest(context, &node, 5, &attribute);
    onnx_nest(context, &writer->graph, 1, &node);
}

/* One of f32 that holds 0.01, 0.02 … */
static inline void onnx_add_weight(struct onnx_writer *writer, const char *name, int rank,
                                   const int64_t *shape)
{
    float numbers[1024];
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)shape[i];
    assert_true(count <= 1024);
    for (size_t i = 0; i < count; i++)
        numbers[i] = 0.01f * (float)(i + 1);
    onnx_add_tensor(writer, name, 1, rank, shape, numbers, count * sizeof *numbers);
}

/* A node: "Conv", "x w b", "y", "pads=1,1,1,1 group=2": attributes are integers, lists where there is a
 * comma. */
static inline void onnx_add_node(struct onnx_writer *writer, const char *op, const char *inputs,
                                 const char *output, const char *attributes)
{
    struct graft_context *const context = writer->context;
    struct graft_text node = {0};
    char copy[256], *rest = NULL;
    (void)snprintf(copy, sizeof copy, "%s", inputs);
    for (const char *name = strtok_r(copy, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        onnx_put_text(context, &node, 1, name);
    onnx_put_text(context, &node, 2, output);
    onnx_put_text(context, &node, 3, output);
    onnx_put_text(context, &node, 4, op);
    (void)snprintf(copy, sizeof copy, "%s", attributes);
    for (char *pair = strtok_r(copy, " ", &rest); pair; pair = strtok_r(NULL, " ", &rest)) {
        struct graft_text attribute = {0};
        char *const value = strchr(pair, '=') + 1;
        const bool list = strchr(value, ',') != NULL;
        value[-1] = '\0';
        onnx_put_text(context, &attribute, 1, pair);
        for (char *at = value, *end = NULL; *at; at = *end ? end + 1 : end)
            graft_protobuf_put_number(context, &attribute, list ? 8 : 3, (uint64_t)strtoll(at, &end, 10));
        graft_protobuf_put_number(context, &attribute, 20, list ? 7 : 2);
        onnx_nest(context, &node, 5, &attribute);
    }
    onnx_nest(context, &writer->graph, 1, &node);
}

/* ValueInfoProto of real numbers; a size of 0 is any. */
static inline void onnx_add_value(struct onnx_writer *writer, uint32_t number, const char *name, int rank,
                                  const int64_t *shape)
{
    struct graft_context *const context = writer->context;
    struct graft_text sizes = {0}, tensor = {0}, type = {0}, value = {0};
    for (int i = 0; i < rank; i++) {
        struct graft_text size = {0};
        if (shape[i] > 0)
            graft_protobuf_put_number(context, &size, 1, (uint64_t)shape[i]);
        else
            onnx_put_text(context, &size, 2, "n");
        onnx_nest(context, &sizes, 1, &size);
    }
    graft_protobuf_put_number(context, &tensor, 1, 1);
    onnx_nest(context, &tensor, 2, &sizes);
    onnx_nest(context, &type, 1, &tensor);
    onnx_put_text(context, &value, 1, name);
    onnx_nest(context, &value, 2, &type);
    onnx_nest(context, &writer->graph, number, &value);
}

/* Writes the model, whose input is "x" [n, 3, side, side] and whose output "y" has `classes`; closes the
 * writer. */
static inline void onnx_write(struct onnx_writer *writer, int64_t side, int64_t classes, const char *path)
{
    struct graft_context *const context = writer->context;
    struct graft_text model = {0}, opset = {0};
    onnx_add_value(writer, 11, "x", 4, (const int64_t[]){0, 3, side, side});
    onnx_add_value(writer, 12, "y", 2, (const int64_t[]){0, classes});
    graft_protobuf_put_number(context, &model, 1, 8);
    onnx_nest(context, &model, 7, &writer->graph);
    onnx_put_text(context, &opset, 1, "");
    graft_protobuf_put_number(context, &opset, 2, 17);
    onnx_nest(context, &model, 8, &opset);
    assert_false(model.failed);
    test_seed(model.data, model.length);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(model.data, 1, model.length, file), model.length);
    assert_int_equal(fclose(file), 0);
    graft_text_close(context, &model);
}

#endif
