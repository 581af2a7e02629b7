/* SPDX-License-Identifier: MIT */
#include "backend/opencl/upload.h"

#include "base/context.h"

#include <string.h>

/* ---- small writes ---- */

#define BLOCKS 8
#define ALIGNMENT 64 /* bytes: of where a write begins */

/* What was written since the block was taken; free again after the last of its writes. */
struct block {
    uint32_t used;
    cl_event last; /* NULL: none is under way */
    unsigned char data[GRAFT_OPENCL_UPLOAD_LEAST];
};

struct graft_opencl_small {
    int current;
    struct block blocks[BLOCKS];
};

enum graft_status graft_opencl_small_open(struct graft_opencl_device *device)
{
    device->small = graft_allocate(device->base.context, 1, sizeof *device->small);
    return device->small != NULL ? GRAFT_OK : GRAFT_ERROR_MEMORY;
}

static void empty_block(struct block *block)
{
    if (block->last != NULL) {
        /* A failure is told by those who look at all that was queued. */
        (void)clWaitForEvents(1, &block->last);
        clReleaseEvent(block->last);
    }
    block->last = NULL;
    block->used = 0;
}

void graft_opencl_small_close(struct graft_opencl_device *device)
{
    for (int i = 0; device->small != NULL && i < BLOCKS; i++)
        empty_block(&device->small->blocks[i]);
    graft_release(device->base.context, device->small);
    device->small = NULL;
}

