/* SPDX-License-Identifier: MIT */
#include "real_truth.h"

#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "base/random.h"
#include "base/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXACT_SUM 0x1p22    /* of |a·b|: partial sums stay whole numbers, a quarter of them too */
#define DEVIATIONS 12       /* no sum of random products is that far from 0 */
#define CLIPPED_CHANNELS 16 /* one in so many */
#define MOST_EXACT 100000000 /* elements: of larger tensors some images are computed */
#define DRAWN_AT_ONCE 65536 /* × 16 values */

/* ---- values ---- */

/* What the small cases fill an input with; the first that gives it decides. */
static const struct graft_case_input *model_of(enum graft_op op, int input)
{
    const struct graft_case_set *const set = graft_case_set_of(op);
    for (int i = 0; i < set->count; i++) {
        if (set->cases[i].in[input].dtype != GRAFT_DTYPE_NONE) {
            return &set->cases[i].in[input];
        }
    }
    return NULL;
}

/* 16 values, drawn from with equal probability. */
static void fill_table(enum graft_values values, float table[16])
{
    for (int i = 0; i < 16; i++) {
        switch (values) {
        case GRAFT_VALUES_POSITIVE:
            table[i] = (float)(1 + i % 4);
            break;
        case GRAFT_VALUES_UNIT:
            table[i] = (float)(1 << i % 3);
            break;
        case GRAFT_VALUES_TIES:
            table[i] = (float)(i % 3);
            break;
        case GRAFT_VALUES_KINKS:
        case GRAFT_VALUES_AWAY:
            table[i] = (float)(i - 5) / 2;
            break;
        default:
            table[i] = (float)(i % 7 - 3);
            break;
        }
    }
}

/* −amplitude … amplitude, times 2^-exponent; as many of one sign as of the other. */
static void fill_table_even(int amplitude, int exponent, float table[16])
{
    for (int i = 0; i < 16; i++) {
        const int size = i % 8 % (amplitude + 1);
        table[i] = ldexpf((float)(i < 8 ? size : -size), -exponent);
    }
}

struct drawing {
    const float *table;
    float *values;
    int64_t count;
    uint64_t start;
};

/* Numbers of 16 values each, so that a part does not depend on who draws the others. */
static void draw_range(void *user, int64_t first, int64_t end)
{
    const struct drawing *const d = user;
    for (int64_t i = 16 * first; i < 16 * end; i += 16) {
        uint64_t bits = graft_real_mix(d->start + (uint64_t)i);
        for (int64_t k = i; k < d->count && k < i + 16; k++, bits >>= 4) {
            d->values[k] = d->table[bits & 15];
        }
    }
}

static float *draw(struct graft_heap *heap, struct graft_pool *pool, const float table[16], int64_t count,
                   uint64_t seed)
{
    struct drawing drawing = {table, graft_heap_get(heap, (size_t)count, sizeof(float)), count,
                              graft_real_mix(seed)};
    graft_spread(pool, (count + 15) / 16, DRAWN_AT_ONCE, draw_range, &drawing);
    return drawing.values;
}

static void *draw_whole(struct graft_heap *heap, const struct graft_desc *desc, uint32_t below, uint64_t seed)
{
    const int64_t count = graft_shape_count(&desc->shape);
    const size_t size = graft_dtype_size(desc->dtype);
    uint8_t *const values = graft_heap_get(heap, (size_t)count, size);
    for (int64_t i = 0; i < count; i++) {
        const int32_t value = (int32_t)(graft_real_mix(seed + (uint64_t)i) % below);
        if (size == 1) {
            values[i] = (uint8_t)value;
        } else {
            memcpy(values + (size_t)i * size, &value, sizeof value);
        }
    }
    return values;
}

/* The classes of a label: its op's first input has them last. */
static uint32_t labels_below(const struct graft_call *call)
{
    const struct graft_shape *const x = &call->in[0].shape;
    if (call->op == GRAFT_OP_GATHER || call->op == GRAFT_OP_GATHER_GRAD)
        return (uint32_t)(call->op == GRAFT_OP_GATHER ? x->dim[0] : call->attributes.gather.rows);
    return call->op == GRAFT_OP_DROPOUT || x->rank < 1 ? 1000 : (uint32_t)x->dim[x->rank - 1];
}

/* Scores of attention are sums of products, and their exponentials are taken with statistics of rows that are drawn
 * as well: queries and keys of an eighth keep them away from where f32 ends. */
static bool is_score(const struct graft_call *call, int input)
{
    return input < 2 && (call->op == GRAFT_OP_ATTENTION || call->op == GRAFT_OP_ATTENTION_GRAD);
}

