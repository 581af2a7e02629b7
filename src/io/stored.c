/* SPDX-License-Identifier: MIT */
/* Conversion of stored numbers to those we compute with. */
#include "io/stored.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "files are little-endian and are copied as they are");

static const struct {
    const char *name;
    size_t size;
    enum graft_dtype target;
} kinds[] = {
    [GRAFT_STORED_NONE] = {"none", 0, GRAFT_DTYPE_NONE}, [GRAFT_STORED_F64] = {"F64", 8, GRAFT_DTYPE_F32},
    [GRAFT_STORED_F32] = {"F32", 4, GRAFT_DTYPE_F32},    [GRAFT_STORED_F16] = {"F16", 2, GRAFT_DTYPE_F32},
    [GRAFT_STORED_BF16] = {"BF16", 2, GRAFT_DTYPE_F32},  [GRAFT_STORED_I64] = {"I64", 8, GRAFT_DTYPE_I32},
    [GRAFT_STORED_I32] = {"I32", 4, GRAFT_DTYPE_I32},    [GRAFT_STORED_I16] = {"I16", 2, GRAFT_DTYPE_I32},
    [GRAFT_STORED_I8] = {"I8", 1, GRAFT_DTYPE_I32},      [GRAFT_STORED_U64] = {"U64", 8, GRAFT_DTYPE_I32},
    [GRAFT_STORED_U32] = {"U32", 4, GRAFT_DTYPE_I32},    [GRAFT_STORED_U16] = {"U16", 2, GRAFT_DTYPE_I32},
    [GRAFT_STORED_U8] = {"U8", 1, GRAFT_DTYPE_U8},       [GRAFT_STORED_BOOL] = {"BOOL", 1, GRAFT_DTYPE_U8},
};

enum graft_stored graft_stored_of(const char *name)
{
    for (size_t i = 1; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return (enum graft_stored)i;
        }
    }
    return GRAFT_STORED_NONE;
}

const char *graft_stored_name(enum graft_stored stored)
{
    return kinds[stored].name;
}

enum graft_stored graft_stored_for(enum graft_dtype dtype)
{
    switch (dtype) {
    case GRAFT_DTYPE_NONE:
        return GRAFT_STORED_NONE;
    case GRAFT_DTYPE_F32:
        return GRAFT_STORED_F32;
    case GRAFT_DTYPE_F64:
        return GRAFT_STORED_F64;
    case GRAFT_DTYPE_I32:
        return GRAFT_STORED_I32;
    case GRAFT_DTYPE_U8:
        return GRAFT_STORED_U8;
    }
    return GRAFT_STORED_NONE;
}

size_t graft_stored_size(enum graft_stored stored)
{
    return kinds[stored].size;
}

enum graft_dtype graft_stored_target(enum graft_stored stored)
{
    return kinds[stored].target;
}

float graft_float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 0x1fu;
    const uint32_t mantissa = half & 0x3ffu;
    float result = 0;
    if (exponent == 0) { /* zero and subnormal: mantissa × 2^−24 */
        result = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -result : result;
    }
    /* The bias goes from 15 to 127; all ones (infinity, NaN) stay all ones. */
    const uint32_t wide = exponent == 0x1fu ? 0xffu : exponent + 112;
    const uint32_t bits = sign | wide << 23 | mantissa << 13;
    memcpy(&result, &bits, sizeof result);
    return result;
}

uint16_t graft_half_of_float(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return sign | 0x7e00u; /* NaN */
    }
    if (magnitude >= 0x477ff000u) {
        return sign | 0x7c00u;
    }
    const int exponent = (int)(magnitude >> 23) - 127;
    if (exponent < -25) {
        return sign;
    }
    /* The significand with its leading one, and how many of its bits fall away: more below 2^−14. */
    const uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
    const int shift = exponent < -14 ? -1 - exponent : 13;
    const uint32_t kept = significand >> shift, rest = significand & ((1u << shift) - 1),
                   tie = 1u << (shift - 1);
    const uint32_t rounded = kept + (rest > tie || (rest == tie && (kept & 1) != 0));
    /* A carry out of the significand goes into the exponent, as it should. */
    const uint32_t biased = exponent < -14 ? 0 : (uint32_t)(exponent + 14) << 10;
    return (uint16_t)(sign | (biased + rounded));
}

static uint64_t convert_floats(enum graft_stored stored, uint64_t count, const uint8_t *from, float *to)
{
    const size_t size = graft_stored_size(stored);
    for (uint64_t i = 0; i < count; i++, from += size) {
        if (stored == GRAFT_STORED_F64) {
            double value = 0;
            memcpy(&value, from, sizeof value);
            to[i] = (float)value;
            if (isfinite(value) && !isfinite(to[i])) {
                return i;
            }
            continue;
        }
        uint16_t half = 0;
        memcpy(&half, from, sizeof half);
        if (stored == GRAFT_STORED_F16) {
            to[i] = graft_float_of_half(half);
        } else {
            const uint32_t bits = (uint32_t)half << 16;
            memcpy(&to[i], &bits, sizeof bits);
        }
    }
    return count;
}

/* Sign-extended where the type has a sign; a larger u64 becomes the largest number, which fits nowhere
 * either. */
static int64_t read_integer(enum graft_stored stored, const uint8_t *from)
{
    uint64_t bits = 0;
    const size_t size = graft_stored_size(stored);
    memcpy(&bits, from, size);
    switch (stored) {
    case GRAFT_STORED_I8:
        return (int8_t)bits;
    case GRAFT_STORED_I16:
        return (int16_t)bits;
    case GRAFT_STORED_I32:
        return (int32_t)bits;
    case GRAFT_STORED_I64:
        return (int64_t)bits;
    default:
        return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
    }
}

uint64_t graft_stored_convert(enum graft_stored stored, uint64_t count, const uint8_t *from, void *to)
{
    switch (stored) {
    case GRAFT_STORED_NONE:
        return 0;
    case GRAFT_STORED_F32:
    case GRAFT_STORED_I32:
    case GRAFT_STORED_U8:
        if (count > 0) {
            memcpy(to, from, (size_t)(count * graft_stored_size(stored)));
        }
        return count;
    case GRAFT_STORED_BOOL:
        for (uint64_t i = 0; i < count; i++) {
            ((uint8_t *)to)[i] = from[i] != 0;
        }
        return count;
    case GRAFT_STORED_F64:
    case GRAFT_STORED_F16:
    case GRAFT_STORED_BF16:
        return convert_floats(stored, count, from, to);
    default:
        break;
    }
    const size_t size = graft_stored_size(stored);
    for (uint64_t i = 0; i < count; i++) {
        const int64_t value = read_integer(stored, from + i * size);
        if (value < INT32_MIN || value > INT32_MAX) {
            return i;
        }
        ((int32_t *)to)[i] = (int32_t)value;
    }
    return count;
}
