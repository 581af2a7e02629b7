# SPDX-License-Identifier: MIT
"""The makers: where each implementation comes from, and how much of the suite it is given."""
import dataclasses
import glob
import os
import re
import shutil

import intel
import process


class Missing(Exception):
    """This implementation cannot be had here; the text says why and what helps."""


@dataclasses.dataclass
class Maker:
    name: str
    title: str
    set_up: object  # folder -> environment; raises Missing
    # Runs of graft conform, each with its arguments; what several of them try counts once.
    conform: tuple = ((),)
    conform_quick: tuple = (("--seconds", "20"),)
    cases: str = "every case"  # what `conform` runs, in words for the table; a quick run says "a sample"
    timeout: int = 0  # seconds of a case; 0: as usual
    # Networks whose logits, loss and gradients are compared, and whether ten steps are trained; or why not.
    networks: tuple = ("squeezenet1_0", "squeezenet1_1", "mobilenet_v2", "resnet18", "resnet50",
                       "resnext50_32x4d", "alexnet", "vgg11")
    networks_quick: tuple = ("squeezenet1_1",)
    training: bool = True
    training_quick: bool = True
    training_flags: tuple = ()
    why_less: str = ""
    analysed: bool = False  # its remarks on stderr are findings
    device: str = "opencl:0"


SYSTEM_VENDORS = "/etc/OpenCL/vendors"
BUILTINS = "/usr/lib/clc/spirv64-mesa3d-.spv"  # rusticl looks for OpenCL's functions there and nowhere else
NEEDED_BY_RUSTICL = "libclc-15 libclang-cpp15 libllvmspirvlib15 libdrm-nouveau2 libsensors5"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def registered(vendors, pattern):
    """The libraries that the system's .icd files name, where a name fits."""
    found = []
    for path in sorted(glob.glob(os.path.join(vendors, "*.icd"))):
        with open(path, encoding="utf-8", errors="replace") as file:
            library = file.readline().strip()
        if re.search(pattern, library) or re.search(pattern, os.path.basename(path)):
            found.append(library)
    return found


def environment(folder, library, **more):
    """An environment in which OpenCL is this one library, with a program cache of its own."""
    vendors = os.path.join(folder, "vendors")
    os.makedirs(vendors, exist_ok=True)
    with open(os.path.join(vendors, "maker.icd"), "w", encoding="utf-8") as file:
        file.write(library + "\n")
    return {**own_caches(folder), "OCL_ICD_VENDORS": vendors, **more}


def own_caches(folder):
    cache = os.path.join(folder, "cache")
    os.makedirs(cache, exist_ok=True)
    return {"XDG_CACHE_HOME": cache, "GRAFT_CACHE": os.path.join(cache, "graft"),
            "POCL_CACHE_DIR": os.path.join(cache, "pocl"), "MESA_SHADER_CACHE_DIR": os.path.join(cache, "mesa")}


def set_up_pocl(folder):
    libraries = registered(SYSTEM_VENDORS, r"pocl")
    if not libraries:
        raise Missing("not installed: apt-get install pocl-opencl-icd")
    return environment(folder, libraries[0])


def set_up_intel(folder):
    try:
        return environment(folder, intel.set_up(folder))
    except intel.Unavailable as reason:
        raise Missing(str(reason)) from None


def set_up_oclgrind(folder):
    libraries = glob.glob("/usr/lib*/oclgrind/liboclgrind-rt-icd.so") + \
        glob.glob("/usr/lib/*/oclgrind/liboclgrind-rt-icd.so") + \
        glob.glob("/usr/local/lib*/oclgrind/liboclgrind-rt-icd.so")
    if not libraries:
        raise Missing("not installed: apt-get install oclgrind")
    # Not OCLGRIND_UNINITIALIZED: it stops at LLVM's `freeze`. The counts tell which kernels were run.
    return environment(folder, libraries[0], OCLGRIND_DATA_RACES="1", OCLGRIND_CHECK_API="1",
                       OCLGRIND_INST_COUNTS="1")


def unpack(folder, package):
    """The Debian package, unpacked into the folder: its .icd files are not to be the system's."""
    root = os.path.join(folder, package)
    if os.path.isdir(root):
        return root
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Missing(f"not installed: {package} (Debian's name)")
    downloads = os.path.join(folder, "downloads")
    os.makedirs(downloads, exist_ok=True)
    ended = process.run(["apt-get", "download", package], {}, 120, cwd=downloads)
    packages = glob.glob(os.path.join(downloads, package + "_*.deb"))
    if ended.trouble or not packages:
        raise Missing(f"{package} is not installed and cannot be downloaded "
                      f"({process.last_line(ended.errors) or ended.trouble}): apt-get install {package}")
    ended = process.run(["dpkg-deb", "-x", packages[0], root + ".part"], {}, 120)
    if ended.trouble:
        raise Missing(f"{packages[0]} cannot be unpacked: {process.last_line(ended.errors) or ended.trouble}")
    os.rename(root + ".part", root)
    return root


