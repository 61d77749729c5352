#include "kernel/panic.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/cpu/exception.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/paging.h"
#include "kernel/power.h"
#include "kernel/smp.h"
#include "kernel/symbols.h"

#define MESSAGE_MAX   200
#define BACKTRACE_MAX 24
/* Frames of one stack lie closer together than this. */
#define FRAME_DISTANCE_MAX 0x10000u

/* What a function's prologue leaves where %rbp points. */
struct stack_frame {
    const struct stack_frame *caller;
    uint64_t return_address;
};

/* The CPU that reports, and how often it has panicked: the report itself may fault. */
static _Atomic(const struct percpu *) reporter;
static atomic_uint begun;

static _Noreturn void halt(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

static bool in_text(uint64_t address)
{
    return address >= (uintptr_t)image_start && address < (uintptr_t)rodata_start;
}

/* `back` is 1 for a return address: a call may be a function's last instruction, so it is the call
 * that is looked up, not what follows. */
static void log_place(unsigned depth, uint64_t address, unsigned back, const char *note)
{
    const char *name;
    uint64_t offset;

    if (symbol_find(address - back, &name, &offset)) {
        log_error("  #%u 0x%016lx %s+0x%lx%s", depth, address, name, offset + back, note);
    } else {
        log_error("  #%u 0x%016lx%s", depth, address, note);
    }
}

static bool is_readable(const struct stack_frame *frame)
{
    uint64_t address = (uintptr_t)frame;

    return address % sizeof(uint64_t) == 0 && paging_is_mapped(address) &&
           paging_is_mapped(address + sizeof(*frame) - 1);
}

/* A function that calls nothing may have no frame of its own: then the return address on top of the
 * stack is all there is of its caller. */
static void log_frameless_caller(const struct exception_frame *frame)
{
    const uint64_t *top = (const uint64_t *)frame->rsp;

    if (is_readable((const struct stack_frame *)frame->rsp) && frame->rbp >= frame->rsp &&
        frame->rbp - frame->rsp <= FRAME_DISTANCE_MAX && in_text(*top)) {
        log_place(0, *top, 1, " (perhaps)");
    }
}

/* The callers, from the innermost function's frame up. Stops at the first thing that does not look
 * like a frame. */
static void log_callers(const struct stack_frame *frame)
{
    for (unsigned depth = 1; depth < BACKTRACE_MAX; depth++) {
        const struct stack_frame *caller;

        if (!is_readable(frame) || !in_text(frame->return_address)) {
            return;
        }
        log_place(depth, frame->return_address, 1, "");
        caller = frame->caller;
        if (caller <= frame || (uintptr_t)caller - (uintptr_t)frame > FRAME_DISTANCE_MAX) {
            return;
        }
        frame = caller;
    }
}

static void log_control_registers(void)
{
    log_error("  cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx", read_cr0(), read_cr2(),
              read_cr3(), read_cr4());
}

static void log_frame(const struct exception_frame *frame)
{
    log_error("  rip %016lx  rsp %016lx  rbp %016lx  rflags %lx", frame->rip, frame->rsp,
              frame->rbp, frame->rflags);
    log_error("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", frame->rax, frame->rbx,
              frame->rcx, frame->rdx);
    log_error("  rsi %016lx  rdi %016lx  r8  %016lx  r9  %016lx", frame->rsi, frame->rdi, frame->r8,
              frame->r9);
    log_error("  r10 %016lx  r11 %016lx  r12 %016lx  r13 %016lx", frame->r10, frame->r11,
              frame->r12, frame->r13);
    log_error("  r14 %016lx  r15 %016lx  vector %lu  error code %lx", frame->r14, frame->r15,
              frame->vector, frame->error_code);
    log_error("  cs %lx  ss %lx  ds %x  es %x  fs %x  gs %x  tr %x  gs base %016lx", frame->cs,
              frame->ss, read_ds(), read_es(), read_fs(), read_gs(), read_tr(), rdmsr(MSR_GS_BASE));
}

static void begin(const char *message)
{
    const struct percpu *first = NULL;
    unsigned before;

    cli();
    /* Two at a time make no legible report: the second CPU waits to be stopped. */
    if (!atomic_compare_exchange_strong(&reporter, &first, this_cpu()) && first != this_cpu()) {
        halt();
    }
    before = atomic_fetch_add(&begun, 1);
    if (before > 1) {
        halt();
    }
    if (before == 1) {
        log_error("panic while reporting a panic: %s", message);
        log_flush();
        halt();
    }
    smp_stop_others();
    log_error("panic: %s (on CPU %u)", message, this_cpu()->index);
}

/* Stays for a person to read, unless the command line wants the machine back. */
static _Noreturn void end(void)
{
    char wish[16] = "";

    log_error("innkeeper has stopped.");
    log_flush();
    if (boot_option("on-panic", wish, sizeof(wish))) {
        if (strcmp(wish, "reset") == 0) {
            power_reset();
        }
        if (strcmp(wish, "poweroff") == 0) {
            power_off();
        }
    }
    halt();
}

_Noreturn void panic(const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    begin(message);
    log_error("  rsp %016lx  rflags %lx", read_rsp(), read_rflags());
    log_control_registers();
    log_place(0, (uintptr_t)__builtin_return_address(0), 1, "");
    log_callers(((const struct stack_frame *)__builtin_frame_address(0))->caller);
    end();
}

_Noreturn void panic_in_frame(const struct exception_frame *frame, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    begin(message);
    log_frame(frame);
    log_control_registers();
    log_place(0, frame->rip, 0, "");
    log_frameless_caller(frame);
    log_callers((const struct stack_frame *)frame->rbp);
    end();
}
