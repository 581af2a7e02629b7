/* SPDX-License-Identifier: MIT */
#include "io/events.h"

#include "io/protobuf_write.h"

#include <math.h>
#include <time.h>

/* tensorflow/core/util/event.proto, framework/summary.proto,
 * tensorboard/plugins/hparams/{api,plugin_data}.proto */
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SCALAR = 2, VALUE_IMAGE = 4, VALUE_METADATA = 9 };
enum { IMAGE_HEIGHT = 1, IMAGE_WIDTH = 2, IMAGE_COLOURS = 3, IMAGE_BYTES = 4, COLOURS_RGB = 3 };
enum { METADATA_PLUGIN = 1, PLUGIN_NAME = 1, PLUGIN_CONTENT = 2 };
enum { HPARAMS_EXPERIMENT = 2, HPARAMS_START = 3, HPARAMS_END = 4 };
enum { EXPERIMENT_TIME = 3, EXPERIMENT_SETTINGS = 4, EXPERIMENT_METRICS = 5 };
enum { SETTING_NAME = 1, SETTING_TYPE = 4, METRIC_NAME = 1, METRIC_TAG = 2 };
enum { START_SETTINGS = 1, START_TIME = 5, END_STATUS = 1, END_TIME = 2, STATUS_SUCCESS = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2, JSON_NUMBER = 2, JSON_TEXT = 3, JSON_FLAG = 4 };

uint32_t graft_crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *const bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0x82F63B78) : 0);
        }
    }
    return ~crc;
}

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + UINT32_C(0xA282EAD8);
}

static void little_endian(uint64_t value, int bytes, char *to)
{
    for (int i = 0; i < bytes; i++) {
        to[i] = (char)(uint8_t)(value >> (8 * i));
    }
}

double graft_events_now(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? (double)now.tv_sec + 1e-9 * (double)now.tv_nsec : 0;
}

/* Closes the event. */
static void put_record(struct graft_context *context, struct graft_text *records, struct graft_text *event)
{
    char head[12], tail[4];
    little_endian(event->length, 8, head);
    little_endian(masked(graft_crc32c(0, head, 8)), 4, head + 8);
    little_endian(masked(graft_crc32c(0, event->data, event->length)), 4, tail);
    records->failed = records->failed || event->failed;
    graft_text_append_bytes(context, records, head, sizeof head);
    graft_text_append_bytes(context, records, event->data, event->length);
    graft_text_append_bytes(context, records, tail, sizeof tail);
    graft_text_close(context, event);
}

/* Closes the message. */
static void put_message(struct graft_context *context, struct graft_text *to, uint32_t number,
                        struct graft_text *message)
{
    to->failed = to->failed || message->failed;
    graft_protobuf_put_bytes(context, to, number, message->data, message->length);
    graft_text_close(context, message);
}

static struct graft_text begin_event(struct graft_context *context, int64_t step)
{
    struct graft_text event = {0};
    graft_protobuf_put_double(context, &event, EVENT_TIME, graft_events_now());
    graft_protobuf_put_number(context, &event, EVENT_STEP, step);
    return event;
}

/* Closes the value. */
static void put_value(struct graft_context *context, struct graft_text *records, int64_t step,
                      struct graft_text *value)
{
    struct graft_text event = begin_event(context, step), summary = {0};
    put_message(context, &summary, SUMMARY_VALUE, value);
    put_message(context, &event, EVENT_SUMMARY, &summary);
    put_record(context, records, &event);
}

void graft_events_put_version(struct graft_context *context, struct graft_text *records)
{
    struct graft_text event = begin_event(context, 0);
    graft_protobuf_put_text(context, &event, EVENT_VERSION, "brain.Event:2");
    put_record(context, records, &event);
}

void graft_events_put_scalars(struct graft_context *context, struct graft_text *records, int64_t step,
                              const struct graft_event_scalar *scalars, int count)
{
    struct graft_text event = begin_event(context, step), summary = {0};
    for (int i = 0; i < count; i++) {
        struct graft_text value = {0};
        if (isfinite(scalars[i].value)) {
            graft_protobuf_put_text(context, &value, VALUE_TAG, scalars[i].tag);
            graft_protobuf_put_float(context, &value, VALUE_SCALAR, (float)scalars[i].value);
            put_message(context, &summary, SUMMARY_VALUE, &value);
        }
    }
    put_message(context, &event, EVENT_SUMMARY, &summary);
    put_record(context, records, &event);
}

