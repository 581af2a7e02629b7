#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""loss_expected.py > tests/model/loss_expected.h: losses of targets and their gradients as PyTorch computes them in f64.
It takes torch (`pip install torch==2.15.0`)."""
import torch

ROWS, OUTPUTS = 4, 3
torch.set_default_dtype(torch.float64)
LOGITS = [[0.3125, -1.25, 2.0], [0.0, 0.0, 0.0], [40.0, -55.0, 3.0], [-0.75, 0.625, -90.0]]  # zeros, and what has saturated
SHARES = [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.5], [0.1, 0.6, 0.3]]
LABELS = [[1.0, 0.0, 1.0], [1.0, 0.0, 0.5], [1.0, 1.0, 0.0], [0.0, 0.3, 0.0]]
NUMBERS = [[0.1, -1.1, 2.0], [3.0, -0.25, 1.0], [41.0, -54.0, 2.5], [0.4, 0.6, -0.5]]
WEIGHTS = [0.5, 2.0, 1.25]
F = torch.nn.functional
TENTH, FIFTH = (torch.tensor(x, dtype=torch.float32).item() for x in (0.1, 0.2))  # as the options have them
CASES = [
    ("GRAFT_LOSS_SOFT", SHARES, 0.0, False, lambda x, t: F.cross_entropy(x, t)),
    ("GRAFT_LOSS_SOFT", SHARES, 0.1, False, lambda x, t: F.cross_entropy(x, t, label_smoothing=TENTH)),
    ("GRAFT_LOSS_SOFT", SHARES, 0.1, True, lambda x, t: F.cross_entropy(x, t, torch.tensor(WEIGHTS), label_smoothing=TENTH)),
    ("GRAFT_LOSS_SIGMOID", LABELS, 0.0, False, F.binary_cross_entropy_with_logits),
    ("GRAFT_LOSS_SIGMOID", LABELS, 0.2, False, lambda x, t: F.binary_cross_entropy_with_logits(x, (1 - FIFTH) * t + FIFTH / 2)),
    ("GRAFT_LOSS_L2", NUMBERS, 0.0, False, F.mse_loss),
    ("GRAFT_LOSS_L1", NUMBERS, 0.0, False, F.l1_loss),
    ("GRAFT_LOSS_HUBER", NUMBERS, 0.0, False, F.huber_loss),
]


def rows(values, letter=""):
    return "{%s}" % ", ".join("{%s}" % ", ".join("%r%s" % (v, letter) for v in row) for row in values)


def main():
    print("/* SPDX-License-Identifier: MIT */\n/* Made by tests/model/loss_expected.py: torch %s. */" % torch.__version__.split("+")[0])
    print("static const double logits[%d][%d] = %s;" % (ROWS, OUTPUTS, rows(LOGITS)))
    print("static const float weights[%d] = {%s};" % (OUTPUTS, ", ".join("%rf" % w for w in WEIGHTS)))
    print("static const struct { enum graft_loss loss; float smoothing; bool weighted; float targets[%d][%d]; double value, "
          "gradient[%d][%d]; } losses[] = {" % (ROWS, OUTPUTS, ROWS, OUTPUTS))
    for name, targets, smoothing, weighted, function in CASES:
        x = torch.tensor(LOGITS, requires_grad=True)
        loss = function(x, torch.tensor(targets, dtype=torch.float32).to(torch.float64))
        loss.backward()
        print("    {%s, %rf, %s, %s, %.17g,\n     %s}," % (name, smoothing, str(weighted).lower(), rows(targets, "f"), loss.item(),
                                                     rows(x.grad.tolist())))
    print("};")


main()
