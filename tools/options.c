/* SPDX-License-Identifier: MIT */
/* Options by table: "--flag", "--option VALUE", "--option=VALUE", operands anywhere, "--" ends the options.
 */
#include "options.h"

#include "base/text.h"
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OWN 96
#define COMMON 6

/* Both tables of a verb: its own options, then those that every verb has. */
struct tables {
    const struct graft_option *own;
    size_t own_count;
    struct graft_option common[COMMON];
    bool help;
};

static const struct graft_option *option_at(const struct tables *tables, size_t index)
{
    return index < tables->own_count ? &tables->own[index] : &tables->common[index - tables->own_count];
}

static void fill_common(struct tables *tables, struct graft_command *command)
{
    const struct graft_option common[COMMON] = {
        {"--device", "D", "reference, cpu, opencl:N, auto, or a part of a device's name", GRAFT_OPTION_TEXT,
         &command->device, 0, 0},
        {"--threads", "N", "threads of the host; 0: one a core", GRAFT_OPTION_INTEGER, &command->threads,
         0, 1024},
        {"--seed", "N", "of everything random; the same seed gives the same result", GRAFT_OPTION_INTEGER,
         &command->seed, 0, 9007199254740992.0},
        {"--json", NULL, "results as JSON", GRAFT_OPTION_FLAG, &command->json, 0, 0},
        {"--quiet", NULL, "no progress and no remarks", GRAFT_OPTION_FLAG, &command->quiet, 0, 0},
        {"--help", NULL, "this text", GRAFT_OPTION_FLAG, &tables->help, 0, 0},
    };
    memcpy(tables->common, common, sizeof common);
}

static void print_option(const struct graft_option *option)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", option->name, option->argument != NULL ? " " : "",
             option->argument != NULL ? option->argument : "");
    printf("  %-26s %s%s%s%s\n", left, option->help, option->usual != NULL ? " (" : "",
           option->usual != NULL ? option->usual : "", option->usual != NULL ? ")" : "");
}

/* A verb may have a row of its own for what every verb has. */
static bool is_own(const struct tables *tables, const char *name)
{
    for (size_t i = 0; i < tables->own_count; i++) {
        if (strcmp(tables->own[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void print_help(const struct graft_command *command, const struct tables *tables)
{
    const struct graft_verb *const verb = command->verb;
    printf("graft %s%s%s: %s\n\n%s\n", verb->name, verb->operands[0] != '\0' ? " " : "", verb->operands,
           verb->purpose, verb->examples);
    if (verb->notes != NULL) {
        printf("%s\n", verb->notes);
    }
    for (size_t i = 0; i < tables->own_count; i++) {
        print_option(&tables->own[i]);
    }
    if (tables->own_count > 0) {
        printf("\n");
    }
    for (size_t i = 0; i < COMMON; i++) {
        if (!is_own(tables, tables->common[i].name)) {
            print_option(&tables->common[i]);
        }
    }
}

static json_t *describe_options(const struct graft_option *options, size_t count)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < count; i++) {
        graft_json_add_item(list, json_pack("{s:s, s:s?, s:s, s:s?}", "name", options[i].name, "argument",
                                            options[i].argument, "help", options[i].help, "usual",
                                            options[i].usual));
    }
    return list;
}

/* The help for programs: man pages and the completion of shells are made of it. */
static int print_help_json(struct graft_command *command, const struct tables *tables)
{
    const struct graft_verb *const verb = command->verb;
    struct graft_option common[COMMON];
    size_t count = 0;
    for (size_t i = 0; i < COMMON; i++) {
        if (!is_own(tables, tables->common[i].name)) {
            common[count++] = tables->common[i];
        }
    }
    return graft_json_print(
        command,
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o, s:o}", "verb", verb->name, "operands", verb->operands, "purpose",
                  verb->purpose, "examples", verb->examples, "notes", verb->notes, "options",
                  describe_options(tables->own, tables->own_count), "common", describe_options(common, count)));
}

/* --help ends the reading, whatever comes behind it; but for --json. */
static int help(struct graft_command *command, const struct tables *tables, int at)
{
    for (int i = at; i < command->argument_count; i++) {
        command->json = command->json || strcmp(command->arguments[i], "--json") == 0;
    }
    if (command->json) {
        return print_help_json(command, tables);
    }
    print_help(command, tables);
    return GRAFT_EXIT_DONE;
}

static bool read_integer(const char *text, const struct graft_option *option)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    const bool fits = errno == 0 && end != text && *end == '\0' && (double)value >= option->least &&
                      (double)value <= option->most;
    if (fits) {
        *(int64_t *)option->target = value;
    }
    return fits;
}

static bool read_real(const char *text, const struct graft_option *option)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    const bool fits =
        end != text && *end == '\0' && isfinite(value) && value >= option->least && value <= option->most;
    if (fits) {
        *(double *)option->target = value;
    }
    return fits;
}

static bool read_bytes(const char *text, const struct graft_option *option)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    const double value = strtod(text, &end);
    const char *const unit = *end != '\0' ? strchr(units, *end) : NULL;
    const double factor = unit != NULL ? (double)(1ull << (10 * (unit - units + 1))) : 1;
    end += unit != NULL;
    end += unit != NULL && strcmp(end, "iB") == 0 ? 2 : 0;
    const double bytes = value * factor;
    const bool fits = end != text && *end == '\0' && bytes >= 1 && bytes < 1e18;
    if (fits) {
        *(uint64_t *)option->target = (uint64_t)bytes;
    }
    return fits;
}

