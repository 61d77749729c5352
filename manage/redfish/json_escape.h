/*
 * Text as JSON has it between quotes (RFC 8259, 7). Pure.
 */
#ifndef MANAGE_REDFISH_JSON_ESCAPE_H
#define MANAGE_REDFISH_JSON_ESCAPE_H

#include <stddef.h>

/** Writes the text with escapes to `to`, unless that is NULL; returns how long it is then. Bytes
 * that are no UTF-8 become U+FFFD. As long as the text itself, it is the text itself. */
size_t json_escape(char *to, const char *text, size_t length);

#endif
