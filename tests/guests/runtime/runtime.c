#include "tests/guests/runtime/runtime.h"

#include <stdarg.h>

#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define DEBUG_PORT      0xe9u
#define DEBUG_EXIT_PORT 0xf4u
#define BOCHS_PORT      0x8900u

#define CPUID_OWN_NAME 0x40000100u /* at 0x40000000 is the name of the interface that it offers */

#define MULTIBOOT_BOOT_MAGIC  0x2badb002u
#define MULTIBOOT_HAS_CMDLINE 4u

char command_line[256];

extern const struct test __start_tests[];
extern const struct test __stop_tests[];
extern uint32_t boot_magic;
extern uint32_t boot_information;
void runtime_main(void);

/* The compiler may call these for structures. */
void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *left, const void *right, size_t size);

static const struct test *current;
static bool current_failed;
static bool current_skipped;
static unsigned passed;
static unsigned failed;

static void put(char c)
{
    outb(DEBUG_PORT, (uint8_t)c);
}

static void put_string(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

/* %s, %c, %u, %d, %x, with l: all the tests need. */
void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        format++;
        bool wide = *format == 'l';
        if (wide) {
            format++;
        }
        switch (*format) {
        case 's':
            put_string(va_arg(arguments, const char *));
            break;
        case 'c':
            put((char)va_arg(arguments, int));
            break;
        case 'd': {
            int64_t value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int);
            if (value < 0) {
                put('-');
                value = -value;
            }
            put_number((uint64_t)value, 10);
            break;
        }
        case 'x':
        case 'u':
            put_number(wide ? va_arg(arguments, uint64_t) : va_arg(arguments, uint32_t),
                       *format == 'x' ? 16 : 10);
            break;
        default:
            put(*format);
            break;
        }
    }
    va_end(arguments);
}

void exit_guest(uint32_t value)
{
    outl(DEBUG_EXIT_PORT, value);
    /* Still here: Bochs ends at this word. */
    for (const char *c = "Shutdown"; *c != '\0'; c++) {
        outb(BOCHS_PORT, (uint8_t)*c);
    }
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void check_failed(const char *file, int line, const char *condition, uint64_t got,
                  uint64_t expected, bool values)
{
    current_failed = true;
    print("FAIL %s: %s:%d %s", current != NULL ? current->name : "start", file, line, condition);
    if (values) {
        print(" (0x%lx, 0x%lx)", got, expected);
    }
    put('\n');
}

void skip(const char *why)
{
    current_skipped = true;
    print("SKIP %s: %s\n", current->name, why);
}

static bool word_at(const char *text, const char *word)
{
    while (*word != '\0') {
        if (*text++ != *word++) {
            return false;
        }
    }
    return true;
}

/* What follows the word on the command line, where it starts a word; NULL if it is not there. */
static const char *find_word(const char *word)
{
    size_t length = 0;

    while (word[length] != '\0') {
        length++;
    }
    for (const char *c = command_line; *c != '\0'; c++) {
        if ((c == command_line || c[-1] == ' ') && word_at(c, word)) {
            return c + length;
        }
    }
    return NULL;
}

bool command_line_has(const char *word)
{
    const char *end = find_word(word);

    return end != NULL && (*end == '\0' || *end == ' ');
}

int command_line_number(const char *name)
{
    const char *digit = find_word(name);
    int value = 0;

    if (digit == NULL || *digit++ != '=') {
        return -1;
    }
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        value = 10 * value + (*digit - '0');
    }
    return value;
}

static void read_command_line(void)
{
    const uint32_t *information = (const uint32_t *)(uintptr_t)boot_information;

    if (boot_magic != MULTIBOOT_BOOT_MAGIC || (information[0] & MULTIBOOT_HAS_CMDLINE) == 0) {
        return;
    }
    const char *text = (const char *)(uintptr_t)information[4];
    for (unsigned i = 0; i < sizeof(command_line) - 1 && text[i] != '\0'; i++) {
        command_line[i] = text[i];
    }
}

static bool hypervisor_is(uint32_t leaf, const char *signature)
{
    struct cpuid answer = cpuid(leaf, 0);

    return (cpuid(1, 0).ecx & (1u << 31)) != 0 && memcmp(&answer.ebx, signature, 4) == 0 &&
           memcmp(&answer.ecx, signature + 4, 4) == 0;
}

bool under_innkeeper(void)
{
    return hypervisor_is(CPUID_OWN_NAME, "Innkeepe");
}

void __attribute__((weak)) prepare(void)
{
}

void runtime_main(void)
{
    read_command_line();
    traps_init();
    pic_init();
    lapic_init();
    time_init();
    prepare();
    for (current = __start_tests; current < __stop_tests; current++) {
        current_failed = false;
        current_skipped = false;
        current->run();
        interrupts_off();
        if (current_failed) {
            failed++;
        } else if (!current_skipped) {
            print("PASS %s\n", current->name);
            passed++;
        }
    }
    print("done: %u passed, %u failed\n", passed, failed);
    exit_guest(failed != 0);
}

void *memset(void *to, int value, size_t size)
{
    volatile uint8_t *bytes = to;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)value;
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    volatile uint8_t *bytes = to;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const volatile uint8_t *a = left;
    const volatile uint8_t *b = right;

    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}