static int store(struct graft_command *command, const struct graft_option *option, const char *value)
{
    bool fits = true;
    switch (option->kind) {
    case GRAFT_OPTION_FLAG:
        *(bool *)option->target = true;
        return GRAFT_EXIT_GO_ON;
    case GRAFT_OPTION_TEXT:
        *(const char **)option->target = value;
        return value[0] != '\0'
                   ? GRAFT_EXIT_GO_ON
                   : graft_command_usage(command, "%s %s is empty", option->name, option->argument);
    case GRAFT_OPTION_INTEGER:
        fits = read_integer(value, option);
        break;
    case GRAFT_OPTION_SIDES:
        fits = graft_read_sides(value, option->target);
        break;
    case GRAFT_OPTION_REAL:
        fits = read_real(value, option);
        break;
    case GRAFT_OPTION_BYTES:
        fits = read_bytes(value, option);
        break;
    }
    if (fits) {
        return GRAFT_EXIT_GO_ON;
    }
    if (option->kind == GRAFT_OPTION_SIDES) {
        return graft_command_usage(
            command, "%s is a side of 1 to 8192 such as 224, or height x width such as 192x256, not \"%s\"",
            option->name, value);
    }
    if (option->kind == GRAFT_OPTION_BYTES) {
        return graft_command_usage(command, "%s wants bytes such as 1500000, 512M or 2G, not \"%s\"",
                                   option->name, value);
    }
    return graft_command_usage(command, "%s wants a %snumber from %.16g to %.16g, not \"%s\"", option->name,
                               option->kind == GRAFT_OPTION_INTEGER ? "whole " : "", option->least,
                               option->most, value);
}

static int unknown_option(struct graft_command *command, const struct tables *tables, const char *name)
{
    const char *names[MAX_OWN + COMMON];
    const size_t count = tables->own_count + COMMON;
    for (size_t i = 0; i < count; i++) {
        names[i] = option_at(tables, i)->name;
    }
    const char *const nearest = graft_text_nearest(name, names, count);
    return graft_command_usage(command, "%s has no option %s%s%s%s", command->verb->name, name,
                               nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                               nearest != NULL ? "?" : "");
}

/* One option at arguments[*at]; moves *at to its last word. */
static int read_option(struct graft_command *command, const struct tables *tables, int *at)
{
    const char *const word = command->arguments[*at];
    const size_t length = strcspn(word, "=");
    const size_t count = tables->own_count + COMMON;
    const struct graft_option *option = NULL;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), word);
    if (strcmp(name, "-h") == 0) {
        snprintf(name, sizeof name, "--help");
    }
    for (size_t i = 0; i < count && option == NULL; i++) {
        if (strcmp(option_at(tables, i)->name, name) == 0) {
            option = option_at(tables, i);
            if (option->given != NULL) {
                *option->given = true;
            }
        }
    }
    if (option == NULL) {
        return unknown_option(command, tables, name);
    }
    if (option->kind == GRAFT_OPTION_FLAG && word[length] == '=') {
        return graft_command_usage(command, "%s takes no value", name);
    }
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    if (option->kind != GRAFT_OPTION_FLAG && value == NULL) {
        if (*at + 1 >= command->argument_count) {
            return graft_command_usage(command, "%s lacks its %s", name, option->argument);
        }
        value = command->arguments[++*at];
    }
    return store(command, option, value);
}

static int check_operands(struct graft_command *command)
{
    const struct graft_verb *const verb = command->verb;
    const int count = command->operand_count;
    if (verb->most >= 0 && count > verb->most) {
        return verb->most == 0
                   ? graft_command_usage(command, "%s takes no \"%s\"", verb->name, command->operands[0])
                   : graft_command_usage(command, "\"%s\" is one too many; it is: graft %s %s",
                                         command->operands[verb->most], verb->name, verb->operands);
    }
    return count < verb->least ? graft_command_usage(command, "something is missing; it is: graft %s %s",
                                                     verb->name, verb->operands)
                               : GRAFT_EXIT_GO_ON;
}

int graft_options_read(struct graft_command *command, const struct graft_option *options, size_t count)
{
    struct tables tables = {.own = options, .own_count = count};
    bool literal = false;
    fill_common(&tables, command);
    command->operands = calloc((size_t)command->argument_count + 1, sizeof *command->operands);
    if (command->operands == NULL) {
        return graft_command_error(command, "out of memory");
    }
    for (int i = 0; i < command->argument_count; i++) {
        char *const word = command->arguments[i];
        if (!literal && strcmp(word, "--") == 0) {
            literal = true;
        } else if (!literal && word[0] == '-' && word[1] != '\0') {
            const int done = read_option(command, &tables, &i);
            if (done != GRAFT_EXIT_GO_ON) {
                return done;
            }
            if (tables.help) {
                return help(command, &tables, i);
            }
        } else {
            command->operands[command->operand_count++] = word;
        }
    }
    return check_operands(command);
}
