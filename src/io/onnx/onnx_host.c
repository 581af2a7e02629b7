/* SPDX-License-Identifier: MIT */
/* Nodes that do not depend on the picture: sizes, masks, positions, tables of indices. */
#include "io/onnx/onnx.h"

#include "base/context.h"

#include <math.h>
#include <string.h>

/* A small file must not keep the host busy: so many elements, and some for each of the weights. */
#define ELEMENTS_LIMIT ((int64_t)1 << 22)
#define ELEMENTS_OF_WEIGHT 16

int64_t graft_onnx_host_limit(const struct graft_onnx *onnx)
{
    int64_t limit = ELEMENTS_LIMIT;
    for (int v = 0; v < onnx->value_count; v++) {
        const struct graft_onnx_tensor *const constant = onnx->constants[v];
        limit += constant ? ELEMENTS_OF_WEIGHT * graft_shape_count(&constant->shape) : 0;
    }
    return limit;
}

/* Work of the host; refuses what is too much. */
static bool charge(struct graft_onnx_import *import, const struct graft_shape *shape)
{
    if (!graft_shape_check(shape) || graft_shape_count(shape) > import->host_left) {
        return graft_onnx_refuse(import, "the tables that the file makes are too large");
    }
    import->host_left -= graft_shape_count(shape);
    return true;
}

struct graft_onnx_tensor *graft_onnx_make(struct graft_onnx_import *import, enum graft_onnx_kind kind,
                                          const struct graft_shape *shape)
{
    if (!charge(import, shape)) {
        return NULL;
    }
    struct graft_onnx_tensor *const tensor = graft_onnx_import_take(import, 1, sizeof *tensor);
    double *const numbers = graft_onnx_import_take(import, (size_t)graft_shape_count(shape), sizeof *numbers);
    if (!tensor || !numbers)
        return NULL;
    *tensor = (struct graft_onnx_tensor){.kind = kind, .shape = *shape, .numbers = numbers};
    return tensor;
}

static const struct graft_onnx_tensor *host(const struct graft_onnx_import *import, int index)
{
    const struct graft_onnx_value *const value = graft_onnx_input(import, index);
    return value ? value->host : NULL;
}

/* ---- places: of an element in an operand that is stretched to a shape */

static int64_t stretched_place(const struct graft_shape *to, int64_t place, const struct graft_shape *from)
{
    int64_t result = 0, step = 1;
    for (int i = to->rank - 1; i >= 0; i--) {
        const int64_t index = place % to->dim[i];
        const int own = i - (to->rank - from->rank);
        place /= to->dim[i];
        if (own >= 0) {
            result += (from->dim[own] == 1 ? 0 : index) * step;
            step *= from->dim[own];
        }
    }
    return result;
}

static bool stretch(struct graft_onnx_import *import, const struct graft_shape *a, struct graft_shape *shape)
{
    struct graft_shape wide = {.rank = a->rank > shape->rank ? a->rank : shape->rank};
    for (int i = 0; i < wide.rank; i++) {
        const int own_a = i - (wide.rank - a->rank), own_b = i - (wide.rank - shape->rank);
        const int64_t x = own_a < 0 ? 1 : a->dim[own_a], y = own_b < 0 ? 1 : shape->dim[own_b];
        if (x != y && x != 1 && y != 1)
            return graft_onnx_refuse(import, "its operands' shapes do not fit each other");
        wide.dim[i] = x == 1 ? y : x;
    }
    *shape = wide;
    return true;
}

/* ---- element by element */

static double truncated(double a, double b)
{
    return b == 0 ? 0 : trunc(a / b);
}

/* The sign of the divisor, as Python has it. */
static double modulo(double a, double b)
{
    return b == 0 ? 0 : a - b * floor(a / b);
}

static double combine(struct graft_onnx_text op, bool integer, double a, double b)
{
    switch (op.data[0]) {
    case 'A':
        return graft_onnx_is(op, "And") ? (a != 0 && b != 0) : a + b;
    case 'S':
        return a - b;
    case 'D':
        return integer ? truncated(a, b) : a / b;
    case 'E':
        return a == b;
    case 'L':
        return graft_onnx_is(op, "Less") ? a < b : a <= b;
    case 'G':
        return graft_onnx_is(op, "Greater") ? a > b : a >= b;
    case 'O':
        return a != 0 || b != 0;
    case 'P':
        return pow(a, b);
    default:
        break;
    }
    if (graft_onnx_is(op, "Mod"))
        return modulo(a, b);
    if (graft_onnx_is(op, "Max"))
        return a > b ? a : b;
    return graft_onnx_is(op, "Min") ? (a < b ? a : b) : a * b;
}

