# SPDX-License-Identifier: MIT
"""An epoch of MNIST: `graft fit` beside the same loop in PyTorch.

Both train the network mnist_convnet with Adam on batches of 64, in an order that is drawn anew, from the IDX files' bytes
in memory, and sum up loss and right answers as they go. Counted are the steps of one epoch over all 60,000 pictures, from
the first batch to the last update: neither start nor validation.

As a program: LAYOUT THREADS FOLDER, a worker that runs PyTorch; "epoch" on standard input is answered by one line of JSON.
"""
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

BATCH = 64
LAYOUTS = ("nchw", "nhwc")


def read_idx(folder, name):
    """The bytes of an IDX file behind its header, and its dimensions."""
    path = pathlib.Path(folder) / name
    opened = gzip.open(str(path) + ".gz") if not path.exists() else open(path, "rb")
    with opened as file:
        data = file.read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(rank)]
    return bytearray(data[4 + 4 * rank:]), shape


def torch_worker(layout, threads, folder):
    """The loop as a user of PyTorch writes it for speed: batches are picked and scaled as tensors."""
    import torch
    from torch import nn

    torch.manual_seed(1)
    torch.set_num_threads(threads)
    memory_format = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    data, shape = read_idx(folder, "train-images-idx3-ubyte")
    pictures = torch.frombuffer(data, dtype=torch.uint8).view(shape[0], 1, shape[1], shape[2])
    labels = torch.frombuffer(read_idx(folder, "train-labels-idx1-ubyte")[0], dtype=torch.uint8).long()
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    ).to(memory_format=memory_format)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def epoch(count):
        order = torch.randperm(shape[0])[:count]
        loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.long)
        begin = time.perf_counter()
        for first in range(0, count, BATCH):
            rows = order[first:first + BATCH]
            batch = pictures[rows].float().sub_(0.1307 * 255).mul_(1 / (0.3081 * 255))
            batch = batch.contiguous(memory_format=memory_format)
            wanted = labels[rows]
            optimizer.zero_grad(set_to_none=True)
            logits = network(batch)
            loss = nn.functional.cross_entropy(logits, wanted)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(rows)
            right += (logits.detach().argmax(1) == wanted).sum()
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "loss": loss_sum.item() / count, "top1": right.item() / count}

    epoch(20 * BATCH)
    print(json.dumps({"ready": "PyTorch " + torch.__version__.split("+")[0]}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(epoch(shape[0])), flush=True)


class Torch:
    """Stays through all turns: a start of PyTorch takes seconds."""
    peer = True

    def __init__(self, options, layout):
        command = [options.python, __file__, layout, str(options.threads), str(options.data / "mnist")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = f"{self.read()['ready']} {layout.upper()}"
        self.times = []

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("PyTorch's worker ended without a word")
        return json.loads(line)

    def turn(self):
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        self.times.append(self.read()["seconds"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Graft:
    peer = False

    def __init__(self, options, device):
        self.name = f"Graft {device}"
        self.command = [options.graft, "fit", str(options.data / "mnist"), "--model", "mnist_convnet", "--epochs", "1",
                        "--batch", str(BATCH), "--device", device, "--threads", str(options.threads), "--json",
                        "--quiet"]
        self.times = []

    def turn(self):
        folder = tempfile.mkdtemp()
        try:
            done = subprocess.run([*self.command, "--out", os.path.join(folder, "run")], check=True,
                                  stdout=subprocess.PIPE, text=True)
        finally:
            shutil.rmtree(folder)
        self.times.append(60000 / json.loads(done.stdout)["images_per_second"])

    def close(self):
        pass


def engines(options):
    """Graft on its devices, and PyTorch in both memory formats where there is one."""
    found = [Graft(options, device) for device in options.devices]
    if os.access(options.python, os.X_OK):
        return found + [Torch(options, layout) for layout in LAYOUTS]
    print(f"bench-jobs: no PyTorch: there is no {options.python} (tools/bench-peers makes it)", file=sys.stderr)
    return found


if __name__ == "__main__":
    torch_worker(sys.argv[1], int(sys.argv[2]), sys.argv[3])
