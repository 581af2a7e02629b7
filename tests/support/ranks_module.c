/* SPDX-License-Identifier: MIT */
/*
 * Ranks without MPI: processes of one machine that reach each other through sockets in the folder
 * $GRAFT_RANKS_FOLDER; GRAFT_RANKS and GRAFT_RANK say how many there are and which this is. A rank that dies is seen at once.
 */
#include "ranks/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 64

/* Before each message. */
struct head {
    uint64_t bytes;
    uint64_t note;
};

struct peer {
    int socket;
    struct head out_head, in_head;
    uint64_t sent, got; /* of the message, its head included */
    bool gone, heard;
    char note[GRAFT_TRANSPORT_NOTE];
};

struct sockets {
    struct graft_transport base;
    struct peer peers[MOST];
    struct graft_piece out[MOST], in[MOST];
};

static int number_of(const char *name)
{
    const char *const text = getenv(name);
    return text != NULL ? atoi(text) : 0;
}

static bool start(struct graft_transport *transport, const struct graft_piece *out, const struct graft_piece *in)
{
    struct sockets *const s = (struct sockets *)transport;
    for (int r = 0; r < transport->count; r++) {
        s->out[r] = out[r];
        s->in[r] = in[r];
        s->peers[r].sent = s->peers[r].got = 0;
        s->peers[r].out_head = (struct head){.bytes = out[r].bytes};
    }
    return true;
}

