#include "guest/policy/arch_capabilities.h"

#include <stdbool.h>
#include <stddef.h>

#include "guest/policy/cpuid.h"
#include "guest/policy/cpuid_bits.h"

/* What is as true in a guest as on the host, and needs no MSR that guests do not get: that the CPU
 * has not some weakness, that it may have one, and what VERW clears. The rest tells of controls
 * (enhanced IBRS, bit 1, and others), or is for hypervisors. */
#define PASSED                                                                                 \
    (ARCH_CAPABILITIES_RDCL_NO | ARCH_CAPABILITIES_RSBA | ARCH_CAPABILITIES_SSB_NO |           \
     ARCH_CAPABILITIES_MDS_NO | ARCH_CAPABILITIES_PSCHANGE_MC_NO | ARCH_CAPABILITIES_TAA_NO |  \
     ARCH_CAPABILITIES_SBDR_SSDP_NO | ARCH_CAPABILITIES_FBSDP_NO | ARCH_CAPABILITIES_PSDP_NO | \
     ARCH_CAPABILITIES_FB_CLEAR | ARCH_CAPABILITIES_RRSBA | ARCH_CAPABILITIES_BHI_NO |         \
     ARCH_CAPABILITIES_PBRSB_NO | ARCH_CAPABILITIES_GDS_NO | ARCH_CAPABILITIES_RFDS_NO |       \
     ARCH_CAPABILITIES_RFDS_CLEAR | ARCH_CAPABILITIES_ITS_NO)

#define FAMILY_6 6u

/* The CPUs of family 6 with indirect target selection, as Intel has published them: by model, from
 * a stepping up. */
static const struct {
    uint8_t model;
    uint8_t stepping;
} its_affected[] = {
    {0x55, 6},  /* Cascade Lake, Cooper Lake */
    {0x6a, 0},  /* Ice Lake SP */
    {0x6c, 0},  /* Ice Lake D */
    {0x7e, 0},  /* Ice Lake */
    {0x8c, 0},  /* Tiger Lake U */
    {0x8d, 0},  /* Tiger Lake H */
    {0x8e, 12}, /* Whiskey Lake, Comet Lake U */
    {0x9e, 13}, /* Coffee Lake Refresh */
    {0xa5, 0},  /* Comet Lake S, H */
    {0xa6, 0},  /* Comet Lake U */
    {0xa7, 0},  /* Rocket Lake */
};

/* Family, model and stepping (SDM vol. 2, CPUID leaf 1). */
static bool listed_as_affected(uint32_t signature)
{
    unsigned family = signature >> 8 & 0xf;
    unsigned model = (signature >> 4 & 0xf) | (signature >> 12 & 0xf0);
    unsigned stepping = signature & 0xf;

    if (family != FAMILY_6) {
        return false;
    }
    for (size_t i = 0; i < sizeof(its_affected) / sizeof(its_affected[0]); i++) {
        if (model == its_affected[i].model && stepping >= its_affected[i].stepping) {
            return true;
        }
    }
    return false;
}

/* True if it is sure. A host that is itself a guest sees a model which its hypervisor chose. */
static bool lacks_its(const struct cpuid_registers *vendor, const struct cpuid_registers *features)
{
    bool intel = vendor->ebx == CPUID_INTEL_EBX && vendor->edx == CPUID_INTEL_EDX &&
                 vendor->ecx == CPUID_INTEL_ECX;

    return intel && !(features->ecx & CPUID1_ECX_HYPERVISOR) && !listed_as_affected(features->eax);
}

uint64_t guest_arch_capabilities(void (*host_cpuid)(uint32_t leaf, uint32_t subleaf,
                                                    struct cpuid_registers *answer),
                                 uint64_t host)
{
    struct cpuid_registers vendor;
    struct cpuid_registers features;

    host_cpuid(0, 0, &vendor);
    host_cpuid(1, 0, &features);
    return (host & PASSED) | (lacks_its(&vendor, &features) ? ARCH_CAPABILITIES_ITS_NO : 0);
}
