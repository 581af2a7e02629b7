/* SPDX-License-Identifier: MIT */
/* Calls on both sides of every size at which a backend, or a library behind it, changes its way. The sizes
 * stand where the backends take them from; here is how to reach them. */
#include "real_edges.h"

#include "backend/cpu/fast/thresholds.h"
#include "backend/opencl/clblast_sets.h"
#include "backend/opencl/thresholds.h"
#include "backend/winograd.h"

#include "base/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum quantity {
    ROWS,         /* of a product's result */
    ROWS_TURNED,  /* of a matrix product whose b is transposed, without batches */
    ROWS_PLAIN,   /* with b as it is */
    TERMS_TURNED, /* with a transposed: terms of a sum */
    COLUMNS,
    TERMS,
    VOLUME,        /* rows × columns × terms */
    B_FLOATS,      /* terms × columns of products of many rows with one b */
    BATCHES,       /* matrices with a b of their own */
    PIXELS,        /* that a filter's gradient sums over */
    CHANNELS,      /* the fewer of channels and filters, of 3×3 convolutions that Winograd takes */
    TILES,         /* 4×4 pixels, of such ones with large filters */
    FILTER_FLOATS, /* channels × filters of such ones */
    TILE_FLOATS,   /* tiles × (channels + filters) × 36 */
    GROUPS,        /* of depthwise convolutions */
    TAPS,          /* of depthwise filters */
    TAPS_WIDTH,
    JOINED,      /* taps × channels */
    SUMMED,      /* elements that a column sum of 128 columns goes through */
    ROW_SUMMED,  /* elements of one long row that is summed up */
    LAST,        /* size of the last dimension */
    ELEMENTS,    /* of input 0, or of the result */
    TURNED_SIDE, /* the shorter side of a transposed matrix */
    PLACES,      /* between first and last dimension */
    WINDOWS      /* of pooling that hold an element */
};

static const struct threshold {
    const char *name;
    int64_t value;
    const char *ops;
    enum quantity quantity;
} thresholds[] = {
#define ROW(value, ops, quantity) {#value, value, ops, quantity},
    GRAFT_OPENCL_THRESHOLDS(ROW) GRAFT_CPU_THRESHOLDS(ROW) GRAFT_WINOGRAD_THRESHOLDS(ROW)
        GRAFT_CLBLAST_THRESHOLDS(ROW)
#undef ROW
};
#define COUNT ((int)(sizeof thresholds / sizeof thresholds[0]))

int graft_edge_threshold_count(void)
{
    return COUNT;
}

/* ---- measuring ---- */

struct product {
    int64_t batches, m, n, k;
};

static bool is_conv(enum graft_op op)
{
    return op == GRAFT_OP_CONV2D || op == GRAFT_OP_CONV2D_GRAD_INPUT || op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
}

static struct product product_of(const struct graft_call *call)
{
    const struct graft_shape *const a = &call->in[0].shape;
    const struct graft_shape *const b = &call->in[1].shape;
    const struct graft_shape *const y = &call->out[0].shape;
    struct product p = {.batches = 1};
    if (call->op == GRAFT_OP_MATMUL) {
        p.m = y->dim[y->rank - 2];
        p.n = y->dim[y->rank - 1];
        p.k = a->dim[a->rank - (call->attributes.matmul.transpose_a ? 2 : 1)];
        for (int d = 0; d + 2 < y->rank && b->rank == y->rank; d++) {
            p.batches *= y->dim[d];
        }
        return p;
    }
    const int64_t groups = call->attributes.conv2d.groups;
    if (call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT) { /* dw [o, kh, kw, c] */
        return (struct product){1, y->dim[0] / groups, y->dim[1] * y->dim[2] * y->dim[3],
                                b->dim[0] * b->dim[1] * b->dim[2]};
    }
    p.m = y->dim[0] * y->dim[1] * y->dim[2];
    p.n = y->dim[3] / groups;
    p.k = b->dim[1] * b->dim[2] * a->dim[3] / groups;
    return p;
}

/* Sizes of a convolution that Winograd may take; channels 0: it does not. */
struct winograd {
    int64_t channels, filters, tiles;
};

static struct winograd winograd_of(const struct graft_call *call)
{
    const struct graft_conv2d_attributes *const a = &call->attributes.conv2d;
    const bool weight = call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT;
    const struct graft_shape *const w = weight ? &call->out[0].shape : &call->in[1].shape;
    const struct graft_shape *const y = weight ? &call->in[1].shape : &call->out[0].shape;
    if (w->dim[1] != 3 || w->dim[2] != 3 || a->stride[0] != 1 || a->dilation[0] != 1 || a->groups != 1) {
        return (struct winograd){0, 0, 0};
    }
    return (struct winograd){w->dim[3], w->dim[0],
                             y->dim[0] * graft_ceil_div(y->dim[1], 4) * graft_ceil_div(y->dim[2], 4)};
}