static bool fold_binary(struct graft_onnx_import *import)
{
    static const char *const truths[] = {"And",         "Or",      "Equal",         "Less",
                                         "LessOrEqual", "Greater", "GreaterOrEqual"};
    const struct graft_onnx_tensor *const a = host(import, 0), *const b = host(import, 1);
    struct graft_shape shape;
    if (!a || !b)
        return false;
    shape = b->shape;
    if (!stretch(import, &a->shape, &shape))
        return false;
    enum graft_onnx_kind kind = a->kind;
    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++)
        kind = graft_onnx_is(import->node->op, truths[i]) ? GRAFT_ONNX_BOOL : kind;
    struct graft_onnx_tensor *const y = graft_onnx_make(import, kind, &shape);
    for (int64_t i = 0; y && i < graft_shape_count(&shape); i++)
        y->numbers[i] = combine(import->node->op, a->kind != GRAFT_ONNX_REAL,
                                graft_onnx_number(a, stretched_place(&shape, i, &a->shape)),
                                graft_onnx_number(b, stretched_place(&shape, i, &b->shape)));
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_where(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const c = host(import, 0), *const a = host(import, 1),
                                          *const b = host(import, 2);
    struct graft_shape shape;
    if (!c || !a || !b)
        return false;
    shape = c->shape;
    if (!stretch(import, &a->shape, &shape) || !stretch(import, &b->shape, &shape))
        return false;
    struct graft_onnx_tensor *const y = graft_onnx_make(import, a->kind, &shape);
    for (int64_t i = 0; y && i < graft_shape_count(&shape); i++) {
        const bool yes = graft_onnx_number(c, stretched_place(&shape, i, &c->shape)) != 0;
        y->numbers[i] =
            graft_onnx_number(yes ? a : b, stretched_place(&shape, i, yes ? &a->shape : &b->shape));
    }
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_unary(struct graft_onnx_import *import)
{
    const struct graft_onnx_text op = import->node->op;
    const struct graft_onnx_tensor *const x = host(import, 0);
    if (!x)
        return false;
    enum graft_onnx_kind kind = x->kind;
    if (graft_onnx_is(op, "Cast")) {
        const int64_t to = graft_onnx_int(import, "to", 1);
        kind = to == 1 || to == 10 || to == 11 || to == 16 ? GRAFT_ONNX_REAL
               : to == 9                                   ? GRAFT_ONNX_BOOL
                                                           : GRAFT_ONNX_INTEGER;
    }
    struct graft_onnx_tensor *const y = graft_onnx_make(import, kind, &x->shape);
    for (int64_t i = 0; y && i < graft_shape_count(&x->shape); i++) {
        const double v = graft_onnx_number(x, i);
        y->numbers[i] = graft_onnx_is(op, "Not")     ? v == 0
                        : graft_onnx_is(op, "Neg")   ? -v
                        : graft_onnx_is(op, "Sqrt")  ? sqrt(v)
                        : graft_onnx_is(op, "Floor") ? floor(v)
                        : graft_onnx_is(op, "Ceil")  ? ceil(v)
                        : graft_onnx_is(op, "Abs")   ? fabs(v)
                        : kind == GRAFT_ONNX_BOOL    ? v != 0
                        : kind == GRAFT_ONNX_INTEGER ? trunc(v)
                                                     : v;
    }
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

/* ---- made from nothing, or from sizes */

static bool fold_shape(struct graft_onnx_import *import)
{
    const struct graft_onnx_value *const x = graft_onnx_input(import, 0);
    if (!x)
        return false;
    const int64_t rank = x->shape.rank;
    int64_t begin = graft_onnx_int(import, "start", 0), end = graft_onnx_int(import, "end", rank);
    begin = begin < 0 ? begin + rank : begin;
    end = end < 0 ? end + rank : end;
    begin = begin < 0 ? 0 : begin > rank ? rank : begin;
    end = end < begin ? begin : end > rank ? rank : end;
    const struct graft_shape shape = graft_shape_of(1, end - begin);
    struct graft_onnx_tensor *const y = graft_onnx_make(import, GRAFT_ONNX_INTEGER, &shape);
    for (int64_t i = begin; y && i < end; i++)
        y->numbers[i - begin] = (double)x->shape.dim[i];
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_constant(struct graft_onnx_import *import)
{
    const struct graft_onnx_attribute *const tensor = graft_onnx_attribute(import, "value");
    if (tensor && tensor->t) {
        graft_onnx_set_host(import, 0, tensor->t);
        return true;
    }
    static const char *const names[] = {"value_float", "value_int", "value_floats", "value_ints"};
    for (int n = 0; n < 4; n++) {
        const struct graft_onnx_attribute *const a = graft_onnx_attribute(import, names[n]);
        const struct graft_shape shape =
            n < 2 ? graft_shape_of(0) : graft_shape_of(1, (int64_t)(a ? a->count : 0));
        struct graft_onnx_tensor *const y =
            a ? graft_onnx_make(import, n % 2 == 0 ? GRAFT_ONNX_REAL : GRAFT_ONNX_INTEGER, &shape) : NULL;
        if (!y)
            continue;
        if (n < 2)
            y->numbers[0] = n == 0 ? (double)a->f : (double)a->i;
        for (int i = 0; n >= 2 && i < a->count; i++)
            y->numbers[i] = a->list[i];
        graft_onnx_set_host(import, 0, y);
        return true;
    }
    return graft_onnx_refuse(import, "its value is of a kind that is not read");
}

/* A list of sizes as a shape. */
static bool take_shape(struct graft_onnx_import *import, const struct graft_onnx_tensor *list,
                       struct graft_shape *shape)
{
    const int64_t rank = graft_shape_count(&list->shape);
    if (rank > GRAFT_MAX_RANK)
        return graft_onnx_refuse(import, "it makes more than %d dimensions", GRAFT_MAX_RANK);
    *shape = (struct graft_shape){.rank = (int32_t)rank};
    for (int64_t i = 0; i < rank; i++)
        shape->dim[i] = graft_onnx_integer(graft_onnx_number(list, i));
    return graft_shape_check(shape) ? true : graft_onnx_refuse(import, "it makes sizes that are none");
}

static bool fold_constant_of_shape(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const sizes = host(import, 0);
    const struct graft_onnx_attribute *const value = graft_onnx_attribute(import, "value");
    struct graft_shape shape;
    if (!sizes || !take_shape(import, sizes, &shape))
        return false;
    struct graft_onnx_tensor *const y =
        graft_onnx_make(import, value && value->t ? value->t->kind : GRAFT_ONNX_REAL, &shape);
    for (int64_t i = 0; y && i < graft_shape_count(&shape); i++)
        y->numbers[i] = value && value->t && graft_shape_count(&value->t->shape) == 1
                            ? graft_onnx_number(value->t, 0)
                            : 0;
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_range(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const a = host(import, 0), *const b = host(import, 1),
                                          *const c = host(import, 2);
    if (!a || !b || !c)
        return false;
    if (graft_shape_count(&a->shape) != 1 || graft_shape_count(&b->shape) != 1 ||
        graft_shape_count(&c->shape) != 1)
        return graft_onnx_refuse(import, "begin, end and step are not a number each");
    const double begin = graft_onnx_number(a, 0), end = graft_onnx_number(b, 0),
                 step = graft_onnx_number(c, 0);
    const double count = step != 0 ? ceil((end - begin) / step) : 0;
    const struct graft_shape shape = graft_shape_of(1, (int64_t)(count > 0 && count < 1e7 ? count : 0));
    struct graft_onnx_tensor *const y = graft_onnx_make(import, a->kind, &shape);
    for (int64_t i = 0; y && i < shape.dim[0]; i++)
        y->numbers[i] = begin + (double)i * step;
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_expand(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const x = host(import, 0), *const sizes = host(import, 1);
    struct graft_shape shape;
    if (!x || !sizes || !take_shape(import, sizes, &shape) || !stretch(import, &x->shape, &shape))
        return false;
    struct graft_onnx_tensor *const y = graft_onnx_make(import, x->kind, &shape);
    for (int64_t i = 0; y && i < graft_shape_count(&shape); i++)
        y->numbers[i] = graft_onnx_number(x, stretched_place(&shape, i, &x->shape));
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

/* ---- by indices */

static int64_t axis_of(struct graft_onnx_import *import, int64_t axis, int rank)
{
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= (rank > 0 ? rank : 1))
        (void)graft_onnx_refuse(import, "there is no axis %lld", (long long)axis);
    return axis;
}

static int64_t product(const struct graft_shape *shape, int begin, int end)
{
    int64_t count = 1;
    for (int i = begin; i < end; i++)
        count *= shape->dim[i];
    return count;
}

static bool fold_gather(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const x = host(import, 0), *const indices = host(import, 1);
    if (!x || !indices || x->shape.rank < 1 || x->shape.rank + indices->shape.rank - 1 > GRAFT_MAX_RANK)
        return false;
    const int axis = (int)axis_of(import, graft_onnx_int(import, "axis", 0), x->shape.rank);
    if (import->b->status)
        return false;
    struct graft_shape shape = {.rank = x->shape.rank + indices->shape.rank - 1};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < axis                         ? x->shape.dim[i]
                       : i < axis + indices->shape.rank ? indices->shape.dim[i - axis]
                                                        : x->shape.dim[i - indices->shape.rank + 1];
    const int64_t outer = product(&x->shape, 0, axis), inner = product(&x->shape, axis + 1, x->shape.rank);
    const int64_t side = x->shape.dim[axis], count = graft_shape_count(&indices->shape);
    struct graft_onnx_tensor *const y = graft_onnx_make(import, x->kind, &shape);
    for (int64_t o = 0; y && o < outer; o++) {
        for (int64_t k = 0; k < count; k++) {
            int64_t index = graft_onnx_integer(graft_onnx_number(indices, k));
            index = index < 0 ? index + side : index;
            if (index < 0 || index >= side)
                return graft_onnx_refuse(import, "index %lld is outside", (long long)index);
            for (int64_t i = 0; i < inner; i++)
                y->numbers[(o * count + k) * inner + i] =
                    graft_onnx_number(x, (o * side + index) * inner + i);
        }
    }
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

/* data with the rows that indices name replaced by updates. */
static bool fold_scatter(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const x = host(import, 0), *const indices = host(import, 1),
                                          *const updates = host(import, 2);
    if (!x || !indices || !updates || indices->shape.rank < 1)
        return false;
    const int64_t depth = indices->shape.dim[indices->shape.rank - 1];
    if (depth < 1 || depth > x->shape.rank)
        return graft_onnx_refuse(import, "its indices do not fit");
    const int64_t rows = graft_shape_count(&indices->shape) / depth;
    const int64_t inner = product(&x->shape, (int)depth, x->shape.rank);
    if (graft_shape_count(&updates->shape) != rows * inner)
        return graft_onnx_refuse(import, "its updates do not fit");
    struct graft_onnx_tensor *const y = graft_onnx_make(import, x->kind, &x->shape);
    for (int64_t i = 0; y && i < graft_shape_count(&x->shape); i++)
        y->numbers[i] = graft_onnx_number(x, i);
    for (int64_t r = 0; y && r < rows; r++) {
        int64_t at = 0;
        for (int64_t d = 0; d < depth; d++) {
            int64_t index = graft_onnx_integer(graft_onnx_number(indices, r * depth + d));
            index = index < 0 ? index + x->shape.dim[d] : index;
            if (index < 0 || index >= x->shape.dim[d])
                return graft_onnx_refuse(import, "index %lld is outside", (long long)index);
            at = at * x->shape.dim[d] + index;
        }
        for (int64_t i = 0; i < inner; i++)
            y->numbers[at * inner + i] = graft_onnx_number(updates, r * inner + i);
    }
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_concat(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const first = host(import, 0);
    if (!first || first->shape.rank < 1)
        return false;
    const int axis = (int)axis_of(import, graft_onnx_int(import, "axis", 0), first->shape.rank);
    struct graft_shape shape = first->shape;
    if (import->b->status)
        return false;
    shape.dim[axis] = 0;
    for (int k = 0; k < import->node->input_count; k++) {
        const struct graft_onnx_tensor *const x = host(import, k);
        if (!x || x->shape.rank != shape.rank)
            return false;
        shape.dim[axis] += x->shape.dim[axis];
    }
    const int64_t outer = product(&shape, 0, axis), inner = product(&shape, axis + 1, shape.rank);
    struct graft_onnx_tensor *const y = graft_onnx_make(import, first->kind, &shape);
    int64_t at = 0;
    for (int64_t o = 0; y && o < outer; o++) {
        for (int k = 0; k < import->node->input_count; k++) {
            const struct graft_onnx_tensor *const x = host(import, k);
            const int64_t piece = x->shape.dim[axis] * inner;
            if (graft_shape_count(&x->shape) != outer * piece)
                return graft_onnx_refuse(import, "its inputs' shapes do not fit each other");
            for (int64_t i = 0; i < piece; i++)
                y->numbers[at++] = graft_onnx_number(x, o * piece + i);
        }
    }
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

/* ---- moved about: the shape ops compute what they would do with a value; here it is done to numbers */

static bool fold_moved(struct graft_onnx_import *import)
{
    struct graft_onnx_moved moved;
    const struct graft_onnx_tensor *const x = host(import, 0);
    if (!x || !graft_onnx_plan_move(import, &moved))
        return false;
    struct graft_onnx_tensor *const y = graft_onnx_make(import, x->kind, &moved.shape);
    for (int64_t i = 0; y && i < graft_shape_count(&moved.shape); i++) {
        int64_t place = i, from = moved.begin;
        for (int d = moved.shape.rank - 1; d >= 0; d--) {
            from += place % moved.shape.dim[d] * moved.step[d];
            place /= moved.shape.dim[d];
        }
        y->numbers[i] = graft_onnx_number(x, from);
    }
    if (y)
        graft_onnx_set_host(import, 0, y);
    return y != NULL;
}

static bool fold_reduce(struct graft_onnx_import *import)
{
    const struct graft_onnx_tensor *const x = host(import, 0);
    const bool all = x && graft_onnx_attribute(import, "axes") == NULL && graft_onnx_input(import, 1) == NULL;
    if (!x || (!all && x->shape.rank != 1))
        return false;
    const struct graft_shape shape = graft_onnx_int(import, "keepdims", 1) && x->shape.rank == 1
                                         ? graft_shape_of(1, (int64_t)1)
                                         : graft_shape_of(0);
    struct graft_onnx_tensor *const y = graft_onnx_make(import, x->kind, &shape);
    const bool sum = graft_onnx_is(import->node->op, "ReduceSum");
    double result = sum ? 0 : 1;
    for (int64_t i = 0; i < graft_shape_count(&x->shape); i++)
        result = sum ? result + graft_onnx_number(x, i) : result * graft_onnx_number(x, i);
    if (y) {
        y->numbers[0] = result;
        graft_onnx_set_host(import, 0, y);
    }
    return y != NULL;
}

bool graft_onnx_fold(struct graft_onnx_import *import, bool *refused)
{
    static const struct graft_onnx_row rows[] = {
        {"Constant", fold_constant},  {"Shape", fold_shape},     {"ConstantOfShape", fold_constant_of_shape},
        {"Range", fold_range},        {"Expand", fold_expand},   {"Gather", fold_gather},
        {"ScatterND", fold_scatter},  {"Concat", fold_concat},   {"Where", fold_where},
        {"Cast", fold_unary},         {"Not", fold_unary},       {"Neg", fold_unary},
        {"Sqrt", fold_unary},         {"Floor", fold_unary},     {"Ceil", fold_unary},
        {"Abs", fold_unary},          {"Identity", fold_unary},  {"Add", fold_binary},
        {"Sub", fold_binary},         {"Mul", fold_binary},      {"Div", fold_binary},
        {"Mod", fold_binary},         {"Pow", fold_binary},      {"Max", fold_binary},
        {"Min", fold_binary},         {"Equal", fold_binary},    {"Less", fold_binary},
        {"LessOrEqual", fold_binary}, {"Greater", fold_binary},  {"GreaterOrEqual", fold_binary},
        {"And", fold_binary},         {"Or", fold_binary},       {"Reshape", fold_moved},
        {"Squeeze", fold_moved},      {"Unsqueeze", fold_moved}, {"Flatten", fold_moved},
        {"Transpose", fold_moved},    {"Slice", fold_moved},     {"ReduceProd", fold_reduce},
        {"ReduceSum", fold_reduce},
    };
    const bool of_picture = import->node->input_count > 0 && graft_onnx_input(import, 0) && !host(import, 0);
    *refused = false;
    if (of_picture && !graft_onnx_is(import->node->op, "Shape"))
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (graft_onnx_is(import->node->op, rows[i].name)) {
            for (int n = 0; n < import->node->input_count; n++) { /* Shape reads none of them */
                const struct graft_onnx_tensor *const table = of_picture ? NULL : host(import, n);
                *refused = *refused || (table && !charge(import, &table->shape));
            }
            const bool done = !*refused && rows[i].run(import);
            *refused = !done && (import->b->status != GRAFT_OK || import->b->failed);
            return done;
        }
    }
    return false;
}
