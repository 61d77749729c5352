#include "vmx/extended_state.h"

#include <stddef.h>
#include <string.h>

#include "kernel/cpu/x86.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "vmx/instructions.h"

#define CPUID_FEATURES_XSAVE (1u << 26) /* leaf 1 ECX */
#define CPUID_XSTATE         0xdu

/* The legacy area (SDM vol. 1, table 13-1) and the header's first word after it (13.4.2). */
#define OFFSET_FCW       0u
#define OFFSET_FTW       4u
#define OFFSET_MXCSR     24u
#define LEGACY_SIZE      512u
#define OFFSET_XSTATE_BV 512u

#define RESET_FCW   0x0040u /* not FNINIT's 0x37f */
#define RESET_FTW   0xffu   /* all registers in use, holding 0 */
#define RESET_MXCSR 0x1f80u

static bool has_xsave;
static uint64_t all_components;
static unsigned area_order;

void extended_state_enable_cpu(void)
{
    size_t size = LEGACY_SIZE;

    write_cr0(read_cr0() & ~(CR0_TS | CR0_EM));
    has_xsave = cpuid(1, 0).ecx & CPUID_FEATURES_XSAVE;
    write_cr4(read_cr4() | CR4_OSFXSR | (has_xsave ? CR4_OSXSAVE : 0));
    if (has_xsave) {
        struct cpuid_result xstate = cpuid(CPUID_XSTATE, 0);

        all_components = (uint64_t)xstate.edx << 32 | xstate.eax;
        size = xstate.ecx; /* of all components the CPU has, not only those enabled now */
    }
    for (area_order = 0; ((size_t)FRAME_SIZE << area_order) < size;) {
        area_order++;
    }
}

bool extended_state_has_xcr0(void)
{
    return has_xsave;
}

void extended_state_reset(void *area)
{
    const uint16_t fcw = RESET_FCW;
    const uint32_t mxcsr = RESET_MXCSR;
    const uint64_t in_use = XCR0_X87 | XCR0_SSE;
    uint8_t *bytes = area;

    memset(bytes, 0, (size_t)FRAME_SIZE << area_order);
    memcpy(bytes + OFFSET_FCW, &fcw, sizeof(fcw));
    bytes[OFFSET_FTW] = RESET_FTW;
    memcpy(bytes + OFFSET_MXCSR, &mxcsr, sizeof(mxcsr));
    memcpy(bytes + OFFSET_XSTATE_BV, &in_use, sizeof(in_use));
}

void *extended_state_create(void)
{
    uint64_t phys = frame_alloc(area_order);
    void *area;

    if (!phys) {
        return NULL;
    }
    area = phys_to_virt(phys);
    extended_state_reset(area);
    return area;
}

void extended_state_destroy(void *area)
{
    frame_free(virt_to_phys(area), area_order);
}

/* XSAVE and XRSTOR skip what XCR0 leaves out; a guest that turns a component off in XCR0 and on
 * again finds its old contents, so all of them are switched. */
void extended_state_save(void *area)
{
    if (has_xsave) {
        xsetbv(0, all_components);
        xsave(area, all_components);
    } else {
        fxsave(area);
    }
}

void extended_state_load(const void *area, uint64_t xcr0)
{
    if (has_xsave) {
        xsetbv(0, all_components);
        xrstor(area, all_components);
        xsetbv(0, xcr0);
    } else {
        fxrstor(area);
    }
}
