#include <string.h>

#include "kernel/cpu/x86_defs.h"
#include "tests/unit/emulate/fake_cpu.h"
#include "tests/unit/support/cmocka.h"

#define PORT     0x1f0
#define CODE     UINT64_C(0x400000)
#define CODE_RAM UINT64_C(0x100000)
#define DATA     UINT64_C(0x500000)
#define DATA_RAM UINT64_C(0x110000)
#define DEVICE   UINT64_C(0x600000)
#define PRESENT  UINT64_C(0x67)

/* A port that counts up on reads and keeps what is written. */
struct fake_port {
    struct fake_cpu *cpu;
    struct port_bus bus;
    uint32_t next;
    uint32_t written[4096];
    unsigned reads;
    unsigned writes;
};

static uint32_t port_read(void *device, uint16_t offset, unsigned size)
{
    struct fake_port *port = device;

    (void)offset;
    (void)size;
    port->reads++;
    return port->next++;
}

static void port_write(void *device, uint16_t offset, unsigned size, uint32_t value)
{
    struct fake_port *port = device;

    (void)offset;
    (void)size;
    port->written[port->writes++ % 4096] = value;
}

static int set_up(void **state)
{
    static struct fake_port port;

    memset(&port, 0, sizeof(port));
    port.cpu = fake_cpu_create();
    assert_int_equal(port_bus_add(&port.bus, PORT, 4, &port, port_read, port_write), 0);
    fake_cpu_map(port.cpu, CODE, CODE_RAM, PRESENT);
    fake_cpu_map(port.cpu, DATA, DATA_RAM, PRESENT);
    fake_cpu_map(port.cpu, DATA + 0x1000, DATA_RAM + 0x8000, PRESENT);
    fake_cpu_map(port.cpu, DEVICE, FAKE_MMIO, PRESENT);
    *state = &port;
    return 0;
}

static int tear_down(void **state)
{
    struct fake_port *port = *state;

    fake_cpu_destroy(port->cpu);
    return 0;
}

static struct vm_exit exit_of(bool in, unsigned size, bool rep)
{
    struct vm_exit exit = {.kind = VM_EXIT_STRING_IO, .instruction_length = 2};

    exit.io.port = PORT;
    exit.io.size = (uint8_t)size;
    exit.io.in = in;
    exit.io.rep = rep;
    exit.io.address_size = 8;
    exit.io.segment = in ? SEGMENT_ES : SEGMENT_DS;
    return exit;
}

static void test_in(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(true, 2, true);
    uint16_t first[2];
    uint16_t second[2];

    port->next = 0x1000;
    cpu->vcpu.gpr[GPR_RDI] = DATA + 0xffc; /* four words across two pages */
    cpu->vcpu.gpr[GPR_RCX] = 4;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    memcpy(first, fake_cpu_ram(cpu, DATA_RAM + 0xffc), 4);
    memcpy(second, fake_cpu_ram(cpu, DATA_RAM + 0x8000), 4);
    assert_int_equal(first[0], 0x1000);
    assert_int_equal(first[1], 0x1001);
    assert_int_equal(second[0], 0x1002);
    assert_int_equal(second[1], 0x1003);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], DATA + 0x1004);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 0);
    assert_int_equal(cpu->completed, 1);
    assert_int_equal(cpu->completed_length, 2);
}

static void test_out_backwards_unaligned(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 4, true);

    memcpy(fake_cpu_ram(cpu, DATA_RAM + 0xffa), "\1\2\3\4\5\6", 6);
    memcpy(fake_cpu_ram(cpu, DATA_RAM + 0x8000), "\7\x8\x9", 3);
    cpu->mode.rflags |= RFLAGS_DF;
    cpu->vcpu.gpr[GPR_RSI] = DATA + 0xffe;
    cpu->vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, 2);
    assert_int_equal(port->written[0], 0x08070605);
    assert_int_equal(port->written[1], 0x04030201);
    assert_int_equal(cpu->vcpu.gpr[GPR_RSI], DATA + 0xff6);
}

static void test_single(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 1, false);

    *fake_cpu_ram(cpu, DATA_RAM) = 0x42;
    cpu->vcpu.gpr[GPR_RSI] = DATA;
    cpu->vcpu.gpr[GPR_RCX] = 7;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->written[0], 0x42);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 7);
    assert_int_equal(cpu->vcpu.gpr[GPR_RSI], DATA + 1);
    assert_int_equal(cpu->completed, 1);
}

static void test_bounded(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 1, true);

    cpu->vcpu.gpr[GPR_RSI] = DATA;
    cpu->vcpu.gpr[GPR_RCX] = EMULATE_STRING_IO_MAX + 1;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, EMULATE_STRING_IO_MAX);
    assert_int_equal(cpu->completed, 0);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 1);
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(cpu->completed, 1);
    /* A count of zero does nothing but complete. */
    cpu->vcpu.gpr[GPR_RCX] = 0;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(cpu->completed, 2);
    assert_int_equal(port->writes, EMULATE_STRING_IO_MAX + 1);
}

