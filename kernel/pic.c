#include "kernel/pic.h"

#include "kernel/cpu/x86.h"

#define MASTER_COMMAND 0x20u
#define MASTER_DATA    0x21u
#define SLAVE_COMMAND  0xa0u
#define SLAVE_DATA     0xa1u

#define ICW1_INIT_ICW4 0x11u
#define ICW3_MASTER    0x04u /* the slave is at input 2 */
#define ICW3_SLAVE     0x02u
#define ICW4_8086      0x01u
#define MASK_ALL       0xffu

/* Even masked, a controller can emit its input 7 for a request that vanished; as an exception's
 * vector that would look like one. Here it is an unexpected interrupt, which is counted. */
#define MASTER_VECTORS 0x20u
#define SLAVE_VECTORS  0x28u

void pic_disable(void)
{
    outb(MASTER_COMMAND, ICW1_INIT_ICW4);
    outb(SLAVE_COMMAND, ICW1_INIT_ICW4);
    outb(MASTER_DATA, MASTER_VECTORS);
    outb(SLAVE_DATA, SLAVE_VECTORS);
    outb(MASTER_DATA, ICW3_MASTER);
    outb(SLAVE_DATA, ICW3_SLAVE);
    outb(MASTER_DATA, ICW4_8086);
    outb(SLAVE_DATA, ICW4_8086);
    outb(MASTER_DATA, MASK_ALL);
    outb(SLAVE_DATA, MASK_ALL);
}
