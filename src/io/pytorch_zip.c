/* SPDX-License-Identifier: MIT */
/* PyTorch's zip container: ROOT/data.pkl, ROOT/data/KEY for each storage, ROOT/byteorder. */
#include "io/pytorch.h"

#include "base/context.h"
#include "base/text.h"
#include "io/zip.h"

#include <stdio.h>
#include <string.h>

struct container {
    struct graft_pytorch *file;
    struct graft_zip zip;
    size_t pickle; /* the member ROOT/data.pkl */
    size_t root;   /* bytes of ROOT/ */
};

/* The place of ROOT/data.pkl, or the count of members. */
static size_t find_pickle(const struct graft_zip *zip)
{
    size_t i = 0;
    while (i < zip->count && strcmp(zip->members[i].name, "data.pkl") != 0 &&
           !graft_text_ends(zip->members[i].name, "/data.pkl")) {
        i++;
    }
    return i;
}

/* What else is packed as a zip, in words. */
static const char *other_kind(const struct graft_zip *zip)
{
    static const struct {
        const char *tail, *kind;
    } kinds[] = {{"constants.pkl", "a TorchScript program"},
                 {"archive_format", "a program of torch.export"},
                 {"model.weights.h5", "a Keras model"},
                 {"word/document.xml", "a document"}};
    for (size_t i = 0; i < zip->count; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (graft_text_ends(zip->members[i].name, kinds[k].tail)) {
                return kinds[k].kind;
            }
        }
    }
    return NULL;
}

static enum graft_status refuse(const struct graft_pytorch *file, const char *kind)
{
    return graft_fail(
        file->context, GRAFT_ERROR_UNSUPPORTED,
        "'%s' is %s, not a file of PyTorch weights; save them alone: torch.save(model.state_dict(), "
        "\"weights.pth\")",
        file->path, kind);
}

/* The key of a storage's member; NULL for other members. */
static const char *key_of(const struct container *container, size_t member)
{
    const char *const name = container->zip.members[member].name;
    return strncmp(name, container->zip.members[container->pickle].name, container->root) == 0 &&
                   graft_text_starts(name + container->root, "data/")
               ? name + container->root + strlen("data/")
               : NULL;
}

static bool wants(void *user, size_t member)
{
    const struct container *const container = user;
    const char *const key = key_of(container, member);
    return key && graft_pytorch_wants(container->file, key, strlen(key));
}

static enum graft_status take(void *user, size_t member, const uint8_t *data)
{
    struct container *const container = user;
    const char *const key = key_of(container, member);
    return graft_pytorch_fill(container->file, key, strlen(key), data, container->zip.members[member].size);
}

/* "little" where it is not said. */
static enum graft_status read_byte_order(struct container *container)
{
    struct graft_pytorch *const file = container->file;
    char name[512];
    const int length = snprintf(name, sizeof name, "%.*sbyteorder", (int)container->root,
                                container->zip.members[container->pickle].name);
    const size_t member = length > 0 && (size_t)length < sizeof name ? graft_zip_find(&container->zip, name)
                                                                     : container->zip.count;
    if (member == container->zip.count) {
        return GRAFT_OK;
    }
    uint8_t *text = NULL;
    const size_t size = (size_t)container->zip.members[member].size;
    const enum graft_status status = graft_zip_read_one(&container->zip, member, &text);
    if (status != GRAFT_OK) {
        return status;
    }
    file->big_endian = size == 3 && memcmp(text, "big", 3) == 0;
    const bool known = file->big_endian || (size == 6 && memcmp(text, "little", 6) == 0);
    graft_release(file->context, text);
    return known ? GRAFT_OK : graft_pickle_damaged(&file->pickle, "its byte order is neither little nor big");
}

static enum graft_status read_pickle(struct container *container)
{
    struct graft_pytorch *const file = container->file;
    const char *const kind = other_kind(&container->zip);
    if (kind) {
        return refuse(file, kind);
    }
    container->pickle = find_pickle(&container->zip);
    if (container->pickle == container->zip.count) {
        return refuse(file, "a zip archive without data.pkl");
    }
    const struct graft_zip_member *const member = &container->zip.members[container->pickle];
    container->root = strlen(member->name) - strlen("data.pkl");
    enum graft_status status = read_byte_order(container);
    if (status == GRAFT_OK) {
        status = graft_zip_read_one(&container->zip, container->pickle, &file->unpacked);
    }
    if (status == GRAFT_OK) {
        file->pickle.data = file->unpacked;
        file->pickle.size = (size_t)member->size;
        status = graft_pickle_read(&file->pickle);
    }
    return status;
}

enum graft_status graft_pytorch_zip(struct graft_pytorch *file)
{
    struct container container = {.file = file};
    enum graft_status status =
        graft_zip_open(file->context, file->path, file->data, file->size, &container.zip);
    if (status == GRAFT_OK) {
        status = read_pickle(&container);
    }
    if (status == GRAFT_OK) {
        status = graft_pytorch_prepare(file);
    }
    if (status == GRAFT_OK) {
        const struct graft_zip_taker taker = {.wants = wants, .take = take, .user = &container};
        status = graft_zip_read(&container.zip, &taker);
    }
    graft_zip_close(&container.zip);
    return status;
}
