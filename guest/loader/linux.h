/*
 * The two ways to start a Linux kernel. Called through load_linux, which has told the formats
 * apart. 0 or a refusal.
 */
#ifndef GUEST_LOADER_LINUX_H
#define GUEST_LOADER_LINUX_H

#include "guest/loader/loader.h"
#include "guest/loader/loading.h"

/** True if the image bears the boot protocol's signature. */
bool bzimage_detect(const struct guest_image *image);

/** A bzImage by the x86 boot protocol (Linux, Documentation/x86/boot.rst): the 64-bit one where the
 * kernel has it, else the 32-bit one. */
int load_bzimage(const struct loading *loading, const struct linux_boot *boot,
                 struct boot_state *state);

/** An ELF kernel by the PVH protocol (Xen, docs/misc/pvh.pandoc and
 * public/arch-x86/hvm/start_info.h).
 */
int load_pvh(const struct loading *loading, const struct linux_boot *boot,
             struct boot_state *state);

#endif
