/*
 * The type for seconds since 1970-01-01 UTC; kernel/time.h has the clock.
 */
#ifndef KERNEL_LIBC_TIME_H
#define KERNEL_LIBC_TIME_H

typedef long time_t;

#endif
