# SPDX-License-Identifier: MIT
"""The numbers of test_formula_tensor (tests/support), for the scripts that make goldens: of a name, between -1 and 1."""
import numpy

PRIME, START, MASK = 1099511628211, 14695981039346656037, 2**64 - 1


def fnv(text):
    h = START
    for byte in text.encode():
        h = (h ^ byte) * PRIME & MASK
    return h


def uniform(name, count):
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(fnv(name)) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z ^= z >> numpy.uint64(30)
        z *= numpy.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> numpy.uint64(27)
        z *= numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return (z >> numpy.uint64(40)).astype("f8") / 2**23 - 1