static void make_inputs(struct graft_heap *heap, struct graft_pool *pool, struct graft_real_truth *truth)
{
    const struct graft_call *const call = &truth->call;
    for (int i = 0; i < call->n_inputs; i++) {
        const int64_t count = graft_shape_count(&call->in[i].shape);
        const uint64_t seed = truth->seed + 101 * (uint64_t)(i + 1);
        const struct graft_case_input *const model = model_of(call->op, i);
        float table[16];
        switch (call->in[i].dtype) {
        case GRAFT_DTYPE_NONE:
            break;
        case GRAFT_DTYPE_I32:
            truth->in[i] = draw_whole(heap, &call->in[i], labels_below(call), seed);
            break;
        case GRAFT_DTYPE_U8:
            truth->in[i] = draw_whole(heap, &call->in[i], 256, seed);
            break;
        default:
            fill_table(model != NULL ? model->values : GRAFT_VALUES_NORMAL, table);
            truth->in[i] = draw(heap, pool, table, count, seed);
            for (int64_t k = 0; k < count && model != NULL && model->values == GRAFT_VALUES_LITERAL; k++) {
                ((float *)truth->in[i])[k] = (float)model->literal[k % model->literal_count];
            }
            for (int64_t k = 0; k < count && is_score(call, i); k++) {
                ((float *)truth->in[i])[k] /= 8;
            }
            break;
        }
    }
}

/* ---- products ---- */

/* An activation is the identity where a bias puts all sums between 0 and 6; where it does not, in one channel
 * in 16, single outputs are looked at. */
static const char *plan_activation(struct graft_heap *heap, struct graft_real_truth *truth, int amplitude)
{
    const struct graft_call *const call = &truth->call;
    const enum graft_unary activation = graft_op_activation(call);
    struct graft_product *const product = &truth->product;
    if (activation == GRAFT_UNARY_NONE) {
        return NULL;
    }
    if (activation != GRAFT_UNARY_RELU && activation != GRAFT_UNARY_RELU6) {
        return "real cases know the activations relu and relu6";
    }
    if (call->n_inputs < 3 || call->in[2].dtype == GRAFT_DTYPE_NONE) {
        return "real cases know activations of sums with a bias";
    }
    const int64_t channels = graft_product_form_of(call).channels;
    const double middle =
        ceil(DEVIATIONS * sqrt(graft_product_terms(call)) * amplitude * amplitude) + 2 * amplitude;
    while (ldexp(2 * middle, -product->exponent) > 6) {
        product->exponent++;
    }
    bool *const clipped = graft_heap_get(heap, (size_t)channels, sizeof *clipped);
    float *const bias = truth->in[2];
    for (int64_t c = 0; c < channels; c++) {
        const uint64_t word = graft_real_mix(truth->seed + 77 + (uint64_t)c);
        clipped[c] = channels > 1 &&
                     (word % CLIPPED_CHANNELS == 0 || c == (int64_t)(truth->seed % (uint64_t)channels));
        bias[c] = (float)(clipped[c] ? (double)(int64_t)(word >> 32 & 3) - 1 : middle);
    }
    product->clipped = clipped;
    return NULL;
}

static void scale(float *values, int64_t count, int exponent)
{
    for (int64_t i = 0; values != NULL && exponent > 0 && i < count; i++) {
        values[i] = ldexpf(values[i], -exponent);
    }
}

static const char *make_product(struct graft_heap *heap, struct graft_pool *pool,
                                struct graft_real_truth *truth)
{
    const struct graft_call *const call = &truth->call;
    struct graft_product *const product = &truth->product;
    const double terms = graft_product_terms(call);
    int amplitude = 3;
    while (amplitude > 1 && amplitude * amplitude * terms > EXACT_SUM) {
        amplitude--;
    }
    if (DEVIATIONS * sqrt(terms) > EXACT_SUM) { /* of ones and zeros of both signs */
        return "too many terms to stay exact";
    }
    float table[16];
    fill_table_even(amplitude, 0, table);
    for (int i = 0; i < call->n_inputs; i++) {
        if (call->in[i].dtype != GRAFT_DTYPE_NONE) {
            const int64_t count = graft_shape_count(&call->in[i].shape);
            truth->in[i] = draw(heap, pool, table, count, truth->seed + 101 * (uint64_t)(i + 1));
        }
    }
    const char *const reason = plan_activation(heap, truth, amplitude);
    if (reason != NULL) {
        return reason;
    }
    for (int i = 1; i < call->n_inputs; i++) {
        scale(truth->in[i], graft_shape_count(&call->in[i].shape), product->exponent);
    }
    product->call = call;
    product->prior = truth->prior[0];
    for (int i = 0; i < call->n_inputs; i++) {
        product->in[i] = truth->in[i];
    }
    graft_freivalds_open(heap, pool, product, truth->seed + 9, &truth->check);
    const int64_t count = graft_shape_count(&call->out[0].shape);
    for (int i = 0; i < GRAFT_REAL_SAMPLES; i++) {
        const uint64_t word = graft_real_mix(truth->seed + 1000 + (uint64_t)i);
        int64_t index = i == 0 ? 0 : i == 1 ? count - 1 : (int64_t)(word % (uint64_t)count);
        for (int step = 0; i % 2 == 0 && i > 1 && product->clipped != NULL && step < 4096 &&
                           !product->clipped[index % truth->check.form.channels];
             step++) {
            index = (index + 1) % count;
        }
        truth->sample[i] = index;
        truth->sum[i] = graft_product_element(product, index);
    }
    return NULL;
}

