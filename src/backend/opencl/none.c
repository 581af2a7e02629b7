/* SPDX-License-Identifier: MIT */
/* Ops without a row of their own yet. */
#include "backend/opencl/opencl.h"

#define MISSING(name) const struct graft_opencl_row graft_opencl_##name = {.missing = "not written yet"};

#ifndef GRAFT_OPENCL_HAS_conv2d
MISSING(conv2d)
#endif
#ifndef GRAFT_OPENCL_HAS_conv2d_grad_input
MISSING(conv2d_grad_input)
#endif
#ifndef GRAFT_OPENCL_HAS_conv2d_grad_weight
MISSING(conv2d_grad_weight)
#endif
#ifndef GRAFT_OPENCL_HAS_matmul
MISSING(matmul)
#endif
#ifndef GRAFT_OPENCL_HAS_binary
MISSING(binary)
#endif
#ifndef GRAFT_OPENCL_HAS_unary
MISSING(unary)
#endif
#ifndef GRAFT_OPENCL_HAS_unary_grad
MISSING(unary_grad)
#endif
#ifndef GRAFT_OPENCL_HAS_max_pool
MISSING(max_pool)
#endif
#ifndef GRAFT_OPENCL_HAS_max_pool_grad
MISSING(max_pool_grad)
#endif
#ifndef GRAFT_OPENCL_HAS_avg_pool
MISSING(avg_pool)
#endif
#ifndef GRAFT_OPENCL_HAS_avg_pool_grad
MISSING(avg_pool_grad)
#endif
#ifndef GRAFT_OPENCL_HAS_reduce
MISSING(reduce)
#endif
#ifndef GRAFT_OPENCL_HAS_broadcast
MISSING(broadcast)
#endif
#ifndef GRAFT_OPENCL_HAS_batch_norm
MISSING(batch_norm)
#endif
#ifndef GRAFT_OPENCL_HAS_batch_norm_stats
MISSING(batch_norm_stats)
#endif
#ifndef GRAFT_OPENCL_HAS_batch_norm_update
MISSING(batch_norm_update)
#endif
#ifndef GRAFT_OPENCL_HAS_batch_norm_grad_param
MISSING(batch_norm_grad_param)
#endif
#ifndef GRAFT_OPENCL_HAS_batch_norm_grad_input
MISSING(batch_norm_grad_input)
#endif
#ifndef GRAFT_OPENCL_HAS_batch_norm_fold
MISSING(batch_norm_fold)
#endif
#ifndef GRAFT_OPENCL_HAS_softmax
MISSING(softmax)
#endif
#ifndef GRAFT_OPENCL_HAS_softmax_grad
MISSING(softmax_grad)
#endif
#ifndef GRAFT_OPENCL_HAS_cross_entropy
MISSING(cross_entropy)
#endif
#ifndef GRAFT_OPENCL_HAS_cross_entropy_grad
MISSING(cross_entropy_grad)
#endif
#ifndef GRAFT_OPENCL_HAS_dropout
MISSING(dropout)
#endif
#ifndef GRAFT_OPENCL_HAS_concat
MISSING(concat)
#endif
#ifndef GRAFT_OPENCL_HAS_slice
MISSING(slice)
#endif
#ifndef GRAFT_OPENCL_HAS_pad
MISSING(pad)
#endif
#ifndef GRAFT_OPENCL_HAS_reshape
MISSING(reshape)
#endif
#ifndef GRAFT_OPENCL_HAS_fill
MISSING(fill)
#endif
#ifndef GRAFT_OPENCL_HAS_normalize
MISSING(normalize)
#endif
#ifndef GRAFT_OPENCL_HAS_sgd
MISSING(sgd)
#endif
#ifndef GRAFT_OPENCL_HAS_adam
MISSING(adam)
#endif
#ifndef GRAFT_OPENCL_HAS_rmsprop
MISSING(rmsprop)
#endif
