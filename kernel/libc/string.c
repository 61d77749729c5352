#include <string.h>

#include <stdint.h>

/* The functions themselves are defined here, not the compiler's versions of them. */
#undef memcmp
#undef strlen

static uint64_t load_qword(const unsigned char *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a;
    const unsigned char *right = b;

    while (size >= sizeof(uint64_t)) {
        if (load_qword(left) != load_qword(right)) {
            break; /* the byte loop finds the place */
        }
        left += sizeof(uint64_t);
        right += sizeof(uint64_t);
        size -= sizeof(uint64_t);
    }
    for (; size > 0; size--, left++, right++) {
        if (*left != *right) {
            return *left - *right;
        }
    }
    return 0;
}

void *memchr(const void *memory, int byte, size_t size)
{
    const unsigned char *at = memory;

    for (; size > 0; size--, at++) {
        if (*at == (unsigned char)byte) {
            return (void *)(uintptr_t)at;
        }
    }
    return NULL;
}

/* By aligned words, of which none reaches into a page that the string is not in. */
size_t strlen(const char *string)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t before = (uintptr_t)string % sizeof(uint64_t);
    const char *at = string - before;
    /* What is before the string is made not to be zero. */
    uint64_t word = load_qword((const unsigned char *)at) | ((UINT64_C(1) << before * 8) - 1);
    uint64_t zeros; /* the lowest bit is in the first zero byte, if there is one */

    while ((zeros = (word - ones) & ~word & ones << 7) == 0) {
        at += sizeof(uint64_t);
        word = load_qword((const unsigned char *)at);
    }
    return (size_t)(at - string) + (unsigned)__builtin_ctzl(zeros) / 8;
}

size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length] != '\0') {
        length++;
    }
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit > 0; limit--, a++, b++) {
        if (*a != *b) {
            return (unsigned char)*a - (unsigned char)*b;
        }
        if (*a == '\0') {
            break;
        }
    }
    return 0;
}

char *strchr(const char *string, int character)
{
    for (;; string++) {
        if (*string == (char)character) {
            return (char *)(uintptr_t)string;
        }
        if (*string == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *string, int character)
{
    const char *found = NULL;

    for (;; string++) {
        if (*string == (char)character) {
            found = string;
        }
        if (*string == '\0') {
            return (char *)(uintptr_t)found;
        }
    }
}

char *strstr(const char *string, const char *wanted)
{
    size_t length = strlen(wanted);

    for (;; string++) {
        if (strncmp(string, wanted, length) == 0) {
            return (char *)(uintptr_t)string;
        }
        if (*string == '\0') {
            return NULL;
        }
    }
}