/* ---- what is exact ---- */

/* Whether small integers give integers, so that each element can be asked for; products apart. */
static bool is_exact(const struct graft_call *call)
{
    const enum graft_binary binary = call->attributes.binary.kind;
    const enum graft_unary unary = call->attributes.unary.kind;
    switch (call->op) {
    case GRAFT_OP_CONCAT:
    case GRAFT_OP_SLICE:
    case GRAFT_OP_PAD:
    case GRAFT_OP_TRANSPOSE:
    case GRAFT_OP_RESHAPE:
    case GRAFT_OP_FILL:
    case GRAFT_OP_MAX_POOL:
    case GRAFT_OP_MAX_POOL_GRAD:
        return true;
    case GRAFT_OP_BINARY_GRAD: /* halves of integers, where both are equal */
        return binary == GRAFT_BINARY_MAX || binary == GRAFT_BINARY_MIN;
    case GRAFT_OP_BINARY:
        return binary != GRAFT_BINARY_DIV && binary != GRAFT_BINARY_POW &&
               graft_op_activation(call) <= GRAFT_UNARY_RELU6;
    case GRAFT_OP_UNARY:
    case GRAFT_OP_UNARY_GRAD:
        return unary == GRAFT_UNARY_NONE || unary == GRAFT_UNARY_RELU || unary == GRAFT_UNARY_RELU6 ||
               unary == GRAFT_UNARY_ABS || unary == GRAFT_UNARY_CLIP;
    case GRAFT_OP_REDUCE:
        return call->attributes.reduce.kind != GRAFT_REDUCE_MEAN;
    case GRAFT_OP_DROPOUT: /* twice what is kept */
        return call->attributes.dropout.probability == 0.5f;
    case GRAFT_OP_BROADCAST:
        return call->attributes.broadcast.scale == 1;
    default:
        return false;
    }
}

/* The call of one image along the first dimension, for ops that compute each alone. False: this one does not,
 * or is not known to. */
static bool cut_image(struct graft_context *context, const struct graft_call *call, struct graft_call *one)
{
    const int64_t images = call->out[0].shape.dim[0];
    *one = *call;
    switch (call->op) {
    case GRAFT_OP_SLICE:
        if (call->attributes.slice.begin[0] != 0 || call->attributes.slice.size[0] != images) {
            return false;
        }
        one->attributes.slice.size[0] = 1;
        break;
    case GRAFT_OP_RESHAPE:
        one->attributes.reshape.shape.dim[0] = 1;
        break;
    case GRAFT_OP_TRANSPOSE:
    case GRAFT_OP_CONCAT:
    case GRAFT_OP_PAD:
    case GRAFT_OP_MAX_POOL:
    case GRAFT_OP_MAX_POOL_GRAD:
    case GRAFT_OP_BINARY:
    case GRAFT_OP_BINARY_GRAD:
    case GRAFT_OP_UNARY:
    case GRAFT_OP_UNARY_GRAD:
    case GRAFT_OP_REDUCE:
        break;
    default:
        return false;
    }
    for (int i = 0; i < call->n_inputs; i++) {
        if (call->in[i].dtype != GRAFT_DTYPE_NONE) {
            if (call->in[i].shape.rank < 1 || call->in[i].shape.dim[0] != images) {
                return false;
            }
            one->in[i].shape.dim[0] = 1;
        }
    }
    if (graft_op_infer(context, one) != GRAFT_OK) {
        return false;
    }
    one->accumulate = call->accumulate;
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        struct graft_shape shape = call->out[i].shape;
        shape.dim[0] = 1;
        if (call->out[i].dtype == GRAFT_DTYPE_NONE) {
            one->out[i].dtype = GRAFT_DTYPE_NONE;
        } else if (!graft_shape_equal(&shape, &one->out[i].shape)) {
            return false;
        }
    }
    return true;
}

