/* SPDX-License-Identifier: MIT */
/* The first OpenCL device, for tests of its inside; without one they are skipped. */
#ifndef GRAFT_TESTS_UNIT_OPENCL_FIXTURE_H
#define GRAFT_TESTS_UNIT_OPENCL_FIXTURE_H

#include "backend/backend.h"
#include "backend/opencl/opencl.h"
#include "base/random.h"
#include "support/support.h"

#include <stdlib.h>

struct fixture {
    struct graft_context *context;
    struct graft_device *device; /* NULL: there is none */
    struct graft_opencl_device *opencl; /* the same */
    struct graft_random random;
};

static int open_fixture(void **state)
{
    struct fixture *const f = calloc(1, sizeof *f);
    const struct graft_context_options options = {.threads = 1};
    assert_int_equal(graft_context_open(&options, &f->context), GRAFT_OK);
    if (graft_device_open(f->context, "opencl:0", &f->device) != GRAFT_OK)
        f->device = NULL;
    f->opencl = (struct graft_opencl_device *)f->device;
    graft_random_start(&f->random, 12, 1);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *const f = *state;
    graft_device_close(&f->device);
    graft_context_close(&f->context);
    free(f);
    return 0;
}

static struct fixture *need_device(void **state)
{
    struct fixture *const f = *state;
    if (f->device == NULL) {
        print_message("no OpenCL device: %s\n", graft_context_error(f->context));
        skip();
    }
    return f;
}

static void need(struct fixture *f, enum graft_status status)
{
    if (status != GRAFT_OK)
        fail_msg("%s", graft_context_error(f->context));
}

#endif
