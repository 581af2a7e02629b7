# SPDX-License-Identifier: MIT
"""The terminal: a progress line that is never wider than it, plain text where that is asked for, pipes and outputs that
are closed, names fit to be printed."""

import fcntl
import json
import os
import re
import select
import struct
import subprocess
import termios

from command import GRAFT, Case, draw_class, draw_data, main, open_terminal, png

FIT = ["--model", "mnist_convnet", "--device", "cpu", "--epochs", "2", "--batch", "2"]
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")


class Terminal(Case):
    def on_terminal(self, *arguments, columns=80, environment=None, widths=()):
        """Runs graft with stderr and stdout on a terminal; returns all that was written there. `widths`: the terminal gets
        these sizes, one after the other."""
        master, slave = open_terminal()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST  # bytes as they were written
        termios.tcsetattr(slave, termios.TCSANOW, attributes)

        def resize(width):
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

        resize(columns)
        settings = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        settings.update({"TERM": "xterm"}, **(environment or {}))
        process = subprocess.Popen([GRAFT] + list(arguments), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=slave,
                                   stderr=slave, env=settings)
        text, left = b"", list(widths)
        while True:
            ready = select.select([master], [], [], 0.05)[0]
            if ready:
                text += os.read(master, 65536)
                if left and text.count(b"\r") > 1:
                    resize(left.pop(0))
            elif process.poll() is not None:
                break
        os.close(slave)
        os.close(master)
        self.assertEqual(process.returncode, 0, text)
        return text

    @staticmethod
    def progress_lines(text):
        return [part.split("\x1b[K")[0] for part in text.decode().split("\r")[1:] if part.split("\x1b[K")[0]]

    def test_progress_is_cut_to_the_width(self):
        draw_data(self.path("d"), 40, 20)
        for columns in (80, 31):
            text = self.on_terminal("fit", "d", *FIT, "--augment", "imagenet", "--out", "run%d" % columns, columns=columns)
            lines = self.progress_lines(text)
            self.assertTrue(lines, text)
            self.assertLess(max(map(len, lines)), columns, lines)
            self.assertTrue(any(len(line) == columns - 1 for line in lines) or columns == 80, lines)

    def test_the_width_is_asked_for_each_time(self):
        draw_data(self.path("d"), 60, 20)
        text = self.on_terminal("fit", "d", *FIT, "--epochs", "40", "--augment", "imagenet", "--out", "run", columns=120, widths=[25])
        lines = self.progress_lines(text)
        self.assertGreater(max(map(len, lines)), 25, lines)
        self.assertLess(max(map(len, lines[-3:])), 25, lines)

    def test_plain_text_where_it_is_asked_for(self):
        draw_data(self.path("d"), 40, 20)
        for number, environment in enumerate(({"TERM": "dumb"}, {"NO_COLOR": "1"}, {"TERM": ""})):
            text = self.on_terminal("fit", "d", *FIT, "--out", "run%d" % number, environment=environment)
            self.assertFalse(CONTROL.search(text), text)
        text = self.on_terminal("fit", "d", *FIT, "--out", "empty", environment={"NO_COLOR": ""})
        self.assertIn(b"\x1b[K", text)


class Pipes(Case):
    def closed_pipe(self, *arguments, errors=False):
        """Runs graft with a stdout that nobody reads any more; returns exit code and stderr."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([GRAFT] + list(arguments), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=write,
                              stderr=write if errors else subprocess.PIPE, timeout=240)
        os.close(write)
        return done.returncode, done.stderr

    def test_a_closed_pipe_ends_quietly(self):
        for arguments in (["models"], ["models", "--json"], ["summary", "resnet18"], ["devices"], ["fit", "--help"], []):
            code, errors = self.closed_pipe(*arguments)
            self.assertEqual((code, errors), (141, b""), arguments)

    def test_training_goes_on_without_a_reader(self):
        draw_data(self.path("d"), 4, 2)
        code, errors = self.closed_pipe("fit", "d", *FIT, "--out", "run", "--quiet")
        self.assertEqual((code, errors), (0, b""))
        code, _ = self.closed_pipe("fit", "d", *FIT, "--out", "other", errors=True)
        self.assertEqual(code, 0)
        for run in ("run", "other"):
            self.assertTrue(os.path.exists(self.path(run, "report.html")))

    def test_a_closed_output_is_a_failure_where_something_is_lost(self):
        draw_data(self.path("d"), 4, 2)

        def run(command):
            return subprocess.run(["sh", "-c", 'exec "$0" %s >&-' % command, GRAFT], cwd=self.folder,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=240)

        lost = run("models")
        self.assertEqual(lost.returncode, 1)
        self.assertIn("standard output cannot be written", lost.stderr)
        kept = run("fit d %s --out run --quiet" % " ".join(FIT))
        self.assertEqual((kept.returncode, kept.stderr), (0, ""))
        # No file of the run has become standard output.
        for root, _, files in os.walk(self.path("run")):
            for name in files:
                with open(os.path.join(root, name), "rb") as file:
                    self.assertNotIn(b"next        graft predict", file.read())


class Names(Case):
    def test_names_are_escaped_and_cut_at_characters(self):
        names = ("日本語の犬の写真を集めたもの", "b\x1b[31mRED\u202e", "a\nline")
        for number, name in enumerate(names):
            draw_class(self.path("d/train"), name, (60 * number, 70, 190), 4, name)
            draw_class(self.path("d/val"), name, (60 * number, 70, 190), 2, "val" + name)
        png(self.path("p\x1b[2J\n.png"), 20, 20, lambda x, y: (60, 70, 190))
        self.good("fit", "d", *FIT, "--out", "run")
        evaluated = subprocess.run([GRAFT, "evaluate", "run", "d"], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, check=True)
        predicted = subprocess.run([GRAFT, "predict", "run", "p\x1b[2J\n.png"], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, check=True)
        checked = subprocess.run([GRAFT, "check", "d"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for done in (evaluated, predicted, checked):
            text = (done.stdout + done.stderr).decode()  # it is UTF-8
            self.assertFalse(CONTROL.search(text.encode()), text)
            self.assertNotIn("\u202e", text)
            self.assertIn("b\\x1b[31mRED", text)
        self.assertEqual(len(predicted.stdout.splitlines()), 4)
        rows = [line for line in evaluated.stdout.decode().splitlines() if line.startswith("日本語")]
        self.assertEqual(len(rows), 2, evaluated.stdout)
        self.assertTrue(all("日本語の犬の写真を集め… " in row or "日本語の犬の写真を集めた…" in row or
                            "日本語の犬の写真を集めたもの" in row for row in rows), rows)
        named = json.loads(self.good("predict", "run", "p\x1b[2J\n.png", "--json"))
        self.assertEqual(named["file"], "p\x1b[2J\n.png")
        self.assertEqual(sorted(top["name"] for top in named["top"]), sorted(names))


main()
