#include "tests/unit/policy/host_cpuid.h"

#include <string.h>

#define ONES 0xffffffffu

static void brand(uint32_t leaf, struct cpuid_registers *answer)
{
    static const char text[48] = "Testing CPU that has everything @ 3.50GHz";

    memcpy(answer, text + 16 * (leaf - 0x80000002u), 16);
}

/* Sizes and places as Intel's CPUs have them. */
static void xsave_component(uint32_t subleaf, struct cpuid_registers *answer)
{
    static const struct {
        uint32_t size;
        uint32_t offset;
        uint32_t flags;
    } components[] = {
        [2] = {256, 576, 0},  [3] = {64, 960, 0},     [4] = {64, 1024, 0}, [5] = {64, 1088, 0},
        [6] = {512, 1152, 0}, [7] = {1024, 1664, 0},  [8] = {128, 0, 1},   [9] = {8, 2688, 0},
        [17] = {64, 2752, 2}, [18] = {8192, 2816, 6},
    };

    if (subleaf < sizeof(components) / sizeof(components[0])) {
        *answer = (struct cpuid_registers){.eax = components[subleaf].size,
                                           .ebx = components[subleaf].offset,
                                           .ecx = components[subleaf].flags};
    }
}

void greedy_host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer)
{
    static const uint32_t caches[] = {0x1c004121, 0x1c004122, 0x1c004143, 0x1c03c163};

    *answer = (struct cpuid_registers){0};
    switch (leaf) {
    case 0:
        *answer = (struct cpuid_registers){0x20, 0x756e6547, 0x6c65746e, 0x49656e69};
        break;
    case 1:
        *answer = (struct cpuid_registers){0x000906ea, 0x07100800, ONES, ONES};
        break;
    case 2:
        *answer = (struct cpuid_registers){0x76036301, 0x00f0b5ff, 0, 0x00c30000};
        break;
    case 4:
        if (subleaf < 4) {
            *answer = (struct cpuid_registers){caches[subleaf], 0x01c0003f, 0x3f, 0};
        }
        break;
    case 0xd:
        if (subleaf == 0) {
            *answer = (struct cpuid_registers){0x602e7 | 0x18, 0x440, 0x2b00, 0};
        } else if (subleaf == 1) {
            *answer = (struct cpuid_registers){0x1f, 0x9a0, 0x1900, 0};
        } else {
            xsave_component(subleaf, answer);
        }
        break;
    case 0x80000000:
        answer->eax = 0x80000008;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        brand(leaf, answer);
        break;
    case 0x80000006:
        answer->ecx = 0x01006040;
        break;
    case 0x80000008:
        *answer = (struct cpuid_registers){0x3927, ONES, ONES, ONES};
        break;
    default:
        *answer = (struct cpuid_registers){ONES, ONES, ONES, ONES};
        break;
    }
}

void plain_host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer)
{
    (void)subleaf;
    *answer = (struct cpuid_registers){0};
    switch (leaf) {
    case 0:
        *answer = (struct cpuid_registers){0x03, 0x756e6547, 0x6c65746e, 0x49656e69};
        break;
    case 1: /* VMX, SSE3, CX16; what every 64-bit CPU has */
        *answer = (struct cpuid_registers){0x000006f0, 0x00020800, 0x00002021, 0xbfebfbff};
        break;
    case 0x80000000:
        answer->eax = 0x80000008;
        break;
    case 0x80000001:
        answer->ecx = 1;
        answer->edx = 0x20100800;
        break;
    case 0x80000008:
        answer->eax = 0x3024;
        break;
    default:
        break;
    }
}
