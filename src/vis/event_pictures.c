/* SPDX-License-Identifier: MIT */
/* RUN/tensorboard/pictures: the confusion matrix, and sheets of the pictures that say most, written anew when
 * a run is drawn. A folder of its own is a run of its own to TensorBoard, which so never misses what the
 * other file gains. */
#include "vis/drawing.h"

#include "base/context.h"
#include "base/file.h"
#include "io/events.h"
#include "run/run.h"
#include "vis/plot.h"

#define FOLDER "tensorboard/pictures"
#define COLUMNS 4

static enum graft_status put_sheet(struct graft_context *context, struct graft_text *records, int64_t step,
                                   const struct graft_examples *examples,
                                   const struct graft_album_strip *strip, const char *tag, const char *title)
{
    struct graft_sheet_tile tiles[GRAFT_ALBUM_STRIP];
    char captions[GRAFT_ALBUM_STRIP][160];
    struct graft_text png = {0};
    for (int32_t i = 0; i < strip->count; i++) {
        const struct graft_prediction *const one = strip->items[i].prediction;
        const char *const label = examples->class_names[one->label];
        (void)graft_format(captions[i], sizeof captions[i], "%.60s (%.0f %%): %.60s, %.0f %%", label,
                           100 * one->truth,
                           one->predicted == one->label ? "right" : examples->class_names[one->predicted],
                           100 * one->confidence);
        tiles[i] = (struct graft_sheet_tile){
            .caption = captions[i], .picture = &examples->album.pictures[strip->items[i].picture].image};
    }
    if (strip->count == 0) {
        return GRAFT_OK;
    }
    const enum graft_status status =
        graft_draw_sheet(context, title, tiles, strip->count, COLUMNS, 2 * GRAFT_ALBUM_SIDE, &png);
    if (status == GRAFT_OK) {
        graft_events_put_png(context, records, step, tag, &png);
    }
    graft_text_close(context, &png);
    return status;
}

static enum graft_status write(const struct graft_run *run, const struct graft_text *records)
{
    struct graft_text path = {0};
    enum graft_status status = graft_run_path(run, FOLDER, &path);
    if (status == GRAFT_OK) {
        status = graft_folder_create(run->context, path.data);
    }
    graft_text_close(run->context, &path);
    return status == GRAFT_OK ? graft_run_write(run, FOLDER "/events.out.tfevents.graft", records) : status;
}

enum graft_status graft_events_draw(const struct graft_drawing *drawing)
{
    const struct graft_run *const run = drawing->run;
    const struct graft_examples *const examples = drawing->examples;
    struct graft_text records = {0};
    if (graft_run_number(run, "tensorboard", 0) <= 0 ||
        (drawing->confusion.length == 0 && examples == NULL)) {
        return GRAFT_OK;
    }
    const int64_t step = run->history.count > 0 ? run->history.epochs[run->history.count - 1].epoch : 0;
    enum graft_status status = GRAFT_OK;
    graft_events_put_version(run->context, &records);
    if (drawing->confusion.length > 0) {
        graft_events_put_png(run->context, &records, step, "confusion", &drawing->confusion);
    }
    if (examples != NULL) {
        const struct graft_album *const album = &examples->album;
        const struct {
            const struct graft_album_strip *strip;
            const char *tag, *title;
        } sheets[] = {{&album->loss, "pictures/largest_loss", "Largest loss"},
                      {&album->wrong, "pictures/sure_and_wrong", "Sure and wrong"},
                      {&album->doubt, "pictures/in_doubt", "In doubt"}};
        for (int s = 0; s < 3 && status == GRAFT_OK; s++) {
            status = put_sheet(run->context, &records, step, examples, sheets[s].strip, sheets[s].tag,
                               sheets[s].title);
        }
    }
    if (status == GRAFT_OK) {
        status = write(run, &records);
    }
    graft_text_close(run->context, &records);
    return status;
}
