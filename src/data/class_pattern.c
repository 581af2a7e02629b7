/* SPDX-License-Identifier: MIT */
/* --class-pattern: the class is a part of each picture's path. */
#include "data/layout.h"

#include "base/context.h"

#include <stdio.h>
#include <string.h>

#define PATTERN_LIMIT 256

/* \d is what most regular expressions have for a digit. False: too long. */
static bool spell_out(const char *text, char *spelt, size_t size)
{
    size_t used = 0;
    for (const char *at = text; *at != '\0'; at++) {
        const bool digit = at[0] == '\\' && at[1] == 'd';
        const size_t step = at[0] == '\\' && at[1] != '\0' ? 2 : 1;
        if (used + 6 > size) {
            return false;
        }
        memcpy(spelt + used, digit ? "[0-9]" : at, digit ? 5 : step);
        used += digit ? 5 : step;
        at += step - 1;
    }
    spelt[used] = '\0';
    return true;
}

/* "\1": what a group held before, which takes time without bounds. */
static bool refers_back(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '\\' && at[1] != '\0') {
            if (at[1] >= '1' && at[1] <= '9') {
                return true;
            }
            at++;
        }
    }
    return false;
}

enum graft_status graft_class_pattern_open(struct graft_context *context, const char *text,
                                           struct graft_class_pattern *pattern)
{
    char spelt[6 * PATTERN_LIMIT], why[256];
    if (strlen(text) > PATTERN_LIMIT || !spell_out(text, spelt, sizeof spelt)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "--class-pattern: more than %d characters", PATTERN_LIMIT);
    }
    if (refers_back(text)) {
        return graft_fail(context, GRAFT_ERROR_ARGUMENT, "--class-pattern '%s': references back (\\1) are not taken",
                          text);
    }
    const int code = regcomp(&pattern->regex, spelt, REG_EXTENDED);
    if (code != 0) {
        regerror(code, &pattern->regex, why, sizeof why);
        return graft_fail(context, code == REG_ESPACE ? GRAFT_ERROR_MEMORY : GRAFT_ERROR_ARGUMENT,
                          "--class-pattern '%s': %s; an extended regular expression is expected, as '([^/]+)_[0-9]+[.]jpg$'",
                          text, why);
    }
    const size_t groups = pattern->regex.re_nsub;
    if (groups != 1) {
        regfree(&pattern->regex);
        return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                          "--class-pattern '%s' has %zu groups in parentheses; one is expected, the class: "
                          "'([^/]+)_[0-9]+[.]jpg$'",
                          text, groups);
    }
    return GRAFT_OK;
}

size_t graft_class_pattern_find(const struct graft_class_pattern *pattern, const char *path, const char **name)
{
    regmatch_t groups[2];
    const int code = regexec(&pattern->regex, path, 2, groups, 0);
    *pattern->no_memory = *pattern->no_memory || code == REG_ESPACE;
    if (code != 0 || groups[1].rm_so < 0) {
        return 0;
    }
    *name = path + groups[1].rm_so;
    return (size_t)(groups[1].rm_eo - groups[1].rm_so);
}
