/*
 * The end of the line, for broken invariants only: bad input never gets here.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

/** Logs the message, the registers and a symbolised backtrace, flushes the log, and halts; with
 * `on-panic=reset` or `on-panic=poweroff` on the command line does that instead of halting. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct exception_frame;

/** As panic, for an exception: the registers and the backtrace are those of `frame`. */
_Noreturn void panic_in_frame(const struct exception_frame *frame, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** `invariant` says in words what must hold. */
#define ASSERT(condition, invariant)                                             \
    do {                                                                         \
        if (__builtin_expect(!(condition), 0)) {                                 \
            panic("%s:%d: broken invariant: %s", __FILE__, __LINE__, invariant); \
        }                                                                        \
    } while (0)

#endif
