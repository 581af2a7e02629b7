/* SPDX-License-Identifier: MIT */
#include "infer/micro.h"

#include "base/size.h"

struct search {
    enum graft_status (*attempt)(void *user, int64_t rows, struct graft_micro_size *size);
    void *user;
    int64_t rows; /* of the last attempt */
    struct graft_micro_size size;
};

static enum graft_status attempt(struct search *search, int64_t rows)
{
    if (search->rows == rows)
        return GRAFT_OK;
    search->rows = rows;
    return search->attempt(search->user, rows, &search->size);
}

/* Rows that should fit if sizes were linear between 1 row and `most` > 1. */
static int64_t estimate(int64_t most, const struct graft_micro_size *all, const struct graft_micro_size *one)
{
    if (all->need <= one->need || one->room <= one->need)
        return 1;
    const double each = (double)(all->need - one->need) / (double)(most - 1);
    const double more = (double)(one->room - one->need) / each;
    return more >= (double)(most - 1) ? most - 1 : 1 + (int64_t)more;
}

/* The least number of runs in (fails, fits] whose rows fit, `guess` being looked at first, then what is next
 * to it. */
static enum graft_status narrow(struct search *search, int64_t batch, int64_t fails, int64_t fits,
                                int64_t guess, int64_t *least)
{
    enum graft_status status = GRAFT_OK;
    int64_t next = guess;
    for (int step = 0; fits - fails > 1 && status == GRAFT_OK; step++) {
        if (next <= fails || next >= fits)
            next = fails + (fits - fails) / 2;
        const int64_t rows = graft_ceil_div(batch, next);
        if (rows == graft_ceil_div(batch, fits)) {
            fits = next; /* as many rows, in fewer runs */
        } else if (rows == graft_ceil_div(batch, fails)) {
            fails = next;
        } else {
            status = attempt(search, rows);
            *(search->size.fits ? &fits : &fails) = next;
        }
        next = step > 2 ? 0 : search->size.fits ? fits - 1 : fails + 1;
    }
    *least = fits;
    return status;
}

enum graft_status graft_micro_search(int64_t batch, int64_t most, bool divide,
                                     enum graft_status (*function)(void *user, int64_t rows,
                                                                   struct graft_micro_size *size),
                                     void *user, int64_t *rows, struct graft_micro_size *size)
{
    struct search search = {.attempt = function, .user = user};
    int64_t runs = graft_ceil_div(batch, most);
    const int64_t first = graft_ceil_div(batch, runs);
    enum graft_status status = attempt(&search, first);
    const struct graft_micro_size all = search.size;
    if (status == GRAFT_OK && !all.fits && first > 1) {
        status = attempt(&search, 1);
        const struct graft_micro_size one = search.size;
        const int64_t guess = graft_ceil_div(batch, estimate(first, &all, &one));
        const int64_t fails = runs;
        runs = batch;
        if (status == GRAFT_OK && one.fits)
            status = narrow(&search, batch, fails, batch, guess, &runs);
    }
    int64_t chosen = graft_ceil_div(batch, runs);
    for (int64_t k = runs; divide && k <= 2 * runs && k <= batch; k++)
        if (batch % k == 0) {
            chosen = batch / k;
            break;
        }
    if (status == GRAFT_OK)
        status = attempt(&search, chosen);
    if (status == GRAFT_OK && !search.size.fits && chosen != graft_ceil_div(batch, runs)) {
        chosen = graft_ceil_div(batch, runs);
        status = attempt(&search, chosen);
    }
    *rows = chosen;
    *size = search.size;
    return status;
}
