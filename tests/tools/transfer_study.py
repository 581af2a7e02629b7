#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""transfer_study.py GRAFT SOURCE: a rehearsal of tools/transfer-study, from nothing to table and plot, and once more."""

import json
import os
import subprocess
import sys
import tempfile
import xml.dom.minidom


def run(graft, source, out, *more):
    done = subprocess.run([sys.executable, os.path.join(source, "tools", "transfer-study"), "--quick", "--graft", graft,
                           "--out", out, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def main():
    graft, source = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="graft-study-") as out:
        first = run(graft, source, out)
        lines = [line for line in first.stdout.splitlines() if line.startswith("|")]
        assert lines[0] == "| task | network | head | last block | all | from scratch |", lines
        assert [line.split("|")[1].split(":")[0].strip() for line in lines[2:]] == ["textures", "digits"], lines
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        assert len(results) == 8 and all(0 <= share <= 1 for share in results.values()), results
        picture = xml.dom.minidom.parse(os.path.join(out, "study.svg"))
        assert len(picture.getElementsByTagName("rect")) >= 8 + 4
        # Goes on with what is not there yet, and leaves the rest alone.
        lost = "digits/graft_small/head/1/4/32"
        kept = dict(results)
        del kept[lost]
        with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
            json.dump(kept, file)
        again = run(graft, source, out)
        assert again.stderr.count(" %, ") == 1 and lost in again.stderr, again.stderr
        assert again.stdout == first.stdout, again.stdout
        # Another draw of all but one: mean, deviation and whiskers.
        values = {key: (0.4 if "/1/" in key else 0.6) for key in results}
        values.update({key.replace("/1/", "/2/"): 0.6 for key in results})
        del values["digits/graft_small/all/2/4/32"]
        with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
            json.dump(values, file)
        several = run(graft, source, out, "--seeds", "2")
        assert "2 draws" in several.stdout and several.stdout.count("50.0 ± 14.1") == 7, several.stdout
        picture = xml.dom.minidom.parse(os.path.join(out, "study.svg"))
        assert sum(path.getAttribute("class") == "spread" for path in picture.getElementsByTagName("path")) == 8


main()
