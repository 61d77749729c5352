/* When syslog's messages are sent, and what happens when they cannot be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/dns.h>
#include <lwip/udp.h>

#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "manage/net/net.h"
#include "manage/syslog/syslog.h"
#include "tests/unit/support/cmocka.h"

#define SECOND UINT64_C(1000000000)

/* The kernel. */

static uint64_t now = 10 * SECOND;
static uint64_t lines;  /* that were ever logged */
static uint64_t oldest; /* that the log still has */

const struct boot_info *boot_info(void)
{
    return NULL;
}

uint64_t time_ns(void)
{
    return now;
}

uint64_t time_from_tsc(uint64_t tsc)
{
    return tsc;
}

uint64_t wall_clock_ns(void)
{
    return now + UINT64_C(1700000000) * SECOND;
}

bool log_read(uint64_t *cursor, struct log_record *record)
{
    record->lost = *cursor < oldest ? oldest - *cursor : 0;
    *cursor += record->lost;
    if (*cursor >= lines) {
        return false;
    }
    record->tsc = *cursor * 1000;
    record->level = LOG_INFO;
    record->length = (uint16_t)snprintf(record->text, sizeof(record->text), "line %lu", *cursor);
    (*cursor)++;
    return true;
}

const char *net_hostname(void)
{
    return "inn";
}

/* The network. */

static struct udp_pcb the_pcb;
static err_t outcome = ERR_OK;
static unsigned attempts;
static unsigned count; /* of messages that were sent */
static char last[600];
static char previous[600]; /* the one before that */
static err_t resolution = ERR_INPROGRESS;
static unsigned resolutions;
static dns_found_callback found;

struct udp_pcb *udp_new_ip_type(u8_t type)
{
    (void)type;
    return &the_pcb;
}

struct pbuf *pbuf_alloc(pbuf_layer layer, u16_t length, pbuf_type type)
{
    struct pbuf *packet = malloc(sizeof(*packet) + length);

    (void)layer;
    (void)type;
    packet->payload = packet + 1;
    packet->len = length;
    return packet;
}

err_t pbuf_take(struct pbuf *packet, const void *bytes, u16_t length)
{
    memcpy(packet->payload, bytes, length);
    return ERR_OK;
}

u8_t pbuf_free(struct pbuf *packet)
{
    free(packet);
    return 1;
}

err_t udp_sendto(struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *address, u16_t port)
{
    assert_ptr_equal(pcb, &the_pcb);
    assert_int_equal(ip_2_ip4(address)->addr, 0x01020304);
    assert_int_equal(port, 5140);
    attempts++;
    if (outcome == ERR_OK) {
        count++;
        memcpy(previous, last, sizeof(last));
        snprintf(last, sizeof(last), "%.*s", packet->len, (const char *)packet->payload);
    }
    return outcome;
}

static void set_address(ip_addr_t *address, uint32_t value)
{
    memset(address, 0, sizeof(*address));
    ip_2_ip4(address)->addr = value;
}

err_t dns_gethostbyname_addrtype(const char *name, ip_addr_t *address, dns_found_callback callback,
                                 void *context, u8_t type)
{
    (void)context;
    (void)type;
    assert_string_equal(name, "log.example");
    resolutions++;
    found = callback;
    set_address(address, 0x01020304);
    return resolution;
}

static void run_for(unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 4; i++) {
        syslog_run();
        now += SECOND / 4;
    }
}

/* One run of the module after the other: it is the machine's only one. */

static void test_off(void **state)
{
    struct syslog_counters counters;

    (void)state;
    syslog_start("net=dhcp");
    lines = 3;
    run_for(10);
    assert_int_equal(resolutions, 0);
    assert_false(syslog_count(&counters));
}

static void test_resolves(void **state)
{
    ip_addr_t address;

    (void)state;
    syslog_start("syslog=log.example:5140");
    run_for(60);
    assert_int_equal(resolutions, 1); /* it is still under way */
    found("log.example", NULL, NULL);
    run_for(10);
    assert_int_equal(resolutions, 2); /* failed, and is tried again */
    assert_int_equal(attempts, 0);
    set_address(&address, 0x01020304);
    found("log.example", &address, NULL);
    run_for(1);
    assert_int_equal(count, 3);
    assert_string_equal(last, "<30>1 2023-11-14T22:13:20.000002Z inn innkeeper - log "
                              "[meta sequenceId=\"3\" sysUpTime=\"0\"] line 2");
    resolution = ERR_OK;
    run_for(700);
    assert_int_equal(resolutions, 3); /* it may have moved */
}

static void test_rate(void **state)
{
    unsigned before = count;

    (void)state;
    lines += 450;
    syslog_run();
    assert_int_equal(count - before, 25);
    run_for(3);
    assert_in_range(count - before, 250, 330);
    run_for(3);
    assert_int_equal(count - before, 450);
    assert_non_null(strstr(last, "line 452"));
}

static void test_waits(void **state)
{
    unsigned before = count;

    (void)state;
    outcome = ERR_RTE;
    attempts = 0;
    lines += 10;
    run_for(20);
    assert_in_range(attempts, 9, 11); /* every two seconds */
    assert_int_equal(count, before);
    outcome = ERR_OK;
    run_for(3);
    assert_int_equal(count - before, 10);
    assert_non_null(strstr(last, "line 462"));
    assert_non_null(strstr(last, "sequenceId=\"463\""));
}

static void test_loss(void **state)
{
    struct syslog_counters counters;
    unsigned before = count;

    (void)state;
    outcome = ERR_RTE;
    lines += 5;
    run_for(10);
    lines += 1000;
    oldest = lines - 2;
    run_for(10);
    oldest = lines - 1; /* one more */
    run_for(10);
    outcome = ERR_OK;
    syslog_run();
    run_for(3);
    assert_int_equal(count - before, 2);
    assert_non_null(strstr(last, "line 1467"));
    assert_non_null(strstr(previous, "<28>1 "));
    assert_non_null(strstr(previous, "] 1004 lines of the log were lost"));
    /* It is told once. */
    lines++;
    oldest = lines - 1;
    run_for(1);
    assert_int_equal(count - before, 3);
    lines += 2;
    oldest = lines;
    run_for(1);
    assert_int_equal(count - before, 3);
    lines++;
    run_for(1);
    assert_int_equal(count - before, 5);
    assert_non_null(strstr(previous, "] 2 lines of the log were lost"));
    assert_true(syslog_count(&counters));
    assert_int_equal(counters.sent, count);
    assert_int_equal(counters.lost, 1004 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),   cmocka_unit_test(test_resolves), cmocka_unit_test(test_rate),
        cmocka_unit_test(test_waits), cmocka_unit_test(test_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
