/*
 * Which way a condition goes as a rule, for code whose instructions count: the usual way gets no
 * jump.
 */
#ifndef KERNEL_LIKELY_H
#define KERNEL_LIKELY_H

#define LIKELY(condition)   __builtin_expect((condition) != 0, 1)
#define UNLIKELY(condition) __builtin_expect((condition) != 0, 0)

#endif