enum graft_status graft_opencl_write_small(struct graft_opencl_device *device, struct graft_tensor to,
                                           const void *from, uint64_t bytes)
{
    struct graft_opencl_small *const small = device->small;
    struct block *block = &small->blocks[small->current];
    cl_event event = NULL;
    if (block->used + bytes > sizeof block->data) {
        small->current = (small->current + 1) % BLOCKS;
        block = &small->blocks[small->current];
        empty_block(block);
    }
    unsigned char *const data = block->data + block->used;
    memcpy(data, from, (size_t)bytes);
    const cl_int code = clEnqueueWriteBuffer(device->queue, graft_opencl_memory(to), CL_FALSE,
                                             (size_t)to.offset, (size_t)bytes, data, 0, NULL, &event);
    if (code != CL_SUCCESS)
        return graft_opencl_fail(device->base.context, code, "clEnqueueWriteBuffer", NULL);
    block->used += (uint32_t)((bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (block->last != NULL)
        clReleaseEvent(block->last);
    clRetainEvent(event);
    block->last = event;
    return graft_opencl_enqueued(device, event, "writing");
}

/* ---- stages ---- */

#define LEAST_STAGES 2
#define MOST_STAGES 256
#define MORE_BYTES (32u << 20) /* of all stages, when more are made because the others are under way */
#define SHARE_OF_LIMIT 64      /* in memory that the device shares, stages take this part of --memory at most */

/* For a device that shares the host's memory `address` alone: pinned and staging are NULL. */
struct stage {
    uint64_t bytes;
    cl_mem pinned; /* the host's, where the device reads it itself */
    void *address; /* of it */
    struct graft_buffer *staging;
    cl_event moved; /* the copy from the stage to its place; NULL: none is under way */
};

struct graft_opencl_upload {
    cl_command_queue queue;
    struct stage stages[MOST_STAGES];
    int count;
    int next;
    uint64_t bytes; /* of all */
    bool useless;   /* no queue or no pinned memory is to be had: writes are plain ones */
};

bool graft_opencl_uploads(const struct graft_opencl_device *device, uint64_t bytes)
{
    const uint64_t most = device->traits.unified ? GRAFT_OPENCL_UPLOAD_MOST_SHARED : GRAFT_OPENCL_UPLOAD_MOST;
    return bytes >= GRAFT_OPENCL_UPLOAD_LEAST && bytes <= most &&
           (device->upload == NULL || !device->upload->useless);
}

static void close_stage(struct graft_opencl_device *device, struct stage *stage)
{
    if (stage->moved != NULL) {
        clWaitForEvents(1, &stage->moved);
        clReleaseEvent(stage->moved);
    }
    if (stage->pinned == NULL)
        graft_release(device->base.context, stage->address);
    else if (stage->address != NULL)
        clEnqueueUnmapMemObject(device->upload->queue, stage->pinned, stage->address, 0, NULL, NULL);
    if (stage->pinned != NULL)
        clReleaseMemObject(stage->pinned);
    device->upload->bytes -= stage->bytes;
    graft_buffer_close(&device->base, &stage->staging, stage->bytes);
    *stage = (struct stage){0};
}

void graft_opencl_upload_close(struct graft_opencl_device *device)
{
    struct graft_opencl_upload *const upload = device->upload;
    if (upload == NULL)
        return;
    for (int i = 0; i < upload->count; i++)
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
    if (device->traits.unified)
        stage->address = graft_allocate_raw(device->base.context, (size_t)bytes, 1);
    else if (graft_buffer_open(&device->base, bytes, &stage->staging) != GRAFT_OK)
        stage->staging = NULL;
    if (stage->address == NULL && stage->staging == NULL)
        return false;
    stage->bytes = bytes;
    device->upload->bytes += bytes;
    if (stage->address != NULL)
        return true;
    stage->pinned =
        clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR, (size_t)bytes, NULL, &code);
    if (code == CL_SUCCESS)
        stage->address = clEnqueueMapBuffer(device->upload->queue, stage->pinned, CL_TRUE, CL_MAP_WRITE, 0,
                                            (size_t)bytes, 0, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        stage->address = NULL;
    return code == CL_SUCCESS;
}

static bool is_under_way(const struct stage *stage)
{
    cl_int state = CL_COMPLETE;
    if (stage->moved == NULL)
        return false;
    const cl_int code =
        clGetEventInfo(stage->moved, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    return code != CL_SUCCESS || state > CL_COMPLETE;
}

static bool open_upload(struct graft_opencl_device *device)
{
    cl_int code = CL_SUCCESS;
    device->upload = graft_allocate(device->base.context, 1, sizeof(*device->upload));
    if (device->upload == NULL)
        return false;
    device->upload->count = LEAST_STAGES;
    if (device->traits.unified)
        return true;
    device->upload->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    device->upload->useless = code != CL_SUCCESS;
    if (code != CL_SUCCESS)
        device->upload->queue = NULL;
    return code == CL_SUCCESS;
}

/* Whether stages may take so many bytes in all. */
static bool is_allowed(const struct graft_opencl_device *device, uint64_t bytes)
{
    const uint64_t limit = graft_context_memory_limit(device->base.context);
    return !device->traits.unified || limit == 0 || bytes <= limit / SHARE_OF_LIMIT;
}

/* One more than there are; NULL if that would be too many, or there is no memory for it. */
static struct stage *add_stage(struct graft_opencl_device *device, uint64_t bytes)
{
    struct graft_opencl_upload *const upload = device->upload;
    struct graft_kept_error before;
    if (upload->count == MOST_STAGES || upload->bytes + bytes > MORE_BYTES ||
        !is_allowed(device, upload->bytes + bytes))
        return NULL;
    struct stage *const stage = &upload->stages[upload->count];
    graft_keep_error(device->base.context, &before);
    const bool is_open = open_stage(device, stage, bytes);
    if (!is_open) {
        close_stage(device, stage);
        graft_restore_error(device->base.context, &before);
        return NULL;
    }
    upload->count++;
    return stage;
}

/* A stage, free and large enough; NULL if there is no memory for any, or it may not be taken. */
static struct stage *take_stage(struct graft_opencl_device *device, uint64_t bytes)
{
    if (device->upload == NULL && !open_upload(device))
        return NULL;
    struct graft_opencl_upload *const upload = device->upload;
    struct stage *stage = &upload->stages[upload->next];
    struct stage *const more = is_under_way(stage) ? add_stage(device, bytes) : NULL;
    if (more != NULL)
        return more;
    upload->next = (upload->next + 1) % upload->count;
    if (stage->bytes < bytes && !is_allowed(device, upload->bytes - stage->bytes + bytes))
        return NULL;
    if (stage->bytes < bytes && !open_stage(device, stage, bytes)) {
        close_stage(device, stage);
        upload->useless = true;
        return NULL;
    }
    if (stage->moved != NULL) {
        if (is_under_way(stage))
            (void)clWaitForEvents(1, &stage->moved); /* as above */
        clReleaseEvent(stage->moved);
        stage->moved = NULL;
    }
    return stage;
}

/* What lies in the stage is on its way. */
static enum graft_status note_moving(struct graft_opencl_device *device, struct stage *stage, cl_event moved)
{
    clRetainEvent(moved);
    stage->moved = moved;
    return graft_opencl_enqueued(device, moved, "uploading what was written");
}

/* Where the device shares the host's memory it copies from the stage itself. */
static enum graft_status write_from(struct graft_opencl_device *device, struct graft_tensor to,
                                    struct stage *stage, uint64_t bytes)
{
    cl_event moved = NULL;
    const cl_int code =
        clEnqueueWriteBuffer(device->queue, graft_opencl_memory(to), CL_FALSE, (size_t)to.offset,
                             (size_t)bytes, stage->address, 0, NULL, &moved);
    return code == CL_SUCCESS
               ? note_moving(device, stage, moved)
               : graft_opencl_fail(device->base.context, code, "clEnqueueWriteBuffer", "upload");
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
    if (staging == NULL)
        return write_from(device, to, stage, bytes);
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
    return note_moving(device, stage, moved);
}
