#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check-ptx: what it reads from compilers' words, and how many work-groups fit. No compiler is called.

  check_ptx.py SOURCE
"""
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
LOADER = importlib.machinery.SourceFileLoader("check_ptx", str(SOURCE / "tools/check-ptx"))
SPEC = importlib.util.spec_from_loader("check_ptx", LOADER)
check = importlib.util.module_from_spec(SPEC)
sys.modules["check_ptx"] = check
sys.dont_write_bytecode = True
LOADER.exec_module(check)

ASSEMBLER = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_90'
ptxas info    : Function properties for first
    424 bytes stack frame, 16 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 143 registers, used 1 barriers, 424 bytes cumulative stack size, 40960 bytes smem
ptxas info    : Compiling entry function 'second' for 'sm_90'
ptxas info    : Function properties for second
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers, used 0 barriers
"""
CODE = """define dso_local void @first(float* %a) #0 !kernel_arg_type !5 !reqd_work_group_size !7 {
define dso_local void @second(float* %a) #0 !kernel_arg_type !5 {
!5 = !{!"float*"}
!7 = !{i32 16, i32 8, i32 1}
"""
PTX = ".entry first(\n\t.param .u64 a\n)\n{\n}\n.entry second(\n\t.param .u64 a\n)\n{\n}\n"


def group(registers, local, items):
    return check.Kernel("", "", "", registers=registers, local=local, items=items)


class CheckPtx(unittest.TestCase):
    def test_what_the_assembler_says(self):
        first, second = check.parse(ASSEMBLER, "a.cl", "")
        self.assertEqual((first.name, first.registers, first.spilled, first.stack, first.local),
                         ("first", 143, 16, 424, 40960))
        self.assertEqual((second.name, second.registers, second.spilled, second.local), ("second", 30, 0, 0))

    def test_work_groups_go_from_the_source_to_the_assembler(self):
        sizes = check.group_sizes(CODE)
        self.assertEqual(sizes, {"first": [16, 8, 1]})
        self.assertEqual(check.say_sizes(PTX, sizes).splitlines()[3:5], [".reqntid 16, 8, 1", "{"])
        self.assertEqual(check.say_sizes(PTX, sizes).count("reqntid"), 1)

    def test_what_fits_on_a_multiprocessor(self):
        # 65,536 registers, 8 at a time for each of 32 work-items; 228 KiB, 1 KiB a group for itself.
        for kernel, arch, groups, busy, bound in (
                (group(128, 30000, 256), "sm_90", 2, 512 / 2048, "registers"),
                (group(129, 30000, 256), "sm_90", 1, 256 / 2048, "registers"),
                (group(32, 40960, 256), "sm_90", 5, 1280 / 2048, "local memory"),
                (group(32, 0, 256), "sm_90", 8, 1, "registers"),
                (group(24, 0, 512), "sm_86", 3, 1, "work-items"),
                (group(16, 0, 32), "sm_90", 32, 0.5, "work-groups")):
            self.assertEqual(check.occupancy(kernel, arch), (groups, busy, bound), (kernel, arch))

    def test_every_kernel_file_is_compiled_or_for_processors_only(self):
        files = {path.name for path in (SOURCE / "cl").glob("*.cl")}
        self.assertLessEqual(set(check.OPTIONS), files)
        compiled = {name for name, _ in check.programs([])}
        self.assertEqual(files - compiled, {"attention_grad.cl", "attention_turned.cl", "gemm.cl", "matmul_thin.cl",
                                            "winograd_fused.cl"})


if __name__ == "__main__":
    unittest.main()
