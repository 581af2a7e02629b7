/* SPDX-License-Identifier: MIT */
#include "compile_launch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (1u << 20)
#define LOCAL_BYTES 4096
#define MOST_ARGUMENTS 64
#define MOST_ELEMENTS 16 /* of a vector */

/* "uint8": the type without its number of elements. False if it is none that is known here. */
static bool parse_type(const char *type, size_t *element, int *count)
{
    static const struct {
        const char *name;
        size_t size;
    } types[] = {{"char", 1}, {"uchar", 1}, {"short", 2}, {"ushort", 2}, {"int", 4},
                 {"uint", 4}, {"float", 4}, {"long", 8},  {"ulong", 8}};
    const size_t length = strcspn(type, "0123456789");
    *count = type[length] != '\0' ? atoi(type + length) : 1;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strlen(types[i].name) == length && memcmp(types[i].name, type, length) == 0) {
            *element = types[i].size;
            return *count >= 1 && *count <= MOST_ELEMENTS;
        }
    }
    return false;
}

/* Every element is 1, of integers and of floats: a size or a stride that is neither 0 nor large. */
static cl_int set_value(cl_kernel kernel, cl_uint index, const char *type)
{
    unsigned char bytes[MOST_ELEMENTS * 8] = {0};
    const float one = 1;
    size_t element = 0;
    int count = 0;
    if (!parse_type(type, &element, &count)) {
        return CL_INVALID_ARG_VALUE;
    }
    for (int i = 0; i < count; i++) {
        if (strncmp(type, "float", 5) == 0) {
            memcpy(bytes + 4 * i, &one, sizeof one);
        } else {
            bytes[element * (size_t)i] = 1;
        }
    }
    return clSetKernelArg(kernel, index, element * (size_t)count, bytes);
}

static cl_int set_arguments(cl_kernel kernel, cl_mem buffer)
{
    cl_uint count = 0;
    cl_int code = clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
    if (code == CL_SUCCESS && count > MOST_ARGUMENTS) {
        code = CL_INVALID_KERNEL_ARGS;
    }
    for (cl_uint i = 0; i < count && code == CL_SUCCESS; i++) {
        cl_kernel_arg_address_qualifier place = CL_KERNEL_ARG_ADDRESS_PRIVATE;
        char type[64] = "";
        code = clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof place, &place, NULL);
        if (code == CL_SUCCESS) {
            code = clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_TYPE_NAME, sizeof type - 1, type, NULL);
        }
        if (code != CL_SUCCESS) {
            break;
        }
        code = place == CL_KERNEL_ARG_ADDRESS_LOCAL     ? clSetKernelArg(kernel, i, LOCAL_BYTES, NULL)
               : place == CL_KERNEL_ARG_ADDRESS_PRIVATE ? set_value(kernel, i, type)
                                                        : clSetKernelArg(kernel, i, sizeof buffer, &buffer);
    }
    return code;
}

cl_int graft_compile_launch(cl_context context, cl_device_id device, cl_program program, const char *name)
{
    size_t group[3] = {0};
    cl_int code = CL_SUCCESS;
    void *const memory = calloc(1, BUFFER_BYTES); /* where kernels read indices, these are 0 */
    cl_mem buffer = NULL;
    cl_command_queue queue = NULL;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    if (memory == NULL) {
        code = CL_OUT_OF_HOST_MEMORY;
    }
    if (code == CL_SUCCESS) {
        code = clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof group,
                                        group, NULL);
    }
    if (code == CL_SUCCESS && group[0] * group[1] * group[2] == 0) {
        code = CL_INVALID_WORK_GROUP_SIZE;
    }
    if (code == CL_SUCCESS) {
        buffer =
            clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, BUFFER_BYTES, memory, &code);
    }
    if (code == CL_SUCCESS) {
        code = set_arguments(kernel, buffer);
    }
    if (code == CL_SUCCESS) {
        queue = clCreateCommandQueue(context, device, 0, &code);
    }
    if (code == CL_SUCCESS) {
        code = clEnqueueNDRangeKernel(queue, kernel, 3, NULL, group, group, 0, NULL, NULL);
    }
    if (code == CL_SUCCESS) {
        code = clFinish(queue);
    }
    if (queue != NULL) {
        clReleaseCommandQueue(queue);
    }
    if (buffer != NULL) {
        clReleaseMemObject(buffer);
    }
    if (kernel != NULL) {
        clReleaseKernel(kernel);
    }
    free(memory);
    return code;
}
