/* The network's settings on the kernel's command line. */
#include <errno.h>
#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/panic.h"
#include "manage/net/port.h"
#include "manage/net/settings.h"
#include "tests/unit/support/cmocka.h"

/* What the sources under test refer to besides. */

const struct boot_info *boot_info(void)
{
    return NULL;
}

_Noreturn void net_broken(const char *text, const char *file, int line)
{
    panic("%s (%s:%d)", text, file, line);
}

static struct net_settings settings;
static char reason[192];

static int parse(const char *cmdline)
{
    reason[0] = '\0';
    return net_settings_parse(cmdline, &settings, reason, sizeof(reason));
}

static void refused(const char *cmdline, const char *why)
{
    assert_int_equal(parse(cmdline), -EINVAL);
    assert_int_equal(settings.mode, NET_OFF);
    if (!strstr(reason, why)) {
        fail_msg("%s: the reason is \"%s\"", cmdline, reason);
    }
}

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("on-stop=poweroff"), 0);
    assert_int_equal(settings.mode, NET_DHCP);
    assert_string_equal(settings.hostname, "innkeeper");
    assert_string_equal(settings.ntp, "");
    assert_int_equal(settings.ntp_port, 123);
    assert_false(settings.echo);
}

static void all_given(void **state)
{
    (void)state;
    assert_int_equal(parse("net=dhcp hostname=rack-7 ntp=time.example ntp-port=1123 net-echo"), 0);
    assert_int_equal(settings.mode, NET_DHCP);
    assert_string_equal(settings.hostname, "rack-7");
    assert_string_equal(settings.ntp, "time.example");
    assert_int_equal(settings.ntp_port, 1123);
    assert_true(settings.echo);
    assert_int_equal(parse("net=off"), 0);
    assert_int_equal(settings.mode, NET_OFF);
}

static void static_addresses(void **state)
{
    (void)state;
    assert_int_equal(parse("net=static,192.168.7.20/22,192.168.4.1"), 0);
    assert_int_equal(settings.mode, NET_STATIC);
    assert_int_equal(lwip_ntohl(settings.address.addr), 0xc0a80714);
    assert_int_equal(lwip_ntohl(settings.mask.addr), 0xfffffc00);
    assert_int_equal(lwip_ntohl(settings.gateway.addr), 0xc0a80401);
    assert_int_equal(settings.dns.addr, 0);
    assert_int_equal(parse("net=static,10.0.0.2/30,10.0.0.1,9.9.9.9"), 0);
    assert_int_equal(lwip_ntohl(settings.mask.addr), 0xfffffffc);
    assert_int_equal(lwip_ntohl(settings.dns.addr), 0x09090909);
    assert_int_equal(parse("net=static,10.0.0.2/8,10.200.0.1"), 0);
}

static void wrong_addresses(void **state)
{
    (void)state;
    refused("net=static", "want off, dhcp or static");
    refused("net=on", "want off, dhcp or static");
    refused("net=", "want off, dhcp or static");
    refused("net=static,", "net=static,: the address");
    refused("net=static,10.0.0/24,10.0.0.1", "the address");
    refused("net=static,10.0.0.256/24,10.0.0.1", "the address");
    refused("net=static,010.0.0.2/24,10.0.0.1", "the address");
    refused("net=static,0x0a.0.0.2/24,10.0.0.1", "the address");
    refused("net=static,10.0.0.2.3/24,10.0.0.1", "the address");
    refused("net=static,0.0.0.0/24,10.0.0.1", "the address");
    refused("net=static,224.0.0.1/24,224.0.0.2", "the address");
    refused("net=static,10.0.0.2,10.0.0.1", "/1 to /30");
    refused("net=static,10.0.0.2/0,10.0.0.1", "/1 to /30");
    refused("net=static,10.0.0.2/31,10.0.0.3", "/1 to /30");
    refused("net=static,10.0.0.2/24x,10.0.0.1", "/1 to /30");
    refused("net=static,10.0.0.2/4294967304,10.0.0.1", "/1 to /30");
    refused("net=static,10.0.0.2/24", "the gateway's address");
    refused("net=static,10.0.0.2/24,,9.9.9.9", "the gateway's address");
    refused("net=static,10.0.0.2/24,10.0.1.1", "not in the address's network");
    refused("net=static,10.0.0.2/24,10.0.0.1,dns", "the DNS server's");
}

static void wrong_others(void **state)
{
    char longest[80] = "hostname=";

    (void)state;
    refused("hostname=", "hostname=: want");
    refused("hostname=-a", "hostname=-a: want");
    refused("hostname=a-", "want");
    refused("hostname=a.b", "want");
    refused("hostname=a_b", "want");
    memset(longest + 9, 'x', 63);
    assert_int_equal(parse(longest), 0);
    longest[9 + 63] = 'x';
    refused(longest, "want up to 63");
    refused("ntp-port=0", "want 1 to 65535");
    refused("ntp-port=65536", "want 1 to 65535");
    refused("ntp-port=", "want 1 to 65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),         cmocka_unit_test(all_given),
        cmocka_unit_test(static_addresses), cmocka_unit_test(wrong_addresses),
        cmocka_unit_test(wrong_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
