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

/* The activation of a value or a vector: NaN stays NaN. `type` is float, float4 … */
#define ACTIVATE(kind, type, x)                                                                              \
    ((kind) == UNARY_NONE ? (x) : (kind) == UNARY_RELU ? RELU(type, x) : RELU6(type, x))
#define RELU(type, x) ((x) < (type)(0.0f) ? (type)(0.0f) : (x))
#define RELU6(type, x) ((x) < (type)(0.0f) ? (type)(0.0f) : (x) > (type)(6.0f) ? (type)(6.0f) : (x))

#endif
