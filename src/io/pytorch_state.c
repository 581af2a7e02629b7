/* SPDX-License-Identifier: MIT */
/*
 * Where in a checkpoint the weights are. A state dict is a dict of tensors under names; training scripts put
 * it into other dicts, beside optimizers and numbers.
 */
#include "io/pytorch.h"

#include "base/context.h"

#include <string.h>

#define TENSORS_LIMIT 65536

/* The usual names of entries that hold a state dict, in order of preference: averages of the weights come
 * last. */
static const char *const wrappers[] = {"state_dict",     "model_state_dict", "model_state",   "model",  "net",
                                       "network",        "module",           "weights",       "params", "ema",
                                       "state_dict_ema", "model_ema",        "ema_state_dict"};

static uint32_t count_tensors(const struct graft_pickle *pickle, const struct graft_pickle_value *dict)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        count += graft_pickle_at(pickle, dict->as.items[i])->kind == GRAFT_PICKLE_TEXT &&
                 graft_pickle_at(pickle, dict->as.items[i + 1])->kind == GRAFT_PICKLE_TENSOR;
    }
    return count;
}

/* The dict below a wrapper's name, or NULL. */
static const struct graft_pickle_value *unwrap(const struct graft_pickle *pickle,
                                               const struct graft_pickle_value *dict, const char *name)
{
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        const struct graft_pickle_value *const value = graft_pickle_at(pickle, dict->as.items[i + 1]);
        if (value->kind == GRAFT_PICKLE_DICT &&
            graft_pickle_is(graft_pickle_at(pickle, dict->as.items[i]), name)) {
            return value;
        }
    }
    return NULL;
}

/* Follows wrappers, a few levels deep: a dict may hold itself. */
static const struct graft_pickle_value *follow(struct graft_pytorch *file,
                                               const struct graft_pickle_value *dict)
{
    for (int depth = 0; depth < 8; depth++) {
        const struct graft_pickle_value *inner = NULL;
        size_t taken = 0;
        for (size_t w = 0; !inner && w < sizeof wrappers / sizeof wrappers[0]; w++) {
            inner = unwrap(&file->pickle, dict, wrappers[w]);
            taken = w;
        }
        if (inner == NULL || inner == dict) {
            break;
        }
        for (size_t w = taken + 1; w < sizeof wrappers / sizeof wrappers[0]; w++) {
            if (unwrap(&file->pickle, dict, wrappers[w]) != NULL) {
                graft_log(file->context, GRAFT_LOG_REMARK, "'%s': '%s' is read, '%s' beside it is not",
                          file->path, wrappers[taken], wrappers[w]);
            }
        }
        dict = inner;
    }
    return dict;
}

/* The dict that holds the most tensors; the first of several. */
static const struct graft_pickle_value *richest(const struct graft_pickle *pickle)
{
    const struct graft_pickle_value *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < pickle->value_count; i++) {
        const struct graft_pickle_value *const value = &pickle->values[i];
        const uint32_t count = value->kind == GRAFT_PICKLE_DICT ? count_tensors(pickle, value) : 0;
        if (count > most) {
            most = count;
            best = value;
        }
    }
    return best;
}

static enum graft_status no_weights(const struct graft_pytorch *file)
{
    static const char *const kinds[] = {[GRAFT_PICKLE_TENSOR] = "a single tensor",
                                        [GRAFT_PICKLE_LIST] = "a list",
                                        [GRAFT_PICKLE_TUPLE] = "a tuple",
                                        [GRAFT_PICKLE_DICT] = "a dict without tensors",
                                        [GRAFT_PICKLE_OTHER] = "something else"};
    const enum graft_pickle_kind kind = graft_pickle_at(&file->pickle, file->pickle.result)->kind;
    return graft_fail(file->context, GRAFT_ERROR_FORMAT,
                      "'%s' holds no weights but %s; save them by name: torch.save(model.state_dict(), "
                      "\"weights.pth\")",
                      file->path, kinds[kind] ? kinds[kind] : "a plain value");
}

/* A tensor that cannot be read is a remark: whoever needs it will miss it by name. */
static bool is_readable(const struct graft_pytorch *file, const struct graft_pickle_value *name,
                        const struct graft_pickle_tensor *tensor)
{
    const struct graft_pickle_type *const type =
        graft_pickle_at(&file->pickle, tensor->storage)->as.storage->type;
    if (type->stored != GRAFT_STORED_NONE && tensor->rank <= GRAFT_MAX_RANK) {
        return true;
    }
    graft_log(file->context, GRAFT_LOG_REMARK, "'%s': tensor '%.*s' is left out: %s, %d dimensions",
              file->path, (int)(name->count < 200 ? name->count : 200), name->as.text, type->name,
              tensor->rank);
    return false;
}

enum graft_status graft_pytorch_choose(struct graft_pytorch *file)
{
    const struct graft_pickle *const pickle = &file->pickle;
    const struct graft_pickle_value *dict = graft_pickle_at(pickle, pickle->result);
    if (dict->kind == GRAFT_PICKLE_DICT) {
        dict = follow(file, dict);
    }
    uint32_t count = dict->kind == GRAFT_PICKLE_DICT ? count_tensors(pickle, dict) : 0;
    if (count == 0) {
        dict = richest(pickle);
        count = dict ? count_tensors(pickle, dict) : 0;
    }
    if (count == 0) {
        return no_weights(file);
    }
    if (count > TENSORS_LIMIT) {
        return graft_pickle_damaged(pickle, "it holds %u tensors, above the limit of %d", count,
                                    TENSORS_LIMIT);
    }
    file->tensors = graft_allocate(file->context, count, sizeof *file->tensors);
    if (file->tensors == NULL) {
        return GRAFT_ERROR_MEMORY;
    }
    for (uint32_t i = 0; i + 1 < dict->count; i += 2) {
        const struct graft_pickle_value *const name = graft_pickle_at(pickle, dict->as.items[i]);
        const struct graft_pickle_value *const value = graft_pickle_at(pickle, dict->as.items[i + 1]);
        if (name->kind == GRAFT_PICKLE_TEXT && value->kind == GRAFT_PICKLE_TENSOR &&
            is_readable(file, name, value->as.tensor)) {
            file->tensors[file->count++] = (struct graft_pytorch_tensor){
                .view = value->as.tensor,
                .storage = graft_pickle_at(pickle, value->as.tensor->storage)->as.storage,
                .name = dict->as.items[i]};
        }
    }
    return GRAFT_OK;
}
