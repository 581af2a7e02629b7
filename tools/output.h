/* SPDX-License-Identifier: MIT */
/* Results: JSON documents, and numbers as people read them. */
#ifndef GRAFT_TOOLS_OUTPUT_H
#define GRAFT_TOOLS_OUTPUT_H

#include "base/text.h"
#include "command.h"
#include "graft/graph.h"

#include <jansson.h>

/* A number; null if it is not finite. */
json_t *graft_json_real(double value);
/* A text; bytes that are no UTF-8 become U+FFFD. */
json_t *graft_json_text(const char *text);
json_t *graft_json_shape(const struct graft_shape *shape);
/* Appends and sets, or ends the program with a message where memory is not enough. `value` is taken over. */
void graft_json_add_item(json_t *list, json_t *value);
void graft_json_add_member(json_t *object, const char *key, json_t *value);
/* Prints the document on one line of stdout and releases it. `document` NULL: memory was not enough to make
 * it. Returns GRAFT_EXIT_DONE or GRAFT_EXIT_FAILED. */
int graft_json_print(struct graft_command *command, json_t *document);

/* A name that comes from outside, fit to be printed. */
#define GRAFT_NAME_SHOWN 4096
const char *graft_show_name(const char *name, char text[GRAFT_NAME_SHOWN]);
/* Appends a name so that it can be part of a file's: without separators of folders and what shells mind. */
void graft_append_file_name(struct graft_context *context, const char *name, struct graft_text *path);
/* "1.4 GiB", "512 B" */
const char *graft_show_bytes(uint64_t bytes, char text[32]);
/* "1,248,424" */
const char *graft_show_count(int64_t value, char text[32]);
/* "45 s", "3:05", "2:03:09" */
const char *graft_show_duration(double seconds, char text[32]);

/* The parts of a plan's memory: as JSON, and as a table. */
json_t *graft_memory_json(const struct graft_plan_memory *memory);
void graft_memory_print(const struct graft_plan_memory *memory);

#endif