static int64_t measure_winograd(const struct graft_call *call, enum quantity quantity)
{
    const struct winograd s = is_conv(call->op) ? winograd_of(call) : (struct winograd){0, 0, 0};
    const bool large = s.channels * s.filters > GRAFT_WINOGRAD_FUSED_FILTER_FLOATS;
    if (s.channels == 0) {
        return -1;
    }
    switch (quantity) {
    case CHANNELS:
        return graft_min_i64(s.channels, s.filters);
    case TILES:
        return large ? s.tiles : -1;
    case FILTER_FLOATS:
        return s.tiles >= 200 ? s.channels * s.filters : -1;
    default:
        return 36 * s.tiles * (s.channels + s.filters);
    }
}

static int64_t measure_product(const struct graft_call *call, enum quantity quantity)
{
    const struct product p = product_of(call);
    const bool matmul = call->op == GRAFT_OP_MATMUL;
    const bool alone = matmul && call->out[0].shape.rank == 2 && call->in[1].shape.rank == 2;
    const bool a = matmul && call->attributes.matmul.transpose_a;
    const bool b = matmul && call->attributes.matmul.transpose_b;
    const int64_t groups = matmul ? 1 : call->attributes.conv2d.groups;
    const struct graft_shape *const w =
        &(call->op == GRAFT_OP_CONV2D_GRAD_WEIGHT ? call->out : call->in + 1)->shape;
    const bool depthwise = !matmul && groups > 1 && w->dim[0] == groups && w->dim[3] == 1;
    switch (quantity) {
    case ROWS:
        return p.m;
    case ROWS_TURNED:
        return alone && b && !a ? p.m : -1;
    case ROWS_PLAIN:
        return alone && !b && !a ? p.m : -1;
    case TERMS_TURNED:
        return alone && a && !b ? p.k : -1;
    case COLUMNS:
        return p.n;
    case TERMS:
        return p.k;
    case VOLUME:
        return p.m * p.n * p.k;
    case B_FLOATS:
        return alone && p.m >= 112 ? p.k * p.n : -1;
    case BATCHES:
        return matmul ? p.batches : -1;
    case PIXELS:
        return p.k;
    case GROUPS:
        return depthwise ? groups : -1;
    case TAPS:
        return depthwise ? w->dim[1] * w->dim[2] : -1;
    case TAPS_WIDTH:
        return depthwise ? w->dim[2] : -1;
    case JOINED:
        return matmul ? -1 : w->dim[1] * w->dim[2] * w->dim[3];
    default:
        return measure_winograd(call, quantity);
    }
}

static int64_t measure(const struct graft_call *call, enum quantity quantity)
{
    const struct graft_shape *x = &call->in[0].shape;
    const struct graft_pool_attributes *const pool = &call->attributes.pool;
    if (call->op == GRAFT_OP_MATMUL || is_conv(call->op)) {
        return measure_product(call, quantity);
    }
    if (call->n_inputs == 0 || call->in[0].dtype == GRAFT_DTYPE_NONE || call->op == GRAFT_OP_CONCAT) {
        x = &call->out[0].shape;
    }
    const int64_t last = x->rank > 0 ? x->dim[x->rank - 1] : 1;
    const int64_t count = graft_shape_count(x);
    switch (quantity) {
    case SUMMED:
        return last > 0 ? count / last * graft_min_i64(last, 128) : -1;
    case ROW_SUMMED:
        return x->rank == 1 || (x->rank == 2 && x->dim[0] < 64 && call->attributes.reduce.axes == 2) ? last
                                                                                                     : -1;
    case LAST:
        return last;
    case ELEMENTS:
        return count;
    case TURNED_SIDE:
        return x->rank < 2 ? -1 : graft_min_i64(last, count / last / (x->rank > 2 ? x->dim[0] : 1));
    case PLACES:
        return x->dim[0] * last > 0 ? count / x->dim[0] / last : -1;
    case WINDOWS:
        return (int64_t)((pool->kernel[0] + pool->stride[0] - 1) / pool->stride[0]) *
               ((pool->kernel[1] + pool->stride[1] - 1) / pool->stride[1]);
    default:
        return -1;
    }
}

/* ---- reaching ---- */

