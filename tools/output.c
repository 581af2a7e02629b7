/* SPDX-License-Identifier: MIT */
#include "output.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *graft_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *graft_json_text(const char *text)
{
    const size_t length = strlen(text);
    char *const clean = malloc(3 * length + 1);
    if (clean == NULL) {
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        const size_t step = graft_text_character(text + i);
        memcpy(clean + used, step > 0 ? text + i : "\xef\xbf\xbd", step > 0 ? step : 3);
        used += step > 0 ? step : 3;
        i += step > 0 ? step : 1;
    }
    json_t *const value = json_stringn(clean, used);
    free(clean);
    return value;
}

static void end_without_memory(void)
{
    fprintf(stderr, "graft: not enough memory for the JSON document\n");
    exit(GRAFT_EXIT_FAILED);
}

void graft_json_add_item(json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) != 0) {
        end_without_memory();
    }
}

void graft_json_add_member(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        end_without_memory();
    }
}

json_t *graft_json_shape(const struct graft_shape *shape)
{
    json_t *const list = json_array();
    for (int32_t i = 0; i < shape->rank; i++) {
        graft_json_add_item(list, json_integer(shape->dim[i]));
    }
    return list;
}

int graft_json_print(struct graft_command *command, json_t *document)
{
    /* Into memory of the right size: a dump that has to grow its memory ignores some failures to do so. */
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(9);
    const size_t size = document != NULL ? json_dumpb(document, NULL, 0, flags) : 0;
    char *const text = size > 0 ? malloc(size + 1) : NULL;
    const bool done = text != NULL && json_dumpb(document, text, size, flags) == size;
    json_decref(document);
    if (!done) {
        free(text);
        return graft_command_error(command, "not enough memory for the JSON document");
    }
    text[size] = '\0';
    errno = 0;
    graft_command_printed(command, printf("%s\n", text) >= 0);
    free(text);
    return GRAFT_EXIT_DONE;
}

const char *graft_show_name(const char *name, char text[GRAFT_NAME_SHOWN])
{
    return graft_text_show(name, text, GRAFT_NAME_SHOWN);
}

void graft_append_file_name(struct graft_context *context, const char *name, struct graft_text *path)
{
    for (const char *c = name; *c != '\0'; c++) {
        const bool plain = strchr("/\\:*?\"<>| ", *c) == NULL && (unsigned char)*c >= 0x20;
        graft_text_append(context, path, "%c", plain ? *c : '_');
    }
}

const char *graft_show_bytes(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

const char *graft_show_count(int64_t value, char text[32])
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int at = 0;
    for (int i = 0; i < length && at < 30; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
            text[at++] = ',';
        }
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *graft_show_duration(double seconds, char text[32])
{
    const long whole = seconds < 1e9 ? lround(seconds) : 999999999;
    if (whole < 60) {
        snprintf(text, 32, "%ld s", whole);
    } else if (whole < 3600) {
        snprintf(text, 32, "%ld:%02ld", whole / 60, whole % 60);
    } else {
        snprintf(text, 32, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    }
    return text;
}

json_t *graft_memory_json(const struct graft_plan_memory *memory)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "parameters",
                     (json_int_t)memory->parameters, "state", (json_int_t)memory->state, "inputs",
                     (json_int_t)memory->inputs, "constants", (json_int_t)memory->constants, "activations",
                     (json_int_t)memory->activations, "activations_without_reuse",
                     (json_int_t)memory->activations_without_reuse, "workspace",
                     (json_int_t)memory->workspace, "prepared", (json_int_t)memory->prepared, "sums",
                     (json_int_t)memory->sums, "largest", (json_int_t)memory->largest);
}

void graft_memory_print(const struct graft_plan_memory *memory)
{
    char text[32];
    printf("  %-26s %12s\n", "parameters", graft_show_bytes(memory->parameters, text));
    printf("  %-26s %12s\n", "state", graft_show_bytes(memory->state, text));
    printf("  %-26s %12s\n", "inputs", graft_show_bytes(memory->inputs, text));
    printf("  %-26s %12s\n", "constants", graft_show_bytes(memory->constants, text));
    printf("  %-26s %12s\n", "activations", graft_show_bytes(memory->activations, text));
    printf("  %-26s %12s\n", "  without reuse", graft_show_bytes(memory->activations_without_reuse, text));
    printf("  %-26s %12s\n", "workspace", graft_show_bytes(memory->workspace, text));
    printf("  %-26s %12s\n", "prepared weights", graft_show_bytes(memory->prepared, text));
    if (memory->sums > 0) {
        printf("  %-26s %12s\n", "sums of gradients", graft_show_bytes(memory->sums, text));
    }
    printf("  %-26s %12s\n", "largest allocation", graft_show_bytes(memory->largest, text));
}
