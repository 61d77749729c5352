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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next element of a list, without the blanks around it; moves *list past it. NULL: there is
 * none. */
static const char *next_element(const char **list, size_t *length)
{
    const char *element = *list;

    while (is_blank(*element) || *element == ',') {
        element++;
    }
    for (*length = 0; element[*length] && element[*length] != ','; (*length)++) {
    }
    *list = element + *length;
    while (*length && is_blank(element[*length - 1])) {
        (*length)--;
    }
    return *length ? element : NULL;
}

bool http_list_has(const char *list, const char *word)
{
    size_t wanted = strlen(word);
    const char *element;
    size_t length;

    while ((element = next_element(&list, &length)) != NULL) {
        if (length == wanted && equal(element, word, wanted)) {
            return true;
        }
    }
    return false;
}

/* Whether the parameters of an element end in "q=0", or "0.0" and the like. */
static bool has_no_weight(const char *element, size_t length)
{
    while (length && (element[length - 1] == '0' || element[length - 1] == '.')) {
        length--;
    }
    return length > 2 && element[length - 1] == '=' &&
           (element[length - 2] == 'q' || element[length - 2] == 'Q');
}

bool http_accepts(const char *list, const char *word)
{
    size_t wanted = strlen(word);
    const char *element;
    size_t length;

    while ((element = next_element(&list, &length)) != NULL) {
        size_t name = 0;

        while (name < length && element[name] != ';' && !is_blank(element[name])) {
            name++;
        }
        if (name == wanted && equal(element, word, wanted)) {
            return name == length || !has_no_weight(element, length);
        }
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
