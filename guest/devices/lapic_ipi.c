/*
 * Interprocessor interrupts: which local APIC a destination means (SDM vol. 3, 11.6.2, 11.12.10),
 * and what a write of the interrupt command register sends (11.6.1, 11.12.9).
 */
#include "guest/devices/lapic.h"
#include "guest/devices/lapic_registers.h"

#define DFR_FLAT    0xfu
#define DFR_CLUSTER 0x0u

#define ICR_LOGICAL      (1u << 11)
#define ICR_ASSERT       (1u << 14)
#define ICR_LEVEL        (1u << 15)
#define ICR_SHORTHAND(x) ((uint8_t)(((x) >> 18) & 3))

static bool matches_logical_xapic(const struct lapic *lapic, uint32_t destination)
{
    uint32_t logical_id = lapic_get(lapic, LAPIC_LDR) >> 24;

    if (destination > 0xff) {
        return false;
    }
    switch (lapic_get(lapic, LAPIC_DFR) >> 28) {
    case DFR_FLAT:
        return destination & logical_id;
    case DFR_CLUSTER:
        return destination >> 4 == logical_id >> 4 && (destination & logical_id & 0xf);
    default:
        return false;
    }
}

bool lapic_matches(const struct lapic *lapic, uint32_t destination, bool logical)
{
    enum virt_apic_mode mode = lapic_mode(lapic);

    if (mode == APIC_MODE_DISABLED) {
        return false;
    }
    if (destination == DESTINATION_BROADCAST) {
        return true;
    }
    if (mode == APIC_MODE_XAPIC) {
        return logical ? matches_logical_xapic(lapic, destination)
                       : destination == (lapic->id & 0xff);
    }
    if (!logical) {
        return destination == lapic->id;
    }
    uint32_t logical_id = lapic_get(lapic, LAPIC_LDR);

    return destination >> 16 == logical_id >> 16 && (destination & logical_id & 0xffff);
}

int lapic_arbitration_priority(const struct lapic *lapic)
{
    if (lapic_mode(lapic) == APIC_MODE_DISABLED ||
        !__atomic_load_n(&lapic->software_enabled, __ATOMIC_RELAXED)) {
        return -1;
    }
    int in_service = lapic_in_service(lapic);
    int task = (int)(lapic_get(lapic, LAPIC_TPR) & 0xff);

    return in_service > task ? in_service : task;
}

void lapic_send_ipi(struct lapic *lapic, uint32_t icr, uint32_t destination)
{
    uint8_t delivery_mode = LVT_MODE(icr);
    uint8_t vector = (uint8_t)icr;

    switch (delivery_mode) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY:
        if (vector < FIRST_LEGAL_VECTOR) {
            lapic_error(lapic, ESR_SEND_ILLEGAL_VECTOR);
            return;
        }
        break;
    case DELIVERY_INIT:
        /* INIT level de-assert only synchronised arbitration IDs on old parts. */
        if ((icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL) {
            return;
        }
        break;
    case DELIVERY_NMI:
    case DELIVERY_STARTUP:
    case DELIVERY_SMI:
        break;
    default: /* reserved in the ICR */
        return;
    }
    /* IPIs are edge-triggered whatever bit 15 says. */
    if (ICR_SHORTHAND(icr) == SHORTHAND_SELF) {
        if (delivery_mode == DELIVERY_FIXED) {
            lapic_send_self_ipi(lapic, vector);
        } else {
            lapic_receive(lapic, delivery_mode, vector, false);
        }
    } else {
        lapic->ops->send(lapic->context, &(struct interrupt_message){
                                             .destination = destination,
                                             .vector = vector,
                                             .delivery_mode = delivery_mode,
                                             .shorthand = ICR_SHORTHAND(icr),
                                             .logical = icr & ICR_LOGICAL,
                                             .level = false,
                                         });
    }
}
