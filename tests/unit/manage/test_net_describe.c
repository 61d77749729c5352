/* The network's state as rows of text. */
#include <stdio.h>
#include <string.h>

#include "manage/net/describe.h"
#include "tests/unit/support/cmocka.h"

static char text[2048];

static const char *describe(const struct net_status *status)
{
    char row[320];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; net_describe(status, i, row, sizeof(row)); i++) {
        assert_true(strlen(row) <= 80);
        used += (size_t)sprintf(text + used, "%s\n", row);
    }
    return text;
}

static void nothing(void **state)
{
    const struct net_status status = {0};

    (void)state;
    assert_string_equal(describe(&status), "there is no network\n");
}

static void everything(void **state)
{
    const struct net_status status = {
        .name = "82540EM",
        .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56},
        .link = true,
        .ipv4 = "10.0.2.15/24",
        .gateway = "10.0.2.2",
        .ipv6 = {"FE80::1", "", "FEC0::1"}, /* one that is not valid between them */
        .counters = {.received = 1,
                     .received_bytes = 60,
                     .sent = 2,
                     .sent_bytes = 120,
                     .missed = 3,
                     .errors = 4,
                     .unsent = 5,
                     .interrupts = 6},
        .dropped = 7,
        .heap = 100,
        .heap_size = 524288,
        .packets = 8,
        .packet_max = 256,
        .connections = 9,
        .connection_max = 64,
        .tls_connections = 10,
        .tls_connection_max = 40,
        .kernel_heap = 1234567,
    };

    (void)state;
    assert_string_equal(describe(&status),
                        "82540EM 52:54:00:12:34:56, link up\n"
                        "IPv4 10.0.2.15/24, gateway 10.0.2.2\n"
                        "IPv6 FE80::1\n"
                        "IPv6 FEC0::1\n"
                        "received 1 frames, 60 bytes; 6 interrupts\n"
                        "lost: 3 missed, 4 damaged, 7 dropped for want of memory\n"
                        "sent 2 frames, 120 bytes; 5 found the ring full\n"
                        "memory: 100 of 524288 bytes heap, 8 of 256 packets, 9 of 64 "
                        "connections\n"
                        "TLS: 10 of 40 connections; 1234567 bytes of the kernel's heap\n");
}

static void no_address(void **state)
{
    const struct net_status status = {.name = "82574L"};

    (void)state;
    assert_non_null(strstr(describe(&status), "link down\nIPv4: no address\nreceived 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(everything),
        cmocka_unit_test(no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
