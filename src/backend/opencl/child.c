/* SPDX-License-Identifier: MIT */
/* The processes of graft-compile: where the helper is, start, end, and what it says. */
#include "backend/opencl/child.h"

#include "backend/opencl/compile.h"
#include "backend/opencl/internal.h"
#include "base/beside.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER "graft-compile"
#define HELLO_TIMEOUT 30 /* seconds: a program is started */
#define TALK_TIMEOUT 30  /* seconds until some bytes are taken or given */
#define LOOK_EVERY 200   /* milliseconds */

extern char **environ;

/* ---- where it is ---- */

bool graft_opencl_child_find(char *path, size_t size)
{
    static const char *const folders[] = {"", "../libexec/graft/", NULL};
    const char *const given = secure_getenv("GRAFT_COMPILER");
    if (given != NULL) {
        const int length = snprintf(path, size, "%s", given);
        return length > 0 && (size_t)length < size && access(path, X_OK) == 0;
    }
    return graft_beside(HELPER, folders, GRAFT_LIBEXEC, X_OK, path, size);
}

/* ---- start and end ---- */

void graft_opencl_child_end(struct graft_opencl_child *child, char *text, size_t size)
{
    int status = 0;
    pid_t ended = -1;
    snprintf(text, size, "ended");
    if (child->pid <= 0)
        return;
    shutdown(child->socket, SHUT_RDWR); /* seen by the helper even if a forked process keeps a copy open */
    close(child->socket);
    child->socket = -1;
    kill(child->pid, SIGKILL); /* one that closed its end without ending would be waited for for ever */
    do
        ended = waitpid(child->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    child->pid = 0;
    if (ended < 0) /* the program collects all its children itself */
        return;
    if (WIFSIGNALED(status)) {
        snprintf(text, size, "crashed with SIG%s", graft_system_signal(WTERMSIG(status)));
    } else {
        snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
    }
}

void graft_opencl_child_reap(struct graft_opencl_child *child)
{
    if (child->pid <= 0 || waitpid(child->pid, NULL, WNOHANG) == 0)
        return;
    close(child->socket);
    child->socket = -1;
    child->pid = 0;
}

/* Its standard input is the socket; what the driver prints goes nowhere. */
static bool spawn(struct graft_opencl_child *child, const char *path, int end)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char *arguments[] = {(char *)(uintptr_t)"graft-compile", NULL};
    if (posix_spawn_file_actions_init(&files) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return false;
    }
    sigemptyset(&none);
    sigfillset(&usual);
    bool good = posix_spawn_file_actions_adddup2(&files, end, 0) == 0 &&
                posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) == 0 &&
                posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) == 0 &&
                posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
                posix_spawnattr_setsigdefault(&attributes, &usual) == 0 &&
                posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0;
    good = good && posix_spawn(&child->pid, path, &files, &attributes, arguments, environ) == 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return good;
}

/* It says hello before it touches the driver: what ends without is a helper that does not run here. */
static bool hears_hello(const struct graft_opencl_child *child)
{
    uint32_t hello = 0;
    struct pollfd waiting = {child->socket, POLLIN, 0};
    int ready = 0;
    /* Looks are counted, not time: both processes may have been stopped for a while. */
    for (int looks = HELLO_TIMEOUT * 1000 / LOOK_EVERY; ready <= 0 && looks > 0; looks--)
        ready = poll(&waiting, 1, LOOK_EVERY);
    return ready > 0 && recv(child->socket, &hello, sizeof(hello), MSG_WAITALL) == sizeof(hello) &&
           hello == GRAFT_COMPILE_MAGIC;
}

bool graft_opencl_child_start(struct graft_opencl_child *child)
{
    char path[4096], end[64];
    int ends[2];
    if (child->pid > 0)
        return true;
    if (!graft_opencl_child_find(path, sizeof(path)) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    /* One that neither reads nor ends its hello must not stop us; answers are waited for by poll. */
    const struct timeval patience = {.tv_sec = TALK_TIMEOUT};
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    (void)setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    child->socket = ends[0];
    child->unused = true;
    const bool started = spawn(child, path, ends[1]);
    close(ends[1]);
    if (!started) {
        close(ends[0]);
        child->pid = 0;
        return false;
    }
    if (hears_hello(child))
        return true;
    graft_opencl_child_end(child, end, sizeof(end));
    return false;
}

bool graft_opencl_child_give(const struct graft_opencl_child *child, const void *data, size_t size)
{
    const char *bytes = data;
    while (size > 0) {
        const ssize_t sent = send(child->socket, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}
