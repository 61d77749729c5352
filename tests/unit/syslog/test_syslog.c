/* Syslog's messages, and where they go. */
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "manage/syslog/message.h"
#include "tests/unit/support/cmocka.h"

/* What the command line's reader refers to besides. */
const struct boot_info *boot_info(void)
{
    return NULL;
}

static void formatted(const struct syslog_line *line, const char *expected)
{
    char message[SYSLOG_MESSAGE_SIZE + 1];
    size_t length = syslog_format(line, "rack-7", message);

    assert_in_range(length, 1, SYSLOG_MESSAGE_SIZE);
    message[length] = '\0';
    assert_string_equal(message, expected);
}

static void test_message(void **state)
{
    struct syslog_line line = {.level = LOG_INFO,
                               .text = "net: link up",
                               .uptime = 12345678901,
                               .when = UINT64_C(951782399123456789),
                               .sequence = 1};

    (void)state;
    formatted(&line, "<30>1 2000-02-28T23:59:59.123456Z rack-7 innkeeper - log "
                     "[meta sequenceId=\"1\" sysUpTime=\"1234\"] net: link up");
    line.when += 1000000000;
    line.level = LOG_ERROR;
    line.sequence = UINT32_MAX;
    formatted(&line, "<27>1 2000-02-29T00:00:00.123456Z rack-7 innkeeper - log "
                     "[meta sequenceId=\"4294967295\" sysUpTime=\"1234\"] net: link up");
    line.when = 0;
    line.level = LOG_WARN;
    line.uptime = 0;
    line.text = "";
    formatted(&line, "<28>1 - rack-7 innkeeper - log "
                     "[meta sequenceId=\"4294967295\" sysUpTime=\"0\"] ");
    line.level = LOG_DEBUG;
    formatted(&line, "<31>1 - rack-7 innkeeper - log "
                     "[meta sequenceId=\"4294967295\" sysUpTime=\"0\"] ");
}

static void test_audit(void **state)
{
    struct syslog_line line = {
        .level = LOG_INFO, .text = "audit: admin@10.0.2.2: starts linux", .sequence = 2};

    (void)state;
    formatted(&line, "<86>1 - rack-7 innkeeper - audit [meta sequenceId=\"2\" sysUpTime=\"0\"] "
                     "audit: admin@10.0.2.2: starts linux");
    line.level = LOG_WARN;
    line.text = "audit:";
    formatted(&line,
              "<28>1 - rack-7 innkeeper - log [meta sequenceId=\"2\" sysUpTime=\"0\"] audit:");
}

/* The longest of all: nothing is cut off, and nothing written behind it. */
static void test_longest(void **state)
{
    char text[LOG_TEXT_MAX + 1];
    char hostname[64];
    char message[SYSLOG_MESSAGE_SIZE];
    struct syslog_line line = {.level = LOG_INFO,
                               .text = text,
                               .uptime = UINT64_MAX,
                               .when = UINT64_MAX,
                               .sequence = UINT32_MAX};
    size_t length;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "audit: ", 7);
    text[LOG_TEXT_MAX - 1] = 'y';
    text[LOG_TEXT_MAX] = '\0';
    memset(hostname, 'h', sizeof(hostname) - 1);
    hostname[sizeof(hostname) - 1] = '\0';
    length = syslog_format(&line, hostname, message);
    assert_true(length < SYSLOG_MESSAGE_SIZE);
    assert_int_equal(message[length - 1], 'y');
}

static struct syslog_server server;

static void taken(const char *cmdline, const char *host, unsigned port)
{
    const char *wrong = syslog_parse(cmdline, &server);

    if (wrong) {
        fail_msg("%s: %s", cmdline, wrong);
    }
    assert_string_equal(server.host, host);
    assert_int_equal(server.port, port);
}

static void refused(const char *cmdline, const char *why)
{
    const char *wrong = syslog_parse(cmdline, &server);

    assert_string_equal(server.host, "");
    if (!wrong || !strstr(wrong, why)) {
        fail_msg("%s: %s", cmdline, wrong ? wrong : "taken");
    }
}

static void test_settings(void **state)
{
    (void)state;
    taken("net=dhcp", "", 514);
    taken("syslog=log.example", "log.example", 514);
    taken("syslog=10.0.2.2:5514", "10.0.2.2", 5514);
    taken("syslog=fd00::1", "fd00::1", 514);
    taken("syslog=[fd00::1]", "fd00::1", 514);
    taken("syslog=[fd00::1]:65535", "fd00::1", 65535);
    refused("syslog", "name or address");
    refused("syslog=", "name or address");
    refused("syslog=:514", "name or address");
    refused("syslog=[]:514", "name or address");
    refused("syslog=a:", "want a port");
    refused("syslog=a:0", "want a port");
    refused("syslog=a:65536", "want a port");
    refused("syslog=a:99999999999", "want a port");
    refused("syslog=a:5x", "want a port");
    refused("syslog=[fd00::1", "no ]");
    refused("syslog=[fd00::1]x", "nothing but a port");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
