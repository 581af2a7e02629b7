/* SPDX-License-Identifier: MIT */
/*
 * Event files as TensorBoard reads them: TFRecords (length, CRC-32C of the length, bytes, CRC-32C of the
 * bytes) of tensorflow.Event messages. Records are appended to a text, which says at the end whether there
 * was memory; a file of them can be cut off behind any record.
 */
#ifndef GRAFT_SRC_IO_EVENTS_H
#define GRAFT_SRC_IO_EVENTS_H

#include "base/text.h"

struct graft_event_scalar {
    const char *tag;
    double value; /* not finite: left out */
};

/* Castagnoli's polynomial, reflected; `crc` 0 at first. */
uint32_t graft_crc32c(uint32_t crc, const void *data, size_t size);

/* Seconds since 1970. */
double graft_events_now(void);

/* What a file begins with. */
void graft_events_put_version(struct graft_context *context, struct graft_text *records);
void graft_events_put_scalars(struct graft_context *context, struct graft_text *records, int64_t step,
                              const struct graft_event_scalar *scalars, int count);
/* `png`: a whole file. */
void graft_events_put_png(struct graft_context *context, struct graft_text *records, int64_t step,
                          const char *tag, const struct graft_text *png);

/* The hparams plugin: what was set (a field of a struct is one of text, number, flag), and what is measured.
 */
struct graft_event_setting {
    const char *name;
    enum { GRAFT_EVENT_TEXT = 1, GRAFT_EVENT_FLAG = 2, GRAFT_EVENT_NUMBER = 3 } kind; /* its DataType */
    const char *text;
    double number; /* of a flag: 0 or 1 */
};
void graft_events_put_settings(struct graft_context *context, struct graft_text *records,
                               const struct graft_event_setting *settings, int count,
                               const char *const *metrics, int metric_count);
/* The session has ended well. */
void graft_events_put_end(struct graft_context *context, struct graft_text *records);

#endif
