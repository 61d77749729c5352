/*
 * The end of the line, for broken invariants only: bad input never gets here.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

/** Logs the message, the registers and a symbolised backtrace, flushes the log, and halts. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** `invariant` says in words what must hold. */
#define ASSERT(condition, invariant)                                             \
    do {                                                                         \
        if (__builtin_expect(!(condition), 0)) {                                 \
            panic("%s:%d: broken invariant: %s", __FILE__, __LINE__, invariant); \
        }                                                                        \
    } while (0)

#endif
