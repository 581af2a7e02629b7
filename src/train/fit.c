/* SPDX-License-Identifier: MIT */
/* graft_fit: from a folder of pictures to a trained network in a run folder. */
#include "backend/backend.h"
#include "base/context.h"
#include "train/fit.h"

static enum graft_status train(struct graft_session *session)
{
    const struct graft_session_position *const at = graft_session_position(session);
    enum graft_status status = GRAFT_OK;
    graft_session_hurry(session);
    while (status == GRAFT_OK && !at->done) {
        status = graft_session_step(session);
        if (status != GRAFT_OK || !at->epoch_over)
            continue;
        status = graft_session_validate(session, NULL);
        if (status == GRAFT_OK && graft_session_is_save_due(session))
            status = graft_session_save(session);
    }
    return status;
}

enum graft_status graft_fit(struct graft_device *device, const struct graft_fit_options *options,
                            struct graft_fit_result *result)
{
    struct graft_session *session = NULL;
    *result = (struct graft_fit_result){0};
    enum graft_status status = graft_session_open(device, options, &session);
    if (status != GRAFT_OK)
        return status;
    status = graft_session_save_end(session, train(session));
    if (status == GRAFT_OK)
        status = graft_session_finish(session, result);
    if (status != GRAFT_OK)
        (void)graft_fail(device->context, status, "%s", graft_session_error(session));
    graft_session_close(&session);
    return status;
}

void graft_fit_result_close(struct graft_context *context, struct graft_fit_result *result)
{
    struct graft_card names = {.class_count = result->classes,
                               .class_names = (const char **)(uintptr_t)result->class_names};
    graft_card_close(context, &names);
    graft_evaluation_close(context, &result->evaluation);
    graft_predictions_close(context, &result->predictions);
    graft_release(context, (void *)(uintptr_t)result->history);
    graft_release(context, (void *)(uintptr_t)result->run);
    *result = (struct graft_fit_result){0};
}
