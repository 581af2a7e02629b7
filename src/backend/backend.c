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

/* Why a variant was refused: the backend's reason, or its memory; `text` has room for that. */
#define REASON 128
static const char *reason_of(const struct graft_device *device, const struct graft_variant_info *info,
                             char text[REASON])
{
    if (info->reason != NULL || graft_variant_fits(device, info)) {
        return info->reason != NULL ? info->reason : "no reason";
    }
    snprintf(text, REASON, "it works in %.1f MiB, more than the largest single allocation of %.1f MiB",
             (double)graft_max_u64(info->workspace_bytes, info->prepared_bytes) / 1048576,
             (double)device->info.max_allocation_bytes / 1048576);
    return text;
}

/* The failure when the variant that is forced cannot do the call. */
static enum graft_status refuse_forced(struct graft_device *device, const struct graft_call *call,
                                       const struct graft_variant_info *info)
{
    char text[REASON];
    return graft_fail(device->context, GRAFT_ERROR_UNSUPPORTED, "%s (%s) on %s: %s",
                      graft_op_get(call->op)->name, info->name, device->info.id,
                      reason_of(device, info, text));
}

/* Asks for variant `number`; one that takes too much memory is refused, too. */
static enum graft_status ask(struct graft_device *device, const struct graft_call *call, int number,
                             bool untried, struct graft_variant_info *info)
{
    *info = (struct graft_variant_info){.untried = untried};
    const enum graft_status status = device->backend->check(device, call, number, info);
    return status == GRAFT_OK && !graft_variant_fits(device, info) ? GRAFT_ERROR_UNSUPPORTED : status;
}

/* The failure when no variant would do, or none has that name: which there are, and why they do not. */
static enum graft_status refuse(struct graft_device *device, const struct graft_call *call,
                                const char *forced)
{
    struct graft_context *const context = device->context;
    const char *const op = graft_op_get(call->op)->name;
    struct graft_text names = {0};
    struct graft_text reasons = {0};
    struct graft_variant_info info;
    char text[768], why[REASON];
    enum graft_status status = GRAFT_OK;
    for (int number = 0; !names.failed && !reasons.failed; number++) {
        status = ask(device, call, number, forced != NULL, &info);
        if (status != GRAFT_OK && status != GRAFT_ERROR_UNSUPPORTED) {
            break;
        }
        const char *const name = info.name != NULL ? info.name : "unnamed";
        graft_text_append(context, &names, "%s%s", names.length > 0 ? ", " : "", name);
        if (status == GRAFT_ERROR_UNSUPPORTED) {
            graft_text_append(context, &reasons, "%s%s: %s", reasons.length > 0 ? "; " : "", name,
                              reason_of(device, &info, why));
        }
    }
    if (names.failed || reasons.failed) {
        status = GRAFT_ERROR_MEMORY;
    } else if (status == GRAFT_ERROR_NOT_FOUND && names.length == 0) {
        status = graft_fail(context, GRAFT_ERROR_UNSUPPORTED, "%s has no kernel for %s", device->info.id, op);
    } else if (status == GRAFT_ERROR_NOT_FOUND && forced != NULL) {
        status = graft_fail(context, GRAFT_ERROR_NOT_FOUND, "%s has no variant '%s' of %s; there are: %s",
                            device->info.id, forced, op, names.data);
    } else if (status == GRAFT_ERROR_NOT_FOUND) {
        status = graft_fail(context, GRAFT_ERROR_UNSUPPORTED, "%s cannot compute %s: %s", device->info.id,
                            graft_call_format(call, text, sizeof text),
                            reasons.length > 0 ? reasons.data : "no reason");
    }
    graft_text_close(context, &names);
    graft_text_close(context, &reasons);
    return status;
}

/* Which of those that can do the call come first: the lowest number; 0: only if it is forced. Spare ones come
 * behind their kind. */
enum { RANK_TF32 = 1, RANK_USUAL = 3, RANK_LAST = 4 };
static int rank_of(const struct graft_call *call, const struct graft_variant_info *info)
{
    if (info->emulated || (info->tf32 && !call->tf32)) {
        return 0;
    }
    return (info->tf32 ? RANK_TF32 : RANK_USUAL) + info->spare;
}

/* The first of that rank. What has to be tried out on the device is so only if it would be taken: for a
 * library's kernels that means compiling them. NOT_FOUND: there is none. */
static enum graft_status find_ranked(struct graft_device *device, const struct graft_call *call, int rank,
                                     int *variant, struct graft_variant_info *info)
{
    for (int number = 0;; number++) {
        enum graft_status status = ask(device, call, number, true, info);
        if (status == GRAFT_OK && info->untried && rank_of(call, info) == rank) {
            status = ask(device, call, number, false, info);
        }
        if (status == GRAFT_OK && rank_of(call, info) == rank) {
            *variant = number;
            return GRAFT_OK;
        }
        if (status != GRAFT_OK && status != GRAFT_ERROR_UNSUPPORTED) {
            return status;
        }
    }
}

static enum graft_status find_forced(struct graft_device *device, const struct graft_call *call,
                                     const char *forced, int *variant, struct graft_variant_info *info)
{
    for (int number = 0;; number++) {
        enum graft_status status = ask(device, call, number, true, info);
        const bool meant = info->name != NULL && strcmp(forced, info->name) == 0;
        if (status == GRAFT_OK && info->untried && meant) {
            status = ask(device, call, number, false, info);
        }
        if (status == GRAFT_OK && meant) {
            *variant = number;
            return GRAFT_OK;
        }
        if (status == GRAFT_ERROR_UNSUPPORTED && meant) {
            return refuse_forced(device, call, info);
        }
        if (status != GRAFT_OK && status != GRAFT_ERROR_UNSUPPORTED) {
            return status == GRAFT_ERROR_NOT_FOUND ? refuse(device, call, forced) : status;
        }
    }
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
    if (forced != NULL) {
        return find_forced(device, call, forced, variant, info);
    }
    for (int rank = call->tf32 ? RANK_TF32 : RANK_USUAL; rank <= RANK_LAST; rank++) {
        const enum graft_status status = find_ranked(device, call, rank, variant, info);
        if (status != GRAFT_ERROR_NOT_FOUND) {
            return status;
        }
    }
    return refuse(device, call, NULL);
}
