# SPDX-License-Identifier: MIT
"""recipe.def is the only list of options: each line of it is in the help, in config.json, in the report, and is looked
at when a run is resumed."""

import json
import os
import re
import shutil

from command import Case, draw_data, main

TABLE = os.path.join(os.path.dirname(__file__), "..", "..", "include", "graft", "recipe.def")
LINE = re.compile(r'^GRAFT_RECIPE_ROW\((\w+), (\w+), "([^"]*)", (?:NULL|"[^"]*"), (\w+)(?:\("([^"]*)"\))?, '
                  r'(\w+)(?:\(([^)]*)\))?, (FIXED|FREE)(?:_LATER)?, "([^"]*)"\)$', re.M)
FIT = ["--model", "tiny_convnet", "--input", "32", "--batch", "5", "--epochs", "1", "--device", "cpu"]


def rows():
    """(kind, name, flag, default's words or None, range, FIXED or FREE, help) of each line."""
    with open(TABLE, encoding="utf-8") as file:
        text = file.read()
    found = LINE.findall(text)
    assert len(found) == len(re.findall(r"^GRAFT_RECIPE_ROW", text, re.M)) > 30, len(found)
    return [(kind, name, flag, words, reach, change, told)
            for kind, name, flag, _, words, _, reach, change, told in found]


def later():
    """Names of the rows that runs of older versions lack."""
    with open(TABLE, encoding="utf-8") as file:
        return set(re.findall(r'(?m)^GRAFT_RECIPE_ROW\(\w+, (\w+), .*, (?:FIXED|FREE)_LATER, "', file.read()))


def another(kind, name, reach, was):
    """A value that the option can have and does not have in the run."""
    if kind in ("INTEGER", "REAL", "BYTES"):
        least = float(reach.split(",")[0])
        for value in (0.25, 2, 3):
            if value >= least and value != was and (kind == "REAL" or value >= 1):
                return str(value)
    if kind == "SIDES":
        return "24x32"
    if kind == "CHOICE":
        return next(value for value in reach.strip('"').split() if value != was)
    return {"stages": "all:2", "freeze": "block2", "model": "mnist_convnet", "class_weights": "1,2",
            "stage_factors": "head=2", "lr_decay": "exp:2", "head": "avg,dense:3", "lr_groups": "head=2", "decay_factors": "bias=1", "variants": "conv2d=reference"}.get(name, "elsewhere")


