#include "kernel/cmdline.h"

#include <string.h>

#include "kernel/boot/boot_info.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* End of the word at `at`: blanks in double quotes belong to it. */
static const char *word_end(const char *at)
{
    bool quoted = false;

    for (; *at && (quoted || !is_blank(*at)); at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (*at == '\\' && at[1]) {
            at++;
        }
    }
    return at;
}

/* Copies [from, end) without the double quotes and the backslashes that quote. */
static void copy_value(const char *from, const char *end, char *value, size_t size)
{
    size_t length = 0;

    for (; from < end; from++) {
        if (*from == '"') {
            continue;
        }
        if (*from == '\\' && from + 1 < end) {
            from++;
        }
        if (length + 1 < size) {
            value[length++] = *from;
        }
    }
    value[length] = '\0';
}

bool cmdline_next(const char **at, const char *key, char *value, size_t size)
{
    size_t key_length = strlen(key);

    while (**at) {
        const char *word = *at;
        const char *end = word_end(word);
        size_t length;

        for (*at = end; is_blank(**at); (*at)++) {
        }
        if (*word == '"') {
            word++; /* the boot loader quotes whole words */
        }
        length = (size_t)(end - word);
        if (length < key_length || memcmp(word, key, key_length) != 0) {
            continue;
        }
        if (length == key_length) {
            copy_value(end, end, value, size);
            return true;
        }
        if (word[key_length] == '=') {
            copy_value(word + key_length + 1, end, value, size);
            return true;
        }
    }
    return false;
}

bool cmdline_option(const char *cmdline, const char *key, char *value, size_t size)
{
    bool found = false;

    while (cmdline_next(&cmdline, key, value, size)) {
        found = true;
    }
    return found;
}

bool boot_option(const char *key, char *value, size_t size)
{
    return cmdline_option(boot_info()->cmdline, key, value, size);
}
