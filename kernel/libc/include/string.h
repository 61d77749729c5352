/*
 * The part of C's string.h that the kernel and its pure code use.
 *
 * -ffreestanding switches the compiler's own knowledge of these functions off; the macros switch it
 * back on for the ones worth it, so that small constant sizes become plain moves. Of a size that it
 * does not know it would make a copy byte by byte where it builds for size.
 */
#ifndef KERNEL_LIBC_STRING_H
#define KERNEL_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *memory, int byte, size_t size);

size_t strlen(const char *string);
size_t strnlen(const char *string, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *string, int character);
char *strrchr(const char *string, int character);
char *strstr(const char *string, const char *wanted);

#define memcpy(to, from, size) \
    (__builtin_constant_p(size) ? __builtin_memcpy(to, from, size) : (memcpy)(to, from, size))
#define memset(to, byte, size) \
    (__builtin_constant_p(size) ? __builtin_memset(to, byte, size) : (memset)(to, byte, size))
#define memmove(to, from, size) __builtin_memmove(to, from, size)
#define memcmp(a, b, size)      __builtin_memcmp(a, b, size)
#define strlen(string)          __builtin_strlen(string)

#endif