class Recipe(Case):
    def test_help(self):
        """Every option is there once, with its default."""
        text = self.good("fit", "--help")
        for kind, name, flag, words, _, _, told in rows():
            with self.subTest(name):
                if not flag.startswith("--"):
                    self.assertIn(flag, text)
                    continue
                lines = re.findall(r"(?m)^  %s .*$" % re.escape(flag), text)
                self.assertEqual(len(lines), 1)
                self.assertIn(told, lines[0])
                if words and kind != "FLAG":
                    self.assertTrue(lines[0].endswith("(%s)" % words), lines[0])

    def test_config_report_and_resuming(self):
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", *FIT, "--out", "r")
        with open(self.path("r/config.json")) as file:
            config = json.load(file)
        with open(self.path("r/report.html"), encoding="utf-8") as file:
            report = file.read()
        for kind, name, flag, words, reach, change, _ in rows():
            with self.subTest(name):
                self.assertIn(name, config)
                self.assertIn('<td class="text">%s</td>' % name, report)
                if change == "FREE":
                    continue
                given = [flag] if kind == "FLAG" else [flag, another(kind, name, reach, config[name])]
                self.bad(1, [flag, "resumed", "begun"], "fit", "--resume", "r", *given)
        # What was the default is written down as what it was.
        self.assertEqual((config["optimizer"], config["schedule"], config["bn"]), ("adam", "cosine", "train"))
        self.assertEqual((config["weight_decay"], config["trunk_factor"], config["nesterov"]), (0, 1, False))
        self.assertIsNone(config["dropout"])
        # The same again, and what may change, is no reason to refuse.
        self.good("fit", "--resume", "r", *FIT, "--threads", "1", "--memory", "1G")
        with open(self.path("r/config.json")) as file:
            self.assertEqual(json.load(file)["memory_limit"], 1 << 30)

    def test_a_path_that_is_no_utf8_is_named(self):
        draw_data(self.path("d"), 3, 2)
        os.rename(self.path("d"), os.fsencode(self.path("")) + b"caf\xe9")
        self.bad(2, ["DATA is 'caf\\xe9'", "not UTF-8", "link"], "fit", b"caf\xe9", *FIT, "--out", "r")
        self.assertFalse(os.path.exists(self.path("r")))
        os.symlink(b"caf\xe9", self.path("cafe"))
        self.good("fit", "cafe", *FIT, "--out", "r")

    def test_config_is_not_trusted(self):
        """Whatever an entry becomes that it cannot be, or that it lacks, is named."""
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", *FIT, "--out", "r")
        with open(self.path("r/config.json")) as file:
            config = json.load(file)
        wrong = {"INTEGER": [1e300, -1, "1", 1.5, []], "REAL": [1e300, -1, "1", {}], "BYTES": [-1, "1G", 0.5],
                 "SIDES": [0, -1, 9000, 1e300, 1.5, [], "24x", "24x0", "x24", "24x9000", ""], "CHOICE": ["other", 1, ""], "TEXT": [7, ""], "PATH": [7, ""], "FLAG": [1, "true"],
                 "STAGES": [[], {}, "all", [{"from": "all"}], [{"from": 7, "epochs": 1, "learning_rate": 1, "micro_batch": None}],
                            [{"from": "all", "epochs": 10**9, "learning_rate": 1, "micro_batch": None}],
                            [{"from": "all", "epochs": 1, "learning_rate": -1, "micro_batch": None}]]}
        for kind, name, *_ in rows():
            for value in wrong[kind]:
                with self.subTest(f"{name} {value}"):
                    with open(self.path("r/config.json"), "w") as file:
                        json.dump(config | {name: value}, file)
                    self.bad(1, ["config.json", "damaged"], "fit", "--resume", "r", "--device", "cpu")
            with self.subTest(f"without {name}"):
                if name in later():
                    continue
                with open(self.path("r/config.json"), "w") as file:
                    json.dump({key: value for key, value in config.items() if key != name}, file)
                self.bad(1, ["config.json", name], "fit", "--resume", "r", "--device", "cpu")

    def test_runs_of_older_versions_go_on(self):
        """Without the entries that came later, and with an --augment that was a flag, to the same bits; an entry of a
        newer version is named."""
        draw_data(self.path("d"), 4, 2)
        self.good("fit", "d", *FIT, "--out", "new")
        shutil.copytree(self.path("new"), self.path("old"))
        with open(self.path("old/config.json")) as file:
            config = json.load(file)
        self.assertGreater(len(later()), 30)
        old = {key: value for key, value in config.items() if key not in later()}
        old["augment"] = False
        del old["preprocess"]["scaled"]
        with open(self.path("old/config.json"), "w") as file:
            json.dump(old, file)
        more = ["--epochs", "+1", "--device", "cpu", "--resume"]
        said = self.run_graft("fit", *more, "old").stderr
        self.assertRegex(said, r"config\.json is of an older version.* --column-path, .*and \d+ more: .*by default")
        self.assertNotIn("older version", self.run_graft("fit", *more, "new").stderr)
        for name in ("last.safetensors", "model.safetensors"):
            with open(self.path("new", name), "rb") as new, open(self.path("old", name), "rb") as file:
                self.assertEqual(new.read(), file.read(), name)
        with open(self.path("old/config.json")) as file:
            again = json.load(file)
        self.assertEqual([name for _, name, *_ in rows() if name not in again], [])
        with open(self.path("old/config.json"), "w") as file:
            json.dump(again | {"teleport": 3}, file)
        said = self.run_graft("fit", *more, "old").stderr
        self.assertIn('knows no "teleport"', said)
        self.assertNotIn("knows no", said.replace('knows no "teleport"', ""))


if __name__ == "__main__":
    main()
