/* SPDX-License-Identifier: MIT */
/*
 * Freivalds' check (R. Freivalds, "Probabilistic machines can use less running time", 1977) of matrix
 * products and convolutions of integers: is y the product a·b? With random vectors, s·(y·r) is held against
 * (s·a)·(b·r), which takes about as many operations as y, a and b have elements. A convolution is a product
 * along its channels, for each place of the output.
 *
 * Everything is computed modulo 2^64 with odd random numbers. One wrong element at a place is always found
 * (odd numbers are units), whatever its size; several are missed with a probability below 2^-38: for
 * differences d of less than 2^24 in size, each factor of d·r solves a linear equation for at most 2^24 of
 * 2^63 odd numbers, and there are two such factors.
 */
#ifndef GRAFT_TESTS_OP_FREIVALDS_H
#define GRAFT_TESTS_OP_FREIVALDS_H

#include "product.h"

struct graft_pool;

/* Calls run for parts of 0..count, of `each` and less, in the threads of the pool (NULL: in this one). */
void graft_spread(struct graft_pool *pool, int64_t count, int64_t each,
                  void (*run)(void *user, int64_t first, int64_t end), void *user);

struct graft_freivalds {
    const struct graft_product *product;
    struct graft_product_form form;
    struct graft_pool *pool;
    uint64_t *image;   /* [images]: s */
    uint64_t *channel; /* [channels]: r */
    uint64_t *wanted;  /* [places] */
};

/* `pool` may be NULL. Memory is the heap's. */
void graft_freivalds_open(struct graft_heap *heap, struct graft_pool *pool,
                          const struct graft_product *product, uint64_t seed, struct graft_freivalds *check);

struct graft_freivalds_verdict {
    bool good;
    int64_t index; /* of an element that is wrong, -1: the place is known only */
    int64_t place; /* the first one that is wrong */
    int64_t bad;   /* places that are wrong, or elements that are no integers */
    double got, wanted;
};

/*
 * `rounded`: the algorithm computes with fractions (Winograd's). Results are rounded to integers first, and
 * none may be further than 1/4 from one: with what Freivalds' check says of the integers, each is within 1/4
 * of the truth.
 */
bool graft_freivalds_compare(const struct graft_freivalds *check, struct graft_heap *heap, const float *got,
                             bool rounded, struct graft_freivalds_verdict *verdict);

#endif
