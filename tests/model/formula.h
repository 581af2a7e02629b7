/* SPDX-License-Identifier: MIT */
/*
 * Formula weights: numbers that stand in for a network's weights and input, the same on every machine. The
 * recipe is in the README of the test data; the files in its folder zoo/ were computed with them in f64.
 */
#ifndef GRAFT_TESTS_FORMULA_H
#define GRAFT_TESTS_FORMULA_H

#include "graft/model.h"

/* Fills `data`, laid out as in PyTorch (shape source_shape), for a tensor of that network. */
void test_formula_tensor(const char *network, const char *tensor, const struct graft_shape *shape,
                         float *data);

/* The same for a weight of a Keras network, by its path there ("conv1/kernel") and in its layout. */
void test_formula_keras(const char *path, const struct graft_shape *shape, float *data);

/* The same for a weight of an ONNX file. */
void test_formula_onnx(const char *name, const struct graft_shape *shape, float *data);

/* The input of batch 2, [2, size, size, 3]: in our layout. */
void test_formula_input(int size, float *data);
/* As many pictures of any size, [count, height, width, 3]. */
void test_formula_pictures(int count, int height, int width, float *data);

#endif
