/* SPDX-License-Identifier: MIT */
/*
 * Items of work that the work-items of a launch share out among themselves. In the CPU family there are a few
 * work-items for each compute unit. Each has a portion of the items, which lie side by side, and takes them
 * one by one; when it is through with them it takes part in the portions of the others, so that processors of
 * unequal speed end together. Drivers deal out work-groups in portions that are too large for that: PoCL half
 * of what is left. What an item computes does not depend on who takes it. In the GPU family (VEC=1) a
 * work-item has one item, that of its global id.
 *
 * Such a kernel has ITEM_ARGUMENTS as its last, and is launched by graft_opencl_launch_items.
 */
#ifndef GRAFT_CL_ITEMS_H
#define GRAFT_CL_ITEMS_H

/* tickets[items.s3 + i]: how many of portion i are taken, 0 before the launch; items.s0 to s2: how many items
 * there are. */
#define ITEM_ARGUMENTS volatile global int *tickets, const int4 items

/* for (ITEM_LOOP(item)): item.x, item.y, item.z is the place of an item. */
#define ITEM_LOOP(item)                                                                                      \
    struct item_place item = item_first(tickets, items);                                                     \
    item.there;                                                                                              \
    item_next(&item, tickets, items)

struct item_place {
    int x, y, z;
    bool there;
    int portion, left; /* portions that are left to be looked at, this one included */
};

#if defined(VEC) && VEC == 1
static inline struct item_place item_first(volatile global int *tickets, const int4 items)
{
    const struct item_place item = {
        (int)get_global_id(0), (int)get_global_id(1), (int)get_global_id(2), true, 0, 0};
    return item;
}

static inline void item_next(struct item_place *item, volatile global int *tickets, const int4 items)
{
    item->there = false;
}
#else
static inline void item_next(struct item_place *item, volatile global int *tickets, const int4 items)
{
    const int portions = (int)get_global_size(0), all = items.s0 * items.s1 * items.s2;
    item->there = false;
    while (item->left > 0) {
        const int first = (int)((long)all * item->portion / portions);
        const int end = (int)((long)all * (item->portion + 1) / portions);
        /* Unsigned: where clearing the counters failed, nothing is done instead of a lot elsewhere. */
        const uint taken = (uint)atomic_inc(tickets + items.s3 + item->portion);
        if (taken < (uint)(end - first)) {
            const int number = first + (int)taken;
            const int rest = number / items.s0;
            item->x = number - rest * items.s0;
            item->y = rest % items.s1;
            item->z = rest / items.s1;
            item->there = true;
            return;
        }
        item->portion = item->portion + 1 == portions ? 0 : item->portion + 1;
        --item->left;
    }
}

static inline struct item_place item_first(volatile global int *tickets, const int4 items)
{
    struct item_place item = {0, 0, 0, true, (int)get_global_id(0), (int)get_global_size(0)};
    item_next(&item, tickets, items);
    return item;
}
#endif

#endif
