# SPDX-License-Identifier: MIT
"""graft fit as several processes that train together: the losses of one, the same bits each time, one message for what is
wrong, and a run that goes on whatever ended it. They reach each other through sockets here; MPI, where it is installed,
must give the same bits."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from command import GRAFT, Case, draw_class, draw_data, main
from rates import tensors

FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "7", "--device", "cpu", "--threads", "1"]
MODULE = os.environ.get("GRAFT_TEST_RANKS_MODULE", "")
MPIRUN = shutil.which("mpirun")


class Ranks(Case):
    def setUp(self):
        super().setUp()
        if not os.path.exists(MODULE):
            self.skipTest("no module to reach others with: GRAFT_TEST_RANKS_MODULE")
        draw_data(self.path("d"), 9, 3)  # 18 pictures: the last batch has 4, fewer than five ranks
        self.good("fit", "d", *FIT, "--epochs", "1", "--out", "w")

    def begin(self, *arguments, ranks=2, own={}, environment={}):
        """Processes by rank, not waited for. own: what a rank is given instead."""
        folder = tempfile.mkdtemp(dir=self.folder)
        made = []
        for rank in range(ranks):
            made.append(subprocess.Popen(
                [GRAFT, *own.get(rank, arguments)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
                env=dict(os.environ, GRAFT_RANKS=str(ranks), GRAFT_RANK=str(rank), GRAFT_RANKS_FOLDER=folder,
                         GRAFT_RANKS_MODULE=MODULE, **environment)))
            self.addCleanup(made[-1].kill)
        return made

    def end(self, processes, *codes):
        """What the first one printed, as (stdout, stderr); the others must have said nothing."""
        said = [process.communicate(timeout=60) for process in processes]
        self.assertEqual([process.returncode for process in processes], list(codes), said)
        for out, error in said[1:]:
            self.assertEqual(out + error, "")
        return said[0]

    def together(self, *arguments, ranks=2, own={}):
        return self.end(self.begin(*arguments, ranks=ranks, own=own), *[0] * ranks)

    def history(self, run):
        with open(self.path(run, "history.csv"), newline="") as file:
            return list(csv.DictReader(file))

    def assert_same_course(self, one, other):
        a, b = self.history(one), self.history(other)
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b):
            for name in "train_loss", "val_loss":
                self.assertLess(abs(float(x[name]) - float(y[name])), 1e-5 * float(x[name]), (one, other, name))
            for name in "train_top1", "val_top1", "learning_rate":
                self.assertEqual(x[name], y[name], (one, other, name))

    def assert_same_bits(self, one, other):
        for name in "last.safetensors", "model.safetensors":
            self.assert_same_tensors(tensors(self.path(one, name)), tensors(self.path(other, name)))

    LEARN = ["fit", "d", *FIT, "--weights", "w", "--bn", "frozen", "--stages", "head:2,all:2", "--lr", "0.02", "--optimizer", "sgd",
             "--clip-norm", "0.5", "--dropout", "0.3", "--ema", "0.5", "--class-weights", "1,2.5"]

    def test_the_losses_of_one(self):
        """Cached features, all layers; dropout, augmentation, weights of classes: as if one had the whole batch."""
        for name, more in ("plain", []), ("varied", ["--augment", "light", "--sampling", "balanced", "--micro-batch", "2"]):
            self.good(*self.LEARN, *more, "--out", name + "1")
            for ranks in 2, 3, 5:
                out = "%s%d" % (name, ranks)
                stdout, stderr = self.together(*self.LEARN, *more, "--out", out, ranks=ranks)
                self.assertEqual(stdout.count("best epoch"), 1)
                self.assertEqual(stderr.count("stage 1 of 2"), 1)
                self.assert_same_course(name + "1", out)
            self.together(*self.LEARN, *more, "--out", name + "again", ranks=3)
            self.assert_same_bits(name + "3", name + "again")
        # Against pictures made to deceive it; more than one piece of gradients (4 MiB).
        for name, more in (("deceived", ["--adversarial", "0.0157", "--stages", "all:2"]),
                           ("large", ["--model", "squeezenet1_0", "--weights", "none", "--bn", "train", "--stages", "all:2", "--lr", "1e-3"])):
            self.good(*self.LEARN, *more, "--out", name + "1")
            self.together(*self.LEARN, *more, "--out", name + "2")
            self.assert_same_course(name + "1", name + "2")
        with open(self.path("plain1", "evaluation.json")) as one, open(self.path("plain3", "evaluation.json")) as three:
            one, three = json.load(one), json.load(three)
        self.assertEqual(one["confusion"], three["confusion"])

    def test_statistics_that_learn(self):
        """Each rank's are of its own rows; the running ones are the mean of all: the state is the same on all ranks, and goes on
        to the same bits."""
        learn = ["fit", "d", *FIT, "--bn", "train", "--epochs", "4"]
        self.together(*learn, "--out", "whole")
        self.together(*learn, "--out", "cut", "--patience", "1", "--min-change", "1e6")
        self.assertLess(len(self.history("cut")), 4)
        self.assertEqual(self.history("whole")[0]["val_loss"], self.history("cut")[0]["val_loss"])
        # Nothing learns at such a rate: what the first layer makes of a batch is the same however it is shared, 7 pictures
        # as 4 and 3 or as 2, 2, 1, 1 and 1, the last 4 with nothing for the fifth rank; so is its mean over all rows.
        still = ["fit", "d", *FIT, "--bn", "train", "--epochs", "2", "--optimizer", "sgd", "--lr", "1e-12"]
        self.good(*still, "--out", "m1")
        mean = memoryview(tensors(self.path("m1", "last.safetensors"))["block1.bn.running_mean"]).cast("f")
        for ranks in 2, 5:
            self.together(*still, "--out", "m%d" % ranks, ranks=ranks)
            other = memoryview(tensors(self.path("m%d" % ranks, "last.safetensors"))["block1.bn.running_mean"]).cast("f")
            for a, b in zip(mean, other):
                self.assertLess(abs(a - b), 1e-5 * max(map(abs, mean)), ranks)

    def test_statistics_of_the_whole_batch(self):
        """--bn-sync: forward, backward and running statistics are those of one process; ranks without a picture go along."""
        learn = ["fit", "d", *FIT, "--bn", "train", "--epochs", "2", "--lr", "1e-4", "--optimizer", "sgd"]
        self.good(*learn, "--out", "b1")
        for ranks in 2, 3, 5:
            said = self.together(*learn, "--bn-sync", "--out", "b%d" % ranks, ranks=ranks)[1]
            self.assertIn("; %d ranks, batch normalization over the whole batch" % ranks, said)
            self.assert_same_course("b1", "b%d" % ranks)
            one, other = (tensors(self.path(run, "last.safetensors")) for run in ("b1", "b%d" % ranks))
            for name, data in one.items():
                values, others = memoryview(data).cast("f"), memoryview(other[name]).cast("f")
                largest = max(map(abs, values))
                self.assertLess(max(abs(a - b) for a, b in zip(values, others)), 1e-5 * largest + 1e-9, (ranks, name))
        # Of its own part they are others.
        said = self.together(*learn, "--out", "own")[1]
        self.assertIn("; 2 ranks, batch normalization over each one's part of the batch", said)
        self.assertNotEqual(self.history("own")[-1]["val_loss"], self.history("b2")[-1]["val_loss"])
        self.failed(["--bn-sync", "cut", "--micro-batch"], *learn, "--bn-sync", "--micro-batch", "2", "--out", "x")
        self.bad(1, ["--bn-sync is for statistics that are trained"], *self.LEARN, "--bn-sync")

    def test_traffic(self):
        """The table in README.md is what tools/traffic makes."""
        root = os.path.join(os.path.dirname(__file__), "..", "..")
        with open(os.path.join(root, "README.md")) as file:
            lines = file.read().splitlines()
        begin = lines.index("| network | MB a step, two ranks | many | 1 Gbit/s | 10 Gbit/s | 100 Gbit/s | images/s a rank |")
        table = lines[begin:lines.index("", begin)]
        names = [line.split("|")[1].strip() for line in table[2:]]
        made = subprocess.run([sys.executable, os.path.join(root, "tools", "traffic"), *names], stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, GRAFT=GRAFT), check=True, timeout=60).stdout.splitlines()
        self.assertEqual(made, table)
        self.assertIn("| resnet18 | 46.8 | 93.5 | 748 ms | 74.8 ms | 7.48 ms | 285 |", made)  # 11,689,512 parameters

    def await_file(self, processes, name, after=0):
        """Until it is there, and newer than a time."""
        for _ in range(12000):
            if os.path.exists(self.path(name)) and os.stat(self.path(name)).st_mtime_ns > after:
                return
            self.assertEqual([process.poll() for process in processes], [None] * len(processes), name)
            time.sleep(0.01)
        self.fail("%s does not come" % name)

    def test_interrupted_and_resumed(self):
        """Ctrl-C, wherever it comes: all end, the first one has saved, and the run goes on to the same bits; with another number
        of ranks to the same losses."""
        learn = ["fit", "d", *FIT, "--bn", "frozen", "--weights", "w", "--stages", "all:20", "--augment", "light",
                 "--optimizer", "sgd", "--lr", "1e-3"]
        self.together(*learn, "--out", "whole")
        for name, rank, ranks in ("same", 1, 2), ("more", 0, 3), ("one", 1, 1):
            processes = self.begin(*learn, "--out", name)
            while processes[0].poll() is None and not os.path.exists(self.path(name, "history.csv")):
                time.sleep(0.01)
            processes[rank].send_signal(signal.SIGINT)
            said = [process.communicate(timeout=60) for process in processes]
            codes = [process.returncode for process in processes]
            if codes != [0, 0]: # else it was too late
                self.assertEqual(codes, [130, 130], said)
                self.assertIn("interrupted after", said[0][1])
            if ranks > 1:
                self.together("fit", "--resume", name, "--threads", "1", ranks=ranks)
            else:
                self.good("fit", "--resume", name, "--threads", "1")
            self.assert_same_course("whole", name)
        self.assert_same_bits("whole", "same")

    def test_one_dies(self):
        learn = ["fit", "d", *FIT, "--bn", "frozen", "--weights", "w", "--stages", "all:2000", "--augment", "light", "--out", "r"]
        processes = self.begin(*learn, ranks=3)
        self.await_file(processes, os.path.join("r", "history.csv"))
        processes[1].kill()
        said = [process.communicate(timeout=60) for process in processes]
        self.assertEqual([process.returncode for process in processes], [1, -signal.SIGKILL, 1], said)
        failures = [line for line in said[0][1].splitlines() if line.startswith("graft: ")]
        self.assertEqual(len(failures), 1, said)
        self.assertRegex(failures[0], "rank 1 has ended; r keeps the weights of epoch [0-9]+")
        self.assertEqual(said[2], ("", ""))
        # It goes on, with another number of ranks: to its end would take long.
        before = os.stat(self.path("r", "state.safetensors")).st_mtime_ns
        processes = self.begin("fit", "--resume", "r", ranks=2)
        self.await_file(processes, os.path.join("r", "state.safetensors"), before)
        processes[0].send_signal(signal.SIGINT)
        self.assertIn("interrupted after", self.end(processes, 130, 130)[1])

    def failed(self, words, *arguments, ranks=2, own={}, codes=None):
        """One line of failure on the first rank, and none on the others."""
        out, error = self.end(self.begin(*arguments, ranks=ranks, own=own), *(codes or [1] * ranks))
        lines = [line for line in error.splitlines() if line.startswith("graft: ")]
        self.assertEqual(len(lines), 1, error)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual(out, "")

    def test_ranks_that_differ(self):
        draw_data(self.path("e"), 8, 3)
        shutil.copytree(self.path("d"), self.path("f"))
        here = [*self.LEARN, "--out", "r"]
        self.failed(["rank 1 has other train pictures than rank 0"], *here, own={1: [a if a != "d" else "e" for a in here]})
        self.assertFalse(os.path.exists(self.path("r")))
        self.failed(["rank 2 trains with another --lr than rank 0", "0.02"], *here, ranks=3,
                    own={2: [a if a != "0.02" else "0.03" for a in here]})
        self.failed(["a batch of 2 pictures cannot be shared by 3 ranks"], *here, "--batch", "2", ranks=3)
        # Elsewhere, but the same.
        self.together(*here, own={1: [a if a != "d" else "f" for a in here]})
        self.failed(["r holds a run already"], *here)

    def test_failures_of_one(self):
        """What only one of them meets, and what all meet."""
        here = [*self.LEARN, "--out", "r"]
        self.failed(["rank 1: ", "nowhere"], *here, own={1: [a if a != "d" else "nowhere" for a in here]})
        self.failed(["opencl:77"], *here, own={1: [a if a != "cpu" else "opencl:77" for a in here]}, codes=[1, 2])
        self.failed(["--lr"], *here, "--lr", "quick", codes=[2, 2])
        with open(self.path("d", "train", "red", "03.png"), "r+b") as file:
            file.truncate(60)
        self.failed(["03.png"], *here)
        # Left out, by whichever rank has it; the others' weights in the mean are right.
        self.good(*here[:-1], "a1", "--skip-damaged")
        processes = self.begin(*here[:-1], "a3", "--skip-damaged", ranks=3)
        said = "".join(process.communicate(timeout=60)[1] for process in processes)
        self.assertRegex(said, "warning: left out: .*03.png")
        self.assert_same_course("a1", "a3")

    def test_a_device_each(self):
        """Of one processor PoCL makes two devices: the losses of one rank, and one message where ranks outnumber them."""
        two = {"POCL_DEVICES": "basic basic"}
        listed = [device["id"] for device in json.loads(self.good("devices", "--json", environment=two))]
        if listed != ["reference", "cpu", "opencl:0", "opencl:1"]:
            self.skipTest("PoCL alone, with two devices: %s" % listed)
        learn = [word if word != "cpu" else "opencl:0" for word in FIT] + ["--weights", "w", "--stages", "head:1,all:1", "--lr", "0.02"]
        self.good("fit", "d", *learn, "--out", "one", environment=two)
        learn[learn.index("opencl:0")] = "opencl:rank"
        self.end(self.begin("fit", "d", *learn, "--out", "both", environment=two), 0, 0)
        self.assert_same_course("one", "both")
        said = [p.communicate(timeout=60)[1] for p in self.begin("fit", "d", *learn, "--out", "more", ranks=3, environment=two)]
        (line,) = [line for line in "".join(said).splitlines() if line.startswith("graft: ")]
        self.assertIn("rank 2: --device opencl:rank gives each rank of a machine an OpenCL device of its own, and this one has 2", line)

    def test_without_a_way_to_the_others(self):
        self.bad(2, ["opencl:rank is for processes that mpirun starts"], *self.LEARN, "--device", "opencl:rank")
        alone = {"GRAFT_RANKS": "2", "GRAFT_RANK": "0", "GRAFT_RANKS_MODULE": self.path("none.so")}
        self.bad(1, ["process 0 of 2", "built without MPI", "-Dmpi=enabled"], *self.LEARN, environment=alone)
        with open(self.path("none.so"), "w") as file:
            file.write("no module")
        self.bad(1, ["MPI cannot be loaded", "none.so"], *self.LEARN, environment=alone)
        done = self.run_graft(*self.LEARN, environment=dict(alone, GRAFT_RANK="1"))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", ""))

    def test_mpi(self):
        if MPIRUN is None or not os.path.exists(os.path.join(os.path.dirname(GRAFT), "graft-mpi.so")):
            self.skipTest("no mpirun, or built without MPI")
        environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                           OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_btl="self,vader,tcp", OMPI_MCA_btl_base_warn_component_unused="0",
                           TMPDIR=self.folder)
        for name in "GRAFT_RANKS", "GRAFT_RANK", "GRAFT_RANKS_MODULE":
            environment.pop(name, None)
        start = [MPIRUN, "--oversubscribe", "--bind-to", "none", "-n", "3"]
        works = subprocess.run([*start, GRAFT, "--version"], env=environment, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=60)
        if works.returncode != 0:
            self.skipTest("mpirun does not work here: " + works.stdout)
        done = subprocess.run([*start, GRAFT, *self.LEARN, "--out", "mpi"], cwd=self.folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("best epoch"), 1)
        self.together(*self.LEARN, "--out", "sockets", ranks=3)
        self.assert_same_bits("mpi", "sockets")
        # A failure of one is told once, and ends all.
        done = subprocess.run([*start[:-1], "1", GRAFT, *self.LEARN, "--out", "x", ":", "--oversubscribe", "-n", "1", GRAFT,
                               *[a if a != "d" else "nowhere" for a in self.LEARN], "--out", "x"],
                              cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=100)
        self.assertNotEqual(done.returncode, 0)
        lines = [line for line in done.stderr.splitlines() if line.startswith("graft: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn("rank 1: ", lines[0])


if __name__ == "__main__":
    main()
