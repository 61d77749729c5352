/* Which file of the page a request gets, and with what headers. */
#include <stdio.h>
#include <string.h>

#include "manage/web/page.h"
#include "manage/web/page_files.h"
#include "manage/web/routes.h"
#include "tests/unit/support/cmocka.h"

static const unsigned char plain[] = "plain";
static const unsigned char index_data[] = "index";
static const unsigned char script[] = "script";

const struct page_file page_files[] = {
    {"/", "text/html", NULL, "\"p\"", "no-cache", plain, 5},
    {"/", "text/html", "gzip", "\"i\"", "no-cache", index_data, 5},
    {"/static/app.1.js", "text/javascript", "gzip", "\"s\"", "max-age=1", script, 6},
};
const unsigned page_file_count = 3;

/* What was answered. */
struct http_answer {
    unsigned status;
    char fields[1024];
    const void *body;
};

void http_status(struct http_answer *answer, unsigned status)
{
    answer->status = status;
}

void http_add_field(struct http_answer *answer, const char *name, const char *value)
{
    size_t length = strlen(answer->fields);
    snprintf(answer->fields + length, sizeof(answer->fields) - length, "%s: %s\n", name, value);
}

void http_body_constant(struct http_answer *answer, const void *bytes, size_t length)
{
    assert_true(length > 0);
    answer->body = bytes;
}

static struct http_answer get(const char *path, const char *coding, const char *known)
{
    struct http_answer answer = {.status = 200};
    struct http_field fields[2];
    unsigned count = 0;
    if (coding) {
        fields[count++] = (struct http_field){"Accept-Encoding", coding};
    }
    if (known) {
        fields[count++] = (struct http_field){"If-None-Match", known};
    }
    struct http_request request = {.path = path, .fields = fields, .field_count = count};
    page_routes[strcmp(path, "/") == 0 ? 0 : 1].handle(&request, &answer);
    return answer;
}

static void test_compressed(void **state)
{
    (void)state;
    struct http_answer answer = get("/", "gzip, deflate, br", NULL);
    assert_int_equal(answer.status, 200);
    assert_ptr_equal(answer.body, index_data);
    assert_non_null(strstr(answer.fields, "Content-Encoding: gzip\n"));
    assert_non_null(strstr(answer.fields, "Content-Type: text/html\n"));
    assert_non_null(strstr(answer.fields, "Content-Security-Policy: default-src 'self';"));
    assert_non_null(strstr(answer.fields, "Vary: Accept-Encoding\n"));
    assert_ptr_equal(get("/static/app.1.js", "gzip", NULL).body, script);
}

static void test_plain(void **state)
{
    (void)state;
    const char *const codings[] = {NULL, "identity", "gzip;q=0", "br"};
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct http_answer answer = get("/", codings[i], NULL);
        assert_ptr_equal(answer.body, plain);
        assert_null(strstr(answer.fields, "Content-Encoding"));
        assert_int_equal(get("/static/app.1.js", codings[i], NULL).status, 404);
    }
}

static void test_known(void **state)
{
    (void)state;
    struct http_answer answer = get("/", "gzip", "\"x\", \"i\"");
    assert_int_equal(answer.status, 304);
    assert_null(answer.body);
    assert_non_null(strstr(answer.fields, "ETag: \"i\"\n"));
    assert_non_null(strstr(answer.fields, "Cache-Control: no-cache\n"));
    /* That of the other form is no match. */
    assert_int_equal(get("/", "gzip", "\"p\"").status, 200);
    assert_int_equal(get("/", NULL, "\"p\"").status, 304);
}

static void test_missing(void **state)
{
    (void)state;
    assert_int_equal(get("/static", "gzip", NULL).status, 404);
    assert_int_equal(get("/static/app.2.js", "gzip", NULL).status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