/* The first, the last two, and one of the others. */
static void choose_images(struct graft_real_truth *truth)
{
    const int64_t images = truth->call.out[0].shape.dim[0];
    truth->n_images = GRAFT_REAL_IMAGES;
    truth->images[0] = 0;
    truth->images[1] = 1 + (int64_t)(graft_real_mix(truth->seed + 41) % (uint64_t)(images - 3));
    truth->images[2] = images - 2;
    truth->images[3] = images - 1;
}

/* The reference's results for the image of the inputs, as the `place`-th of those that are wanted. */
static void run_reference(struct graft_real_truth *truth, const struct graft_call *call, int64_t image,
                          int64_t place)
{
    static void (*const kernels[GRAFT_OP_COUNT])(const struct graft_cpu_args *args) = {
#define GRAFT_OP(name, NAME) graft_reference_##name##_f32,
#include "op/ops.def"
#undef GRAFT_OP
    };
    struct graft_cpu_args args = {.call = call};
    for (int i = 0; i < call->n_inputs; i++) {
        if (truth->in[i] != NULL) {
            args.in[i] = (char *)truth->in[i] + (size_t)image * (size_t)graft_desc_bytes(&call->in[i]);
        }
    }
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        const int64_t count =
            call->out[i].dtype != GRAFT_DTYPE_NONE ? graft_shape_count(&call->out[i].shape) : 0;
        args.out[i] = truth->wanted[i] != NULL ? truth->wanted[i] + place * count : NULL;
        if (truth->prior[i] != NULL) {
            memcpy(args.out[i], truth->prior[i] + image * count, (size_t)count * sizeof(float));
        }
    }
    kernels[call->op](&args);
}

static const char *make_exact(struct graft_heap *heap, struct graft_context *context,
                              struct graft_real_truth *truth)
{
    const struct graft_shape *const y = &truth->call.out[0].shape;
    struct graft_call call = truth->call;
    int64_t largest = graft_shape_count(y);
    for (int i = 0; i < call.n_inputs; i++) {
        largest = call.in[i].dtype != GRAFT_DTYPE_NONE
                      ? graft_max_i64(largest, graft_shape_count(&call.in[i].shape))
                      : largest;
    }
    if (largest > MOST_EXACT && y->rank > 0 && y->dim[0] > 2 * GRAFT_REAL_IMAGES &&
        cut_image(context, &truth->call, &call)) {
        choose_images(truth);
    } else {
        call = truth->call;
    }
    const int places = truth->n_images > 0 ? truth->n_images : 1;
    for (int i = 0; i < graft_op_get(call.op)->n_outputs; i++) {
        if (call.out[i].dtype != GRAFT_DTYPE_NONE) {
            truth->wanted[i] = graft_heap_get(
                heap, (size_t)places * (size_t)graft_shape_count(&call.out[i].shape), sizeof(float));
        }
    }
    for (int place = 0; place < places; place++) {
        run_reference(truth, &call, truth->images[place], place);
    }
    return NULL;
}

bool graft_real_truth_make(struct graft_heap *heap, struct graft_context *context,
                           const struct graft_job *job, uint64_t seed, struct graft_truth *result,
                           char *error, size_t error_size)
{
    struct graft_real_truth *const truth = graft_heap_get(heap, 1, sizeof *truth);
    struct graft_pool *const pool = graft_context_pool(context);
    char name[200];
    snprintf(name, sizeof name, "%s/%s", graft_op_get(job->op)->name, job->real->name);
    truth->call = job->real->call;
    truth->seed = graft_real_mix(seed) ^ graft_hash_text(name);
    *result = (struct graft_truth){.call = truth->call, .real = truth};
    for (int i = 0; i < GRAFT_MAX_OUTPUTS; i++) {
        if (truth->call.accumulate >> i & 1u) {
            float table[16];
            fill_table(GRAFT_VALUES_NORMAL, table);
            truth->prior[i] = draw(heap, pool, table, graft_shape_count(&truth->call.out[i].shape),
                                   truth->seed + 7 + (uint64_t)i);
        }
    }
    truth->is_product = graft_product_is(truth->call.op);
    const char *reason = NULL;
    if (truth->is_product) {
        reason = make_product(heap, pool, truth);
    } else {
        make_inputs(heap, pool, truth);
        reason = is_exact(&truth->call)              ? make_exact(heap, context, truth)
                 : graft_real_slice_is(&truth->call) ? NULL
                                                     : "no slice of it stands for itself";
    }
    if (reason != NULL) {
        snprintf(error, error_size, "%s", reason);
    }
    return reason == NULL;
}