def set_up_rusticl(folder):
    llvmpipe = {"RUSTICL_ENABLE": "llvmpipe,swrast"}
    libraries = registered(SYSTEM_VENDORS, r"[Rr]usticl")
    if libraries:
        return environment(folder, libraries[0], **llvmpipe)
    # Debian 12 has Mesa 22.3 with rusticl; later ones have packages of other names.
    root = unpack(folder, "mesa-opencl-icd")
    found = glob.glob(root + LIBRARIES + "/libRusticlOpenCL.so.1")
    if not found:
        raise Missing("this mesa-opencl-icd has no rusticl: apt-get install rusticl-opencl-icd")
    lacking = sorted({library for part in [found[0]] + glob.glob(root + LIBRARIES + "/gallium-pipe/pipe_swrast.so")
                      for library in re.findall(r"(\S+) => not found", process.run(["ldd", part], {}, 60).output)})
    lacking += [] if os.path.exists(BUILTINS) else [BUILTINS]
    if lacking:
        raise Missing(f"it needs {', '.join(lacking)}: apt-get install {NEEDED_BY_RUSTICL}")
    return environment(folder, found[0], GALLIUM_PIPE_SEARCH_DIR=root + LIBRARIES + "/gallium-pipe", **llvmpipe)


# Winograd's variants on a simulator. With local memory a work-group of 256 costs as much for one tile as for 64: half a
# minute a case, so these are tried without accumulation, and in full runs only.
WINOGRAD = (("--case", "*/tiles_4/rounding", "--variant", "winograd4"),)
WINOGRAD_LOCAL = (("--case", "conv2d/tiles_4/rounding", "--variant", "winograd4_local"),
                  ("--case", "conv2d_grad_input/tiles_4/rounding", "--variant", "winograd4_local"),
                  ("--case", "conv2d_grad_weight/tiles_28/rounding", "--variant", "winograd4_local"))
# Kernels that the small cases of a variant do not reach: where there are more tiles, those of a block go through all
# stages in one kernel (conv2d), or through kernels of their own (conv2d_grad_weight); long sums are cut and added up;
# powers, exponentials, thin matrices, rows and 3x3 filters along channels have kernels beside those of their op.
OTHER_KERNELS = (("--case", "conv2d/tiles_110/rounding", "--variant", "winograd4"),
                 ("--case", "conv2d_grad_weight/tiles_in_phases/rounding", "--variant", "winograd4"),
                 ("--case", "conv2d_grad_weight/two_chunks/rounding"),
                 ("--case", "conv2d_grad_weight/dw_s2_pad_after/rounding", "--variant", "depthwise"),
                 ("--case", "matmul/few_rows/rounding", "--variant", "thin"),
                 ("--case", "matmul/few_terms_ta/rounding", "--variant", "thin"),
                 ("--case", "reduce/rows/rounding"), ("--case", "binary/pow_silu/rounding"),
                 ("--case", "unary_grad/silu_special/rounding"))


def known():
    """Those that any x86-64 Linux can have."""
    return [
        Maker("pocl", "PoCL", set_up_pocl),
        Maker("intel", "Intel CPU runtime", set_up_intel, conform_quick=(("--seconds", "40"),)),
        Maker("rusticl", "Mesa rusticl, llvmpipe", set_up_rusticl,
              conform=(("--sizes", "small", "--most-work", "2e6", "--seconds", "240"),),
              conform_quick=(("--sizes", "small", "--most-work", "1e5", "--seconds", "30"),),
              cases="small, each variant", timeout=1800, networks=("squeezenet1_1",), networks_quick=(),
              training_quick=False, training_flags=("--small",),
              why_less="llvmpipe makes 0.1 GFLOP/s of our kernels: each variant of each op in the smallest cases "
                       "for it, others of at most 2,000,000 operations for four minutes, the logits and gradients of one "
                       "network, ten steps of a network of five convolutions"),
        Maker("oclgrind", "Oclgrind", set_up_oclgrind,
              conform=(("--sizes", "small", "--most-work", "1500", "--largest", "6e4", "--seconds", "120"), *WINOGRAD,
                       *WINOGRAD_LOCAL, *OTHER_KERNELS),
              conform_quick=(("--sizes", "small", "--most-work", "1500", "--largest", "6e4", "--seconds", "30"),
                             *WINOGRAD),
              cases="small, each kernel", timeout=1800, networks=(), networks_quick=(), training=False,
              training_quick=False, analysed=True,
              why_less="a simulator interprets each work-item: each variant of each op in small cases for it, others of "
                       "at most 1,500 operations for two minutes, no networks"),
    ]


def of_driver(path):
    """A driver that the user names: a library or an .icd file."""
    library = path
    if path.endswith(".icd"):
        with open(path, encoding="utf-8", errors="replace") as file:
            library = file.readline().strip()
    name = os.path.basename(path)
    return Maker(name, name, lambda where: environment(where, os.path.abspath(library)
                                                       if os.path.exists(library) else library))


def of_system_device(device):
    """A device (a row of graft devices) of the drivers that are installed on this machine."""
    name = "gpu-" + device["id"].replace(":", "-")
    return Maker(name, device["name"], own_caches, conform_quick=(("--seconds", "30"),), device=device["id"])
