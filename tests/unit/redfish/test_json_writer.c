#include <stdio.h>
#include <string.h>

#include "manage/redfish/json_writer.h"
#include "tests/unit/support/cmocka.h"

static char text[4096];
static size_t length;
static struct json_writer json;

static char *extend(void *context, size_t size)
{
    (void)context;
    assert_true(length + size < sizeof(text));
    length += size;
    text[length] = '\0';
    return text + length - size;
}

static int begin(void **state)
{
    (void)state;
    length = 0;
    text[0] = '\0';
    json_writer_init(&json, extend, NULL);
    return 0;
}

static void structure(void **state)
{
    const char *const list[] = {"x", "y", NULL};

    (void)state;
    json_begin_object(&json);
    json_add_string(&json, "a", "b");
    json_add_number(&json, "n", UINT64_MAX);
    json_key(&json, "s");
    json_put_signed(&json, INT64_MIN);
    json_add_bool(&json, "t", true);
    json_add_string(&json, "null", NULL);
    json_add_strings(&json, "l", list);
    json_add_object(&json, "o");
    json_end_object(&json);
    json_add_array(&json, "d");
    json_put_decimal(&json, 250, 3);
    json_put_decimal(&json, 4000, 3);
    json_put_decimal(&json, 1005, 3);
    json_put_decimal(&json, 0, 3);
    json_put_decimal(&json, UINT64_MAX, 9);
    json_begin_array(&json);
    json_end_array(&json);
    json_end_array(&json);
    json_add_format(&json, "f", "%d-%s", 1, "2");
    json_end_object(&json);
    assert_string_equal(
        text, "{\"a\":\"b\",\"n\":18446744073709551615,\"s\":-9223372036854775808,\"t\":true,"
              "\"null\":null,\"l\":[\"x\",\"y\"],\"o\":{},"
              "\"d\":[0.25,4,1.005,0,18446744073.709551615,[]],\"f\":\"1-2\"}");
}

static void expect_text(const char *in, size_t size, const char *out)
{
    begin(NULL);
    json_put_text(&json, in, size);
    assert_string_equal(text, out);
}

static void escapes(void **state)
{
    (void)state;
    expect_text("a\"b\\c\n\r\t\b\x7f/", 11, "\"a\\\"b\\\\c\\n\\r\\t\\u0008\x7f/\"");
    expect_text("\0\x1f", 2, "\"\\u0000\\u001f\"");
    /* All lengths of UTF-8. */
    expect_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    /* Overlong, surrogate, too high, cut off, without its beginning. */
    expect_text("\xc0\xafx", 3, "\"\xef\xbf\xbd\xef\xbf\xbdx\"");
    expect_text("\xe0\x80\xaf", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_text("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_text("\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_text("\xf0\x9f\x98", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_text("a\x80"
                "b",
                3,
                "\"a\xef\xbf\xbd"
                "b\"");
}

static void write_sample(const struct json_selection *selection, uint64_t reading)
{
    json_begin_object(&json);
    if (selection != NULL) {
        json_select(&json, selection);
    }
    json_add_string(&json, "@id", "i");
    json_add_number(&json, "A", 1);
    json_add_object(&json, "B");
    json_add_number(&json, "C", 2);
    json_add_object(&json, "D");
    json_add_number(&json, "E", 3);
    json_end_object(&json);
    json_end_object(&json);
    json_add_array(&json, "F");
    json_begin_object(&json);
    json_add_number(&json, "G", 4);
    json_add_number(&json, "H", 5);
    json_end_object(&json);
    json_end_array(&json);
    json_volatile(&json);
    json_add_number(&json, "R", reading);
    json_stable(&json);
    json_end_object(&json);
}

static void expect_selected(const char *first, const char *second, const char *out)
{
    const struct json_selection selection = {.paths = {first, second},
                                             .count = second != NULL ? 2 : 1};

    begin(NULL);
    write_sample(&selection, 0);
    assert_string_equal(text, out);
}

static void selection(void **state)
{
    (void)state;
    expect_selected("A", NULL, "{\"@id\":\"i\",\"A\":1}");
    expect_selected("B", NULL, "{\"@id\":\"i\",\"B\":{\"C\":2,\"D\":{\"E\":3}}}");
    expect_selected("B/C", "R", "{\"@id\":\"i\",\"B\":{\"C\":2},\"R\":0}");
    expect_selected("B/D/E", "B/C", "{\"@id\":\"i\",\"B\":{\"C\":2,\"D\":{\"E\":3}}}");
    expect_selected("F/H", "Z", "{\"@id\":\"i\",\"F\":[{\"H\":5}]}");
    expect_selected("AB", "B/CC", "{\"@id\":\"i\",\"B\":{}}");
}

static void hashes(void **state)
{
    const struct json_selection some = {.paths = {"A"}, .count = 1};

    (void)state;
    write_sample(NULL, 1);
    uint64_t hash = json.hash;
    /* Neither readings nor what is selected nor that nobody reads it make a difference. */
    json_writer_init(&json, NULL, NULL);
    write_sample(&some, 2);
    assert_int_equal(json.hash, hash);
    json_writer_init(&json, NULL, NULL);
    json_begin_object(&json);
    json_add_string(&json, "@id", "j");
    json_end_object(&json);
    assert_int_not_equal(json.hash, hash);
}

static uint64_t hash_of_text(const char *bytes, size_t size)
{
    begin(NULL);
    json_put_text(&json, bytes, size);
    return json.hash;
}

/* Wherever one bit differs, and whatever is at the end. */
static void hashes_of_texts(void **state)
{
    char bytes[21] = "text of twenty bytes";

    (void)state;
    uint64_t hash = hash_of_text(bytes, 20);
    assert_int_equal(hash_of_text(bytes, 20), hash);
    for (unsigned bit = 0; bit < 20 * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(hash_of_text(bytes, 20), hash);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_not_equal(hash_of_text(bytes, 19), hash);
    assert_int_not_equal(hash_of_text(bytes, 21), hash);
    begin(NULL);
    json_put_number(&json, 1);
    assert_int_not_equal(hash_of_text("1", 1), json.hash);
}

/* Nothing is written where there is no room, and the writer goes on. */
static char *extend_never(void *context, size_t size)
{
    (void)context;
    (void)size;
    return NULL;
}

static void no_room(void **state)
{
    (void)state;
    write_sample(NULL, 1);
    uint64_t hash = json.hash;
    json_writer_init(&json, extend_never, NULL);
    write_sample(NULL, 1);
    assert_int_equal(json.hash, hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(structure, begin),       cmocka_unit_test_setup(escapes, begin),
        cmocka_unit_test_setup(selection, begin),       cmocka_unit_test_setup(hashes, begin),
        cmocka_unit_test_setup(hashes_of_texts, begin), cmocka_unit_test_setup(no_room, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
