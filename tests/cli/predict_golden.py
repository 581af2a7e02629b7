# SPDX-License-Identifier: MIT
"""graft predict on 100 photographs against golden/NETWORK.json (in f64, with the public weights).

`python3 predict_golden.py GRAFT DEVICE NETWORK [COUNT]`: every picture (or COUNT of them, spread over all) must have
the same top five in the same order, probabilities within 1e-4; over all pictures as many must be right in top 1 and
top 5 as the file says. Ends with 77 where the data or the device is absent.
"""

import json
import os
import sys

from command import DATA, SKIP, has_device, run

TOLERANCE = 1e-4
# The network's weights and its golden figures: safetensors, and PyTorch's old container with another package's names.
FILES = {
    "squeezenet1_0": ("squeezenet1_0-imagenet.safetensors", "squeezenet1_0.json"),
    "tf_efficientnet_lite0": ("efficientnet_lite0.pth", "efficientnet_lite0.json"),
}
# Preprocessing of these weights that is not what the network has by its name: they were trained with crops of 227,
# torchvision's of the same name with 224.
OPTIONS = {"squeezenet1_0": ["--input", "227", "--resize", "256"]}


def compare(expected, found):
    """What differs between a golden entry and a line of `graft predict`; empty if nothing."""
    faults = []
    for place, ((index, probability), top) in enumerate(zip(expected["top5"], found["top"], strict=True)):
        if top["index"] != index:
            faults.append("place %d: class %d instead of %d" % (place + 1, top["index"], index))
        if not abs(top["probability"] - probability) <= TOLERANCE:
            faults.append(
                "place %d: probability %.7f instead of %.7f" % (place + 1, top["probability"], probability)
            )
    largest = max(abs(value) for value in expected["logits_first8"])
    for i, value in enumerate(expected["logits_first8"]):
        if not abs(found["logits"][i] - value) <= 1e-4 * largest + 1e-4:
            faults.append("logit %d: %.6f instead of %.6f" % (i, found["logits"][i], value))
    return faults


def main():
    device, network = sys.argv[2:4]
    folder = os.path.join(DATA, "data", "imagenet-samples")
    weights = os.path.join(DATA, "data", FILES[network][0])
    golden = os.path.join(DATA, "golden", FILES[network][1])
    for path in (folder, weights, golden):
        if not os.path.exists(path):
            print("skipped: %s is not there" % path)
            return SKIP
    if not has_device(device):
        print("skipped: there is no device %s" % device)
        return SKIP
    with open(golden) as file:
        expected = json.load(file)
    entries = expected["images"]
    if len(sys.argv) > 4:
        count = int(sys.argv[4])
        entries = [entries[i * len(entries) // count] for i in range(count)]
    paths = [os.path.join(folder, entry["image"]) for entry in entries]
    done = run(
        "predict",
        network,
        "--weights",
        weights,
        *paths,
        *OPTIONS.get(network, []),
        "--json",
        "--logits",
        "--device",
        device,
        timeout=3000
    )
    if done.returncode != 0:
        print(done.stderr)
        return 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    failed = int(len(lines) != len(entries))
    top1 = top5 = 0
    worst = 0.0
    for entry, path, line in zip(entries, paths, lines, strict=True):
        faults = compare(entry, line)
        if line["file"] != path:
            faults.append("the line is about %s" % line["file"])
        for fault in faults:
            print("%s: %s" % (entry["image"], fault))
        failed += bool(faults)
        places = [top["index"] for top in line["top"]]
        top1 += places[0] == entry["class"]
        top5 += entry["class"] in places
        worst = max(
            [worst]
            + [
                abs(top["probability"] - probability)
                for (_, probability), top in zip(entry["top5"], line["top"])
            ]
        )
    print(
        "%s, %s: %d pictures, %d differ, largest difference of a probability %.2e, %d right in top 1, %d in top 5"
        % (device, network, len(lines), failed, worst, top1, top5)
    )
    if len(entries) == len(expected["images"]):
        failed += (top1, top5) != (expected["top1"], expected["top5"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
