/* libFuzzer target: what a server answers to GET, and addresses. However an answer is cut, the same
 * must come out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manage/fetch/response.h"
#include "manage/fetch/url.h"

#define BODY_MAX 65536u

struct outcome {
    uint64_t announced;
    unsigned begun;
    size_t length;
    uint8_t body[BODY_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static int begin(void *context, uint64_t length, char *reason, size_t size)
{
    struct outcome *outcome = context;

    (void)reason;
    (void)size;
    require(outcome->begun++ == 0);
    outcome->announced = length;
    return 0;
}

static int take(void *context, const uint8_t *bytes, size_t length, char *reason, size_t size)
{
    struct outcome *outcome = context;

    (void)reason;
    (void)size;
    require(outcome->begun == 1 && length > 0 && length <= BODY_MAX - outcome->length);
    memcpy(outcome->body + outcome->length, bytes, length);
    outcome->length += length;
    require(outcome->length <= outcome->announced);
    return 0;
}

/* Feeds it in pieces, each in memory of its own size. */
static void feed(const uint8_t *data, size_t size, size_t piece, struct response *response,
                 struct outcome *outcome)
{
    const struct response_sink sink = {begin, take, outcome};

    memset(outcome, 0, sizeof(*outcome));
    response_init(response, &sink);
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(length);

        require(copy != NULL);
        memcpy(copy, data + at, length);
        (void)response_take(response, copy, length);
        free(copy);
    }
    if (response_end(response)) {
        require(outcome->begun == 1);
        require(outcome->announced == UINT64_MAX || outcome->announced == outcome->length);
    } else {
        require(response->reason[0] != '\0');
    }
}

static void check_address(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char reason[64];
    char name[64];
    struct url url;

    require(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (url_parse(text, &url, reason, sizeof(reason)) == 0) {
        require(url.host[0] != '\0' && url.port != 0 && url.path[0] == '/');
        require(!strpbrk(url.path, " \r\n") && !strpbrk(url.host, " \r\n/@"));
        url_file_name(&url, name, sizeof(name));
        require(name[0] != '\0' && !strchr(name, '/'));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 7, 100};
    static struct response whole;
    static struct response cut;
    static struct outcome expected;
    static struct outcome outcome;

    check_address(data, size);
    feed(data, size, size > 0 ? size : 1, &whole, &expected);
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        feed(data, size, pieces[i], &cut, &outcome);
        require(cut.state == whole.state && strcmp(cut.reason, whole.reason) == 0);
        require(outcome.begun == expected.begun && outcome.announced == expected.announced);
        require(outcome.length == expected.length);
        require(memcmp(outcome.body, expected.body, outcome.length) == 0);
    }
    return 0;
}
