/* SPDX-License-Identifier: MIT */
/* Calls and attributes as text, and failing with them in the message. */
#include "op/check.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void graft_format_append(char *text, size_t size, const char *format, ...)
{
    const size_t used = strnlen(text, size);
    if (used >= size) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    graft_format_list(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* Plain text: most of what a call is written of. */
static void append_text(char *text, size_t size, const char *more)
{
    size_t used = strnlen(text, size);
    while (used + 1 < size && *more != '\0') {
        text[used++] = *more++;
    }
    if (used < size) {
        text[used] = '\0';
    }
}

void graft_format_activation(enum graft_unary kind, char *text, size_t size)
{
    if (kind != GRAFT_UNARY_NONE) {
        graft_format_append(text, size, " %s", graft_unary_name(kind));
    }
}

void graft_format_unary(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_unary_attributes *const a = &call->attributes.unary;
    graft_format_append(text, size, " %s", graft_unary_name(a->kind));
    if (a->kind == GRAFT_UNARY_LEAKY_RELU) {
        graft_format_append(text, size, " alpha %g", (double)a->alpha);
    } else if (a->kind == GRAFT_UNARY_CLIP) {
        graft_format_append(text, size, " %g to %g", (double)a->low, (double)a->high);
    }
}

void graft_format_conv2d(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    graft_format_append(text, size, " stride %dx%d pad %d,%d,%d,%d", a->stride[0], a->stride[1], a->pad[0],
                        a->pad[1], a->pad[2], a->pad[3]);
    if (a->dilation[0] != 1 || a->dilation[1] != 1) {
        graft_format_append(text, size, " dilation %dx%d", a->dilation[0], a->dilation[1]);
    }
    if (a->groups != 1) {
        graft_format_append(text, size, " groups %d", a->groups);
    }
    if (a->size[0] != 0 || a->size[1] != 0) {
        graft_format_append(text, size, " size %dx%d", a->size[0], a->size[1]);
    }
    graft_format_activation(a->activation, text, size);
}

void graft_format_pool(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_pool_attributes *const a = &call->attributes.pool;
    if (a->adaptive[0] > 0) {
        graft_format_append(text, size, " adaptive %dx%d", a->adaptive[0], a->adaptive[1]);
    } else {
        graft_format_append(text, size, " kernel %dx%d stride %dx%d pad %d,%d,%d,%d%s%s", a->kernel[0],
                            a->kernel[1], a->stride[0], a->stride[1], a->pad[0], a->pad[1], a->pad[2],
                            a->pad[3], a->ceil_mode ? " ceil" : "",
                            a->count_include_pad ? " count_include_pad" : "");
    }
    if (a->size[0] != 0 || a->size[1] != 0) {
        graft_format_append(text, size, " size %dx%d", a->size[0], a->size[1]);
    }
}

void graft_format_resize(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_resize_attributes *const a = &call->attributes.resize;
    graft_format_append(text, size, " %s%s to %dx%d",
                        a->mode == GRAFT_RESIZE_NEAREST ? "nearest" : "bilinear",
                        a->align_corners ? " align_corners" : "", a->size[0], a->size[1]);
}

void graft_format_lrn(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_lrn_attributes *const a = &call->attributes.lrn;
    graft_format_append(text, size, " size %d alpha %g beta %g k %g", a->size, (double)a->alpha,
                        (double)a->beta, (double)a->k);
}

void graft_format_batch_norm(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_batch_norm_attributes *const a = &call->attributes.batch_norm;
    graft_format_append(text, size, " epsilon %g%s", (double)a->epsilon, a->training ? " training" : "");
    graft_format_activation(a->activation, text, size);
}

void graft_format_update(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_update_attributes *const a = &call->attributes.update;
    if (a->weight_decay != 0) {
        graft_format_append(text, size, " weight decay %g", (double)a->weight_decay);
    }
    if (a->max_norm != 0) {
        graft_format_append(text, size, " max norm %g", (double)a->max_norm);
    }
}

static void append_pitch(int64_t pitch, char *text, size_t size)
{
    if (pitch > 0) {
        graft_format_append(text, size, " pitch %" PRId64, pitch);
    }
}

/* " x[2, 8, 8, 3] w[…]": real tensors without their dtype, unless it is f64. */
static void append_inputs(const struct graft_call *call, char *text, size_t size)
{
    const struct graft_op_def *const def = graft_op_get(call->op);
    char shape[160];
    for (int i = 0; i < call->n_inputs && i < GRAFT_MAX_INPUTS; i++) {
        const struct graft_desc *const desc = &call->in[i];
        if (desc->dtype == GRAFT_DTYPE_NONE) {
            continue;
        }
        const char *const name = def->input_names[i] != NULL ? def->input_names[i] : "input";
        const bool plain = desc->dtype == GRAFT_DTYPE_F32;
        append_text(text, size, " ");
        append_text(text, size, name);
        append_text(text, size, plain ? "" : " ");
        append_text(text, size, plain ? "" : graft_dtype_name(desc->dtype));
        append_text(text, size, graft_shape_format(&desc->shape, shape, sizeof shape));
        append_pitch(call->in_pitch[i], text, size);
    }
}

char *graft_call_format(const struct graft_call *call, char *text, size_t size)
{
    if (size == 0) {
        return text;
    }
    text[0] = '\0';
    const struct graft_op_def *const def = graft_op_get(call->op);
    if (def == NULL) {
        graft_format_append(text, size, "op %d", (int)call->op);
        return text;
    }
    char shape[160];
    append_text(text, size, def->name);
    append_inputs(call, text, size);
    if (def->format != NULL) {
        def->format(call, text, size);
    }
    for (int i = 0; i < def->n_outputs; i++) {
        append_text(text, size, i == 0 ? " -> " : ", ");
        append_text(text, size,
                    call->out[i].dtype == GRAFT_DTYPE_NONE
                        ? "none"
                        : graft_shape_format(&call->out[i].shape, shape, sizeof shape));
        append_pitch(call->out_pitch[i], text, size);
    }
    append_text(text, size, call->tf32 ? " in TF32" : "");
    return text;
}

enum graft_status graft_op_fail(struct graft_context *context, const struct graft_call *call,
                                const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    graft_format_list(message, sizeof message, format, arguments);
    va_end(arguments);
    const struct graft_op_def *const def = graft_op_get(call->op);
    if (def == NULL) {
        return graft_fail(context, GRAFT_ERROR_SHAPE, "op %d: %s", (int)call->op, message);
    }
    char inputs[1024] = "";
    append_inputs(call, inputs, sizeof inputs);
    return graft_fail(context, GRAFT_ERROR_SHAPE, "%s: %s (inputs%s)", def->name, message,
                      inputs[0] != '\0' ? inputs : " none");
}
