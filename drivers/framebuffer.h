/*
 * The boot loader's framebuffer as a sink of the console: what is written is kept as characters,
 * and drawn bit by bit when the console has time.
 */
#ifndef DRIVERS_FRAMEBUFFER_H
#define DRIVERS_FRAMEBUFFER_H

/** Takes the framebuffer of boot_info, if there is one with pixels of 16, 24 or 32 bits, and shows
 * the log so far. 0, -ENODEV without one, -ENOMEM when it cannot be mapped. */
int framebuffer_init(void);

#endif
