/* SPDX-License-Identifier: MIT */
#include "weights.h"

#include "base/context.h"
#include "base/text.h"
#include "io/network_source.h"
#include "output.h"
#include "run/card.h"

#include <stdio.h>
#include <string.h>

enum { NEAREST_SHOWN = 5 };

int graft_weights_read(struct graft_command *command, const char *path, struct graft_tensor_set **set)
{
    struct graft_network_source source = {.network = NULL};
    const enum graft_status status = graft_network_is_file(path)
                                         ? graft_network_source_open(command->context, path, &source, set)
                                         : graft_tensor_set_load(command->context, path, set);
    graft_network_source_close(&source);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed(command, status);
}

int graft_weights_find(struct graft_command *command, const struct graft_tensor_set *set,
                       struct graft_weights_match **matches, int *count)
{
    *matches = graft_allocate(command->context, (size_t)graft_model_count(), sizeof **matches);
    const enum graft_status status =
        *matches != NULL ? graft_weights_match(command->context, set, *matches, count) : GRAFT_ERROR_MEMORY;
    if (status == GRAFT_OK) {
        return GRAFT_EXIT_GO_ON;
    }
    graft_release(command->context, *matches);
    *matches = NULL;
    return graft_command_failed(command, status);
}

/* ---- which networks */

static json_t *describe_match(const struct graft_weights_match *match)
{
    return json_pack("{s:s, s:b, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "network", match->info->name,
                     "fits", (int)match->fits, "classes",
                     match->classes > 0 ? json_integer((json_int_t)match->classes) : json_null(), "tensors",
                     match->tensors, "missing", match->report.missing, "misshaped", match->report.misshaped,
                     "unused", match->report.unused, "missing_names",
                     graft_json_text(match->report.missing_names), "misshaped_names",
                     graft_json_text(match->report.misshaped_names), "unused_names",
                     graft_json_text(match->report.unused_names));
}

static void print_names(const char *what, int count, const char *names)
{
    char shown[GRAFT_NAME_SHOWN];
    if (count > 0) {
        printf("  %s: %s\n", what, graft_show_name(names, shown));
    }
}

/* All that fit, or the nearest few. */
static void print_matches(const struct graft_weights_match *matches, int count)
{
    printf("%-24s %-5s %8s %8s %8s %10s %7s\n", "network", "fits", "classes", "tensors", "missing",
           "misshaped", "unused");
    for (int i = 0; i < count && (matches[i].fits || i < NEAREST_SHOWN); i++) {
        const struct graft_weights_match *const match = &matches[i];
        char classes[24] = "-";
        if (match->classes > 0) {
            (void)snprintf(classes, sizeof classes, "%lld", (long long)match->classes);
        }
        printf("%-24s %-5s %8s %8d %8d %10d %7d\n", match->info->name, match->fits ? "yes" : "no", classes,
               match->tensors, match->report.missing, match->report.misshaped, match->report.unused);
    }
    if (count > 0) {
        printf("%s:\n", matches[0].info->name);
        print_names("missing", matches[0].report.missing, matches[0].report.missing_names);
        print_names("misshaped", matches[0].report.misshaped, matches[0].report.misshaped_names);
        print_names("unused", matches[0].report.unused, matches[0].report.unused_names);
        if (matches[0].report.missing + matches[0].report.misshaped + matches[0].report.unused == 0) {
            printf("  every tensor has its place\n");
        }
    }
}

int graft_weights_show_matches(struct graft_command *command, const char *path)
{
    struct graft_tensor_set *set = NULL;
    struct graft_weights_match *matches = NULL;
    int count = 0;
    int code = graft_weights_read(command, path, &set);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_weights_find(command, set, &matches, &count);
    }
    if (code == GRAFT_EXIT_GO_ON && command->json) {
        json_t *const list = json_array();
        for (int i = 0; i < count; i++) {
            graft_json_add_item(list, describe_match(&matches[i]));
        }
        code = graft_json_print(command, list);
    } else if (code == GRAFT_EXIT_GO_ON) {
        if (count > 0) {
            print_matches(matches, count);
        }
        if (count == 0 || !matches[0].fits) {
            graft_command_remark(command, "%s fits no network of the list%s", path,
                                 count > 0 ? "; these are the nearest" : "");
        }
        code = GRAFT_EXIT_DONE;
    }
    graft_release(command->context, matches);
    graft_tensor_set_close(&set);
    return code;
}

/* ---- what is in it */

static json_t *describe_tensors(const struct graft_tensor_set *set)
{
    json_t *const list = json_array();
    const struct graft_named_tensor *tensor = NULL;
    for (size_t i = 0; (tensor = graft_tensor_set_at(set, i)) != NULL; i++) {
        graft_json_add_item(list, json_pack("{s:o, s:s, s:s, s:o}", "name", graft_json_text(tensor->name),
                                            "stored", tensor->stored != NULL ? tensor->stored : "", "dtype",
                                            graft_dtype_name(tensor->desc.dtype), "shape",
                                            graft_json_shape(&tensor->desc.shape)));
    }
    return list;
}

