/* SPDX-License-Identifier: MIT */
/*
 * The system's calls for files and threads that the library makes; covered.py checks that none of those that
 * can fail is missing here. With _FILE_OFFSET_BITS the library's calls are named …64.
 */
#include "faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REAL(name, type)                                                                                     \
    static _Atomic(void *) known;                                                                            \
    if (known == NULL) {                                                                                     \
        known = dlsym(RTLD_NEXT, name);                                                                      \
    }                                                                                                        \
    __typeof__(type) *const next = (__typeof__(type) *)known;

/* Drivers are not made to fail here: they end the process; nor are checkers. */
PLAIN static bool is_point(const void *caller, const char *name)
{
    static const char *const drivers[] = {"pocl", "LLVM", "clang", "OpenCL", "libc.so", "san.so"};
    Dl_info from;
    if (!fault_begun || fault_kind() != FAULT_SYSTEM) {
        return false;
    }
    fault_pause(true);
    const bool known = dladdr(caller, &from) != 0 && from.dli_fname != NULL;
    fault_pause(false);
    for (size_t i = 0; known && i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strstr(from.dli_fname, drivers[i]) != NULL) {
            return false;
        }
    }
    return fault_point(FAULT_SYSTEM, name);
}
#define IS_POINT(name) is_point(__builtin_return_address(0), name)

/* The error of the armed variant: two that differ in kind, so that no single one is taken for granted. */
PLAIN static bool fails(const void *caller, const char *name, int first, int second)
{
    if (!is_point(caller, name)) {
        return false;
    }
    errno = fault_variant() == 1 ? second : first;
    return true;
}
#define FAILS(name, first, second) fails(__builtin_return_address(0), name, first, second)

/* The functions have names of their own in C, since the headers' declarations depend on how they are
 * compiled. */
#define CALL(type, symbol, parameters, types, arguments, failure, first, second)                             \
    type test_##symbol parameters __asm__(#symbol);                                                          \
    PLAIN type test_##symbol parameters                                                                      \
    {                                                                                                        \
        REAL(#symbol, type types)                                                                            \
        return FAILS(#symbol, first, second) ? failure : next arguments;                                     \
    }

int test_open(const char *path, int flags, ...) __asm__("open64");
PLAIN int test_open(const char *path, int flags, ...)
{
    REAL("open64", int(const char *, int, ...))
    va_list list;
    va_start(list, flags);
    const int mode = (flags & O_CREAT) != 0 ? va_arg(list, int) : 0;
    va_end(list);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    return FAILS("open", writes ? ENOSPC : EMFILE, EACCES) ? -1 : next(path, flags, mode);
}

ssize_t test_read(int file, void *to, size_t size) __asm__("read");
PLAIN ssize_t test_read(int file, void *to, size_t size)
{
    REAL("read", ssize_t(int, void *, size_t))
    if (IS_POINT("read")) {
        if (fault_variant() == 2 && size > 1) { /* less than was asked for is no failure */
            return next(file, to, 1);
        }
        errno = fault_variant() == 1 ? EINTR : EIO;
        return -1;
    }
    return next(file, to, size);
}

ssize_t test_write(int file, const void *from, size_t size) __asm__("write");
PLAIN ssize_t test_write(int file, const void *from, size_t size)
{
    REAL("write", ssize_t(int, const void *, size_t))
    if (IS_POINT("write")) {
        if (fault_variant() == 2 && size > 1) {
            return next(file, from, size / 2);
        }
        errno = fault_variant() == 1 ? EFBIG : ENOSPC;
        return -1;
    }
    return next(file, from, size);
}

int test_close(int file) __asm__("close");
PLAIN int test_close(int file)
{
    REAL("close", int(int))
    const int done = next(file); /* it is closed all the same, as Linux does */
    return FAILS("close", EIO, ENOSPC) ? -1 : done;
}

/* Nothing is written for good: it would take most of the time. */
int test_fsync(int file) __asm__("fsync");
PLAIN int test_fsync(int file)
{
    (void)file;
    return FAILS("fsync", EIO, ENOSPC) ? -1 : 0;
}

void *test_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) __asm__("mmap64");
PLAIN void *test_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    REAL("mmap64", void *(void *, size_t, int, int, int, off_t))
    return FAILS("mmap", ENOMEM, EACCES) ? MAP_FAILED : next(at, size, protection, flags, file, offset);
}

struct dirent *test_readdir(DIR *folder) __asm__("readdir64");
PLAIN struct dirent *test_readdir(DIR *folder)
{
    REAL("readdir64", struct dirent * (DIR *))
    return FAILS("readdir", EIO, EBADF) ? NULL : next(folder);
}

