/* SPDX-License-Identifier: MIT */
/* Data sets: element types, shapes, and the bytes, which lie in one piece, in the header, or in chunks. */
#include "io/hdf5_file.h"

#include "base/context.h"
#include "base/size.h"
#include "io/stored.h"
#include "io/tensor_set.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define DEFLATE_RATIO 1032 /* at most: 258 bytes by two bits */

enum filter { FILTER_DEFLATE = 1, FILTER_SHUFFLE = 2, FILTER_FLETCHER32 = 3 };
enum { FILTERS = 4 };

struct data_set {
    struct graft_hdf5 *file;
    const char *object;
    struct graft_hdf5_type type;
    struct graft_shape shape;
    uint64_t bytes;
    int filters[FILTERS], filter_count;
};

bool graft_hdf5_type_parse(struct graft_hdf5_span message, struct graft_hdf5_type *type)
{
    uint64_t head = 0, bits = 0, size = 0;
    if (!graft_hdf5_number(message, 0, 1, &head) || !graft_hdf5_number(message, 1, 3, &bits) ||
        !graft_hdf5_number(message, 4, 4, &size) || size == 0)
        return false;
    *type = (struct graft_hdf5_type){(int)(head & 15), (uint32_t)bits, size};
    return true;
}

bool graft_hdf5_space_parse(const struct graft_hdf5 *file, struct graft_hdf5_span message,
                            struct graft_shape *shape)
{
    uint64_t version = 0, rank = 0;
    if (!graft_hdf5_number(message, 0, 1, &version) || version < 1 || version > 2 ||
        !graft_hdf5_number(message, 1, 1, &rank) || rank > GRAFT_MAX_RANK)
        return false;
    *shape = (struct graft_shape){.rank = (int32_t)rank};
    for (uint64_t i = 0; i < rank; i++) {
        uint64_t size = 0;
        if (!graft_hdf5_number(message, (version == 1 ? 8 : 4) + i * file->length_size, file->length_size,
                               &size) ||
            size > INT64_MAX)
            return false;
        shape->dim[i] = (int64_t)size;
    }
    return graft_shape_check(shape);
}

/* How our types see the elements; bfloat16 is written as two bytes of no type. */
static enum graft_stored stored_of(const struct graft_hdf5_type *type)
{
    static const enum graft_stored integers[2][9] = {
        {[1] = GRAFT_STORED_U8, [2] = GRAFT_STORED_U16, [4] = GRAFT_STORED_U32, [8] = GRAFT_STORED_U64},
        {[1] = GRAFT_STORED_I8, [2] = GRAFT_STORED_I16, [4] = GRAFT_STORED_I32, [8] = GRAFT_STORED_I64}};
    static const enum graft_stored reals[9] = {
        [2] = GRAFT_STORED_F16, [4] = GRAFT_STORED_F32, [8] = GRAFT_STORED_F64};
    if (type->size > 8 || (type->class <= GRAFT_HDF5_REAL && (type->bits & 1) != 0)) /* big-endian */
        return GRAFT_STORED_NONE;
    if (type->class == GRAFT_HDF5_REAL)
        return reals[type->size];
    if (type->class == GRAFT_HDF5_INTEGER)
        return integers[type->bits >> 3 & 1][type->size];
    return type->size == 2 ? GRAFT_STORED_BF16 : GRAFT_STORED_NONE;
}

static enum graft_status refuse(const struct data_set *set, const char *reason)
{
    return graft_hdf5_damaged(set->file, set->object, reason);
}

/* ---- filters */

static bool parse_filters(struct data_set *set, struct graft_hdf5_span message)
{
    uint64_t version = 0, count = 0;
    if (message.size == 0)
        return true;
    if (!graft_hdf5_number(message, 0, 1, &version) || version < 1 || version > 2 ||
        !graft_hdf5_number(message, 1, 1, &count) || count > FILTERS)
        return false;
    uint64_t at = version == 1 ? 8 : 2;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = 0, name = 0, values = 0;
        if (!graft_hdf5_number(message, at, 2, &id))
            return false;
        at += 2;
        if (version == 1 || id >= 256) {
            if (!graft_hdf5_number(message, at, 2, &name))
                return false;
            at += 2;
        }
        if (!graft_hdf5_number(message, at + 2, 2, &values))
            return false;
        at += 4 + (version == 1 ? graft_round_up(name, 8) : name) +
              4 * (values + (version == 1 ? values % 2 : 0));
        if (id != FILTER_DEFLATE && id != FILTER_SHUFFLE && id != FILTER_FLETCHER32)
            return false;
        set->filters[set->filter_count++] = (int)id;
    }
    return true;
}