static json_t *describe_texts(const struct graft_tensor_set *set)
{
    json_t *const texts = json_object();
    const char *key = NULL, *text = NULL;
    for (size_t i = 0; graft_tensor_set_text_at(set, i, &key, &text); i++) {
        char shown[GRAFT_NAME_SHOWN];
        graft_json_add_member(texts, graft_show_name(key, shown), graft_json_text(text));
    }
    return texts;
}

static void print_texts(const struct graft_tensor_set *set)
{
    const char *key = NULL, *text = NULL;
    for (size_t i = 0; graft_tensor_set_text_at(set, i, &key, &text); i++) {
        char shown[2][GRAFT_NAME_SHOWN];
        printf("%s: %s\n", graft_show_name(key, shown[0]), graft_show_name(text, shown[1]));
    }
}

/* The network that the card names, or those that fit as well as the best. */
static void print_networks(const struct graft_card *card, const struct graft_weights_match *matches,
                           int count)
{
    bool said = false;
    if (card->head[0] != '\0') { /* those of the list have their own */
        printf("network: %s with the head %s, as the file says, %d classes\n", card->network, card->head,
               (int)card->class_count);
        return;
    }
    for (int i = 0; i < count; i++) {
        const struct graft_weights_match *const match = &matches[i];
        const bool named = strcmp(card->network, match->info->name) == 0;
        if (card->network[0] != '\0' ? !named
                                     : !match->fits || match->report.unused > matches[0].report.unused) {
            continue;
        }
        printf("network: %s%s, %lld classes: %d tensors, %d missing, %d misshaped, %d unused\n",
               match->info->name, named ? ", as the file says" : "", (long long)match->classes,
               match->tensors, match->report.missing, match->report.misshaped, match->report.unused);
        print_names("missing", match->report.missing, match->report.missing_names);
        print_names("misshaped", match->report.misshaped, match->report.misshaped_names);
        print_names("unused", match->report.unused, match->report.unused_names);
        said = true;
    }
    if (!said && card->network[0] != '\0') {
        printf("network: %s, as the file says: none of the list\n", card->network);
    } else if (!said && count > 0) {
        printf("network: none of the list; the nearest is %s, %d of its %d tensors missing, %d misshaped, %d "
               "unused\n",
               matches[0].info->name, matches[0].report.missing, matches[0].tensors,
               matches[0].report.misshaped, matches[0].report.unused);
    } else if (!said) {
        printf("network: none of the list\n");
    }
}

static void print_tensors(const struct graft_tensor_set *set)
{
    const struct graft_named_tensor *tensor = NULL;
    int64_t numbers = 0;
    uint64_t bytes = 0;
    char text[2][96], name[GRAFT_NAME_SHOWN], shown[32], size[32];
    printf("\n%-8s %-28s %s\n", "stored", "shape", "tensor");
    for (size_t i = 0; (tensor = graft_tensor_set_at(set, i)) != NULL; i++) {
        numbers += graft_shape_count(&tensor->desc.shape);
        bytes += graft_desc_bytes(&tensor->desc);
        printf("%-8s %-28s %s\n", tensor->stored != NULL ? tensor->stored : "-",
               graft_shape_format(&tensor->desc.shape, text[0], sizeof text[0]),
               graft_show_name(tensor->name, name));
    }
    printf("%zu tensors, %s numbers, %s in memory\n", graft_tensor_set_count(set),
           graft_show_count(numbers, shown), graft_show_bytes(bytes, size));
}

static json_t *describe(const char *path, const struct graft_tensor_set *set, const struct graft_card *card,
                        const struct graft_weights_match *matches, int count)
{
    json_t *const fitting = json_array();
    for (int i = 0; i < count && (matches[i].fits || i == 0); i++) {
        graft_json_add_item(fitting, describe_match(&matches[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "file", graft_json_text(path), "network",
                     card->network[0] != '\0' ? graft_json_text(card->network) : json_null(), "matches",
                     fitting, "metadata", describe_texts(set), "tensors", describe_tensors(set));
}

int graft_weights_show(struct graft_command *command, const char *path)
{
    struct graft_tensor_set *set = NULL;
    struct graft_weights_match *matches = NULL;
    struct graft_card card = {.class_count = 0};
    char shown[GRAFT_NAME_SHOWN];
    int count = 0;
    int code = graft_weights_read(command, path, &set);
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_weights_find(command, set, &matches, &count);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        const enum graft_status status = graft_card_read(command->context, set, path, &card);
        code = status == GRAFT_OK ? code : graft_command_failed(command, status);
    }
    if (code == GRAFT_EXIT_GO_ON && command->json) {
        code = graft_json_print(command, describe(path, set, &card, matches, count));
    } else if (code == GRAFT_EXIT_GO_ON) {
        printf("%s\n", graft_show_name(path, shown));
        print_networks(&card, matches, count);
        print_texts(set);
        print_tensors(set);
        code = GRAFT_EXIT_DONE;
    }
    graft_card_close(command->context, &card);
    graft_release(command->context, matches);
    graft_tensor_set_close(&set);
    return code;
}
