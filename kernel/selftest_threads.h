/*
 * `selftest=threads`: threads on all CPUs block, wake each other, sleep and end.
 */
#ifndef KERNEL_SELFTEST_THREADS_H
#define KERNEL_SELFTEST_THREADS_H

/** Starts the test, whose result a line of the log tells once threads run. */
void selftest_threads(void);

/** Logs what switching, waking and picking cost, in TSC ticks. By a thread, without others to run
 * on its CPU. */
void selftest_measure_scheduler(void);

#endif
