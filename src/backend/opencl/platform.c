/* SPDX-License-Identifier: MIT */
/* Which OpenCL devices there are and what they are like: the one place that decides by device properties. */
#include "backend/opencl/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PLATFORM_NOT_FOUND (-1001) /* CL_PLATFORM_NOT_FOUND_KHR: the loader found no driver */
#define MAX_PLATFORMS 32
#define MAX_PLATFORM_DEVICES 64

#define INSTALL                                                                                              \
    "install a driver: pocl-opencl-icd for the processor, the maker's OpenCL driver (or mesa-opencl-icd, "   \
    "intel-opencl-icd) for a graphics card; `clinfo` shows what is found"

/* PoCL up to version 3 answers that there are no devices where it cannot make its cache folder. */
#define WRITABLE                                                                                             \
    "PoCL shows no device where it cannot write its cache: set POCL_CACHE_DIR to a folder that can be written"

static void device_text(cl_device_id id, cl_device_info what, char *text, size_t size)
{
    char value[512] = "";
    if (clGetDeviceInfo(id, what, sizeof(value) - 1, value, NULL) != CL_SUCCESS)
        value[0] = '\0';
    const char *begin = value;
    while (*begin == ' ')
        begin++;
    snprintf(text, size, "%s", begin);
}

/* What a device is asked, and the first thing that it does not tell, or tells wrongly. */
struct questions {
    cl_device_id id;
    const char *unanswered;
};

static uint64_t device_number(struct questions *questions, cl_device_info what, const char *name, size_t size)
{
    union {
        cl_uint narrow;
        cl_ulong wide;
    } value = {.wide = 0};
    if (clGetDeviceInfo(questions->id, what, size, &value, NULL) != CL_SUCCESS) {
        if (questions->unanswered == NULL)
            questions->unanswered = name;
        return 0;
    }
    return size == sizeof(cl_uint) ? value.narrow : value.wide;
}

#define UINT(questions, what) device_number(questions, what, #what, sizeof(cl_uint))
#define ULONG(questions, what) device_number(questions, what, #what, sizeof(cl_ulong))
#define SIZE(questions, what) device_number(questions, what, #what, sizeof(size_t))

static void expect(struct questions *questions, bool sensible, const char *name)
{
    if (!sensible && questions->unanswered == NULL)
        questions->unanswered = name;
}

static bool contains(const char *text, const char *part)
{
    const size_t length = strlen(part);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

/* Only what can run our kernels: no accelerators, no FPGA emulation, OpenCL 1.2, a compiler, little endian.
 */
static bool device_is_shown(cl_platform_id platform, cl_device_id id)
{
    struct questions asked = {.id = id};
    const uint64_t type = ULONG(&asked, CL_DEVICE_TYPE);
    /* An analyser says that it is everything at once. */
    if ((type & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU)) == 0)
        return false;
    char text[256] = "";
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(text) - 1, text, NULL);
    if (contains(text, "fpga"))
        return false;
    device_text(id, CL_DEVICE_NAME, text, sizeof(text));
    if (contains(text, "fpga"))
        return false;
    int major = 0, minor = 0;
    device_text(id, CL_DEVICE_VERSION, text, sizeof(text));
    if (sscanf(text, "OpenCL %d.%d", &major, &minor) != 2 || major < 1 || (major == 1 && minor < 2))
        return false;
    return UINT(&asked, CL_DEVICE_AVAILABLE) != 0 && UINT(&asked, CL_DEVICE_COMPILER_AVAILABLE) != 0 &&
           UINT(&asked, CL_DEVICE_ENDIAN_LITTLE) != 0;
}

int graft_opencl_enumerate(cl_platform_id *platforms, cl_device_id *ids, int capacity, char *hint,
                           size_t hint_size)
{
    cl_platform_id all[MAX_PLATFORMS];
    cl_uint platform_count = 0;
    int count = 0, hidden = 0;
    bool mute = false; /* PoCL is there and shows nothing */
    const cl_int code = clGetPlatformIDs(MAX_PLATFORMS, all, &platform_count);
    if (code != CL_SUCCESS && code != PLATFORM_NOT_FOUND) {
        snprintf(hint, hint_size, "OpenCL: clGetPlatformIDs: %s (%d); " INSTALL,
                 graft_opencl_error_name(code), code);
        return 0;
    }
    if (code == PLATFORM_NOT_FOUND || platform_count == 0) {
        snprintf(hint, hint_size, "OpenCL: no driver is installed; " INSTALL);
        return 0;
    }
    if (platform_count > MAX_PLATFORMS)
        platform_count = MAX_PLATFORMS;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_device_id found[MAX_PLATFORM_DEVICES];
        cl_uint found_count = 0;
        if (clGetDeviceIDs(all[p], CL_DEVICE_TYPE_ALL, MAX_PLATFORM_DEVICES, found, &found_count) !=
                CL_SUCCESS ||
            found_count == 0) {
            char name[256] = "";
            clGetPlatformInfo(all[p], CL_PLATFORM_NAME, sizeof(name) - 1, name, NULL);
            mute = mute || contains(name, "Portable Computing Language");
            continue;
        }
        if (found_count > MAX_PLATFORM_DEVICES)
            found_count = MAX_PLATFORM_DEVICES;
        for (cl_uint d = 0; d < found_count; d++) {
            if (!device_is_shown(all[p], found[d])) {
                hidden++;
            } else if (count < capacity) {
                platforms[count] = all[p];
                ids[count++] = found[d];
            }
        }
    }
    const char *const plural = platform_count == 1 ? "" : "s";
    if (mute)
        snprintf(hint, hint_size, "OpenCL: %u driver%s; " WRITABLE, platform_count, plural);
    else if (count == 0 && hidden == 0)
        snprintf(hint, hint_size, "OpenCL: %u driver%s without a device; " INSTALL, platform_count, plural);
    else if (count == 0)
        snprintf(hint, hint_size,
                 "OpenCL: %u driver%s, but no device that can be used (%d hidden: accelerator, "
                 "emulation, or older than OpenCL 1.2); " INSTALL,
                 platform_count, plural, hidden);
    return count;
}

