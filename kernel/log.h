/*
 * The kernel's log: levelled, time-stamped lines, kept in a ring and shown on the console sinks
 * (serial port, framebuffer). Writing never blocks and never waits for a device; sinks drain the
 * ring when they can (interrupt, idle), a panic drains it synchronously.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Adds one line (no newline at its end). Any context, interrupts on or off. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