/* Four bytes of a PNG's header. */
static int64_t big_endian(const struct graft_text *png, size_t at)
{
    const uint8_t *const bytes = (const uint8_t *)png->data + at;
    return png->length < at + 4 ? 0
                                : (int64_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                                            (uint32_t)bytes[2] << 8 | bytes[3]);
}

void graft_events_put_png(struct graft_context *context, struct graft_text *records, int64_t step,
                          const char *tag, const struct graft_text *png)
{
    struct graft_text value = {0}, image = {0};
    graft_protobuf_put_number(context, &image, IMAGE_HEIGHT, big_endian(png, 20));
    graft_protobuf_put_number(context, &image, IMAGE_WIDTH, big_endian(png, 16));
    graft_protobuf_put_number(context, &image, IMAGE_COLOURS, COLOURS_RGB);
    graft_protobuf_put_bytes(context, &image, IMAGE_BYTES, png->data, png->length);
    graft_protobuf_put_text(context, &value, VALUE_TAG, tag);
    put_message(context, &value, VALUE_IMAGE, &image);
    put_value(context, records, step, &value);
}

/* ---- hyper-parameters */

/* Closes the content. */
static void put_hparams(struct graft_context *context, struct graft_text *records, const char *tag,
                        uint32_t field, struct graft_text *content)
{
    struct graft_text data = {0}, plugin = {0}, metadata = {0}, value = {0};
    put_message(context, &data, field, content);
    graft_protobuf_put_text(context, &plugin, PLUGIN_NAME, "hparams");
    put_message(context, &plugin, PLUGIN_CONTENT, &data);
    put_message(context, &metadata, METADATA_PLUGIN, &plugin);
    graft_protobuf_put_text(context, &value, VALUE_TAG, tag);
    put_message(context, &value, VALUE_METADATA, &metadata);
    put_value(context, records, 0, &value);
}

/* Both sides of a map's entry, the value as google.protobuf.Value. */
static void put_setting(struct graft_context *context, struct graft_text *start,
                        const struct graft_event_setting *setting)
{
    struct graft_text entry = {0}, value = {0};
    if (setting->kind == GRAFT_EVENT_TEXT) {
        graft_protobuf_put_text(context, &value, JSON_TEXT, setting->text);
    } else if (setting->kind == GRAFT_EVENT_FLAG) {
        graft_protobuf_put_number(context, &value, JSON_FLAG, setting->number != 0);
    } else {
        graft_protobuf_put_double(context, &value, JSON_NUMBER, setting->number);
    }
    graft_protobuf_put_text(context, &entry, ENTRY_KEY, setting->name);
    put_message(context, &entry, ENTRY_VALUE, &value);
    put_message(context, start, START_SETTINGS, &entry);
}

void graft_events_put_settings(struct graft_context *context, struct graft_text *records,
                               const struct graft_event_setting *settings, int count,
                               const char *const *metrics, int metric_count)
{
    struct graft_text experiment = {0}, start = {0};
    graft_protobuf_put_double(context, &experiment, EXPERIMENT_TIME, graft_events_now());
    for (int i = 0; i < count; i++) {
        struct graft_text info = {0};
        graft_protobuf_put_text(context, &info, SETTING_NAME, settings[i].name);
        graft_protobuf_put_number(context, &info, SETTING_TYPE, settings[i].kind);
        put_message(context, &experiment, EXPERIMENT_SETTINGS, &info);
        put_setting(context, &start, &settings[i]);
    }
    for (int i = 0; i < metric_count; i++) {
        struct graft_text name = {0}, info = {0};
        graft_protobuf_put_text(context, &name, METRIC_TAG, metrics[i]);
        put_message(context, &info, METRIC_NAME, &name);
        put_message(context, &experiment, EXPERIMENT_METRICS, &info);
    }
    graft_protobuf_put_double(context, &start, START_TIME, graft_events_now());
    put_hparams(context, records, "_hparams_/experiment", HPARAMS_EXPERIMENT, &experiment);
    put_hparams(context, records, "_hparams_/session_start_info", HPARAMS_START, &start);
}

void graft_events_put_end(struct graft_context *context, struct graft_text *records)
{
    struct graft_text end = {0};
    graft_protobuf_put_number(context, &end, END_STATUS, STATUS_SUCCESS);
    graft_protobuf_put_double(context, &end, END_TIME, graft_events_now());
    put_hparams(context, records, "_hparams_/session_end_info", HPARAMS_END, &end);
}
