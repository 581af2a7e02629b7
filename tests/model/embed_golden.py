#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed_golden.py: the figures that embed_test.c expects, by scikit-learn, for vectors that both make alike.

Run by hand, in a virtual environment that has scikit-learn; no test runs it.
"""
import numpy
import sklearn
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

COUNT, WIDTH, CLASSES = 60, 12, 3

i, k = numpy.mgrid[:COUNT, :WIDTH]
vectors = (i * 7919 + k * 104729 + i * i * 31 + i * k * 17) % 1009 / 1009 + 0.35 * (k % CLASSES == i % CLASSES)
vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
vectors = vectors.astype("f4").astype("f8")
labels = numpy.arange(COUNT) % CLASSES

print("scikit-learn", sklearn.__version__)
print("silhouette", silhouette_score(vectors, labels, metric="cosine"))
rows = NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors).kneighbors(vectors)[1][:, 1:]
votes = (labels[rows][:, :, None] == numpy.arange(CLASSES)).sum(1)
winners = votes == votes.max(1, keepdims=True)
first = [next(labels[r] for r in rows[n] if winners[n, labels[r]]) for n in range(COUNT)]  # the nearest decides
print("neighbours", (numpy.array(first) == labels).mean())
distances, rows = NearestNeighbors(n_neighbors=4, metric="cosine").fit(vectors).kneighbors(vectors[:2])
print("nearest of 0 and 1", rows[:, 1:].tolist(), (1 - distances[:, 1:]).tolist())
pca = PCA(3, svd_solver="full").fit(vectors)
signs = numpy.sign(pca.components_[numpy.arange(3), numpy.abs(pca.components_).argmax(1)])
print("shares", pca.explained_variance_ratio_.tolist())
print("rows 0 and 59", (pca.transform(vectors)[[0, 59]] * signs).tolist())
cosines = vectors @ vectors.T
different = (labels[:, None] != labels[None, :]) & (numpy.arange(COUNT)[:, None] < numpy.arange(COUNT)[None, :])
print("pairs of two classes above 0.95", int((different & (cosines >= 0.95)).sum()), (cosines * different).max(),
      numpy.unravel_index((cosines * different).argmax(), cosines.shape))
tsne = TSNE(perplexity=10, init="pca", method="exact", random_state=1).fit(vectors)
nearest = NearestNeighbors(n_neighbors=2).fit(tsne.embedding_).kneighbors(tsne.embedding_)[1][:, 1]
print("divergence", tsne.kl_divergence_, "nearest on the plane of the own class", (labels[nearest] == labels).mean())
