#include "manage/http/fields.h"

#include <string.h>

bool http_is_token_character(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

int http_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool equal(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

bool http_equal(const char *a, const char *b)
{
    size_t length = strlen(a);

    return length == strlen(b) && equal(a, b, length);
}

bool http_list_has(const char *list, const char *word)
{
    size_t wanted = strlen(word);

    while (*list) {
        size_t length;

        while (*list == ' ' || *list == '\t' || *list == ',') {
            list++;
        }
        for (length = 0; list[length] && list[length] != ','; length++) {
        }
        for (size_t end = length;; end--) {
            if (end == wanted) {
                if (equal(list, word, wanted)) {
                    return true;
                }
                break;
            }
            if (end == 0 || (list[end - 1] != ' ' && list[end - 1] != '\t')) {
                break;
            }
        }
        list += length;
    }
    return false;
}

const char *http_find_field(const struct http_field *fields, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (http_equal(fields[i].name, name)) {
            return fields[i].value;
        }
    }
    return NULL;
}

const char *http_field(const struct http_request *request, const char *name)
{
    return http_find_field(request->fields, request->field_count, name);
}
