# SPDX-License-Identifier: MIT
"""Pictures a second that Pillow and torchvision decode, and decode and vary, on one thread: JSON. python decode.py FOLDER"""
import glob
import io
import json
import os
import sys
import time

import PIL.Image
import torch
import torchvision.io
from torchvision.transforms import v2


def rate(work, files):
    """Of the better of three passes over all files."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        for data in files:
            work(data)
        times.append(time.perf_counter() - begin)
    return len(files) / min(times)


def main():
    torch.set_num_threads(1)
    names = sorted(glob.glob(os.path.join(sys.argv[1], "**", "*.jp*g"), recursive=True))
    raw = [open(name, "rb").read() for name in names]
    tensors = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in raw]
    vary = v2.Compose([v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()])

    def decode(data):
        return torchvision.io.decode_jpeg(data, mode=torchvision.io.ImageReadMode.RGB)

    print(json.dumps({
        "Pillow " + PIL.__version__: [rate(lambda data: PIL.Image.open(io.BytesIO(data)).convert("RGB"), raw)],
        "torchvision " + torchvision.__version__: [rate(decode, tensors), rate(lambda data: vary(decode(data)), tensors)],
    }))


main()
