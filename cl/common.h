/* SPDX-License-Identifier: MIT */
/*
 * What all kernels share. OpenCL C 1.2, no extension needed, no fast-math.
 *
 * A tensor is two arguments: a global pointer and `ulong` offset in elements (any value: vectors are read and
 * written by vload and vstore, which ask for the alignment of a float only). Indices inside a tensor are int
 * or uint.
 */
#ifndef GRAFT_CL_COMMON_H
#define GRAFT_CL_COMMON_H

#define GRAFT_PASTE_(a, b) a##b
#define GRAFT_PASTE(a, b) GRAFT_PASTE_(a, b)

/* enum graft_unary */
#define UNARY_NONE 0
#define UNARY_RELU 1
#define UNARY_RELU6 2
#define UNARY_LEAKY_RELU 3
#define UNARY_SIGMOID 4
#define UNARY_TANH 5
#define UNARY_HARD_SIGMOID 6
#define UNARY_HARD_SWISH 7
#define UNARY_SILU 8
#define UNARY_GELU 9
#define UNARY_GELU_TANH 10
#define UNARY_SQRT 11
#define UNARY_EXP 12
#define UNARY_LOG 13
#define UNARY_ABS 14
#define UNARY_CLIP 15

/* enum graft_binary */
#define BINARY_ADD 0
#define BINARY_MUL 1
#define BINARY_SUB 2
#define BINARY_DIV 3
#define BINARY_POW 4
#define BINARY_MAX 5
#define BINARY_MIN 6

/*
 * The activation of a value or a vector: NaN stays NaN. `type` is float, float4 … Programs know relu and
 * relu6; for others there is one of its own, built with -DACTIVATION=<number>, so that epilogues stay small.
 * The host adds that to the options of every program of a call with such an activation.
 */
#ifndef ACTIVATION
#define ACTIVATE(kind, type, x)                                                                              \
    ((kind) == UNARY_NONE ? (x) : (kind) == UNARY_RELU ? RELU(type, x) : RELU6(type, x))
#elif ACTIVATION == UNARY_SIGMOID
#define ACTIVATE(kind, type, x) (KEPT_IF_NONE(kind, x)(type)(1.0f) / ((type)(1.0f) + exp(-(x))))
#elif ACTIVATION == UNARY_SILU
#define ACTIVATE(kind, type, x) (KEPT_IF_NONE(kind, x)(x) / ((type)(1.0f) + exp(-(x))))
#elif ACTIVATION == UNARY_HARD_SIGMOID
#define ACTIVATE(kind, type, x) (KEPT_IF_NONE(kind, x) RELU6(type, (x) + 3.0f) * (1.0f / 6.0f))
#elif ACTIVATION == UNARY_HARD_SWISH
#define ACTIVATE(kind, type, x) (KEPT_IF_NONE(kind, x)(x) * RELU6(type, (x) + 3.0f) * (1.0f / 6.0f))
#else
#error "common.h does not know this ACTIVATION"
#endif
/* Products that other kernels of such a call finish. */
#define KEPT_IF_NONE(kind, x) (kind) == UNARY_NONE ? (x):
#define RELU(type, x) ((x) < (type)(0.0f) ? (type)(0.0f) : (x))
#define RELU6(type, x) ((x) < (type)(0.0f) ? (type)(0.0f) : (x) > (type)(6.0f) ? (type)(6.0f) : (x))

#endif
