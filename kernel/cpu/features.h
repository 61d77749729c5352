/*
 * What this CPU can do, and switching on what the kernel wants of it.
 */
#ifndef KERNEL_CPU_FEATURES_H
#define KERNEL_CPU_FEATURES_H

#include <stddef.h>

/**
 * Sets EFER.NXE, the PAT and CR4: page-global, machine-check, FXSAVE and XSAVE enables, and SMEP,
 * SMAP and UMIP where the CPU has them. Each CPU calls it before it loads the final page tables.
 * Panics when the CPU cannot make pages not executable.
 */
void cpu_enable_features(void);

#define CPU_BRAND_SIZE 49u

/** The CPU's name as CPUID gives it, without spaces around it; the vendor's if it gives none. */
void cpu_brand(char brand[CPU_BRAND_SIZE]);

/** Two lines for the log: which CPU it is, and which of the features that matter it has. */
void cpu_describe(void);

#endif
