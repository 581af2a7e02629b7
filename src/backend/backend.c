/* SPDX-License-Identifier: MIT */
/* All backends, and the choice among an op's variants. */
#include "backend/backend.h"

#include "base/context.h"
#include "base/size.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

const struct graft_backend *const graft_backends[] = {
    &graft_backend_reference,
    &graft_backend_cpu,
#ifdef GRAFT_HAVE_OPENCL
    &graft_backend_opencl,
#endif
    NULL,
};

/* The failure when no variant would do; `names` and `reasons` of all that were asked. */
static enum graft_status refuse(struct graft_device *device, const struct graft_call *call,
                                const char *forced, const struct graft_text *names,
                                const struct graft_text *reasons)
{
    const char *const op = graft_op_get(call->op)->name;
    if (names->length == 0) {
        return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s has no kernel for %s",
                          device->info.id, op);
    }
    if (forced != NULL) {
        return graft_fail(device->context, GRAFT_ERROR_NOT_FOUND,
                          "%s has no variant '%s' of %s; there are: %s", device->info.id, forced, op,
                          names->data);
    }
    char text[768];
    return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s cannot compute %s: %s", device->info.id,
                      graft_call_format(call, text, sizeof text),
                      reasons->length > 0 ? reasons->data : "no reason");
}

/* Makes that a reason, as the backends' are. */
static enum graft_status too_large(struct graft_device *device, struct graft_variant_info *info, char *text,
                                   size_t size)
{
    snprintf(text, size, "it works in %.1f MiB, more than the largest single allocation of %.1f MiB",
             (double)graft_max_u64(info->workspace_bytes, info->prepared_bytes) / 1048576,
             (double)device->info.max_allocation_bytes / 1048576);
    info->reason = text;
    return GRAFT_ERROR_UNSUPPORTED;
}

/* The failure when the variant that is forced cannot do the call. */
static enum graft_status refuse_forced(struct graft_device *device, const struct graft_call *call,
                                       const struct graft_variant_info *info)
{
    return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s (%s) on %s: %s",
                      graft_op_get(call->op)->name, info->name, device->info.id,
                      info->reason != NULL ? info->reason : "no reason");
}

/* Which of those that can do the call come first: the lowest number; 0: only if it is forced. Spare ones come
 * behind their kind. */
enum { RANK_TF32 = 1, RANK_USUAL = 3 };
static int rank_of(const struct graft_call *call, const struct graft_variant_info *info)
{
    if (info->emulated || (info->tf32 && !call->tf32)) {
        return 0;
    }
    return (info->tf32 ? RANK_TF32 : RANK_USUAL) + info->spare;
}

enum graft_status graft_device_need_tf32(struct graft_device *device)
{
    struct graft_call call = {.op = GRAFT_OP_MATMUL, .n_inputs = 2, .tf32 = true};
    struct graft_variant_info info = {0};
    struct graft_kept_error before;
    int variant = 0;
    for (int i = 0; i < 2; i++) {
        call.in[i] = (struct graft_desc){GRAFT_DTYPE_F32, graft_shape_of(2, 64, 64)};
    }
    graft_keep_error(device->context, &before);
    enum graft_status status = graft_op_infer(device->context, &call);
    if (status == GRAFT_OK) {
        status = graft_variant_choose(device, &call, NULL, &variant, &info);
    }
    if (status != GRAFT_OK || info.tf32) {
        return status;
    }
    graft_restore_error(device->context, &before);
    return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED,
                      "%s (%s) has no matrix unit that computes in TF32: take f32, the usual precision, or a "
                      "GPU with such a unit",
                      device->info.id, device->info.name);
}

enum graft_status graft_variant_choose(struct graft_device *device, const struct graft_call *call,
                                       const char *forced, int *variant, struct graft_variant_info *info)
{
    struct graft_context *const context = device->context;
    struct graft_text names = {0};
    struct graft_text reasons = {0};
    struct graft_variant_info best = {0};
    char large[128];
    int best_number = -1, best_rank = 0;
    enum graft_status status;
    for (int number = 0;; number++) {
        *info = (struct graft_variant_info){0};
        status = device->backend->check(device, call, number, info);
        if (status == GRAFT_OK && (info->workspace_bytes > device->info.max_allocation_bytes ||
                                   info->prepared_bytes > device->info.max_allocation_bytes)) {
            status = too_large(device, info, large, sizeof large);
        }
        if (status == GRAFT_ERROR_NOT_FOUND) {
            status = best_number >= 0 ? GRAFT_OK : refuse(device, call, forced, &names, &reasons);
            *variant = best_number;
            *info = best;
            break;
        }
        const bool meant = forced == NULL || (info->name != NULL && strcmp(forced, info->name) == 0);
        if (status == GRAFT_OK && forced == NULL) {
            const int rank = rank_of(call, info);
            if (rank == (call->tf32 ? RANK_TF32 : RANK_USUAL)) { /* nothing comes before it */
                *variant = number;
                break;
            }
            if (rank > 0 && (best_number < 0 || rank < best_rank)) {
                best_rank = rank;
                best_number = number;
                best = *info;
            }
            continue;
        }
        if (status == GRAFT_OK && meant) {
            *variant = number;
            break;
        }
        if (status == GRAFT_ERROR_UNSUPPORTED && forced != NULL && meant) {
            status = refuse_forced(device, call, info);
        }
        if (status != GRAFT_OK && (status != GRAFT_ERROR_UNSUPPORTED || (forced != NULL && meant))) {
            break;
        }
        const char *const name = info->name != NULL ? info->name : "unnamed";
        graft_text_append(context, &names, "%s%s", names.length > 0 ? ", " : "", name);
        if (status == GRAFT_ERROR_UNSUPPORTED) {
            graft_text_append(context, &reasons, "%s%s: %s", reasons.length > 0 ? "; " : "", name,
                              info->reason != NULL ? info->reason : "no reason");
        }
        if (names.failed || reasons.failed) {
            status = GRAFT_ERROR_MEMORY;
            break;
        }
    }
    graft_text_close(context, &names);
    graft_text_close(context, &reasons);
    return status;
}