int test_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                        void *argument) __asm__("pthread_create");
PLAIN int test_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                              void *argument)
{
    REAL("pthread_create", int(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
    return IS_POINT("pthread_create") ? EAGAIN : next(thread, attributes, run, argument);
}

CALL(int, stat64, (const char *path, struct stat *info), (const char *, struct stat *), (path, info), -1,
     EACCES, EIO)
CALL(int, lstat64, (const char *path, struct stat *info), (const char *, struct stat *), (path, info), -1,
     EACCES, EIO)
CALL(int, fstat64, (int file, struct stat *info), (int, struct stat *), (file, info), -1, EIO, EIO)
CALL(int, fstatat64, (int folder, const char *path, struct stat *info, int flags),
     (int, const char *, struct stat *, int), (folder, path, info, flags), -1, EACCES, EIO)
CALL(int, fchmod, (int file, mode_t mode), (int, mode_t), (file, mode), -1, EPERM, EIO)
CALL(int, rename, (const char *from, const char *to), (const char *, const char *), (from, to), -1, ENOSPC,
     EACCES)
CALL(int, mkdir, (const char *path, mode_t mode), (const char *, mode_t), (path, mode), -1, ENOSPC, EACCES)
CALL(int, rmdir, (const char *path), (const char *), (path), -1, EBUSY, EACCES)
CALL(int, unlink, (const char *path), (const char *), (path), -1, EBUSY, EACCES)
CALL(DIR *, opendir, (const char *path), (const char *), (path), NULL, EMFILE, EACCES)
CALL(int, flock, (int file, int operation), (int, int), (file, operation), -1, EINTR, ENOLCK)
CALL(char *, realpath, (const char *path, char *to), (const char *, char *), (path, to), NULL, EACCES, ENOMEM)
/* What _FORTIFY_SOURCE makes of realpath. */
CALL(char *, __realpath_chk, (const char *path, char *to, size_t size), (const char *, char *, size_t),
     (path, to, size), NULL, EACCES, ENOMEM)
CALL(FILE *, fopen64, (const char *path, const char *mode), (const char *, const char *), (path, mode), NULL,
     EMFILE, EACCES)
CALL(int, sched_getaffinity, (pid_t process, size_t size, cpu_set_t *set), (pid_t, size_t, cpu_set_t *),
     (process, size, set), -1, EINVAL, EPERM)

/* ---- the compiler in a process of its own */

int test_posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *files,
                     const posix_spawnattr_t *attributes, char *const *arguments,
                     char *const *environment) __asm__("posix_spawn");
PLAIN int test_posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *files,
                           const posix_spawnattr_t *attributes, char *const *arguments,
                           char *const *environment)
{
    REAL("posix_spawn", int(pid_t *, const char *, const posix_spawn_file_actions_t *,
                            const posix_spawnattr_t *, char *const *, char *const *))
    return IS_POINT("posix_spawn") ? EAGAIN : next(process, path, files, attributes, arguments, environment);
}

ssize_t test_send(int socket, const void *from, size_t size, int flags) __asm__("send");
PLAIN ssize_t test_send(int socket, const void *from, size_t size, int flags)
{
    REAL("send", ssize_t(int, const void *, size_t, int))
    if (IS_POINT("send")) {
        if (fault_variant() == 2 && size > 1) {
            return next(socket, from, size / 2, flags);
        }
        errno = fault_variant() == 1 ? EINTR : EPIPE;
        return -1;
    }
    return next(socket, from, size, flags);
}

ssize_t test_recv(int socket, void *to, size_t size, int flags) __asm__("recv");
PLAIN ssize_t test_recv(int socket, void *to, size_t size, int flags)
{
    REAL("recv", ssize_t(int, void *, size_t, int))
    if (IS_POINT("recv")) {
        if (fault_variant() == 2 && size > 1) {
            return next(socket, to, size / 2, flags);
        }
        errno = fault_variant() == 1 ? EINTR : ECONNRESET;
        return -1;
    }
    return next(socket, to, size, flags);
}

CALL(int, access, (const char *path, int mode), (const char *, int), (path, mode), -1, EACCES, EIO)
CALL(int, poll, (struct pollfd * files, nfds_t count, int wait), (struct pollfd *, nfds_t, int),
     (files, count, wait), -1, EINTR, ENOMEM)
CALL(int, socketpair, (int domain, int type, int protocol, int *ends), (int, int, int, int *),
     (domain, type, protocol, ends), -1, EMFILE, ENOBUFS)
CALL(pid_t, waitpid, (pid_t process, int *status, int options), (pid_t, int *, int),
     (process, status, options), -1, EINTR, EINTR)
CALL(ssize_t, readlink, (const char *path, char *to, size_t size), (const char *, char *, size_t),
     (path, to, size), -1, EACCES, EIO)
CALL(int, unlinkat, (int folder, const char *path, int flags), (int, const char *, int),
     (folder, path, flags), -1, EBUSY, EACCES)
CALL(int, utimensat, (int folder, const char *path, const struct timespec *times, int flags),
     (int, const char *, const struct timespec *, int), (folder, path, times, flags), -1, EPERM, EROFS)
