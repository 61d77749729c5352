#include <stdarg.h>
#include <stdio.h>

#include "kernel/log.h"
#include "manage/access/access.h"

void access_audit(const struct access_identity *who, const char *peer, const char *format, ...)
{
    char text[LOG_TEXT_MAX + 1];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_info("audit: %s@%s: %s", who->role == ACCESS_NOBODY ? "-" : who->name, peer, text);
}
