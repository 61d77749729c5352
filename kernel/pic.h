/*
 * The 8259 interrupt controllers of a PC: put out of the way, as the I/O APIC serves.
 */
#ifndef KERNEL_PIC_H
#define KERNEL_PIC_H

/** Moves both controllers' vectors off the exceptions' and masks all their inputs. */
void pic_disable(void);

#endif
