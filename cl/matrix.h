/* SPDX-License-Identifier: MIT */
/*
 * The instruction of a matrix unit: sums [MATRIX_ROWS, MATRIX_COLUMNS] += a [MATRIX_ROWS, MATRIX_TERMS] ·
 * b [MATRIX_TERMS, MATRIX_COLUMNS], by MATRIX_LANES work-items together, which hold MATRIX_A, MATRIX_B and MATRIX_SUMS
 * numbers of the three each: which ones, the macros with `lane` and `i` say. Factors are TF32: f32 of which the unit
 * sees 8 bits of exponent and 10 of mantissa. It multiplies exactly, but rounds its sums towards zero.
 *
 * Required -D: MATRIX. 1: the instruction itself, where the compiler makes code for a unit that is known here; #error
 * elsewhere, by which the host finds out (backend/opencl/gemm_matrix.c). 0: an emulation of the same fragments in plain
 * OpenCL C, by which everything but the instruction is tested on every device.
 *
 * A unit is a block of its own below, with the same macros: AMD's (v_mfma, 64 lanes) and Intel's (sub-groups of 16,
 * cl_intel_subgroup_matrix_multiply_accumulate_tf32) have other sizes, and MATRIX_LANES of gemm_matrix.c goes with it.
 */
#ifndef GRAFT_CL_MATRIX_H
#define GRAFT_CL_MATRIX_H

#ifndef MATRIX
#error "matrix.h needs -DMATRIX=0 or 1"
#endif

/* Fragments stay in registers only where no function is called. */
#define INLINE static inline __attribute__((always_inline))

/* ---- the fragments of mma.m16n8k8 in NVIDIA's PTX, which the emulation has, too ---- */
#define MATRIX_LANES 32
#define MATRIX_ROWS 16
#define MATRIX_COLUMNS 8
#define MATRIX_TERMS 8
#define MATRIX_A 4
#define MATRIX_B 2
#define MATRIX_SUMS 4 /* two neighbours of a row after two of another */
#define MATRIX_A_ROW(lane, i) ((lane) / 4 + (i) % 2 * 8)
#define MATRIX_A_TERM(lane, i) ((lane) % 4 + (i) / 2 * 4)
#define MATRIX_B_TERM(lane, i) ((lane) % 4 + (i) * 4)
/* A lane has two terms, the first one, part 0, and one half of all further on; and rows of a and of sums, the first
 * one and one half of all further on. */
#define MATRIX_LANE_TERM(lane) ((lane) % 4)
#define MATRIX_A_PART(i) ((i) / 2)
#define MATRIX_A_HALF(i) ((i) % 2)
#define MATRIX_B_PART(i) (i)
#define MATRIX_B_COLUMN(lane, i) ((lane) / 4)
#define MATRIX_SUM_ROW(lane, i) ((lane) / 4 + (i) / 2 * 8)
#define MATRIX_SUM_COLUMN(lane, i) ((lane) % 4 * 2 + (i) % 2)

#define MATRIX_TF32 0xffffe000u /* the bits of an f32 that the unit sees */

#if MATRIX == 0
#define MATRIX_UNROLL                             /* every round has a barrier: compilers take minutes to unroll them */
#define MATRIX_EXCHANGE (6 * MATRIX_LANES)        /* floats of local memory for the lanes of a product */
#define MATRIX_EXCHANGES(name, warps) local float name[(warps) * MATRIX_EXCHANGE]
#elif defined(__NV_CL_C_VERSION) || defined(__NVPTX__)
#define MATRIX_UNROLL _Pragma("unroll") /* what is indexed by these loops stays in registers only so */
#define MATRIX_EXCHANGE 0
#define MATRIX_EXCHANGES(name, warps) local float *const name = 0 /* not used */
#else
#error "no matrix unit is known here"
#endif

#if MATRIX == 0
/* a + b, rounded towards zero. */
INLINE float matrix_add(const float a, const float b)
{
    const float sum = a + b, part = sum - a;
    const float error = (a - (sum - part)) + (b - part);
    const bool beyond = (sum > 0.0f && error < 0.0f) || (sum < 0.0f && error > 0.0f);
    return beyond ? as_float(as_uint(sum) - 1u) : sum;
}

/*
 * Lanes hand their numbers to each other through local memory; who has which is written down from the unit's manual
 * once more, so that the macros above can be wrong. The unit rounds towards zero once for all terms of an instruction,
 * and so does this (up to the roundings of the eight products' own sum, which have no preferred direction).
 * All work-items of the work-group come here together.
 */
INLINE void matrix_multiply_add(float sums[MATRIX_SUMS], const uint a[MATRIX_A], const uint b[MATRIX_B],
                                       const int lane, local float *exchange)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < MATRIX_A; ++i)
        exchange[i * MATRIX_LANES + lane] = as_float(a[i] & MATRIX_TF32);
    for (int i = 0; i < MATRIX_B; ++i)
        exchange[(MATRIX_A + i) * MATRIX_LANES + lane] = as_float(b[i] & MATRIX_TF32);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < MATRIX_SUMS; ++i) { /* row lane / 4, 8 further down from 2 on, column 2 × (lane % 4) + i % 2 */
        local const float *const of_a = exchange + i / 2 * MATRIX_LANES + lane / 4 * 4;
        local const float *const of_b = exchange + MATRIX_A * MATRIX_LANES + (2 * (lane % 4) + i % 2) * 4;
        float products = 0.0f;
        for (int k = 0; k < 4; ++k)
            products = fma(of_a[k], of_b[k], products);
        for (int k = 0; k < 4; ++k)
            products = fma(of_a[2 * MATRIX_LANES + k], of_b[MATRIX_LANES + k], products);
        sums[i] = matrix_add(sums[i], products);
    }
}
#define MATRIX_MULTIPLY_ADD(sums, a, b, lane, exchange) matrix_multiply_add(sums, a, b, lane, exchange)
#else
#ifdef __NV_CL_C_VERSION
#define MATRIX_ASM asm
#else
#define MATRIX_ASM __asm__
#endif
#define MATRIX_MULTIPLY_ADD(sums, a, b, lane, exchange)                                                                \
    MATRIX_ASM volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "                                          \
                        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                        \
                        : "+f"((sums)[0]), "+f"((sums)[1]), "+f"((sums)[2]), "+f"((sums)[3])                           \
                        : "r"((a)[0]), "r"((a)[1]), "r"((a)[2]), "r"((a)[3]), "r"((b)[0]), "r"((b)[1]))
#endif

#endif