static void reach_matmul(struct graft_call *call, enum quantity quantity, int64_t value)
{
    switch (quantity) {
    case ROWS_TURNED:
        graft_edge_matmul(call, 0, value, 1031, 517, "b", false);
        return;
    case ROWS_PLAIN:
        graft_edge_matmul(call, 0, value, 1031, 517, "", false);
        return;
    case TERMS_TURNED:
        graft_edge_matmul(call, 0, 517, 1031, value, "a", false);
        return;
    case ROWS:
        graft_edge_matmul(call, 0, value, 517, 131, "", false);
        return;
    case COLUMNS:
        graft_edge_matmul(call, 0, 517, value, 131, "", false);
        return;
    case TERMS:
        graft_edge_matmul(call, 0, 131, 197, value, "", false);
        return;
    case B_FLOATS:
        graft_edge_matmul(call, 0, 197, value / 128, 128, "", false);
        return;
    case BATCHES:
        graft_edge_matmul(call, value, 67, 65, 130, "", false);
        return;
    default: { /* VOLUME: the largest below, or the smallest above */
        const int64_t side = (int64_t)cbrt((double)value + 0.5);
        const int64_t rest = side * side * side == value ? side : side + 1;
        graft_edge_matmul(call, 0, rest, side, side, "", false);
        return;
    }
    }
}

/* Filters of k × k on x [1, 1 … , width, c] and the like. */
static void reach_conv(struct graft_call *call, enum graft_op op, enum quantity quantity, int64_t value,
                       bool above)
{
    struct graft_edge_conv s = {2, 20, 20, 24, 40, 3, 1, 1, 1};
    const int64_t side = (int64_t)cbrt((double)value + 0.5);
    switch (quantity) {
    case ROWS:
        s = (struct graft_edge_conv){1, 1, value, 130, 70, 1, 1, 0, 1};
        break;
    case COLUMNS: /* of filters' gradients channels, of those by the input, too */
        if (op == GRAFT_OP_CONV2D) {
            s = (struct graft_edge_conv){1, 17, 61, 70, value, 1, 1, 0, 1};
        } else {
            s = (struct graft_edge_conv){1, 17, 61, value, 70, 1, 1, 0, 1};
        }
        break;
    case TERMS:
        s = (struct graft_edge_conv){1, 13, 29, value, value, 1, 1, 0, 1};
        break;
    case VOLUME:
        s = (struct graft_edge_conv){1, 1, side * side * side == value ? side : side + 1, side, side, 1, 1,
                                     0, 1};
        break;
    case PIXELS:
        s = (struct graft_edge_conv){1, 1, value, 24, 40, 3, 1, 1, 1};
        break;
    case CHANNELS:
        s.c = s.o = value;
        break;
    case TILES:
        s = (struct graft_edge_conv){1, 4, 4 * value, 165, 166, 3, 1, 1, 1};
        break;
    case FILTER_FLOATS:
        s = (struct graft_edge_conv){2, 40, 44, 32, (above ? value + 31 : value) / 32, 3, 1, 1, 1};
        break;
    case TILE_FLOATS:
        s = (struct graft_edge_conv){1, 4, 4 * (value / 36 / 400), 200, 200, 3, 1, 1, 1};
        break;
    case GROUPS:
        s = (struct graft_edge_conv){2, 19, 23, value, value, 3, 1, 1, (int32_t)value};
        break;
    case TAPS: /* of a square; the next one above */
        s.k = (int32_t)ceil(sqrt((double)value));
        s = (struct graft_edge_conv){1, 30, 40, 48, 48, s.k, 1, 2, 48};
        break;
    case TAPS_WIDTH:
        s = (struct graft_edge_conv){1, 40, 60, 33, 33, (int32_t)value, 1, 2, 33};
        break;
    default: /* JOINED: of 3×3 */
        s.c = (above ? value + 8 : value) / 9;
        break;
    }
    graft_edge_conv(call, op, &s);
}

static void reach_other(struct graft_call *call, enum graft_op op, enum quantity quantity, int64_t value)
{
    int64_t x[4] = {2, 10, 12, 40};
    switch (quantity) {
    case SUMMED:
        x[1] = 1;
        x[2] = value / 2 / 128 + value % 2;
        x[3] = 128;
        break;
    case LAST:
        x[3] = value;
        break;
    case ELEMENTS:
        x[0] = x[1] = 1;
        x[2] = value > (1 << 20) ? 1 << 17 : 16;
        x[3] = graft_ceil_div(value, x[2]);
        break;
    case PLACES:
        x[1] = 1;
        x[2] = value;
        break;
    case TURNED_SIDE: /* [places, channels] */
        x[1] = 10;
        x[2] = 50;
        x[3] = value;
        break;
    default:
        x[1] = 30;
        break;
    }
    graft_edge_plain(call, op, x);
    if (quantity == ROW_SUMMED) {
        *call = (struct graft_call){.op = op, .n_inputs = 1};
        call->in[0] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, 7, value)};
        call->attributes.reduce = (struct graft_reduce_attributes){.kind = GRAFT_REDUCE_SUM, .axes = 2};
    } else if (quantity == WINDOWS) {
        const int32_t k = (int32_t)ceil(sqrt((double)value));
        const struct graft_shape in = graft_shape_of(4, 2, 30, 20, 40);
        const struct graft_shape out = graft_shape_of(4, 2, 31 - k, 21 - k, 40);
        const bool average = op == GRAFT_OP_AVG_POOL_GRAD;
        call->attributes.pool =
            (struct graft_pool_attributes){.kernel = {k, k}, .stride = {1, 1}, .size = {30, 20}};
        memset(call->attributes.pool.size, 0, average ? 0 : sizeof call->attributes.pool.size);
        call->in[0].shape = average ? out : in;
        call->in[1].shape = average ? call->in[1].shape : out;
    }
}

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Whole tiles of CLBlast's kernels, and a row, a column, a term more: what is no multiple of them is copied,
 * or goes another way. */
