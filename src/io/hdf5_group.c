/* SPDX-License-Identifier: MIT */
/* Groups: names by a symbol table (a B-tree of nodes, names in a heap) or by links in the header. */
#include "io/hdf5_file.h"

#include "base/context.h"

#include <string.h>

/* What is done with each member; false: enough. */
typedef bool member_visitor(void *user, const char *name, size_t length, uint64_t header);

struct members {
    struct graft_hdf5 *file;
    member_visitor *visit;
    void *user;
    bool damaged, done;
    struct graft_hdf5_span heap;
};

/* ---- symbol tables */

/* A name in the heap, which a zero ends. */
static void visit_symbol(struct members *members, uint64_t place, uint64_t header)
{
    struct graft_hdf5_span rest;
    const uint8_t *end = NULL;
    if (place < members->heap.size &&
        graft_hdf5_part(members->heap, place, members->heap.size - place, &rest))
        end = memchr(rest.data, 0, rest.size);
    members->damaged = members->damaged || !end;
    if (end)
        members->done =
            !members->visit(members->user, (const char *)rest.data, (size_t)(end - rest.data), header);
}

/* A leaf: entries of name, header, cache type, reserved, scratch space. */
static void visit_leaf(struct members *members, struct graft_hdf5_span node)
{
    const size_t offset = members->file->offset_size, entry = 2 * offset + 24;
    uint64_t count = 0;
    if (!graft_hdf5_number(node, 6, 2, &count)) {
        members->damaged = true;
        return;
    }
    for (uint64_t i = 0; i < count && !members->done && !members->damaged; i++) {
        uint64_t name = 0, header = 0;
        if (!graft_hdf5_step(members->file) || !graft_hdf5_number(node, 8 + i * entry, offset, &name) ||
            !graft_hdf5_number(node, 8 + i * entry + offset, offset, &header))
            members->damaged = true;
        else
            visit_symbol(members, name, header);
    }
}

/* Nodes of the tree that are still to be visited, the next one last. */
enum { STACK_SIZE = 4096 };

static bool push_children(struct members *members, struct graft_hdf5_span node, uint64_t *stack,
                          size_t *depth)
{
    const size_t offset = members->file->offset_size, length = members->file->length_size;
    uint64_t type = 0, count = 0;
    if (!graft_hdf5_number(node, 4, 1, &type) || type != 0 || !graft_hdf5_number(node, 6, 2, &count))
        return false;
    const uint64_t first = 8 + 2 * offset + length;
    for (uint64_t i = count; i-- > 0;) {
        if (*depth == STACK_SIZE ||
            !graft_hdf5_number(node, first + i * (offset + length), offset, &stack[(*depth)++]))
            return false;
    }
    return true;
}

static void visit_table(struct members *members, struct graft_hdf5_span message)
{
    struct graft_hdf5 *const file = members->file;
    uint64_t tree = 0, heap = 0, size = 0, data = 0;
    struct graft_hdf5_span head;
    uint64_t *const stack = graft_allocate(file->context, STACK_SIZE, sizeof *stack);
    size_t depth = 0;
    members->damaged = !stack || !graft_hdf5_number(message, 0, file->offset_size, &tree) ||
                       !graft_hdf5_number(message, file->offset_size, file->offset_size, &heap) ||
                       !graft_hdf5_at(file, heap, 8 + 2 * file->length_size + file->offset_size, &head) ||
                       memcmp(head.data, "HEAP", 4) != 0 ||
                       !graft_hdf5_number(head, 8, file->length_size, &size) ||
                       !graft_hdf5_number(head, 8 + 2 * file->length_size, file->offset_size, &data) ||
                       !graft_hdf5_at(file, data, size, &members->heap);
    if (!members->damaged)
        stack[depth++] = tree;
    while (depth > 0 && !members->done && !members->damaged) {
        const uint64_t address = stack[--depth];
        struct graft_hdf5_span node;
        if (!graft_hdf5_step(file) || address >= file->size ||
            !graft_hdf5_at(file, address, file->size - address, &node) || node.size < 8)
            members->damaged = true;
        else if (memcmp(node.data, "SNOD", 4) == 0)
            visit_leaf(members, node);
        else
            members->damaged =
                memcmp(node.data, "TREE", 4) != 0 || !push_children(members, node, stack, &depth);
    }
    graft_release(file->context, stack);
}

