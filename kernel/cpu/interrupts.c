#include "kernel/cpu/interrupts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "kernel/apic.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"

#define VECTORS 256u
/* Handed out upwards from here. Below lie the exceptions and the 16 vectors which a remapped 8259
 * may still raise spuriously; the last is the local APIC's spurious interrupt. */
#define VECTOR_FIRST 48u
#define VECTOR_END   APIC_SPURIOUS_VECTOR

struct handler {
    interrupt_handler function; /* NULL: nobody expects this vector */
    void *context;
};

static struct handler handlers[VECTORS];
static atomic_uint unexpected[VECTORS];
static struct spinlock lock;

int interrupt_vector_alloc(interrupt_handler handler, void *context)
{
    bool were_on = interrupts_save();
    int vector = -ENOSPC;

    spin_lock(&lock);
    for (unsigned i = VECTOR_FIRST; i < VECTOR_END; i++) {
        if (handlers[i].function == NULL) {
            handlers[i] = (struct handler){.function = handler, .context = context};
            vector = (int)i;
            break;
        }
    }
    spin_unlock(&lock);
    interrupts_restore(were_on);
    return vector;
}

void interrupt_dispatch(uint8_t vector)
{
    const struct handler *handler = &handlers[vector];

    if (__builtin_expect(handler->function != NULL, 1)) {
        handler->function(handler->context);
    } else if (vector == APIC_SPURIOUS_VECTOR) {
        return; /* was never in service */
    } else if (atomic_fetch_add(&unexpected[vector], 1) == 0) {
        log_warn("interrupt: vector %u came and nobody expects it", vector);
    }
    apic_eoi();
}
