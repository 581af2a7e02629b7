#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mix.py > tests/unit/mix_expected.h: what torchvision's v2.MixUp and v2.CutMix make of a batch for a share and a place
that are given instead of drawn. It takes torchvision (`pip install torch==2.15.0 torchvision==0.29.2`)."""
import sys
from unittest import mock

import torch
from torchvision.transforms import v2

CLASSES, BATCH, HEIGHT, WIDTH = 3, 4, 6, 9
CASES = [("mixup", 0.3, 0, 0), ("mixup", 0.97, 0, 0), ("mixup", 0.5, 0, 0), ("cutmix", 0.3, 4, 3), ("cutmix", 0.75, 0, 5),
         ("cutmix", 0.999, 8, 0), ("cutmix", 0.0001, 2, 2), ("cutmix", 0.6, 7, 1)]


def drawn():
    """The pixels of the test's function of that name."""
    number, values = 12345, []
    for _ in range(BATCH * HEIGHT * WIDTH * 3):
        number = (number * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(number >> 24)
    return torch.tensor(values, dtype=torch.float32).reshape(BATCH, HEIGHT, WIDTH, 3)


def mixed(kind, share, x, y):
    transform = (v2.MixUp if kind == "mixup" else v2.CutMix)(num_classes=CLASSES, alpha=1.0)
    transform._dist = mock.Mock(sample=lambda shape: torch.tensor(share, dtype=torch.float64))
    with mock.patch("torch.randint", side_effect=[torch.tensor([x]), torch.tensor([y])]):
        return transform(drawn().permute(0, 3, 1, 2), torch.tensor([0, 1, 2, 1]))


def main():
    print("/* SPDX-License-Identifier: MIT */\n/* Made by tests/pictures/mix.py: torch %s. */" % torch.__version__.split("+")[0])
    print("static const struct { const char *kind; double share; int32_t x, y; float targets[%d][%d]; int32_t sums[%d]; "
          "uint8_t first[%d]; } mixed[] = {" % (BATCH, CLASSES, BATCH, WIDTH * 3))
    for case in CASES:
        pictures, targets = mixed(*case)
        levels = torch.floor(pictures.permute(0, 2, 3, 1) + 0.5).to(torch.int64)
        print('    {"%s", %r, %d, %d,\n     {%s},\n     {%s},\n     {%s}},' % (
            *case, ", ".join("{%s}" % ", ".join("%.9gf" % v if "." in "%.9g" % v or "e" in "%.9g" % v else "%.0f" % v for v in row) for row in targets.tolist()),
            ", ".join(str(int(row.sum())) for row in levels), ", ".join(map(str, levels[0, 2].flatten().tolist()))))
    print("};")
    return 0


sys.exit(main())