const char *graft_opencl_describe(cl_platform_id platform, cl_device_id id, int index,
                                  struct graft_device_info *info, struct graft_opencl_traits *traits)
{
    struct questions asked = {.id = id};
    memset(info, 0, sizeof(*info));
    memset(traits, 0, sizeof(*traits));
    const uint64_t single = ULONG(&asked, CL_DEVICE_SINGLE_FP_CONFIG);
    const uint64_t type = ULONG(&asked, CL_DEVICE_TYPE);
    const bool is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;

    traits->family = is_cpu ? GRAFT_OPENCL_CPU : GRAFT_OPENCL_GPU;
    traits->compute_units = (int)UINT(&asked, CL_DEVICE_MAX_COMPUTE_UNITS);
    traits->max_dimensions = (int)UINT(&asked, CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS);
    traits->max_group = (size_t)SIZE(&asked, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    size_t items[16] = {0};
    const bool has_items =
        clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(items), items, NULL) == CL_SUCCESS;
    memcpy(traits->max_items, items, sizeof(traits->max_items));
    traits->local_bytes = ULONG(&asked, CL_DEVICE_LOCAL_MEM_SIZE);
    traits->max_allocation = ULONG(&asked, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    traits->align_bytes = (uint32_t)(UINT(&asked, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8);
    traits->address_bits = (int)UINT(&asked, CL_DEVICE_ADDRESS_BITS);
    traits->exact_divide = (single & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
    traits->vector_floats = (int)UINT(&asked, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    /* Newer drivers need not know this one; copying is always right. */
    traits->unified = UINT(&(struct questions){.id = id}, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    traits->cache_bytes = ULONG(&(struct questions){.id = id}, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);

    snprintf(info->id, sizeof(info->id), "opencl:%d", index);
    device_text(id, CL_DEVICE_NAME, info->name, sizeof(info->name));
    char name[512] = "";
    if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(name) - 1, name, NULL) != CL_SUCCESS)
        name[0] = '\0';
    snprintf(info->platform, sizeof(info->platform), "%s", name);
    device_text(id, CL_DRIVER_VERSION, info->driver, sizeof(info->driver));
    info->kind = is_cpu ? GRAFT_DEVICE_CPU : GRAFT_DEVICE_GPU;
    info->memory_bytes = ULONG(&asked, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_allocation_bytes = traits->max_allocation;
    info->compute_units = traits->compute_units;
    graft_opencl_choose_sizes(traits, info->memory_bytes,
                              UINT(&(struct questions){.id = id}, CL_DEVICE_MAX_CLOCK_FREQUENCY));
    /* By the property, not by the list of extensions, which may be of any length. The property of halves may only be
     * asked for where that list names them, and some drivers take halves all the same: trying finds out. */
    info->fp64 = ULONG(&(struct questions){.id = id}, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;

    expect(&asked, (type & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU)) != 0, "CL_DEVICE_TYPE");
    expect(&asked, traits->compute_units > 0, "CL_DEVICE_MAX_COMPUTE_UNITS");
    expect(&asked, traits->max_dimensions >= 3, "CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS");
    expect(&asked, traits->max_group > 0, "CL_DEVICE_MAX_WORK_GROUP_SIZE");
    expect(&asked, has_items && items[0] > 0 && items[1] > 0 && items[2] > 0,
           "CL_DEVICE_MAX_WORK_ITEM_SIZES");
    expect(&asked, traits->max_allocation > 0, "CL_DEVICE_MAX_MEM_ALLOC_SIZE");
    expect(&asked, info->memory_bytes > 0, "CL_DEVICE_GLOBAL_MEM_SIZE");
    expect(&asked, traits->address_bits == 32 || traits->address_bits == 64, "CL_DEVICE_ADDRESS_BITS");
    return asked.unanswered;
}
