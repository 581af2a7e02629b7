/* SPDX-License-Identifier: MIT */
#include "data/order.h"

#include "base/context.h"

void graft_order_shuffle(struct graft_random *random, int64_t *order, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (int64_t i = count - 1; i > 0; i--) {
        const int64_t other = graft_random_below(random, (uint32_t)(i + 1));
        const int64_t moved = order[i];
        order[i] = order[other];
        order[other] = moved;
    }
}

enum graft_status graft_balance_open(struct graft_context *context, int64_t count, int32_t classes,
                                     int32_t (*label)(const void *user, int64_t index), const void *user,
                                     struct graft_balance *balance)
{
    balance->members = graft_allocate(context, (size_t)count, sizeof *balance->members);
    balance->ends = graft_allocate(context, (size_t)classes, sizeof *balance->ends);
    if (!balance->members || !balance->ends) {
        graft_balance_close(context, balance);
        return GRAFT_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < count; i++) {
        balance->ends[label(user, i)]++;
    }
    for (int32_t c = 1; c < classes; c++) {
        balance->ends[c] += balance->ends[c - 1];
    }
    for (int64_t i = count - 1; i >= 0; i--) { /* each class from its end on; ends become beginnings */
        balance->members[--balance->ends[label(user, i)]] = i;
    }
    for (int32_t c = 0; c < classes; c++) { /* and ends again, without classes that are empty */
        const int64_t end = c + 1 < classes ? balance->ends[c + 1] : count;
        if (end > balance->ends[c]) {
            balance->ends[balance->classes++] = end;
        }
    }
    return GRAFT_OK;
}

void graft_balance_close(struct graft_context *context, struct graft_balance *balance)
{
    graft_release(context, balance->members);
    graft_release(context, balance->ends);
    *balance = (struct graft_balance){.classes = 0};
}

void graft_balance_draw(const struct graft_balance *balance, struct graft_random *random, int64_t *order,
                        int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t class = graft_random_below(random, (uint32_t)balance->classes);
        const int64_t begin = class > 0 ? balance->ends[class - 1] : 0;
        order[i] =
            balance->members[begin + graft_random_below(random, (uint32_t)(balance->ends[class] - begin))];
    }
}
