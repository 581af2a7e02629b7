#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""covered.py NM LIBRARY TEST: every function outside of Graft that the library calls and that can fail is one that
error_test makes fail. Whatever the library begins to call shows up here until it stands in a faults_*.c or below.
"""
import re
import subprocess
import sys

# Libraries: their memory is made to fail (malloc), their files are the system's.
LIBRARIES = re.compile(r"(json|png|jpeg|WebP|_?TIFF|DGif|Gif|cairo|archive|exif|gz|uncompress|CLBlast)\w*$")

# Cannot fail, or have nothing to tell when they do.
HARMLESS = set("""
__ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc __errno_location __sched_cpucount _setjmp longjmp abs acos atan2 ceil ceilf clock_gettime cos
cosf crc32_z erf erfc erfcf erff exp exp2 exp2f expf floor floorf fmax fmaxf fmin fminf fmod getenv getpid llround log log10
log1p log1pf log2 logf lround lroundf memchr memcmp memcpy memmem memmove memset nearbyint nearbyintf pow powf rint
round sin sincos sqrt tan tanh tanhf trunc truncf
pthread_cond_broadcast pthread_cond_destroy pthread_cond_init pthread_cond_signal pthread_cond_timedwait
pthread_cond_wait pthread_join pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock
pthread_self pthread_sigmask madvise qsort sched_yield sigdelset sigfillset snprintf vsnprintf sprintf strcasecmp strcasestr
strchr strcmp strcpy strcspn strerror strlen strncasecmp strncat strncmp strncpy strnlen strpbrk strrchr strspn strstr
strtod strtol strtoll strtoul strtoull sysconf uselocale freelocale munmap dirfd closedir fclose fgets free fscanf sscanf
__assert_fail nanosleep kill sigaction sigemptyset shutdown statvfs time dladdr environ __environ secure_getenv
posix_spawn_file_actions_destroy posix_spawnattr_destroy posix_spawnattr_init posix_spawnattr_setflags
posix_spawnattr_setsigdefault posix_spawnattr_setsigmask setsockopt regerror regfree
""".split())

# A module that is not there, or is none: tests/unit/ranks_test.c and tests/cli/ranks.py. A library: tests/unit/system_test.c.
ELSEWHERE = {"dlopen", "dlsym", "dlerror"}

# By malloc, which they use.
THROUGH_OTHERS = {"newlocale", "posix_spawn_file_actions_init", "posix_spawn_file_actions_adddup2",
                  "posix_spawn_file_actions_addopen", "regcomp", "regexec"}


def symbols(nm, *arguments):
    lines = subprocess.run([nm, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.strip()}


def plain(name):
    """The function's own name: the C library gives new standards' another one (__isoc23_strtol), _FORTIFY_SOURCE checks sizes
    in one of its own (__snprintf_chk), large files have theirs (statvfs64), and a compiler may call another that does the same."""
    name = re.sub(r"^__isoc\d+_", "", name)
    name = re.sub(r"^__(\w+)_chk$", r"\1", name)
    name = re.sub(r"^(\w*[a-z])64$", r"\1", name)
    return {"bcmp": "memcmp", "stpcpy": "strcpy", "__sigsetjmp": "_setjmp"}.get(name, name)


def main():
    nm, library, test = sys.argv[1:4]
    called = symbols(nm, "-D", "--undefined-only", library)
    replaced = symbols(nm, "-D", "--defined-only", test)
    called = {name for name in called if not name.startswith(("_ITM_", "__cxa_", "__gmon", "__asan", "__ubsan", "__tsan",
                                                               "__stack_chk"))}
    missing = sorted(name for name in called
                     if name not in replaced and plain(name) not in HARMLESS and name not in THROUGH_OTHERS
                     and name not in ELSEWHERE
                     and not LIBRARIES.match(name))
    opencl = sorted(name for name in called if re.match(r"cl[A-Z]", name))
    print(f"{len(called)} functions are called, {len(called & replaced)} of them can be made to fail, "
          f"{len(opencl)} of OpenCL")
    for name in missing:
        print(f"FAILED {name} is called by the library, but nothing makes it fail")
    return 1 if missing else 0


sys.exit(main())