/* Moves on; 1: the message is whole; 0: not yet; -1: the other end is gone. */
static int send_some(struct peer *peer, const struct graft_piece *piece)
{
    const uint64_t whole = sizeof peer->out_head + piece->bytes;
    while (peer->sent < whole) {
        const bool head = peer->sent < sizeof peer->out_head;
        const char *const from = head ? (const char *)&peer->out_head + peer->sent
                                      : (const char *)piece->data + (peer->sent - sizeof peer->out_head);
        const uint64_t bytes = head ? sizeof peer->out_head - peer->sent : whole - peer->sent;
        const ssize_t done = send(peer->socket, from, (size_t)bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        peer->sent += (uint64_t)done;
    }
    return 1;
}

static int read_some(struct peer *peer, const struct graft_piece *piece)
{
    for (;;) {
        const bool head = peer->got < sizeof peer->in_head;
        const bool note = !head && peer->in_head.note != 0;
        const uint64_t whole = head ? sizeof peer->in_head : sizeof peer->in_head + peer->in_head.bytes;
        if (!head && peer->got == whole && !note)
            return 1;
        char *const to = head   ? (char *)&peer->in_head + peer->got
                         : note ? peer->note + (peer->got - sizeof peer->in_head)
                                : (char *)piece->data + (peer->got - sizeof peer->in_head);
        const ssize_t done = recv(peer->socket, to, (size_t)(whole - peer->got), MSG_DONTWAIT);
        if (done == 0)
            return -1;
        if (done < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        peer->got += (uint64_t)done;
        if (note && peer->got == sizeof peer->in_head + peer->in_head.bytes) {
            peer->heard = true;
            peer->got = 0;
            return 0;
        }
        if (head && peer->got == sizeof peer->in_head && peer->in_head.note == 0 && peer->in_head.bytes != piece->bytes) {
            (void)fprintf(stderr, "ranks disagree about a message: %llu and %llu bytes\n",
                          (unsigned long long)peer->in_head.bytes, (unsigned long long)piece->bytes);
            abort();
        }
    }
}

static int poll_all(struct graft_transport *transport)
{
    struct sockets *const s = (struct sockets *)transport;
    int over = 1;
    for (int r = 0; r < transport->count; r++) {
        struct peer *const peer = &s->peers[r];
        if (r == transport->rank)
            continue;
        const int out = s->out[r].bytes == 0 ? 1 : send_some(peer, &s->out[r]);
        const int in = s->in[r].bytes == 0 ? 1 : read_some(peer, &s->in[r]);
        if (peer->heard)
            return 0; /* it has said why */
        if (out < 0 || in < 0) {
            (void)snprintf(transport->error, sizeof transport->error, "rank %d has ended", r);
            return -1;
        }
        over = over && out > 0 && in > 0;
    }
    return over;
}

/* A message that is half gone is ended first. */
static void tell(struct graft_transport *transport, const void *note)
{
    struct sockets *const s = (struct sockets *)transport;
    for (int r = 0; r < transport->count; r++) {
        struct peer *const peer = &s->peers[r];
        const uint64_t whole = sizeof peer->out_head + s->out[r].bytes;
        if (r == transport->rank)
            continue;
        for (int i = 0; i < 200 && peer->sent > 0 && peer->sent < whole && send_some(peer, &s->out[r]) == 0; i++)
            (void)poll(NULL, 0, 5);
        const struct head head = {.bytes = GRAFT_TRANSPORT_NOTE, .note = 1};
        if (send(peer->socket, &head, sizeof head, MSG_NOSIGNAL) == (ssize_t)sizeof head)
            (void)!send(peer->socket, note, GRAFT_TRANSPORT_NOTE, MSG_NOSIGNAL);
    }
}

/* A note of a rank of which no message is waited for. */
static void listen_to(struct peer *peer, const struct graft_piece *in)
{
    struct head head;
    const bool between = in->bytes == 0 || peer->got == 0 || peer->got == sizeof head + in->bytes;
    if (between && recv(peer->socket, &head, sizeof head, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof head && head.note != 0)
        peer->heard = recv(peer->socket, &head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head &&
                      recv(peer->socket, peer->note, sizeof peer->note, MSG_WAITALL) == (ssize_t)sizeof peer->note;
}

static int heard(struct graft_transport *transport, void *note)
{
    struct sockets *const s = (struct sockets *)transport;
    for (int r = 0; r < transport->count; r++) {
        if (r != transport->rank && !s->peers[r].heard)
            listen_to(&s->peers[r], &s->in[r]);
        if (s->peers[r].heard) {
            memcpy(note, s->peers[r].note, GRAFT_TRANSPORT_NOTE);
            s->peers[r].heard = false;
            return r;
        }
    }
    return -1;
}

static void close_all(struct graft_transport *transport, bool whole)
{
    struct sockets *const s = (struct sockets *)transport;
    char rest[4096];
    for (int r = 0; r < transport->count; r++)
        if (r != transport->rank) {
            (void)shutdown(s->peers[r].socket, SHUT_WR);
            struct pollfd waiting = {s->peers[r].socket, POLLIN, 0};
            while (whole && poll(&waiting, 1, 20000) == 1 && recv(s->peers[r].socket, rest, sizeof rest, 0) > 0)
                continue; /* until the other one ends too */
            (void)close(s->peers[r].socket);
        }
    free(s);
}

static bool name_socket(struct sockaddr_un *address, int rank)
{
    const char *const folder = getenv("GRAFT_RANKS_FOLDER");
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return snprintf(address->sun_path, sizeof address->sun_path, "%s/%d", folder != NULL ? folder : ".", rank) <
           (int)sizeof address->sun_path;
}

/* Lower ranks listen. */
static int reach(int rank, int own)
{
    struct sockaddr_un address;
    if (!name_socket(&address, rank))
        return -1;
    for (int i = 0; i < 2000; i++) {
        const int one = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(one, (const struct sockaddr *)&address, sizeof address) == 0 &&
            send(one, &own, sizeof own, MSG_NOSIGNAL) == (ssize_t)sizeof own)
            return one;
        (void)close(one);
        (void)poll(NULL, 0, 10);
    }
    return -1;
}

static bool listen_for(struct sockets *s)
{
    struct sockaddr_un address;
    const int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool done = name_socket(&address, s->base.rank) && bind(door, (const struct sockaddr *)&address, sizeof address) == 0 &&
                listen(door, MOST) == 0;
    for (int i = s->base.rank + 1; i < s->base.count && done; i++) {
        struct pollfd waiting = {door, POLLIN, 0};
        int number = -1;
        const int one = poll(&waiting, 1, 20000) == 1 ? accept(door, NULL, NULL) : -1;
        done = one >= 0 && recv(one, &number, sizeof number, MSG_WAITALL) == (ssize_t)sizeof number && number > s->base.rank &&
               number < s->base.count;
        if (done)
            s->peers[number].socket = one;
    }
    (void)close(door);
    (void)unlink(address.sun_path);
    return done;
}

__attribute__((visibility("default"))) graft_transport_open_function graft_transport_open;
struct graft_transport *graft_transport_open(char *text, size_t size)
{
    struct sockets *const s = calloc(1, sizeof *s);
    bool done = s != NULL;
    if (done)
        s->base = (struct graft_transport){.abi = GRAFT_TRANSPORT_ABI,
                                           .rank = number_of("GRAFT_RANK"),
                                           .count = number_of("GRAFT_RANKS"),
                                           .start = start,
                                           .poll = poll_all,
                                           .tell = tell,
                                           .heard = heard,
                                           .close = close_all};
    done = done && s->base.count <= MOST;
    for (int r = 0; done && r < s->base.rank; r++)
        done = (s->peers[r].socket = reach(r, s->base.rank)) >= 0;
    done = done && listen_for(s);
    if (done) {
        s->base.local_rank = s->base.rank;
        s->base.local_count = s->base.count;
        return &s->base;
    }
    (void)snprintf(text, size, "the other ranks cannot be reached");
    free(s);
    return NULL;
}
