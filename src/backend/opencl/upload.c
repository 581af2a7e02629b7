/* SPDX-License-Identifier: MIT */
#include "backend/opencl/upload.h"

#include "base/context.h"

#include <string.h>

#define STAGES 2

struct stage {
    uint64_t bytes;
    cl_mem pinned; /* the host's, where the device reads it itself */
    void *address; /* of it */
    struct graft_buffer *staging;
    cl_event moved; /* the copy from staging to its place; NULL: none is under way */
};

struct graft_opencl_upload {
    cl_command_queue queue;
    struct stage stages[STAGES];
    int next;
    bool useless; /* no queue or no pinned memory is to be had: writes are plain ones */
};

bool graft_opencl_uploads(const struct graft_opencl_device *device, uint64_t bytes)
{
    return !device->traits.unified && bytes >= GRAFT_OPENCL_UPLOAD_LEAST &&
           bytes <= GRAFT_OPENCL_UPLOAD_MOST && (device->upload == NULL || !device->upload->useless);
}

static void close_stage(struct graft_opencl_device *device, struct stage *stage)
{
    if (stage->moved != NULL) {
        clWaitForEvents(1, &stage->moved);
        clReleaseEvent(stage->moved);
    }
    if (stage->address != NULL)
        clEnqueueUnmapMemObject(device->upload->queue, stage->pinned, stage->address, 0, NULL, NULL);
    if (stage->pinned != NULL)
        clReleaseMemObject(stage->pinned);
    graft_buffer_close(&device->base, &stage->staging, stage->bytes);
    *stage = (struct stage){0};
}

void graft_opencl_upload_close(struct graft_opencl_device *device)
{
    struct graft_opencl_upload *const upload = device->upload;
    if (upload == NULL)
        return;
    for (int i = 0; i < STAGES; i++)
        close_stage(device, &upload->stages[i]);
    if (upload->queue != NULL) {
        clFinish(upload->queue);
        clReleaseCommandQueue(upload->queue);
    }
    graft_release(device->base.context, upload);
    device->upload = NULL;
}

static bool open_stage(struct graft_opencl_device *device, struct stage *stage, uint64_t bytes)
{
    cl_int code = CL_SUCCESS;
    close_stage(device, stage);
    if (graft_buffer_open(&device->base, bytes, &stage->staging) != GRAFT_OK)
        return false;
    stage->bytes = bytes;
    stage->pinned =
        clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR, (size_t)bytes, NULL, &code);
    if (code == CL_SUCCESS)
        stage->address = clEnqueueMapBuffer(device->upload->queue, stage->pinned, CL_TRUE, CL_MAP_WRITE, 0,
                                            (size_t)bytes, 0, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        stage->address = NULL;
    return code == CL_SUCCESS;
}

/* The next stage, free and large enough; NULL if there is no memory for it. */
static struct stage *take_stage(struct graft_opencl_device *device, uint64_t bytes)
{
    struct graft_context *const context = device->base.context;
    if (device->upload == NULL) {
        cl_int code = CL_SUCCESS;
        device->upload = graft_allocate(context, 1, sizeof(*device->upload));
        if (device->upload == NULL)
            return NULL;
        device->upload->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
        device->upload->useless = code != CL_SUCCESS;
        if (code != CL_SUCCESS) {
            device->upload->queue = NULL;
            return NULL;
        }
    }
    struct stage *const stage = &device->upload->stages[device->upload->next];
    device->upload->next = (device->upload->next + 1) % STAGES;
    if (stage->bytes < bytes && !open_stage(device, stage, bytes)) {
        close_stage(device, stage);
        device->upload->useless = true;
        return NULL;
    }
    if (stage->moved != NULL) {
        /* A failure is told by those who look at all that was queued. */
        (void)clWaitForEvents(1, &stage->moved);
        clReleaseEvent(stage->moved);
        stage->moved = NULL;
    }
    return stage;
}

enum graft_status graft_opencl_upload(struct graft_opencl_device *device, struct graft_tensor to,
                                      const void *from, uint64_t bytes, bool *done)
{
    struct graft_context *const context = device->base.context;
    cl_event sent = NULL, moved = NULL;
    struct stage *const stage = take_stage(device, bytes);
    *done = stage != NULL;
    if (stage == NULL)
        return GRAFT_OK;
    const cl_mem staging = (cl_mem)(void *)stage->staging;
    memcpy(stage->address, from, (size_t)bytes);
    cl_int code = clEnqueueWriteBuffer(device->upload->queue, staging, CL_FALSE, 0, (size_t)bytes,
                                       stage->address, 0, NULL, &sent);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(context, code, "clEnqueueWriteBuffer", "upload");
    /* The other queue waits for it, so it must be on its way. */
    code = clFlush(device->upload->queue);
    if (code == CL_SUCCESS)
        code = clEnqueueCopyBuffer(device->queue, staging, graft_opencl_memory(to), 0, (size_t)to.offset,
                                   (size_t)bytes, 1, &sent, &moved);
    clReleaseEvent(sent);
    if (code != CL_SUCCESS) {
        clFinish(device->upload->queue); /* it reads what the next one would overwrite */
        return graft_opencl_fail(context, code, "clEnqueueCopyBuffer", "upload");
    }
    clRetainEvent(moved);
    stage->moved = moved;
    return graft_opencl_enqueued(device, moved, "uploading what was written");
}
