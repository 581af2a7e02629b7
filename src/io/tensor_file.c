/* SPDX-License-Identifier: MIT */
/* Files of weights, told apart by their content. A format is a row here and a reader in a file of its own. */
#include "base/context.h"
#include "base/file.h"
#include "io/keras.h"
#include "io/pytorch.h"
#include "io/safetensors.h"
#include "io/stored.h"
#include "io/zip.h"

#include <string.h>

/* A length of the header that lies in the file, or what cannot be told: the reader then says what is wrong.
 */
static bool safetensors_begins(const uint8_t *data, size_t size)
{
    return size >= 8 && graft_read_u64(data) <= size - 8;
}

/* A pickle of protocol 2 to 5. */
static bool pickle_begins(const uint8_t *data, size_t size)
{
    return size >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5;
}

/* A zip whose first member is one that Keras writes. */
static bool zip_of_keras(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"metadata.json", "config.json", "model.weights.h5"};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && graft_zip_begins(data, size); i++) {
        const size_t length = strlen(names[i]);
        if (size > 30 + length && memcmp(data + 30, names[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* What begins like nothing known: the reader of safetensors says what it may be instead. */
static bool anything(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return true;
}

static const struct {
    bool (*begins)(const uint8_t *data, size_t size);
    enum graft_status (*parse)(struct graft_context *context, const char *path, const uint8_t *data,
                               size_t size, struct graft_tensor_set **set);
} formats[] = {
    {safetensors_begins, graft_safetensors_parse}, {graft_hdf5_begins, graft_keras_parse},
    {zip_of_keras, graft_keras_parse_zip},         {graft_zip_begins, graft_pytorch_parse},
    {pickle_begins, graft_pytorch_parse},          {anything, graft_safetensors_parse},
};

enum graft_status graft_tensor_set_load(struct graft_context *context, const char *path,
                                        struct graft_tensor_set **set)
{
    *set = NULL;
    struct graft_file_map map;
    enum graft_status status = graft_file_map_open(context, path, &map);
    if (status == GRAFT_OK) {
        size_t i = 0;
        while (!formats[i].begins(map.data, map.size)) {
            i++;
        }
        status = formats[i].parse(context, path, map.data, map.size, set);
        graft_file_map_close(&map);
    }
    return status;
}
