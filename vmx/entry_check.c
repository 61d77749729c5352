#include "vmx/entry_check.h"

#include "vmx/entry_check_rules.h"

/* Not broken, but with rules of their own that are not looked at. */
static const char *check_unknown_features(const struct vmx_entry_state *state)
{
    const struct vmx_entry_controls *controls = &state->controls;
    uint32_t proc2 = entry_proc2(state);
    const struct entry_rule rules[] = {
        {controls->pin & PIN_POSTED_INTERRUPTS,
         "controls: posted interrupts are on, whose rules are not checked"},
        {controls->proc & PROC_TERTIARY_CONTROLS,
         "controls: tertiary controls are activated, whose rules are not checked"},
        {proc2 & PROC2_VM_FUNCTIONS,
         "controls: VM functions are enabled, whose rules are not checked"},
        {proc2 & PROC2_VMCS_SHADOWING,
         "controls: VMCS shadowing is on, whose rules are not checked"},
        {proc2 & PROC2_EPT_VIOLATION_VE,
         "controls: EPT-violation #VE is on, whose rules are not checked"},
        {proc2 & PROC2_SUB_PAGE_WRITE,
         "controls: sub-page write permissions are on, whose rules are not checked"},
        {(controls->exit & EXIT_LOAD_CET_STATE) || (controls->entry & ENTRY_LOAD_CET_STATE),
         "controls: CET state is loaded, whose rules are not checked"},
        {controls->entry & ENTRY_LOAD_BNDCFGS,
         "controls: IA32_BNDCFGS is loaded, whose rules are not checked"},
    };

    return FIRST_BROKEN(rules);
}

const char *entry_check(const struct vmx_entry_state *state, char text[ENTRY_CHECK_TEXT_SIZE])
{
    const char *words = entry_check_controls(state);

    words = words ? words : entry_check_injection(state);
    words = words ? words : entry_check_host(state);
    words = words ? words : entry_check_registers(state);
    words = words ? words : entry_check_segments(state, text);
    words = words ? words : entry_check_guest(state);
    return words ? words : check_unknown_features(state);
}
