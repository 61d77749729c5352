/*
 * Words, lists and numbers in the values of header fields (RFC 9110, 5.6). Pure.
 */
#ifndef MANAGE_HTTP_FIELDS_H
#define MANAGE_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/http/http.h"

/** A character of a token: of names of methods and of fields. */
bool http_is_token_character(char c);

/** Value of a hexadecimal digit, -1 if it is none. */
int http_hex_digit(char c);

/** Equal, letters without case. */
bool http_equal(const char *a, const char *b);

/** Whether a list, its elements separated by commas, has this word (without case). */
bool http_list_has(const char *list, const char *word);

/** Whether a list of what a client takes, as Accept-Encoding is one, has this word, and not with
 * the weight 0. */
bool http_accepts(const char *list, const char *word);

/** The value of a field; NULL if it is not among them. */
const char *http_find_field(const struct http_field *fields, unsigned count, const char *name);

#endif
