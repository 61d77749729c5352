#include <stdio.h>

#include "kernel/libc/format.h"

int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    return format_string(buffer, size, format, arguments);
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = format_string(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
