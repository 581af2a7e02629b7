/* SPDX-License-Identifier: MIT */
#include "backend/tuning.h"

#include "backend/notes.h"
#include "base/context.h"
#include "base/random.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SECONDS 1e6

void graft_tuning_title(const struct graft_device *device, char *title, size_t size)
{
    const struct graft_device_info *const info = &device->info;
    snprintf(title, size, "tuning|%s|%s|%s|%s", info->name, info->platform, info->driver, GRAFT_VERSION);
    for (char *at = title; *at != '\0'; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
}

/* ---- reading ---- */

/* The next word of a line, of `size` − 1 characters at most, into `word`. */
static bool take_word(char **line, char *word, size_t size)
{
    const size_t length = strcspn(*line, " ");
    if (length == 0 || length >= size)
        return false;
    memcpy(word, *line, length);
    word[length] = '\0';
    *line += length + ((*line)[length] == ' ');
    return true;
}

static bool is_name(const char *word)
{
    for (; *word != '\0'; word++)
        if (!isalnum((unsigned char)*word) && *word != '_')
            return false;
    return true;
}

static bool take_name(char **line, char *name, size_t size)
{
    return take_word(line, name, size) && is_name(name);
}

static bool take_seconds(char **line, double *seconds)
{
    char word[32];
    char *end = NULL;
    if (!take_word(line, word, sizeof word))
        return false;
    *seconds = graft_read_number(word, &end);
    return *end == '\0' && *seconds >= 0 && *seconds < MOST_SECONDS;
}

static enum graft_status read_choice(struct graft_device *device, char *line)
{
    struct graft_tuning_choice choice = {0};
    if (device->tuning->count == GRAFT_TUNING_CHOICES ||
        !take_name(&line, choice.variant, sizeof choice.variant) || !take_seconds(&line, &choice.seconds) ||
        !take_name(&line, choice.plain, sizeof choice.plain) || !take_seconds(&line, &choice.plain_seconds) ||
        line[0] == '\0')
        return GRAFT_OK;
    choice.call = line;
    return graft_tuning_set(device, &choice);
}

enum graft_status graft_tuning_open(struct graft_device *device)
{
    char title[640];
    if (device->tuning != NULL || device->backend == &graft_backend_reference)
        return GRAFT_OK;
    device->tuning = graft_allocate(device->context, 1, sizeof *device->tuning);
    if (device->tuning == NULL)
        return GRAFT_ERROR_MEMORY;
    graft_tuning_title(device, title, sizeof title);
    const char *const use = getenv("GRAFT_TUNING");
    char *body = NULL;
    enum graft_status status =
        use != NULL && use[0] == '\0' ? GRAFT_OK : graft_notes_read(device->context, title, &body);
    char *rest = body;
    for (char *line; status == GRAFT_OK && (line = graft_notes_line(&rest)) != NULL;) {
        if (graft_text_starts(line, "choice "))
            status = read_choice(device, line + strlen("choice "));
    }
    graft_release(device->context, body);
    if (status != GRAFT_OK)
        graft_tuning_close(device);
    return status;
}

void graft_tuning_close(struct graft_device *device)
{
    struct graft_tuning *const tuning = device->tuning;
    if (tuning == NULL)
        return;
    for (int i = 0; i < tuning->count; i++)
        graft_release(device->context, tuning->choices[i].call);
    graft_release(device->context, tuning->choices);
    graft_release(device->context, tuning);
    device->tuning = NULL;
}

/* ---- looking up and changing ---- */

static int find(const struct graft_tuning *tuning, const char *call)
{
    const uint64_t hash = graft_hash_text(call);
    for (int i = 0; tuning != NULL && i < tuning->count; i++)
        if (tuning->choices[i].hash == hash && strcmp(tuning->choices[i].call, call) == 0)
            return i;
    return -1;
}

const struct graft_tuning_choice *graft_tuning_find(const struct graft_device *device, const char *call)
{
    const int at = find(device->tuning, call);
    return at >= 0 ? &device->tuning->choices[at] : NULL;
}

static void remove_at(struct graft_device *device, int at)
{
    struct graft_tuning *const tuning = device->tuning;
    graft_release(device->context, tuning->choices[at].call);
    tuning->count--;
    memmove(&tuning->choices[at], &tuning->choices[at + 1],
            (size_t)(tuning->count - at) * sizeof *tuning->choices);
}

void graft_tuning_remove(struct graft_device *device, const char *call)
{
    const int at = find(device->tuning, call);
    if (at >= 0)
        remove_at(device, at);
}

enum graft_status graft_tuning_set(struct graft_device *device, const struct graft_tuning_choice *choice)
{
    struct graft_tuning *const tuning = device->tuning;
    const size_t count = (size_t)tuning->count;
    char *const call = graft_duplicate_text(device->context, choice->call);
    if (call == NULL)
        return GRAFT_ERROR_MEMORY;
    struct graft_tuning_choice *const choices =
        graft_reallocate(device->context, tuning->choices, count, count + 1, sizeof *choices);
    if (choices == NULL) {
        graft_release(device->context, call);
        return GRAFT_ERROR_MEMORY;
    }
    tuning->choices = choices;
    graft_tuning_remove(device, call);
    if (tuning->count == GRAFT_TUNING_CHOICES)
        remove_at(device, 0);
    choices[tuning->count] = *choice;
    choices[tuning->count].call = call;
    choices[tuning->count].hash = graft_hash_text(call);
    tuning->count++;
    return GRAFT_OK;
}

enum graft_status graft_tuning_save(struct graft_device *device)
{
    const struct graft_tuning *const tuning = device->tuning;
    struct graft_text body = {0};
    char title[640];
    for (int i = 0; i < tuning->count; i++) {
        const struct graft_tuning_choice *const choice = &tuning->choices[i];
        graft_text_append(device->context, &body, "choice %s %.9g %s %.9g %s\n", choice->variant,
                          choice->seconds, choice->plain, choice->plain_seconds, choice->call);
    }
    graft_tuning_title(device, title, sizeof title);
    const enum graft_status status =
        body.failed ? GRAFT_ERROR_MEMORY
                    : graft_notes_write(device->context, title, body.data != NULL ? body.data : "");
    graft_text_close(device->context, &body);
    return status;
}