/* Bytes that belong to one element stand together again. */
static void unshuffle(const uint8_t *from, uint8_t *to, size_t count, size_t size)
{
    for (size_t b = 0; b < size; b++)
        for (size_t i = 0; i < count; i++)
            to[i * size + b] = from[b * count + i];
}

/* A chunk's bytes through the filters, the last one first. `chunk` and `other` hold `bytes` + 4 each; *result
 * is one of them. */
static bool unfilter(const struct data_set *set, struct graft_hdf5_span stored, uint64_t mask, uint64_t bytes,
                     uint8_t *chunk, uint8_t *other, const uint8_t **result)
{
    struct graft_hdf5_span at = stored;
    for (int i = set->filter_count; i-- > 0;) {
        uint8_t *const to = at.data == chunk ? other : chunk;
        uLongf length = (uLongf)(bytes + 4); /* a checksum may stand behind */
        if ((mask >> i & 1) != 0)
            continue;
        if (set->filters[i] == FILTER_FLETCHER32) {
            if (at.size < 4)
                return false;
            at.size -= 4;
            continue;
        }
        if (set->filters[i] == FILTER_DEFLATE) {
            if (uncompress(to, &length, at.data, (uLong)at.size) != Z_OK)
                return false;
        } else {
            if (at.size != bytes)
                return false;
            unshuffle(at.data, to, (size_t)(bytes / set->type.size), (size_t)set->type.size);
            length = (uLongf)bytes;
        }
        at = (struct graft_hdf5_span){to, length};
    }
    *result = at.data;
    return at.size == bytes;
}

/* ---- chunks: leaves of a B-tree, keyed by where in the array they begin */

struct chunks {
    struct data_set *set;
    int64_t sides[GRAFT_MAX_RANK];
    uint64_t bytes; /* of a chunk */
    uint8_t *buffers[2], *data;
};

/* Copies the part of a chunk that lies in the array, row by row. */
static void place_chunk(const struct chunks *chunks, const int64_t *begin, const uint8_t *from)
{
    const struct graft_shape *const shape = &chunks->set->shape;
    const int rank = shape->rank;
    const size_t size = (size_t)chunks->set->type.size;
    int64_t index[GRAFT_MAX_RANK] = {0};
    const int64_t row = graft_min_i64(chunks->sides[rank - 1], shape->dim[rank - 1] - begin[rank - 1]);
    for (;;) {
        int64_t source = 0, target = 0;
        for (int d = 0; d < rank; d++) {
            source = source * chunks->sides[d] + index[d];
            target = target * shape->dim[d] + begin[d] + index[d];
        }
        memcpy(chunks->data + (size_t)target * size, from + (size_t)source * size, (size_t)row * size);
        int d = rank - 2;
        while (d >= 0 && (++index[d] == chunks->sides[d] || begin[d] + index[d] == shape->dim[d]))
            index[d--] = 0;
        if (d < 0)
            return;
    }
}

static bool read_chunk(const struct chunks *chunks, struct graft_hdf5_span key, uint64_t address)
{
    const struct data_set *const set = chunks->set;
    uint64_t size = 0, mask = 0;
    int64_t begin[GRAFT_MAX_RANK];
    struct graft_hdf5_span stored;
    const uint8_t *bytes = NULL;
    if (!graft_hdf5_number(key, 0, 4, &size) || !graft_hdf5_number(key, 4, 4, &mask) ||
        !graft_hdf5_at(set->file, address, size, &stored))
        return false;
    for (int d = 0; d < set->shape.rank; d++) {
        uint64_t place = 0;
        if (!graft_hdf5_number(key, 8 + 8 * (uint64_t)d, 8, &place) || place >= (uint64_t)set->shape.dim[d] ||
            place % (uint64_t)chunks->sides[d] != 0)
            return false;
        begin[d] = (int64_t)place;
    }
    if (!unfilter(set, stored, mask, chunks->bytes, chunks->buffers[0], chunks->buffers[1], &bytes))
        return false;
    place_chunk(chunks, begin, bytes);
    return true;
}

/* Nodes that are still to be visited. */
enum { STACK_SIZE = 4096 };