static bool add_clblast_tiles(struct graft_reals *reals, struct graft_context *context)
{
    static const char *const turned[] = {"", "a", "b", "ab"};
    for (int set = 0; set < GRAFT_CLBLAST_SETS; set++) {
        const struct graft_clblast_set *const s = &graft_clblast_sets[set];
        for (int more = 0; more < 8; more++) {
            struct graft_call call;
            graft_edge_matmul(&call, 0, 3 * s->rows + (more & 1), 2 * s->columns + (more >> 1 & 1),
                              5 * s->terms + (more >> 2 & 1), turned[more % 4], false);
            if (!graft_edge_add(reals, context, &call, GRAFT_REAL_NEAR)) {
                return false;
            }
        }
    }
    return true;
}

bool graft_edge_add_thresholds(struct graft_reals *reals, struct graft_context *context)
{
    for (int i = 0; i < COUNT; i++) {
        for (int op = 0; op < GRAFT_OP_COUNT; op++) {
            for (int above = 0; above < 2; above++) {
                const int64_t value = thresholds[i].value + above;
                struct graft_call call;
                if (!has_word(thresholds[i].ops, graft_op_get((enum graft_op)op)->name)) {
                    continue;
                }
                if (op == GRAFT_OP_MATMUL) {
                    reach_matmul(&call, thresholds[i].quantity, value);
                } else if (is_conv((enum graft_op)op)) {
                    reach_conv(&call, (enum graft_op)op, thresholds[i].quantity, value, above != 0);
                } else {
                    reach_other(&call, (enum graft_op)op, thresholds[i].quantity, value);
                }
                if (!graft_edge_add(reals, context, &call, GRAFT_REAL_NEAR)) {
                    return false;
                }
            }
        }
    }
    return add_clblast_tiles(reals, context);
}

uint64_t graft_edge_sides(const struct graft_call *call)
{
    uint64_t sides = 0;
    _Static_assert(COUNT <= 64, "a bit for each threshold");
    for (int i = 0; i < COUNT; i++) {
        const bool above = has_word(thresholds[i].ops, graft_op_get(call->op)->name) &&
                           measure(call, thresholds[i].quantity) > thresholds[i].value;
        sides |= (uint64_t)above << i;
    }
    return sides;
}

/* ---- coverage ---- */

/* Near enough that no other size at which something changes lies between: an eighth. */
static const char *missing_side(const struct graft_reals *reals, const struct threshold *t, enum graft_op op)
{
    int64_t below = -1;
    int64_t above = INT64_MAX;
    for (int i = 0; i < reals->count; i++) {
        const struct graft_call *const call = &reals->items[i].call;
        const int64_t size = call->op == op ? measure(call, t->quantity) : -1;
        below = size >= 0 && size <= t->value && size > below ? size : below;
        above = size > t->value && size < above ? size : above;
    }
    return below < t->value - t->value / 8 - 1                         ? "below"
           : above == INT64_MAX || above > t->value + t->value / 4 + 8 ? "above"
                                                                       : NULL;
}

const char *graft_edge_missing(const struct graft_reals *reals, char *text, size_t size)
{
    for (int i = 0; i < COUNT; i++) {
        for (int op = 0; op < GRAFT_OP_COUNT; op++) {
            const char *const name = graft_op_get((enum graft_op)op)->name;
            const char *const side = has_word(thresholds[i].ops, name)
                                         ? missing_side(reals, &thresholds[i], (enum graft_op)op)
                                         : NULL;
            if (side != NULL) {
                snprintf(text, size, "%s has no call just %s %s = %" PRId64, name, side, thresholds[i].name,
                         thresholds[i].value);
                return text;
            }
        }
    }
    return NULL;
}
