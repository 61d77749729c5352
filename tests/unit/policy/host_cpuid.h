#ifndef TESTS_UNIT_POLICY_HOST_CPUID_H
#define TESTS_UNIT_POLICY_HOST_CPUID_H

#include "guest/policy/cpuid.h"

/* A host whose feature leaves are all ones: what a guest then sees is exactly what is allowed. */
void greedy_host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer);
/* A plain host without XSAVE and with few leaves. */
void plain_host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *answer);

#endif