static bool read_node(const struct chunks *chunks, struct graft_hdf5_span node, uint64_t *stack,
                      size_t *depth)
{
    const struct graft_hdf5 *const file = chunks->set->file;
    uint64_t type = 0, level = 0, count = 0;
    const uint64_t key_size = 8 + 8 * ((uint64_t)chunks->set->shape.rank + 1);
    const uint64_t first = 8 + 2 * file->offset_size, entry = key_size + file->offset_size;
    if (node.size < 8 || memcmp(node.data, "TREE", 4) != 0 || !graft_hdf5_number(node, 4, 1, &type) ||
        type != 1 || !graft_hdf5_number(node, 5, 1, &level) || !graft_hdf5_number(node, 6, 2, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct graft_hdf5_span key;
        uint64_t child = 0;
        if (!graft_hdf5_part(node, first + i * entry, key_size, &key) ||
            !graft_hdf5_number(node, first + i * entry + key_size, file->offset_size, &child) ||
            !graft_hdf5_step(chunks->set->file))
            return false;
        if (level == 0) {
            if (!read_chunk(chunks, key, child))
                return false;
        } else {
            if (*depth == STACK_SIZE)
                return false;
            stack[(*depth)++] = child;
        }
    }
    return true;
}

static bool read_tree(const struct chunks *chunks, uint64_t tree, uint64_t *stack)
{
    struct graft_hdf5 *const file = chunks->set->file;
    size_t depth = 0;
    stack[depth++] = tree;
    while (depth > 0) {
        const uint64_t address = stack[--depth];
        struct graft_hdf5_span node;
        if (!graft_hdf5_step(file) || address >= file->size ||
            !graft_hdf5_at(file, address, file->size - address, &node) ||
            !read_node(chunks, node, stack, &depth))
            return false;
    }
    return true;
}

/* Layout of version 3, class 2: rank + 1, the tree, sides of a chunk, bytes of an element. */
static enum graft_status read_chunks(struct data_set *set, struct graft_hdf5_span layout, uint8_t *data)
{
    struct chunks chunks = {.set = set, .bytes = set->type.size, .data = data};
    struct graft_context *const context = set->file->context;
    uint64_t rank = 0, tree = 0;
    if (set->shape.rank < 1 || !graft_hdf5_number(layout, 2, 1, &rank) ||
        rank != (uint64_t)set->shape.rank + 1 || !graft_hdf5_number(layout, 3, set->file->offset_size, &tree))
        return refuse(set, "has chunks that cannot be read");
    for (int d = 0; d < set->shape.rank; d++) {
        uint64_t side = 0;
        if (!graft_hdf5_number(layout, 3 + set->file->offset_size + 4 * (uint64_t)d, 4, &side) || side == 0 ||
            !graft_multiply_u64(chunks.bytes, side, &chunks.bytes))
            return refuse(set, "has chunks that cannot be read");
        chunks.sides[d] = (int64_t)side;
    }
    if (chunks.bytes / DEFLATE_RATIO > set->file->size)
        return refuse(set, "has chunks larger than what is stored");
    uint64_t *const stack = graft_allocate(context, STACK_SIZE, sizeof *stack);
    enum graft_status status = stack ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    for (int i = 0; i < 2 && status == GRAFT_OK; i++) {
        chunks.buffers[i] = graft_allocate(context, (size_t)chunks.bytes + 4, 1);
        status = chunks.buffers[i] ? GRAFT_OK : GRAFT_ERROR_MEMORY;
    }
    if (status == GRAFT_OK && !read_tree(&chunks, tree, stack))
        status = refuse(set, "has a chunk that cannot be read");
    graft_release(context, chunks.buffers[0]);
    graft_release(context, chunks.buffers[1]);
    graft_release(context, stack);
    return status;
}

/* ---- layouts */

/* The bytes of the elements, into memory that is zero. */
static enum graft_status read_bytes(struct data_set *set, struct graft_hdf5_span layout, uint8_t *data)
{
    const struct graft_hdf5 *const file = set->file;
    uint64_t version = 0, class = 0, address = 0, size = 0;
    struct graft_hdf5_span bytes;
    if (!graft_hdf5_number(layout, 0, 1, &version) || !graft_hdf5_number(layout, 1, 1, &class) ||
        version < 3 || version > 4 || class > 2 || (class == 2 && version != 3))
        return refuse(set, "is stored in a way that is not read (save it with h5py's usual settings)");
    if (class == 2)
        return read_chunks(set, layout, data);
    if (class == 0 ? !graft_hdf5_number(layout, 2, 2, &size) || !graft_hdf5_part(layout, 4, size, &bytes)
                   : !graft_hdf5_number(layout, 2, file->offset_size, &address) ||
                         !graft_hdf5_number(layout, 2 + file->offset_size, file->length_size, &size) ||
                         !graft_hdf5_at(file, address, size, &bytes))
        return refuse(set, "lies outside of the file (truncated?)");
    if (bytes.size < set->bytes || set->filter_count > 0)
        return refuse(set, "announces more than is stored");
    memcpy(data, bytes.data, (size_t)set->bytes);
    return GRAFT_OK;
}

static enum graft_status convert(struct data_set *set, enum graft_stored stored, const uint8_t *bytes,
                                 const char *name, struct graft_tensor_set *tensors)
{
    struct graft_context *const context = set->file->context;
    const struct graft_desc desc = {graft_stored_target(stored), set->shape};
    const uint64_t count = (uint64_t)graft_shape_count(&set->shape);
    void *const data = graft_allocate_raw(context, (size_t)count, graft_dtype_size(desc.dtype));
    if (!data)
        return GRAFT_ERROR_MEMORY;
    enum graft_status status = GRAFT_OK;
    if (count > 0 && graft_stored_convert(stored, count, bytes, data) < count)
        status = graft_fail(context, GRAFT_ERROR_NUMERIC, "'%s': a number of '%.200s' is too large for %s",
                            set->file->path, set->object, graft_dtype_name(desc.dtype));
    if (status == GRAFT_OK && graft_tensor_set_find(tensors, name))
        status = graft_fail(context, GRAFT_ERROR_FORMAT, "'%s': there is more than one '%.200s'",
                            set->file->path, name);
    if (status == GRAFT_OK)
        status = graft_tensor_set_take(tensors, name, &desc, data, stored);
    if (status != GRAFT_OK)
        graft_release(context, data);
    return status;
}

static enum graft_status describe(struct data_set *set, uint64_t header, struct graft_hdf5_span *layout)
{
    struct graft_hdf5_span type, space, filters, external;
    if (!graft_hdf5_message(set->file, header, GRAFT_HDF5_DATATYPE, &type) ||
        !graft_hdf5_message(set->file, header, GRAFT_HDF5_DATASPACE, &space) ||
        !graft_hdf5_message(set->file, header, GRAFT_HDF5_FILTERS, &filters) ||
        !graft_hdf5_message(set->file, header, GRAFT_HDF5_EXTERNAL, &external) ||
        !graft_hdf5_message(set->file, header, GRAFT_HDF5_LAYOUT, layout) ||
        !graft_hdf5_type_parse(type, &set->type) || !graft_hdf5_space_parse(set->file, space, &set->shape))
        return refuse(set, "is no data set that can be read");
    if (external.size > 0)
        return refuse(set, "lies in another file");
    if (!parse_filters(set, filters))
        return refuse(set, "is stored by a filter that is not read");
    /* What a hostile file can make anybody take is bounded by its own size. */
    if (!graft_multiply_u64((uint64_t)graft_shape_count(&set->shape), set->type.size, &set->bytes) ||
        set->bytes / (set->filter_count > 0 ? DEFLATE_RATIO : 1) > set->file->size)
        return refuse(set, "announces more than is stored");
    if (set->bytes > set->file->bytes_left)
        return refuse(set, "would be read again and again");
    set->file->bytes_left -= set->bytes;
    return GRAFT_OK;
}

enum graft_status graft_hdf5_read(struct graft_hdf5 *file, const char *object, const char *name,
                                  struct graft_tensor_set *set)
{
    struct data_set data = {.file = file, .object = object};
    struct graft_hdf5_span layout;
    uint64_t header = 0;
    if (!graft_hdf5_find(file, object, &header))
        return graft_hdf5_damaged(file, object, "is not there");
    enum graft_status status = describe(&data, header, &layout);
    const enum graft_stored stored = status == GRAFT_OK ? stored_of(&data.type) : GRAFT_STORED_NONE;
    if (status == GRAFT_OK && stored == GRAFT_STORED_NONE)
        status = refuse(&data, "holds no numbers that are read");
    if (status != GRAFT_OK)
        return status;
    uint8_t *const bytes = graft_allocate(file->context, (size_t)data.bytes, 1);
    if (!bytes)
        return GRAFT_ERROR_MEMORY;
    status = data.bytes > 0 ? read_bytes(&data, layout, bytes) : GRAFT_OK;
    if (status == GRAFT_OK)
        status = convert(&data, stored, bytes, name, set);
    graft_release(file->context, bytes);
    return status;
}
