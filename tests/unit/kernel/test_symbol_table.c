/* Symbol lookup in a hand-made table. */
#include <string.h>

#include "kernel/symbols.h"
#include "tests/unit/support/cmocka.h"

#define TEXT 1 /* section index */

/* Offsets:                   0 1     7      14    20     27        */
static const char names[] = "\0first\0second\0label\0object\0absolute";

static const struct elf_symbol symbols[] = {
    {0},
    {.name = 7, .info = ELF_SYMBOL_FUNCTION, .section = TEXT, .value = 0x2000, .size = 0x80},
    {.name = 14, .info = ELF_SYMBOL_NOTYPE, .section = TEXT, .value = 0x1000},
    {.name = 1, .info = ELF_SYMBOL_FUNCTION, .section = TEXT, .value = 0x1000, .size = 0x100},
    {.name = 14, .info = ELF_SYMBOL_NOTYPE, .section = TEXT, .value = 0x3000},
    {.name = 14, .info = ELF_SYMBOL_NOTYPE, .section = TEXT, .value = 0x2000},
    {.name = 20, .info = 1, .section = TEXT, .value = 0x3010, .size = 0x100},
    {.name = 27, .info = ELF_SYMBOL_NOTYPE, .section = 0xfff1, .value = 0x3020},
    {.name = 1000, .info = ELF_SYMBOL_FUNCTION, .section = TEXT, .value = 0x5000, .size = 16},
    {.name = 27, .info = ELF_SYMBOL_FUNCTION, .section = 0, .value = 0x6000, .size = 16},
};

static const struct symbol_table table = {
    .symbols = symbols,
    .count = sizeof(symbols) / sizeof(symbols[0]),
    .names = names,
    .names_size = sizeof(names),
};

static void assert_found(uint64_t address, const char *name, uint64_t offset)
{
    const char *found_name;
    uint64_t found_offset;

    assert_true(symbol_table_find(&table, address, &found_name, &found_offset));
    assert_string_equal(found_name, name);
    assert_int_equal(found_offset, offset);
}

static void assert_not_found(const struct symbol_table *in, uint64_t address)
{
    const char *name;
    uint64_t offset;

    assert_false(symbol_table_find(in, address, &name, &offset));
}

static void test_functions(void **state)
{
    (void)state;
    assert_found(0x1000, "first", 0);
    assert_found(0x10ff, "first", 0xff);
    assert_found(0x2000, "second", 0); /* not the label at the same place */
    assert_found(0x207f, "second", 0x7f);
}

static void test_outside(void **state)
{
    (void)state;
    assert_not_found(&table, 0xfff);
    assert_not_found(&table, 0x1100);
    assert_not_found(&table, 0x2080);
}

/* Assembly labels have no size; data and absolute symbols are no code. */
static void test_labels(void **state)
{
    (void)state;
    assert_found(0x3030, "label", 0x30);
}

static void test_broken(void **state)
{
    const struct symbol_table cut = {
        .symbols = symbols, .count = 4, .names = names, .names_size = 4};
    const struct symbol_table none = {0};

    (void)state;
    assert_not_found(&table, 0x5000); /* name outside the string table */
    assert_not_found(&table, 0x6000 - 1);
    assert_not_found(&cut, 0x1000); /* name not terminated inside it */
    assert_not_found(&none, 0x1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
