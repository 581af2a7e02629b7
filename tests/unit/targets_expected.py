#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""targets_expected.py > tests/unit/targets_expected.h: figures of labels and of numbers as scikit-learn computes them. It
takes scikit-learn (`pip install scikit-learn==1.9.1`)."""
import numpy as np
import sklearn
from sklearn import metrics

IMAGES, LABELS = 30, 4
random = np.random.default_rng(5)
truth = (random.random((IMAGES, LABELS)) < (0.5, 0.2, 0.8, 0.0)).astype(int)  # of the last there is none
logits = np.round(random.normal(size=(IMAGES, LABELS)) + 1.2 * truth, 1).astype(np.float32)  # many are the same
logits[:, 2] = 0.25  # all of them
logits[3:6, 0] = 0  # just at the threshold
numbers = random.normal(40, 12, IMAGES).astype(np.float32)
outputs = ((numbers - 38) / 10 + random.normal(0, 0.3, IMAGES)).astype(np.float32)
THRESHOLDS = [0.5, 0.75, 0.5, 0.5]
MEAN, DEVIATION = 38.0, 10.0


def row(values):
    return "{%s}" % ", ".join("%.9gf" % v if "." in "%.9g" % v or "e" in "%.9g" % v else "%.9g" % v for v in values)


def main():
    chances = 1 / (1 + np.exp(-logits.astype(np.float64)))
    told = chances >= THRESHOLDS
    average = [metrics.average_precision_score(truth[:, c], chances[:, c]) for c in range(3)]
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, told, zero_division=0)
    best = []
    for c in range(3):
        p, r, _ = metrics.precision_recall_curve(truth[:, c], chances[:, c])
        best.append(np.max(2 * p * r / np.maximum(p + r, 1e-300)))
    predicted = MEAN + DEVIATION * outputs.astype(np.float64)
    print("/* SPDX-License-Identifier: MIT */\n/* Made by tests/unit/targets_expected.py: scikit-learn %s. */" % sklearn.__version__)
    print("#define IMAGES %d\n#define LABELS %d" % (IMAGES, LABELS))
    for name, values in (("truth", truth), ("logits", logits)):
        print("static const float %s[IMAGES][LABELS] = {%s};" % (name, ",\n    ".join(row(v) for v in values)))
    print("static const float thresholds[LABELS] = %s;" % row(THRESHOLDS))
    for name, values in (("average_precision", average), ("precision", precision), ("recall", recall), ("f1", f1), ("best_f1", best)):
        print("static const double %s[] = {%s};" % (name, ", ".join("%.17g" % v for v in values)))
    print("static const double label_loss = %.17g;" % np.mean(np.logaddexp(0, logits.astype(np.float64)) - truth * logits))
    for name, values in (("numbers", numbers), ("outputs", outputs)):
        print("static const float %s[IMAGES] = %s;" % (name, row(values)))
    print("static const double mean = %g, deviation = %g, mae = %.17g, rmse = %.17g, r2 = %.17g;" % (
        MEAN, DEVIATION, metrics.mean_absolute_error(numbers, predicted), metrics.mean_squared_error(numbers, predicted) ** 0.5,
        metrics.r2_score(numbers, predicted)))


main()
