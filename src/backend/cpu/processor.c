/* SPDX-License-Identifier: MIT */
/* What the machine's processor is. */
#include "backend/cpu/processor.h"

#include "base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const isa_names[GRAFT_ISA_COUNT] = {
    [GRAFT_ISA_BASELINE] = "baseline",
    [GRAFT_ISA_AVX2] = "avx2",
    [GRAFT_ISA_AVX512] = "avx512",
};

const char *graft_isa_name(enum graft_isa isa)
{
    return isa_names[isa];
}

static enum graft_isa detect(void)
{
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        return GRAFT_ISA_BASELINE;
    }
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx512 ? GRAFT_ISA_AVX512 : GRAFT_ISA_AVX2;
#else
    return GRAFT_ISA_BASELINE;
#endif
}

enum graft_status graft_processor_isa(struct graft_context *context, enum graft_isa *isa)
{
    const enum graft_isa best = detect();
    *isa = best;
    const char *const wanted = getenv("GRAFT_ISA");
    if (wanted == NULL || wanted[0] == '\0') {
        return GRAFT_OK;
    }
    for (int i = 0; i < GRAFT_ISA_COUNT; i++) {
        if (strcmp(wanted, isa_names[i]) == 0 && i <= (int)best) {
            *isa = (enum graft_isa)i;
            return GRAFT_OK;
        }
    }
    return graft_fail(context, GRAFT_ERROR_ARGUMENT,
                      "GRAFT_ISA is '%s'; this processor can do baseline%s%s (unset it to use the best)",
                      wanted, best >= GRAFT_ISA_AVX2 ? ", avx2" : "",
                      best >= GRAFT_ISA_AVX512 ? ", avx512" : "");
}

void graft_processor_name(char *text, size_t size)
{
    snprintf(text, size, "processor");
    FILE *const file = fopen("/proc/cpuinfo", "re");
    if (file == NULL) {
        return;
    }
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *const value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            snprintf(text, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
            break;
        }
    }
    fclose(file);
}
