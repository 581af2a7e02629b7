/* SPDX-License-Identifier: MIT */
/*
 * What the library and its helper graft-compile tell each other through a socket: a hello, the
 * magic, from the helper; then one request and one reply a program. Both run on the same machine, so numbers
 * are as the machine has them; the magic holds the version.
 */
#ifndef GRAFT_SRC_BACKEND_OPENCL_COMPILE_H
#define GRAFT_SRC_BACKEND_OPENCL_COMPILE_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <stdint.h>
#include <stdio.h>

#define GRAFT_COMPILE_MAGIC 0x32434347u /* the first byte is the version */
#define GRAFT_COMPILE_LOG 65536         /* longer build logs are cut */
#define GRAFT_COMPILE_MOST (256u << 20) /* bytes of a source or a binary */
#define GRAFT_COMPILE_IDLE 10           /* seconds without a request after which the helper ends */

/* Followed by identity, options, source and the kernel's name: so many bytes each, the zero that ends them
 * included. */
struct graft_compile_request {
    uint32_t magic;
    uint32_t platform; /* index, as the loader lists them */
    uint32_t device;   /* index in the platform */
    uint32_t binary;   /* 1: the binary is wanted */
    uint32_t seconds;  /* after which the helper ends itself, should nobody else do it */
    uint32_t identity_size;
    uint32_t options_size;
    uint32_t source_size;
    uint32_t kernel_size; /* "": the program only; else the kernel is launched once, before the reply */
};

enum graft_compile_result {
    GRAFT_COMPILE_BUILT = 0,
    GRAFT_COMPILE_FAILED = 1, /* clBuildProgram gave `code` */
    GRAFT_COMPILE_NO_DEVICE =
        2 /* it never came to that: another device there, or it cannot be opened twice */
};

/* Followed by log and binary. */
struct graft_compile_reply {
    uint32_t magic;
    uint32_t result;
    int32_t code;
    uint32_t log_size; /* with the zero; 0: none */
    uint64_t binary_size;
    double seconds; /* that clBuildProgram took */
};

/* Four lines that tell a device from another that stands in its place. */
static inline void graft_compile_identity(cl_platform_id platform, cl_device_id device, char *text,
                                          size_t size)
{
    char parts[4][256] = {""};
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(parts[0]) - 1, parts[0], NULL);
    clGetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof(parts[1]) - 1, parts[1], NULL);
    clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(parts[2]) - 1, parts[2], NULL);
    clGetDeviceInfo(device, CL_DRIVER_VERSION, sizeof(parts[3]) - 1, parts[3], NULL);
    snprintf(text, size, "%s\n%s\n%s\n%s", parts[0], parts[1], parts[2], parts[3]);
}

#endif
