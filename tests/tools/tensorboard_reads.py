#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tensorboard_reads.py GRAFT BUILD: what `graft fit --tensorboard` writes, read by the tensorboard package.

The package goes into a virtual environment in BUILD/tensorboard; where PyPI cannot be reached it ends with 77, a skip.
"""
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/onnx"))
sys.path.insert(0, str(ROOT / "tests/cli"))
PACKAGES = ["tensorboard==2.20.0"]

# Run by the environment's Python: everything that TensorBoard finds, as JSON.
READ = """
import json, sys
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2
def load(folder):
    found = event_accumulator.EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    return found
run, pictures = load(sys.argv[1]), load(sys.argv[1] + "/pictures")
scalars = {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in run.Tags()["scalars"]}
images = {tag: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in pictures.Images(tag)]
          for tag in pictures.Tags()["images"]}
kinds, settings = {}, {}
for tag, content in run.PluginTagToContent("hparams").items():
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    kinds[tag] = data.WhichOneof("data")
    if kinds[tag] == "session_start_info":
        settings = {key: getattr(value, value.WhichOneof("kind")) for key, value in data.session_start_info.hparams.items()}
    if kinds[tag] == "experiment":
        metrics = [metric.name.tag for metric in data.experiment.metric_infos]
    if kinds[tag] == "session_end_info":
        status = data.session_end_info.status
json.dump({"scalars": scalars, "images": images, "kinds": kinds, "settings": settings, "metrics": metrics,
           "status": status}, sys.stdout)
"""


def check(graft, python, folder):
    import command
    os.chdir(folder)
    command.draw_data("d", 6, 3)
    subprocess.run([graft, "fit", "d", "--model", "tiny_convnet", "--input", "16", "--epochs", "3", "--batch", "4", "--device",
                    "cpu", "--threads", "1", "--tensorboard", "1", "--quiet", "--out", "r"], check=True,
                   stdout=subprocess.DEVNULL)
    done = subprocess.run([python, "-c", READ, "r/tensorboard"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with open("r/history.csv", newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            for column in ("train_loss", "val_loss", "val_top1", "learning_rate"):
                step, value = found["scalars"]["epoch/" + column][number]
                assert step == number + 1 and abs(value - float(row[column])) < 1e-5, (column, step, value, row)
    assert [step for step, _ in found["scalars"]["step/loss"]] == list(range(1, 10))
    assert found["kinds"] == {"_hparams_/experiment": "experiment", "_hparams_/session_start_info": "session_start_info",
                              "_hparams_/session_end_info": "session_end_info"}, found["kinds"]
    assert found["settings"]["batch"] == 4 and found["settings"]["network"] == "tiny_convnet", found["settings"]
    assert found["settings"]["nesterov"] is False and json.loads(found["settings"]["stages"])[0]["epochs"] == 3
    assert set(found["metrics"]) <= set(found["scalars"]), found["metrics"]
    assert found["status"] == 1  # STATUS_SUCCESS
    assert {"confusion", "pictures/largest_loss", "pictures/in_doubt"} <= set(found["images"]), found["images"]
    (step, width, height, size), = found["images"]["confusion"]
    assert step == 3 and width > 100 and height > 100 and size == os.path.getsize("r/confusion.png")
    print(f"tensorboard reads {len(found['scalars'])} tags, {len(found['images'])} pictures, {len(found['settings'])} settings")


def main():
    import environment
    graft, build = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    sys.argv[1:] = []
    python = environment.environment(build / "tensorboard", PACKAGES)
    if python is None:
        return 77
    with tempfile.TemporaryDirectory(prefix="graft-tensorboard-") as folder:
        check(graft, str(python), folder)
        os.chdir("/")
    return 0


sys.exit(main())