/* ---- links */

/* Only hard links lead anywhere: others would leave the file, or go by another name. */
static void visit_link(struct members *members, struct graft_hdf5_span message)
{
    uint64_t flags = 0, type = 0, length = 0, header = 0;
    struct graft_hdf5_span name;
    if (!graft_hdf5_number(message, 1, 1, &flags)) {
        members->damaged = true;
        return;
    }
    uint64_t at = 2;
    if ((flags & 8) != 0)
        members->damaged = !graft_hdf5_number(message, at++, 1, &type);
    at += ((flags & 4) != 0 ? 8u : 0u) + ((flags & 0x10) != 0 ? 1u : 0u);
    const size_t width = (size_t)1 << (flags & 3);
    if (members->damaged || !graft_hdf5_number(message, at, width, &length) ||
        !graft_hdf5_part(message, at + width, length, &name)) {
        members->damaged = true;
        return;
    }
    if (type != 0)
        return;
    if (!graft_hdf5_number(message, at + width + length, members->file->offset_size, &header))
        members->damaged = true;
    else
        members->done = !members->visit(members->user, (const char *)name.data, name.size, header);
}

static bool visit_message(void *user, int type, struct graft_hdf5_span message)
{
    struct members *const members = user;
    if (type == GRAFT_HDF5_SYMBOL_TABLE)
        visit_table(members, message);
    else if (type == GRAFT_HDF5_LINK)
        visit_link(members, message);
    return !members->done && !members->damaged;
}

/* False: damaged. */
static bool visit_members(struct graft_hdf5 *file, uint64_t group, member_visitor *visit, void *user)
{
    struct members members = {.file = file, .visit = visit, .user = user};
    return graft_hdf5_messages(file, group, visit_message, &members) && !members.damaged;
}

/* ---- paths */

struct sought {
    const char *name;
    size_t length;
    uint64_t header;
    bool found;
};

static bool compare_member(void *user, const char *name, size_t length, uint64_t header)
{
    struct sought *const sought = user;
    sought->found = length == sought->length && memcmp(name, sought->name, length) == 0;
    sought->header = header;
    return !sought->found;
}

bool graft_hdf5_find(struct graft_hdf5 *file, const char *object, uint64_t *header)
{
    *header = file->root;
    while (*object) {
        const size_t length = strcspn(object, "/");
        struct sought sought = {.name = object, .length = length};
        /* A damaged header has no members that could be relied on. */
        if (length > 0 && (!visit_members(file, *header, compare_member, &sought) || !sought.found))
            return false;
        if (length > 0)
            *header = sought.header;
        object += length + (object[length] == '/');
    }
    return true;
}

bool graft_hdf5_exists(struct graft_hdf5 *file, const char *object)
{
    uint64_t header = 0;
    return graft_hdf5_find(file, object, &header);
}

struct listing {
    struct graft_hdf5 *file;
    struct graft_hdf5_texts *names;
    enum graft_status status;
};

static bool list_member(void *user, const char *name, size_t length, uint64_t header)
{
    struct listing *const listing = user;
    (void)header;
    listing->status = graft_hdf5_texts_add(listing->file, listing->names, name, length);
    return listing->status == GRAFT_OK;
}

enum graft_status graft_hdf5_list(struct graft_hdf5 *file, const char *group, struct graft_hdf5_texts *names)
{
    struct listing listing = {.file = file, .names = names};
    uint64_t header = 0;
    if (!graft_hdf5_find(file, group, &header))
        return graft_hdf5_damaged(file, group, "is not there");
    const bool good = visit_members(file, header, list_member, &listing);
    if (listing.status != GRAFT_OK)
        return listing.status;
    return good ? GRAFT_OK : graft_hdf5_damaged(file, group, "is no group that can be read");
}
