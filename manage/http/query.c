#include <string.h>

#include "manage/http/fields.h"

/* The next character of a query, decoded: '+' is a blank there. Moves *in past it. -1 if it is
 * none. */
static int next_character(const char **in)
{
    const char *c = *in;
    int high;
    int low;

    *in = c + 1;
    if (*c == '+') {
        return ' ';
    }
    if (*c != '%') {
        return (unsigned char)*c;
    }
    high = http_hex_digit(c[1]);
    low = high < 0 ? -1 : http_hex_digit(c[2]);
    if (low < 0 || (high | low) == 0) {
        return -1;
    }
    *in = c + 3;
    return high << 4 | low;
}

static bool at_end(char c, bool in_key)
{
    return c == '\0' || c == '&' || (in_key && c == '=');
}

static bool is_key(const char **in, const char *key)
{
    while (!at_end(**in, true)) {
        int c = next_character(in);

        if (c < 0 || *key == '\0' || c != (unsigned char)*key) {
            return false;
        }
        key++;
    }
    return *key == '\0';
}

bool http_query(const struct http_request *request, const char *key, char *value, size_t size)
{
    const char *in = request->query;

    while (in) {
        const char *pair = in;

        if (is_key(&pair, key)) {
            size_t length = 0;

            if (*pair == '=') {
                pair++;
            }
            while (!at_end(*pair, false)) {
                int c = next_character(&pair);

                if (c < 0 || length + 1 >= size) {
                    return false;
                }
                value[length++] = (char)c;
            }
            value[length] = '\0';
            return size > 0;
        }
        in = strchr(in, '&');
        in = in ? in + 1 : NULL;
    }
    return false;
}
