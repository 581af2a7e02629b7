# SPDX-License-Identifier: MIT
"""tools/opencl-makers: drivers that crash, hang or are absent become rows; what an analyser says is a failure."""

import json
import os
import subprocess
import sys
import time
import unittest

from command import Case, GRAFT, SKIP, main, run

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.dirname(os.path.dirname(GRAFT))
BROKEN = os.environ.get("GRAFT_TEST_BROKEN_DRIVER")
sys.path.insert(0, os.path.join(ROOT, "tools", "makers"))
import checks  # noqa: E402
import intel  # noqa: E402
import makers  # noqa: E402
import process  # noqa: E402
import table  # noqa: E402

RACE = """
Read-write data race at local memory address 0x1000000000004
\tKernel: softmax

\tFirst entity:  Global(1,0,0) Local(1,0,0) Group(0,0,0)
\t  store float %value, float addrspace(3)* %arrayidx, align 4, !dbg !513
\tAt line 41 (column 16) of cl/row.h:
\t  memory[at] = value

\tSecond entity: Global(0,0,0) Local(0,0,0) Group(0,0,0)
\t  %1 = load float, float addrspace(3)* %arrayidx7, align 4, !dbg !534
\tAt line 44 (column 27) of cl/row.h:
\t  memory[at] += memory[at + width]

"""
READ = """
Invalid read of size 4 at global memory address 0x2000000000200
\tKernel: fill
\tEntity: Global(0,0,0) Local(0,0,0) Group(0,0,0)
\t  %3 = load float, float addrspace(1)* %2, align 4
\tAt line 9 (column 3) of input.cl:
"""


class Findings(unittest.TestCase):
    def test_a_race_is_one_line_that_says_where(self):
        other = RACE.replace("1000000000004", "1000000000008")
        self.assertEqual(checks.findings(RACE + other),
                         ["Read-write data race; Kernel: softmax; At line 41 of cl/row.h; At line 44 of cl/row.h "
                          "(2 times)"])

    def test_an_access_out_of_bounds(self):
        self.assertEqual(checks.findings(READ + RACE)[0],
                         "Invalid read of size 4; Kernel: fill; At line 9 of input.cl")

    def test_a_compilers_remark_is_none(self):
        self.assertEqual(checks.findings("1 warning generated.\ngraft: opencl:0: 3 of 5 cases\n"), [])


class Processes(unittest.TestCase):
    def test_a_crash_has_its_signals_name(self):
        ended = process.run([sys.executable, "-c", "import os; os.abort()"], {}, 60)
        self.assertEqual(ended.trouble, "crashed with SIGABRT")

    def test_a_program_that_hangs_ends_with_what_it_started(self):
        begin = time.monotonic()
        script = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
        ended = process.run([sys.executable, "-c", script], {}, 2)
        self.assertIn("no end within 2 s", ended.trouble)
        self.assertLess(time.monotonic() - begin, 60)
        for _ in range(100):  # a killed process is gone, or waits for being noticed
            try:
                with open("/proc/%s/stat" % ended.output.strip(), encoding="utf-8") as file:
                    if file.read().split()[2] == "Z":
                        return
            except FileNotFoundError:
                return
            time.sleep(0.1)
        self.fail("what the program had started is still there")

    def test_no_other_driver_comes_in_by_the_environment(self):
        os.environ["OCL_ICD_VENDORS"] = "/elsewhere"
        self.addCleanup(os.environ.pop, "OCL_ICD_VENDORS")
        script = "import os; print(os.environ.get('OCL_ICD_VENDORS'), os.environ['MORE'])"
        self.assertEqual(process.run([sys.executable, "-c", script], {"MORE": "1"}, 60).output.split(), ["None", "1"])


class Tables(unittest.TestCase):
    def setUp(self):
        self.good = checks.Row("a", "A", ran=3, passed=3, cases=5, seconds=1.2)
        self.bad = checks.Row("b", "B | C", ran=3, passed=2, cases=3, failures=["x"] * 30)
        self.none = checks.Row("c", "C", skipped="not installed: apt-get install c")

    def test_every_row_is_there_with_its_reasons(self):
        shown = table.text([self.good, self.bad, self.none])
        self.assertIn("3 of 5", shown)
        self.assertIn("c: not installed: apt-get install c", shown)
        self.assertEqual(shown.count("FAILED b: x"), 20)
        self.assertIn("and 10 more", shown)

    def test_markdown_has_as_many_cells_in_each_row(self):
        rows = table.markdown([self.good, self.bad, self.none]).splitlines()[:5]
        self.assertEqual({len(row.replace("\\|", "").split("|")) for row in rows}, {len(table.HEADS) + 2})

    def test_a_reason_is_told_once(self):
        reasons = {"wide": "fill (wide) on opencl:0: loops are long", "tile": "fill (tile) on opencl:0: loops are long",
                   "local": "left out"}
        self.good.not_tried = [{"op": "fill", "variant": name, "reason": why} for name, why in reasons.items()]
        self.assertEqual(table.remarks(self.good), ["not tried: fill wide, fill tile: loops are long",
                                                    "not tried: fill local: left out"])

    def test_json_has_verdicts(self):
        rows = json.loads(table.as_json([self.good, self.bad, self.none]))
        self.assertEqual([row["verdict"] for row in rows], ["passed", "FAILED", "skipped"])


