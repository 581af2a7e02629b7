/* SPDX-License-Identifier: MIT */
/* What the machine's processor is. */
#include "backend/cpu/processor.h"

#include "base/context.h"

#include <limits.h>
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

/* What an Arm core calls itself by numbers in MIDR_EL1 ("CPU implementer", "CPU part"); names by the makers' manuals. */
static const struct {
    unsigned maker, part;
    const char *name;
} arm_cores[] = {
    {0x41, 0xd03, "Cortex-A53"},    {0x41, 0xd04, "Cortex-A35"},  {0x41, 0xd05, "Cortex-A55"},
    {0x41, 0xd07, "Cortex-A57"},    {0x41, 0xd08, "Cortex-A72"},  {0x41, 0xd09, "Cortex-A73"},
    {0x41, 0xd0a, "Cortex-A75"},    {0x41, 0xd0b, "Cortex-A76"},  {0x41, 0xd0c, "Neoverse N1"},
    {0x41, 0xd0d, "Cortex-A77"},    {0x41, 0xd40, "Neoverse V1"}, {0x41, 0xd41, "Cortex-A78"},
    {0x41, 0xd44, "Cortex-X1"},     {0x41, 0xd46, "Cortex-A510"}, {0x41, 0xd47, "Cortex-A710"},
    {0x41, 0xd48, "Cortex-X2"},     {0x41, 0xd49, "Neoverse N2"}, {0x41, 0xd4d, "Cortex-A715"},
    {0x41, 0xd4e, "Cortex-X3"},     {0x41, 0xd4f, "Neoverse V2"}, {0x41, 0xd80, "Cortex-A520"},
    {0x41, 0xd81, "Cortex-A720"},   {0x41, 0xd82, "Cortex-X4"},   {0x46, 0x001, "A64FX"},
    {0x48, 0xd01, "TaiShan v110"},  {0xc0, 0xac3, "Ampere-1"},    {0xc0, 0xac4, "Ampere-1A"},
};

static void arm_name(unsigned maker, unsigned part, char *text, size_t size)
{
    for (size_t i = 0; i < sizeof arm_cores / sizeof arm_cores[0]; i++) {
        if (arm_cores[i].maker == maker && arm_cores[i].part == part) {
            snprintf(text, size, "Arm %s", arm_cores[i].name);
            return;
        }
    }
    snprintf(text, size, "%s processor 0x%02x 0x%03x", maker == 0x61 ? "Apple" : "Arm", maker, part);
}

void graft_processor_name_below(const char *root, char *text, size_t size)
{
    char path[PATH_MAX], line[512];
    unsigned maker = 0, part = 0;
    snprintf(text, size, "processor");
    (void)snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *const value = strstr(line, ": ");
        if (value == NULL) {
            continue;
        }
        if (strncmp(line, "model name", 10) == 0) {
            snprintf(text, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
            part = 0;
            break;
        }
        /* Of several kinds of cores the last is the largest. */
        if (strncmp(line, "CPU implementer", 15) == 0) {
            maker = (unsigned)strtoul(value + 2, NULL, 16);
        } else if (strncmp(line, "CPU part", 8) == 0) {
            part = (unsigned)strtoul(value + 2, NULL, 16);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (part == 0) {
        return;
    }
    arm_name(maker, part, text, size);
    (void)snprintf(path, sizeof path, "%s/sys/firmware/devicetree/base/model", root);
    file = fopen(path, "re");
    if (file != NULL) { /* "Raspberry Pi 4 Model B Rev 1.4" */
        const size_t used = strlen(text);
        if (fgets(line, sizeof line, file) != NULL && line[0] != '\0' && used < size) {
            snprintf(text + used, size - used, " (%.*s)", (int)strcspn(line, "\n"), line);
        }
        (void)fclose(file);
    }
}

void graft_processor_name(char *text, size_t size)
{
    graft_processor_name_below("", text, size);
}
