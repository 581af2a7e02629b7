/* SPDX-License-Identifier: MIT */
#include "hear.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define LISTEN_MILLISECONDS 200 /* at a time: then `stop` is asked again */
#define STOP_SECONDS 5.0        /* for the case under way */

static bool write_all(int descriptor, const void *data, size_t size)
{
    const char *bytes = data;
    while (size > 0) {
        const ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

void graft_tell(int pipe_end, enum graft_told kind, const void *body, size_t bytes)
{
    const struct graft_told_header header = {kind, (uint32_t)bytes};
    if (!write_all(pipe_end, &header, sizeof header) || !write_all(pipe_end, body, bytes)) {
        _exit(1); /* nobody listens any more */
    }
}

bool graft_leash_is_pulled(int leash)
{
    struct pollfd waiting = {leash, POLLIN, 0};
    return poll(&waiting, 1, 0) > 0;
}

/* False without news until the time is up. */
static bool wait_for_news(struct graft_ear *ear)
{
    const double begin = graft_seconds();
    for (;;) {
        struct pollfd waiting = {ear->descriptor, POLLIN, 0};
        const double now = graft_seconds();
        if (ear->stopped_at == 0 && ear->stop != NULL && ear->stop(ear->user)) {
            ear->stopped_at = now;
            (void)write_all(ear->leash, "", 1);
        }
        const bool stopped = ear->stopped_at > 0 && now - ear->stopped_at >= STOP_SECONDS;
        if (stopped || now - begin >= ear->timeout) {
            ear->late = true;
            return false;
        }
        const int ready = poll(&waiting, 1, LISTEN_MILLISECONDS);
        if (ready > 0 || (ready < 0 && errno != EINTR)) { /* read says what is wrong */
            return true;
        }
    }
}

bool graft_hear(struct graft_ear *ear, void *data, size_t size)
{
    char *bytes = data;
    while (size > 0) {
        if (!wait_for_news(ear)) {
            return false;
        }
        const ssize_t got = read(ear->descriptor, bytes, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}
