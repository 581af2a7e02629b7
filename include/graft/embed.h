/* SPDX-License-Identifier: MIT */
/*
 * The pictures of a data set as vectors of features: which are near each other, how well classes are apart,
 * and all of them on a plane.
 *
 * Vectors are brought to length 1, so that near means a large cosine. Whatever is random follows the seed,
 * and results do not depend on the number of threads.
 */
#ifndef GRAFT_EMBED_H
#define GRAFT_EMBED_H

#include "graft/classifier.h"

#ifdef __cplusplus
extern "C" {
#endif

struct graft_embedded {
    enum graft_split split; /* where the picture is in the data set */
    int64_t index;
    int32_t label; /* −1: not known */
};

struct graft_embedding {
    int64_t count, width;
    int64_t left_out;                /* pictures that could not be read */
    float *vectors;                  /* [count, width], of length 1; of zeros where the network gives zeros */
    struct graft_embedded *pictures; /* [count], parts in order */
};

/*
 * Runs the classifier (opened with .output "features", or another layer, and .pool) on all parts of a data
 * set. `skip_damaged`: pictures that cannot be read are left out, with a remark; else they end it. `progress`
 * may be NULL. Statuses of graft_classifier_dataset. Close the embedding in any case.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_embed_dataset(struct graft_classifier *classifier, const struct graft_dataset *dataset,
                    bool skip_damaged, void (*progress)(void *user, int64_t done, int64_t total), void *user,
                    struct graft_embedding *embedding);
GRAFT_API void graft_embedding_close(struct graft_context *context, struct graft_embedding *embedding);

struct graft_neighbour {
    int64_t row;      /* of the embedding; −1: there are no more */
    float similarity; /* the cosine */
};

/*
 * The k nearest rows of each query, the nearest first, of equal ones the first row. queries: [count, width],
 * of any length; NULL: the embedding's own rows, each of which is not its own neighbour. neighbours: [count,
 * k]. The products are computed on the device. GRAFT_ERROR_ARGUMENT (k below 1); GRAFT_ERROR_CANCELLED;
 * statuses of graft_plan_run.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_embedding_nearest(struct graft_device *device, const struct graft_embedding *embedding,
                        const float *queries, int64_t count, int32_t k, struct graft_neighbour *neighbours);

struct graft_near_pair {
    int64_t rows[2]; /* the first is the smaller */
    float similarity;
};

/*
 * Pairs of pictures that are at least so similar and lie in two classes or in two parts: the `most` most
 * similar ones go to pairs [most], the most similar first. *found: how many there are, also beyond `most`.
 * Statuses of graft_embedding_nearest.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status
graft_embedding_near_pairs(struct graft_device *device, const struct graft_embedding *embedding,
                           float similarity, int64_t most, struct graft_near_pair *pairs, int64_t *found);

/*
 * How well classes are apart. NaN where there are fewer than two classes or no pictures with one.
 *
 * silhouette: the mean of (b − a) / max(a, b), a being a picture's mean cosine distance to its own class, b
 * to the nearest other one; 0 for the only picture of a class (Rousseeuw 1987). neighbours: the share of
 * pictures whose k nearest others vote for their class; of equally many votes the nearest decides.
 */
struct graft_embedding_score {
    double silhouette, neighbours;
};
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_embedding_rate(struct graft_device *device,
                                                                  const struct graft_embedding *embedding,
                                                                  int32_t k,
                                                                  struct graft_embedding_score *score);

/*
 * Principal components: centred vectors along the directions of largest variance, by subspace iteration in
 * f64. plane: [count, components]; of each direction the largest coordinate is positive. shares: [components]
 * of the variance; may be NULL. `components`: 1..64; those beyond the rank are 0. GRAFT_ERROR_ARGUMENT,
 * GRAFT_ERROR_CANCELLED, GRAFT_ERROR_MEMORY.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_embedding_pca(struct graft_context *context,
                                                                 const struct graft_embedding *embedding,
                                                                 int32_t components, double *plane,
                                                                 double *shares);

/* All may be 0. */
struct graft_tsne_options {
    double perplexity; /* 0: 30; at most a third of the other pictures, and at least 1 */
    double theta;      /* of the tree: how large a cell may look; 0: 0.5; below 0: all pairs */
    int32_t steps;     /* 0: 1000 */
    uint64_t seed;
    void (*progress)(void *user, int64_t done, int64_t total); /* steps */
    void *user;
};

/*
 * t-SNE (van der Maaten and Hinton 2008) with Barnes-Hut (van der Maaten, JMLR 2014): a plane on which near
 * pictures stay near; distances far apart mean nothing. It begins with the first two principal components.
 * plane: [count, 2]; divergence: Kullback-Leibler, of the plane from the neighbours; may be NULL. Statuses of
 * graft_embedding_nearest.
 */
GRAFT_API GRAFT_MUST_CHECK enum graft_status graft_embedding_tsne(struct graft_device *device,
                                                                  const struct graft_embedding *embedding,
                                                                  const struct graft_tsne_options *options,
                                                                  double *plane, double *divergence);

#ifdef __cplusplus
}
#endif
#endif
