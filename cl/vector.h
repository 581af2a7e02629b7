/* SPDX-License-Identifier: MIT */
/*
 * For kernels that go through memory once: `real` and `integer` are vectors of VEC elements.
 * Required -D: VEC = 1, 4, 8 or 16 floats that a work-item takes at once; SPAN = how many such vectors it
 * takes one after the other. Work-group rule: one dimension, any size, where a kernel does not say otherwise.
 */
#ifndef GRAFT_CL_VECTOR_H
#define GRAFT_CL_VECTOR_H

#include "common.h"

#ifndef VEC
#error "vector.h needs -DVEC=1, 4, 8 or 16"
#endif
#ifndef SPAN
#error "vector.h needs -DSPAN=1 or more"
#endif
#if VEC == 1
typedef float real;
typedef int integer;
#define AS_REAL(v) as_float(v)
#define AS_INTEGER(v) as_int(v)
#define CONVERT_REAL(v) convert_float(v)
#define LOAD(p) (*(p))
#define STORE(v, p) (*(p) = (v))
#define GLOBAL_LOAD(p) (*(p))
#define GLOBAL_STORE(value, p) (*(p) = (value))
#else
typedef GRAFT_PASTE(float, VEC) real;
typedef GRAFT_PASTE(int, VEC) integer;
#define AS_REAL(v) GRAFT_PASTE(as_float, VEC)(v)
#define AS_INTEGER(v) GRAFT_PASTE(as_int, VEC)(v)
#define CONVERT_REAL(v) GRAFT_PASTE(convert_float, VEC)(v)
#define LOAD(p) GRAFT_PASTE(vload, VEC)(0, p)
#define STORE(v, p) GRAFT_PASTE(vstore, VEC)(v, 0, p)
/* A vector at any float of global memory: what vload and vstore do, of which PoCL makes pieces of four. */
struct __attribute__((packed)) vector_memory {
    real v;
};
#define GLOBAL_LOAD(p) (((global const struct vector_memory *)(p))->v)
#define GLOBAL_STORE(value, p) (((global struct vector_memory *)(p))->v = (value))
#endif

/* The first n elements, n ≤ VEC; the others are 0. */
real load_some(const global float *p, const int n);
real load_some(const global float *p, const int n)
{
#if VEC > 1
    if (n < VEC) {
        float part[VEC];
        for (int i = 0; i < VEC; i++)
            part[i] = i < n ? p[i] : 0.0f;
        return LOAD(part);
    }
#endif
    return GLOBAL_LOAD(p);
}

void store_some(const real v, global float *p, const int n);
void store_some(const real v, global float *p, const int n)
{
#if VEC > 1
    if (n < VEC) {
        float part[VEC];
        STORE(v, part);
        for (int i = 0; i < n; i++)
            p[i] = part[i];
        return;
    }
#endif
    GLOBAL_STORE(v, p);
}

/* Writes, or adds to what is there. */
void store_result(real v, global float *p, const int n, const int accumulate);
void store_result(real v, global float *p, const int n, const int accumulate)
{
    if (accumulate)
        v += load_some(p, n);
    store_some(v, p, n);
}

/* Sum of all elements, in a fixed order. */
float sum_of(const real v);
float sum_of(const real v)
{
#if VEC == 1
    return v;
#else
    float part[VEC];
    STORE(v, part);
    for (int width = VEC / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
#endif
}

float max_of(const real v);
float max_of(const real v)
{
#if VEC == 1
    return v;
#else
    float part[VEC];
    STORE(v, part);
    for (int i = 1; i < VEC; i++)
        part[0] = part[i] > part[0] || part[i] != part[i] ? part[i] : part[0];
    return part[0];
#endif
}

/* A flat kernel over `count` elements: for (FLAT_LOOP(i, n, count)), n elements from i on. */
#define FLAT_LOOP(i, n, count)                                                                               \
    uint i = (uint)get_global_id(0) * (uint)(VEC * SPAN),                                                    \
         i##_end = min(i + (uint)(VEC * SPAN), (uint)(count)), n = 0;                                        \
    i < i##_end && (n = min(i##_end - i, (uint)VEC)) > 0;                                                    \
    i += VEC

/* A rows kernel over [rows, inner], `blocks` of VEC × span columns: this work-item's rows and columns. */
#define ROWS_OF(row, row_end, rows, blocks, rows_each)                                                       \
    const int row = (int)((uint)get_global_id(0) / (uint)(blocks)) * (rows_each),                            \
              row_end = min(row + (rows_each), (rows))
#define COLUMNS_OF(column, column_end, inner, blocks, span)                                                  \
    const int column = (int)((uint)get_global_id(0) % (uint)(blocks)) * (VEC * (span)),                      \
              column_end = min(column + VEC * (span), (inner))

/* Likewise, but all columns if there is one block of them. */
#define COLUMNS_OR_ALL(column, column_end, inner, blocks, span)                                              \
    const int column = (int)((uint)get_global_id(0) % (uint)(blocks)) * (VEC * (span)),                      \
              column_end = (blocks) == 1 ? (inner) : min(column + VEC * (span), (inner))

#endif
