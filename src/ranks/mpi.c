/* SPDX-License-Identifier: MIT */
/* The module that reaches other ranks through MPI. Only point-to-point calls: MPI does not say in which order a
 * reduction of its own adds. */
#include "ranks/transport.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_DATA 1
#define TAG_NOTE 2
#define MOST 0x40000000u /* bytes of a message: MPI counts in int */

struct mpi_transport {
    struct graft_transport base;
    MPI_Request *requests;
    int count, capacity;
    char note[GRAFT_TRANSPORT_NOTE];
    MPI_Request *told; /* [base.count] */
};

static bool failed(struct graft_transport *transport, const char *what, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS)
        return false;
    (void)MPI_Error_string(code, text, &length);
    (void)snprintf(transport->error, sizeof transport->error, "MPI cannot %s: %.300s", what, text);
    return true;
}

static MPI_Request *next_request(struct mpi_transport *mpi)
{
    if (mpi->count == mpi->capacity) {
        const int capacity = 2 * mpi->capacity + 16;
        MPI_Request *const more = realloc(mpi->requests, (size_t)capacity * sizeof *more);
        if (more == NULL) {
            (void)snprintf(mpi->base.error, sizeof mpi->base.error, "no memory for a message of MPI");
            return NULL;
        }
        mpi->requests = more;
        mpi->capacity = capacity;
    }
    return &mpi->requests[mpi->count];
}

static bool queue(struct mpi_transport *mpi, const struct graft_piece *piece, int rank, bool out)
{
    for (uint64_t at = 0; at < piece->bytes; at += MOST) {
        const int bytes = (int)(piece->bytes - at < MOST ? piece->bytes - at : MOST);
        MPI_Request *const request = next_request(mpi);
        if (request == NULL)
            return false;
        char *const data = (char *)piece->data + at;
        const int code = out ? MPI_Isend(data, bytes, MPI_BYTE, rank, TAG_DATA, MPI_COMM_WORLD, request)
                             : MPI_Irecv(data, bytes, MPI_BYTE, rank, TAG_DATA, MPI_COMM_WORLD, request);
        if (failed(&mpi->base, out ? "send" : "receive", code))
            return false;
        mpi->count++;
    }
    return true;
}

static bool start(struct graft_transport *transport, const struct graft_piece *out, const struct graft_piece *in)
{
    struct mpi_transport *const mpi = (struct mpi_transport *)transport;
    mpi->count = 0;
    bool done = true;
    for (int r = 0; r < transport->count && done; r++)
        done = queue(mpi, &in[r], r, false);
    for (int r = 0; r < transport->count && done; r++)
        done = queue(mpi, &out[r], r, true);
    return done;
}

static int poll_all(struct graft_transport *transport)
{
    struct mpi_transport *const mpi = (struct mpi_transport *)transport;
    int done = 0;
    if (failed(transport, "reach another rank", MPI_Testall(mpi->count, mpi->requests, &done, MPI_STATUSES_IGNORE)))
        return -1;
    return done != 0;
}

static void tell(struct graft_transport *transport, const void *note)
{
    struct mpi_transport *const mpi = (struct mpi_transport *)transport;
    int done = 0;
    memcpy(mpi->note, note, sizeof mpi->note);
    for (int r = 0; r < transport->count; r++)
        if (r != transport->rank && mpi->told[r] == MPI_REQUEST_NULL)
            (void)MPI_Isend(mpi->note, sizeof mpi->note, MPI_BYTE, r, TAG_NOTE, MPI_COMM_WORLD, &mpi->told[r]);
    for (int i = 0; i < 1000 && !done; i++)
        (void)MPI_Testall(transport->count, mpi->told, &done, MPI_STATUSES_IGNORE);
}

static int heard(struct graft_transport *transport, void *note)
{
    MPI_Status status;
    int there = 0;
    (void)transport;
    if (MPI_Iprobe(MPI_ANY_SOURCE, TAG_NOTE, MPI_COMM_WORLD, &there, &status) != MPI_SUCCESS || !there)
        return -1;
    return MPI_Recv(note, GRAFT_TRANSPORT_NOTE, MPI_BYTE, status.MPI_SOURCE, TAG_NOTE, MPI_COMM_WORLD, &status) ==
                   MPI_SUCCESS
               ? status.MPI_SOURCE
               : -1;
}

/* Where not all come to the end, the launcher ends the rest when this process ends without MPI_Finalize. */
static void close_all(struct graft_transport *transport, bool whole)
{
    struct mpi_transport *const mpi = (struct mpi_transport *)transport;
    if (!whole)
        return;
    (void)MPI_Finalize();
    free(mpi->requests);
    free(mpi->told);
    free(mpi);
}

/* Who else is on this machine. */
static bool find_neighbours(struct graft_transport *transport)
{
    MPI_Comm here = MPI_COMM_NULL;
    int host = transport->rank;
    int code = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_rank(here, &transport->local_rank);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_size(here, &transport->local_count);
    if (code == MPI_SUCCESS)
        code = MPI_Bcast(&host, 1, MPI_INT, 0, here);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_free(&here);
    transport->host = host;
    return !failed(transport, "find the ranks of this machine", code);
}

__attribute__((visibility("default"))) graft_transport_open_function graft_transport_open;
struct graft_transport *graft_transport_open(char *text, size_t size)
{
    int provided = 0;
    struct mpi_transport *const mpi = calloc(1, sizeof *mpi);
    if (mpi == NULL) {
        (void)snprintf(text, size, "no memory for MPI");
        return NULL;
    }
    struct graft_transport *const base = &mpi->base;
    *base = (struct graft_transport){.abi = GRAFT_TRANSPORT_ABI,
                                     .start = start,
                                     .poll = poll_all,
                                     .tell = tell,
                                     .heard = heard,
                                     .close = close_all};
    bool done = !failed(base, "begin", MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided));
    if (done && provided < MPI_THREAD_FUNNELED) {
        done = false;
        (void)snprintf(base->error, sizeof base->error, "this MPI cannot be called from a program with threads");
    }
    done = done && !failed(base, "report errors", MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN)) &&
           !failed(base, "tell the rank", MPI_Comm_rank(MPI_COMM_WORLD, &base->rank)) &&
           !failed(base, "tell the number of ranks", MPI_Comm_size(MPI_COMM_WORLD, &base->count)) &&
           find_neighbours(base);
    mpi->told = done ? malloc((size_t)base->count * sizeof(MPI_Request)) : NULL;
    for (int r = 0; mpi->told != NULL && r < base->count; r++)
        mpi->told[r] = MPI_REQUEST_NULL;
    if (mpi->told != NULL)
        return base;
    (void)snprintf(text, size, "%s", done ? "no memory for MPI" : base->error);
    free(mpi);
    return NULL;
}
