/* A histogram of exits begins with the first exit of its kind. */
#include "tests/unit/support/cmocka.h"

#include "vmx/vcpu.h"

static unsigned calls[VM_EXIT_KINDS];

static enum virt_next count(void *context, const struct vm_exit *exit)
{
    assert_ptr_equal(context, calls);
    calls[exit->kind]++;
    return VIRT_ADVANCE;
}

static enum virt_next leave(void *context, const struct vm_exit *exit)
{
    (void)count(context, exit);
    return VIRT_LEAVE;
}

static enum virt_next meet(struct vmx_vcpu *vcpu, enum vm_exit_kind kind)
{
    vcpu->exit.kind = kind;
    return vcpu->exit_handlers[kind](vcpu->exit_context, &vcpu->exit);
}

static void test_first_exit(void **state)
{
    virt_exit_handler given[VM_EXIT_KINDS];
    struct vmx_vcpu vcpu = {.given_handlers = given, .exit_context = calls};
    uint64_t *ticks;

    (void)state;
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        given[kind] = count;
    }
    given[VM_EXIT_HLT] = leave;
    assert_int_equal(vmx_create_exit_ticks(&vcpu), 0);
    for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
        /* What it begins with has one: its end is counted though it had no exit. */
        assert_int_equal(vcpu.virt.exit_ticks_log2[kind] != virt_no_ticks,
                         kind == VM_EXIT_INTERRUPTED);
    }
    assert_int_equal(meet(&vcpu, VM_EXIT_CPUID), VIRT_ADVANCE);
    assert_int_equal(meet(&vcpu, VM_EXIT_HLT), VIRT_LEAVE);
    assert_int_equal(calls[VM_EXIT_CPUID], 1);
    assert_int_equal(calls[VM_EXIT_HLT], 1);
    ticks = vcpu.virt.exit_ticks_log2[VM_EXIT_CPUID];
    assert_ptr_not_equal(ticks, virt_no_ticks);
    assert_ptr_not_equal(ticks, vcpu.virt.exit_ticks_log2[VM_EXIT_HLT]);
    for (unsigned bucket = 0; bucket < VIRT_TICKS_BUCKETS; bucket++) {
        assert_int_equal(ticks[bucket], 0);
    }

    /* From then on the handler is called itself, and the counts stay. */
    ticks[7] = 5;
    assert_ptr_equal(vcpu.exit_handlers[VM_EXIT_CPUID], count);
    assert_ptr_equal(vcpu.exit_handlers[VM_EXIT_HLT], leave);
    assert_int_equal(meet(&vcpu, VM_EXIT_CPUID), VIRT_ADVANCE);
    assert_int_equal(calls[VM_EXIT_CPUID], 2);
    assert_ptr_equal(vcpu.virt.exit_ticks_log2[VM_EXIT_CPUID], ticks);
    assert_int_equal(ticks[7], 5);

    assert_ptr_not_equal(vcpu.exit_handlers[VM_EXIT_IO], count);
    assert_ptr_equal(vcpu.virt.exit_ticks_log2[VM_EXIT_IO], virt_no_ticks);
    vmx_free_exit_ticks(&vcpu);
}

static void test_free_before_create(void **state)
{
    struct vmx_vcpu vcpu = {0};

    (void)state;
    vmx_free_exit_ticks(&vcpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_exit),
        cmocka_unit_test(test_free_before_create),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
