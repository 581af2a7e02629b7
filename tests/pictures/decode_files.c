/* SPDX-License-Identifier: MIT */
/* decode_files LIST: decodes each file that the list names, a path a line; writes PATH.rgb, and a line for
 * each: "ok WIDTH HEIGHT PATH" and perhaps a remark, or "no STATUS PATH" with the message. */
#include "data/decode.h"

#include <stdio.h>
#include <string.h>

static bool write_pixels(const char *path, const struct graft_view *view)
{
    char name[4096];
    snprintf(name, sizeof name, "%s.rgb", path);
    FILE *const file = fopen(name, "wb");
    const size_t bytes = view->stride * (size_t)view->height;
    const bool written = file && fwrite(view->pixels, 1, bytes, file) == bytes;
    return file && fclose(file) == 0 && written;
}

int main(int count, char **arguments)
{
    struct graft_context *context = NULL;
    FILE *const list = count == 2 ? fopen(arguments[1], "r") : NULL;
    char path[4000];
    if (!list || graft_context_open(&(struct graft_context_options){.threads = 1}, &context) != GRAFT_OK) {
        return 1;
    }
    struct graft_scratch scratch = {.context = context};
    while (fgets(path, sizeof path, list)) {
        struct graft_fault fault;
        struct graft_view view;
        size_t size = 0;
        path[strcspn(path, "\n")] = '\0';
        enum graft_status status = graft_read_encoded(&scratch, path, &size, &fault);
        if (status == GRAFT_OK) {
            status = graft_decode(&scratch, scratch.file.data, size, path, NULL, &view, &fault);
        }
        if (status == GRAFT_OK && write_pixels(path, &view)) {
            printf("ok %d %d %s\t%s\n", view.width, view.height, path, fault.text);
        } else {
            printf("no %d 0 %s\t%s\n", (int)status, path, fault.text);
        }
    }
    graft_scratch_close(&scratch);
    graft_context_close(&context);
    fclose(list);
    return 0;
}
