#include "kernel/cpu/features.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"

/* PAT entries 0 to 7: WB, WC, UC-, UC, WB, WT, UC-, UC. Only entry 1 (PWT alone) differs from
 * power-up, where it is WT. SDM vol. 3, 12.12. */
#define PAT_VALUE UINT64_C(0x0007040600070106)

#define BRAND_LEAF_FIRST 0x80000002u
#define BRAND_LEAF_LAST  0x80000004u

enum cpuid_register { EAX, EBX, ECX, EDX };

struct feature {
    const char *name;
    uint32_t leaf;
    enum cpuid_register reg;
    uint8_t bit;
    uint64_t cr4; /* enables that go with it */
};

static const struct feature features[] = {
    {"mce", 1, EDX, 7, CR4_MCE},
    {"pge", 1, EDX, 13, CR4_PGE},
    {"fxsr", 1, EDX, 24, CR4_OSFXSR | CR4_OSXMMEXCPT},
    {"vmx", 1, ECX, 5, 0},
    {"pcid", 1, ECX, 17, 0},
    {"x2apic", 1, ECX, 21, 0},
    {"tsc-deadline", 1, ECX, 24, 0},
    {"xsave", 1, ECX, 26, CR4_OSXSAVE},
    {"rdrand", 1, ECX, 30, 0},
    {"hypervisor", 1, ECX, 31, 0},
    {"smep", 7, EBX, 7, CR4_SMEP},
    {"smap", 7, EBX, 20, CR4_SMAP},
    {"umip", 7, ECX, 2, CR4_UMIP},
    {"svm", 0x80000001, ECX, 2, 0},
    {"nx", 0x80000001, EDX, 20, 0},
    {"1g-pages", 0x80000001, EDX, 26, 0},
    {"invariant-tsc", 0x80000007, EDX, 8, 0},
};

#define FEATURE_COUNT (sizeof(features) / sizeof(features[0]))

static bool has_leaf(uint32_t leaf)
{
    return cpuid(leaf & 0x80000000u, 0).eax >= leaf;
}

static bool has_feature(const struct feature *feature)
{
    struct cpuid_result result;
    uint32_t values[4];

    if (!has_leaf(feature->leaf)) {
        return false;
    }
    result = cpuid(feature->leaf, 0);
    values[EAX] = result.eax;
    values[EBX] = result.ebx;
    values[ECX] = result.ecx;
    values[EDX] = result.edx;
    return (values[feature->reg] >> feature->bit & 1) != 0;
}

void cpu_enable_features(void)
{
    uint64_t cr4 = read_cr4();
    bool nx = false;

    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        if (has_feature(&features[i])) {
            cr4 |= features[i].cr4;
            nx |= strcmp(features[i].name, "nx") == 0;
        }
    }
    if (!nx) {
        panic("this CPU cannot make pages not executable: enable Execute Disable (NX, XD) in the "
              "firmware's setup");
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    wrmsr(MSR_PAT, PAT_VALUE);
    write_cr4(cr4);
}

void cpu_brand(char brand[CPU_BRAND_SIZE])
{
    char *start = brand;
    size_t length;

    memset(brand, 0, CPU_BRAND_SIZE);
    if (!has_leaf(BRAND_LEAF_LAST)) {
        struct cpuid_result vendor = cpuid(0, 0);

        memcpy(brand, &vendor.ebx, 4);
        memcpy(brand + 4, &vendor.edx, 4);
        memcpy(brand + 8, &vendor.ecx, 4);
        return;
    }
    for (uint32_t leaf = BRAND_LEAF_FIRST; leaf <= BRAND_LEAF_LAST; leaf++) {
        struct cpuid_result part = cpuid(leaf, 0);

        memcpy(brand + (size_t)(leaf - BRAND_LEAF_FIRST) * 16, &part, 16);
    }
    /* Some pad it at the front, some at the end. */
    while (*start == ' ') {
        start++;
    }
    length = strlen(start);
    while (length > 0 && start[length - 1] == ' ') {
        length--;
    }
    memmove(brand, start, length);
    brand[length] = '\0';
}

void cpu_describe(void)
{
    uint32_t signature = cpuid(1, 0).eax;
    uint32_t family = signature >> 8 & 0xf;
    uint32_t model = signature >> 4 & 0xf;
    char brand[CPU_BRAND_SIZE];
    char list[160] = "";
    size_t length = 0;

    /* SDM vol. 2, CPUID, "Version Information Returned in EAX". */
    if (family == 6 || family == 15) {
        model |= signature >> 12 & 0xf0;
    }
    if (family == 15) {
        family += signature >> 20 & 0xff;
    }
    cpu_brand(brand);
    log_info("cpu: %s, family %u model %u stepping %u", brand, family, model, signature & 0xf);
    for (size_t i = 0; i < FEATURE_COUNT && length < sizeof(list); i++) {
        if (has_feature(&features[i])) {
            length +=
                (size_t)snprintf(list + length, sizeof(list) - length, " %s", features[i].name);
        }
    }
    log_info("cpu:%s", list);
}