static void test_fault_midway(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(true, 1, true);

    cpu->vcpu.gpr[GPR_RDI] = DATA + 0x1ffe;
    cpu->vcpu.gpr[GPR_RCX] = 5;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_FAULT);
    assert_int_equal(cpu->context.fault.vector, EXCEPTION_PF);
    assert_int_equal(cpu->context.fault.address, DATA + 0x2000);
    assert_int_equal(cpu->context.fault.error_code, PF_WRITE);
    assert_int_equal(port->reads, 2); /* the port is not read for an element that faults */
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 3);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], DATA + 0x2000);
    assert_int_equal(cpu->completed, 0);
}

static void test_from_device_memory(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 2, true);

    memcpy(cpu->device, "\1\2\3\4", 4);
    cpu->vcpu.gpr[GPR_RSI] = DEVICE;
    cpu->vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->written[0], 0x0201);
    assert_int_equal(port->written[1], 0x0403);
    assert_int_equal(cpu->device_reads, 2);
}

/* What the exit does not tell comes from the instruction: fs outsb with 32-bit addresses. */
static void test_decoded(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 1, true);

    exit.io.address_size = 0;
    exit.io.segment = -1;
    exit.instruction_length = 0;
    cpu->mode.rip = CODE;
    memcpy(fake_cpu_ram(cpu, CODE_RAM), "\x64\x67\xf3\x6e", 4);
    cpu->segments[SEGMENT_FS].base = DATA;
    memcpy(fake_cpu_ram(cpu, DATA_RAM + 0x10), "ab", 2);
    cpu->vcpu.gpr[GPR_RSI] = UINT64_C(0xffffffff00000010);
    cpu->vcpu.gpr[GPR_RCX] = UINT64_C(0xffffffff00000002);
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, 2);
    assert_int_equal(port->written[0], 'a');
    assert_int_equal(port->written[1], 'b');
    assert_int_equal(cpu->vcpu.gpr[GPR_RSI], 0x12);
    assert_int_equal(cpu->completed_length, 4);
    /* Bytes that are something else: the guest changed them under our feet. */
    memcpy(fake_cpu_ram(cpu, CODE_RAM), "\x8b\x07\x90\x90", 4);
    cpu->mode.rip = CODE;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_UNDECODABLE);
}

/* A device that cannot take an element gets it again; any other request ends the transfer. */
static void test_requests(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 1, true);
    unsigned requests = 4;

    cpu->context.requests = &requests;
    cpu->context.retry_request = 4;
    cpu->vcpu.gpr[GPR_RSI] = DATA;
    cpu->vcpu.gpr[GPR_RCX] = 3;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, 1);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 3);
    assert_int_equal(cpu->vcpu.gpr[GPR_RSI], DATA);
    assert_int_equal(cpu->completed, 0);
    requests = 1;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, 2);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 2);
    assert_int_equal(cpu->completed, 0);
    requests = 0;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, 4);
    assert_int_equal(cpu->completed, 1);
}

static void test_single_step(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(false, 1, true);

    cpu->mode.rflags |= RFLAGS_TF;
    cpu->vcpu.gpr[GPR_RSI] = DATA;
    cpu->vcpu.gpr[GPR_RCX] = 3;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_DONE);
    assert_int_equal(port->writes, 1);
    assert_int_equal(cpu->completed, 1);
    assert_int_equal(cpu->completed_length, 0);
}

static void test_real_mode_limit(void **state)
{
    struct fake_port *port = *state;
    struct fake_cpu *cpu = port->cpu;
    struct vm_exit exit = exit_of(true, 2, true);

    fake_cpu_set_legacy(cpu, CPU_16_BIT);
    cpu->mode.cr0 = 0;
    cpu->segments[SEGMENT_ES].base = DATA_RAM;
    exit.io.address_size = 2;
    cpu->vcpu.gpr[GPR_RDI] = 0xfffd;
    cpu->vcpu.gpr[GPR_RCX] = 3;
    assert_int_equal(emulate_string_io(&cpu->context, &port->bus, &exit), EMULATE_FAULT);
    assert_int_equal(cpu->context.fault.vector, EXCEPTION_GP);
    assert_false(cpu->context.fault.has_error_code);
    assert_int_equal(port->reads, 1);
    assert_int_equal(cpu->vcpu.gpr[GPR_RDI], 0xffff);
    assert_int_equal(cpu->vcpu.gpr[GPR_RCX], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in),           TEST(test_out_backwards_unaligned),
        TEST(test_single),       TEST(test_bounded),
        TEST(test_fault_midway), TEST(test_from_device_memory),
        TEST(test_decoded),      TEST(test_single_step),
        TEST(test_requests),     TEST(test_real_mode_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
