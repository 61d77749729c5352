/* Events between the guest's terms and the VMCS's interruption information. */
#include "vmx/decode.h"
#include "vmx/qualification.h"

bool decode_idt_vectoring(uint32_t info, uint32_t error, uint32_t length, struct virt_event *event)
{
    static const uint8_t types[] = {
        [INTERRUPTION_EXTERNAL] = VIRT_EVENT_EXTERNAL_INTERRUPT,
        [INTERRUPTION_NMI] = VIRT_EVENT_NMI,
        [INTERRUPTION_HARDWARE_EXCEPTION] = VIRT_EVENT_HARDWARE_EXCEPTION,
        [INTERRUPTION_SOFTWARE_INTERRUPT] = VIRT_EVENT_SOFTWARE_INTERRUPT,
        [INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION] = VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION,
        [INTERRUPTION_SOFTWARE_EXCEPTION] = VIRT_EVENT_SOFTWARE_EXCEPTION,
        [INTERRUPTION_OTHER] = VIRT_EVENT_NONE,
    };
    bool has_error_code = info & INTERRUPTION_ERROR_CODE;

    *event = (struct virt_event){.type = VIRT_EVENT_NONE};
    if (!(info & INTERRUPTION_VALID) || types[interruption_type(info)] == VIRT_EVENT_NONE) {
        return false;
    }
    *event = (struct virt_event){
        .type = (enum virt_event_type)types[interruption_type(info)],
        .vector = (uint8_t)(info & INTERRUPTION_VECTOR_MASK),
        .has_error_code = has_error_code,
        .error_code = has_error_code ? error : 0,
        .instruction_length = raised_by_instruction(info) ? (uint8_t)length : 0,
    };
    return true;
}

void encode_event(const struct virt_event *event, uint32_t *info, uint32_t *error, uint32_t *length)
{
    static const uint8_t types[] = {
        [VIRT_EVENT_EXTERNAL_INTERRUPT] = INTERRUPTION_EXTERNAL,
        [VIRT_EVENT_NMI] = INTERRUPTION_NMI,
        [VIRT_EVENT_HARDWARE_EXCEPTION] = INTERRUPTION_HARDWARE_EXCEPTION,
        [VIRT_EVENT_SOFTWARE_INTERRUPT] = INTERRUPTION_SOFTWARE_INTERRUPT,
        [VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION] = INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION,
        [VIRT_EVENT_SOFTWARE_EXCEPTION] = INTERRUPTION_SOFTWARE_EXCEPTION,
    };

    *info = 0;
    *error = 0;
    *length = 0;
    if (event->type == VIRT_EVENT_NONE) {
        return;
    }
    *info = INTERRUPTION_VALID | (uint32_t)types[event->type] << INTERRUPTION_TYPE_SHIFT |
            event->vector;
    if (event->has_error_code) {
        *info |= INTERRUPTION_ERROR_CODE;
        *error = event->error_code;
    }
    if (raised_by_instruction(*info)) {
        *length = event->instruction_length;
    }
}
