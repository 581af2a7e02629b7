/* SPDX-License-Identifier: MIT */
/* The card of weights: network, classes, what outputs mean, and preprocessing, a line each. At most 1024 bytes. Seeds: made.py */
#include "fuzz.h"
#include "run/card.h"

#include <stdlib.h>
#include <string.h>

static enum graft_status put_lines(struct graft_tensor_set *set, char *text)
{
    static const char *const keys[] = {"graft.network", "graft.classes", "graft.target", "graft.preprocess"};
    enum graft_status status = GRAFT_OK;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && text && status == GRAFT_OK; i++) {
        char *const end = i < 3 ? strchr(text, '\n') : NULL; /* the last line is all the rest */
        if (end) {
            *end = '\0';
        }
        status = text[0] ? graft_tensor_set_put_text(set, keys[i], text) : GRAFT_OK;
        text = end ? end + 1 : NULL;
    }
    return status;
}

static enum graft_status try_bytes(struct graft_context *context, const uint8_t *data, size_t size)
{
    struct graft_card card = {0};
    struct graft_tensor_set *set = NULL;
    char *const text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    enum graft_status status = graft_tensor_set_open(context, &set);
    if (status == GRAFT_OK) {
        status = put_lines(set, text);
    }
    if (status == GRAFT_OK) {
        status = graft_card_read(context, set, FUZZ_NAME, &card);
    }
    graft_card_close(context, &card);
    graft_tensor_set_close(&set);
    free(text);
    return status;
}

const struct fuzz_target fuzz_target = {.read = try_bytes};