def told(variant, passed, failed=0, reason="", ran=None):
    """What a run of graft conform tells of one variant."""
    return {"ran": ran or passed + failed, "passed": passed, "cases": 40, "unsupported": 1,
            "unsupported_reasons": [{"op": "fill", "reason": "none", "cases": 1}],
            "worst": [{"case": "c " + variant, "share_of_tolerance": passed / 100}],
            "ops": [{"op": "fill", "variant": variant, "passed_exact": 0, "passed_rounding": passed,
                     "passed_real": 0,
                     "failed": failed, "reason": reason, "seconds": 1.0}],
            "failures": [{"command": "graft", "text": "bad"}] * failed}


class Reports(unittest.TestCase):
    def test_what_a_second_run_tries_is_tried(self):
        row = checks.Row("a", "A")
        checks.add_report(row, told("wide", 3))
        checks.add_report(row, told("late", 0, reason="left out"))
        self.assertEqual([entry["variant"] for entry in row.tried], ["wide"])
        self.assertEqual([entry["reason"] for entry in row.not_tried], ["left out"])
        checks.add_report(row, told("late", 5))
        self.assertEqual([(entry["variant"], entry["passed"]) for entry in row.tried], [("wide", 3), ("late", 5)])
        self.assertEqual(row.not_tried, [])
        self.assertEqual((row.variants, row.ran, row.passed, row.cases), (2, 8, 8, 40))
        self.assertEqual((row.worst, row.worst_case), (0.05, "c late"))

    def test_what_failed_is_neither(self):
        row = checks.Row("a", "A")
        checks.add_report(row, told("wide", 0, failed=2))
        self.assertEqual((row.tried, row.not_tried, row.variants, len(row.failures)), ([], [], 1, 2))

    def test_every_kernel_in_the_sources_is_known(self):
        known = checks.kernels_of(checks.SOURCES)
        self.assertLess({"gemm_gather", "local_outer", "matmul_finish", "winograd_fused_weights"}, known)
        self.assertFalse({name for name in known if name.startswith("limit_")})
        lines = 0
        for name in os.listdir(checks.SOURCES):
            with open(os.path.join(checks.SOURCES, name), encoding="utf-8") as file:
                lines += sum(" void " in line and ("KERNEL" in line or "kernel " in line) and "*" not in line[:4]
                             for line in file) if name not in ("limit.cl", "half.cl", "matrix_probe.cl", "copies_probe.cl") else 0
        self.assertEqual(len(known), lines)


class SetUp(Case):
    def test_without_network_the_download_says_why(self):
        name = os.environ.get("PIP_INDEX_URL")
        os.environ["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"  # nobody listens there
        self.addCleanup(lambda: os.environ.pop("PIP_INDEX_URL") if name is None
                        else os.environ.__setitem__("PIP_INDEX_URL", name))
        with self.assertRaisesRegex(intel.Unavailable, "PyPI|pip"):
            intel.set_up(self.folder)
        self.assertFalse(any(name.startswith("lib-") and not name.endswith(".part")
                             for name in os.listdir(self.folder)))

    def test_one_driver_is_all_that_the_environment_shows(self):
        variables = makers.environment(self.folder, "/some/libX.so", MORE="1")
        vendors = os.listdir(variables["OCL_ICD_VENDORS"])
        self.assertEqual(vendors, ["maker.icd"])
        with open(os.path.join(variables["OCL_ICD_VENDORS"], vendors[0]), encoding="utf-8") as file:
            self.assertEqual(file.read(), "/some/libX.so\n")
        self.assertTrue(variables["GRAFT_CACHE"].startswith(self.folder))


class Program(Case):
    def makers(self, code, *arguments, **environment):
        done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "opencl-makers"), "--build", BUILD,
                               *arguments], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_an_unknown_maker_is_an_error_that_proposes_the_nearest(self):
        self.assertIn("did you mean intel?", self.makers(2, "--only", "intl").stderr)

    @unittest.skipUnless(BROKEN, "needs the test's driver")
    def test_a_driver_that_crashes_is_a_row_that_says_so(self):
        rows = json.loads(self.makers(1, "--json", "--quick", "--only", BROKEN).stdout)
        self.assertEqual(rows[0]["verdict"], "FAILED")
        self.assertIn("SIGABRT", rows[0]["failures"][0])

    @unittest.skipUnless(BROKEN, "needs the test's driver")
    def test_a_driver_that_hangs_is_a_row_that_says_so(self):
        done = self.makers(1, "--quick", "--limit", "2", "--only", BROKEN, GRAFT_BROKEN_DRIVER="hang")
        self.assertIn("no end within 2 s", done.stdout)

    def test_a_driver_that_is_not_there_is_no_success(self):
        done = self.makers(1, "--quick", "--only", "./libnothing.so")
        self.assertIn("shows no device", done.stdout)


if __name__ == "__main__":
    if "OpenCL" in "".join(run("--version").stdout.partition("without")[1:]):
        print("skipped: this Graft was built without OpenCL")
        sys.exit(SKIP)
    main()
