/* The log of the code under test: kept for assertions, not printed. */
#include "kernel/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "tests/unit/support/log.h"

char test_log_last[512];
unsigned test_log_lines;

void log_write(enum log_level level, const char *format, ...)
{
    va_list arguments;

    (void)level;
    va_start(arguments, format);
    vsnprintf(test_log_last, sizeof(test_log_last), format, arguments);
    va_end(arguments);
    test_log_lines++;
}
