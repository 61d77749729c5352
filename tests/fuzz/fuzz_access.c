/* libFuzzer target: what says who somebody is, in requests and in the configuration, and what a
 * telnet client sends. The first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "manage/access/accounts.h"
#include "manage/access/accounts_config.h"
#include "manage/access/backoff.h"
#include "manage/consoles/telnet.h"
#include "manage/syslog/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct boot_info *boot_info(void)
{
    return NULL;
}

void log_write(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

static uint8_t next; /* the same for each input */

void random_bytes(void *memory, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)memory)[i] = next++;
    }
}

uint32_t random_u32(void)
{
    uint32_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

/* Fast ones, and no good. */

void hmac_key_init(struct hmac_key *key, const void *bytes, size_t length)
{
    (void)key;
    (void)bytes;
    (void)length;
}

void hmac_start(struct hmac *hmac, const struct hmac_key *key)
{
    memset(hmac, 0, sizeof(*hmac));
    hmac->key = key;
}

void hmac_update(struct hmac *hmac, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        hmac->hash.state[i % 8] = hmac->hash.state[i % 8] * 31 + ((const uint8_t *)bytes)[i];
    }
}

void hmac_finish(struct hmac *hmac, uint8_t out[static HMAC_SIZE])
{
    memcpy(out, hmac->hash.state, HMAC_SIZE);
}

void pbkdf2(const char *password, const uint8_t *salt, size_t salt_length, uint32_t iterations,
            void (*rest)(void), uint8_t out[static HMAC_SIZE])
{
    struct hmac hmac;

    (void)rest;
    hmac_start(&hmac, NULL);
    hmac_update(&hmac, password, strlen(password));
    hmac_update(&hmac, salt, salt_length);
    hmac_update(&hmac, &iterations, sizeof(iterations));
    hmac_finish(&hmac, out);
}

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* Nobody is somebody without a password or a token, whatever is sent. */
static void identify(const char *text)
{
    static uint64_t now;
    struct access_identity who;
    struct access_session session;
    char token[ACCESS_TOKEN_SIZE];
    char reason[128];
    unsigned retry_after;
    enum access_result results[3];

    accounts_init();
    (void)access_add_account("admin", "a password", ACCESS_ADMINISTRATOR, true, reason,
                             sizeof(reason));
    require(access_open_session("admin", "a password", "1.2.3.4", now, &session, token,
                                &retry_after) == ACCESS_GRANTED);
    results[0] = access_identify(text, NULL, NULL, "1.2.3.5", now, &who, &retry_after);
    require((results[0] == ACCESS_GRANTED) == (who.role == ACCESS_ADMINISTRATOR));
    results[1] = access_identify(NULL, text, NULL, "1.2.3.5", now, &who, &retry_after);
    require((results[1] == ACCESS_GRANTED) == (who.role == ACCESS_ADMINISTRATOR));
    results[2] = access_identify(NULL, NULL, text, "1.2.3.5", now, &who, &retry_after);
    require((results[2] == ACCESS_GRANTED) == (who.role == ACCESS_ADMINISTRATOR));
    require(results[1] != ACCESS_GRANTED || strcmp(text, token) == 0);
    require(results[2] != ACCESS_GRANTED || strstr(text, token));
    (void)backoff_peer_of(text);
    now += 1000000000;
}

static void report(void *context, const char *message)
{
    (void)message;
    ++*(unsigned *)context;
}

static void configure(const char *text, size_t length)
{
    struct syslog_server server;
    struct access_account account;
    unsigned reports = 0;
    unsigned count;

    accounts_init();
    count = accounts_from_file("file", text, length, report, &reports);
    require(count + reports > 0 || length > 0);
    require(count == 0 || access_account(count - 1, 0, &account));
    require(!access_account(count, 0, &account));
    accounts_init();
    count = accounts_from_cmdline(text, report, &reports);
    require(!access_account(count, 0, &account));
    require(!syslog_parse(text, &server) || server.host[0] == '\0');
}

/* However it is cut, the same is typed; what is answered and what is shown fits. */
static void talk(const uint8_t *data, size_t size)
{
    struct telnet telnet;
    uint8_t out[TELNET_ENCODED_MAX(16)];

    telnet_begin(&telnet);
    for (size_t i = 0; i < size; i++) {
        uint8_t typed;

        (void)telnet_receive(&telnet, data[i], &typed);
        require(telnet.answer_length <= sizeof(telnet.answer));
        if (i % 3 == 0) {
            telnet.answer_length = 0;
        }
        if (i % 16 == 0) {
            size_t length = size - i < 16 ? size - i : 16;

            require(telnet_encode(&telnet, data + i, length, out) <= sizeof(out));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0) {
        return 0;
    }
    next = 0;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 3) {
    case 0:
        identify(text);
        break;
    case 1:
        configure(text, size - 1);
        break;
    default:
        talk(data + 1, size - 1);
        break;
    }
    free(text);
    return 0;
}
