/*
 * IA32_ARCH_CAPABILITIES (SDM vol. 4, table 2-2): what the CPU says of its own speculation. A guest
 * that is not told assumes the worst, and pays for it with each return from a function.
 */
#ifndef GUEST_POLICY_ARCH_CAPABILITIES_H
#define GUEST_POLICY_ARCH_CAPABILITIES_H

#include <stdint.h>

struct cpuid_registers;

#define ARCH_CAPABILITIES_RDCL_NO        (UINT64_C(1) << 0)
#define ARCH_CAPABILITIES_RSBA           (UINT64_C(1) << 2)
#define ARCH_CAPABILITIES_SSB_NO         (UINT64_C(1) << 4)
#define ARCH_CAPABILITIES_MDS_NO         (UINT64_C(1) << 5)
#define ARCH_CAPABILITIES_PSCHANGE_MC_NO (UINT64_C(1) << 6)
#define ARCH_CAPABILITIES_TAA_NO         (UINT64_C(1) << 8)
#define ARCH_CAPABILITIES_SBDR_SSDP_NO   (UINT64_C(1) << 13)
#define ARCH_CAPABILITIES_FBSDP_NO       (UINT64_C(1) << 14)
#define ARCH_CAPABILITIES_PSDP_NO        (UINT64_C(1) << 15)
#define ARCH_CAPABILITIES_FB_CLEAR       (UINT64_C(1) << 17)
#define ARCH_CAPABILITIES_RRSBA          (UINT64_C(1) << 19)
#define ARCH_CAPABILITIES_BHI_NO         (UINT64_C(1) << 20)
#define ARCH_CAPABILITIES_PBRSB_NO       (UINT64_C(1) << 24)
#define ARCH_CAPABILITIES_GDS_NO         (UINT64_C(1) << 26)
#define ARCH_CAPABILITIES_RFDS_NO        (UINT64_C(1) << 27)
#define ARCH_CAPABILITIES_RFDS_CLEAR     (UINT64_C(1) << 28)
/* No CPU sets it: hypervisors do, for guests that cannot know on which CPUs they will run. */
#define ARCH_CAPABILITIES_ITS_NO (UINT64_C(1) << 62)

/** What a guest reads. `host_cpuid` is the host's CPUID; `host` its IA32_ARCH_CAPABILITIES, 0 if it
 * has none. */
uint64_t guest_arch_capabilities(void (*host_cpuid)(uint32_t leaf, uint32_t subleaf,
                                                    struct cpuid_registers *answer),
                                 uint64_t host);

#endif
