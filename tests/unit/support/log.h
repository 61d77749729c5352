#ifndef TESTS_UNIT_SUPPORT_LOG_H
#define TESTS_UNIT_SUPPORT_LOG_H

/* The last line the code under test logged, and how many it logged. */
extern char test_log_last[512];
extern unsigned test_log_lines;

#endif
