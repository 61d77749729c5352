#include "manage/net/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cmdline.h"

#define DEFAULT_HOSTNAME "innkeeper"
#define NTP_PORT         123u
#define HTTP_PORT        80u
#define PORT_MAX         65535u
#define PREFIX_MAX       30u /* longer ones leave no room for a gateway */
#define VALUE_SIZE       128u
#define STATIC_PREFIX    "static,"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A label of a domain name (RFC 1123, 2.1). */
bool net_is_hostname(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++) {
        if (!is_alphanumeric(name[i]) && (name[i] != '-' || i == 0 || i == length - 1)) {
            return false;
        }
    }
    return length > 0 && length < NET_HOSTNAME_SIZE;
}

/* A decimal number of nothing but digits; false if there is none or it is above `max`. */
static bool parse_number(const char *text, unsigned max, unsigned *number)
{
    *number = 0;
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        *number = *number * 10 + (unsigned)(*text - '0');
        if (*number > max) {
            return false;
        }
    }
    return true;
}

/* Four numbers with points between them: lwIP takes shorter and octal forms, too, which are
 * mistakes more often than meant. */
static bool parse_address(const char *text, ip4_addr_t *address)
{
    unsigned points = 0;

    for (const char *c = text; *c; c++) {
        bool zero_first = *c == '0' && (c == text || c[-1] == '.') && c[1] != '.' && c[1] != '\0';

        if ((*c != '.' && (*c < '0' || *c > '9')) || zero_first) {
            return false;
        }
        points += *c == '.';
    }
    return points == 3 && ip4addr_aton(text, address);
}

/* Cuts `text` at the first `separator`; what is behind it, NULL if there is none. */
static char *cut(char *text, char separator)
{
    char *at = strchr(text, separator);

    if (!at) {
        return NULL;
    }
    *at = '\0';
    return at + 1;
}

static const char *parse_static(char *text, struct net_settings *settings)
{
    char *gateway = cut(text, ',');
    char *dns = gateway ? cut(gateway, ',') : NULL;
    char *prefix = cut(text, '/');
    unsigned bits;

    if (!parse_address(text, &settings->address) || ip4_addr_isany_val(settings->address) ||
        ip4_addr_ismulticast(&settings->address)) {
        return "the address is none";
    }
    if (!prefix || !parse_number(prefix, PREFIX_MAX, &bits) || bits == 0) {
        return "want /1 to /30 after the address";
    }
    ip4_addr_set_u32(&settings->mask, lwip_htonl(UINT32_MAX << (32 - bits)));
    if (!gateway || !parse_address(gateway, &settings->gateway)) {
        return "the gateway's address is none";
    }
    if (!ip4_addr_netcmp(&settings->address, &settings->gateway, &settings->mask)) {
        return "the gateway is not in the address's network";
    }
    if (dns && !parse_address(dns, &settings->dns)) {
        return "the DNS server's address is none";
    }
    return NULL;
}

/* NULL, or what is wrong with the value. */
static const char *parse_mode(char *value, struct net_settings *settings)
{
    if (strcmp(value, "off") == 0) {
        settings->mode = NET_OFF;
        return NULL;
    }
    if (strcmp(value, "dhcp") == 0) {
        settings->mode = NET_DHCP;
        return NULL;
    }
    if (strncmp(value, STATIC_PREFIX, strlen(STATIC_PREFIX)) == 0) {
        settings->mode = NET_STATIC;
        return parse_static(value + strlen(STATIC_PREFIX), settings);
    }
    return "want off, dhcp or static,ADDRESS/PREFIX,GATEWAY[,DNS]";
}

static int refuse(struct net_settings *settings, char *reason, size_t size, const char *key,
                  const char *value, const char *why)
{
    settings->mode = NET_OFF;
    snprintf(reason, size, "%s=%s: %s", key, value, why);
    return -EINVAL;
}

int net_settings_parse(const char *cmdline, struct net_settings *settings, char *reason,
                       size_t size)
{
    char value[VALUE_SIZE];
    char original[VALUE_SIZE];
    unsigned port;

    *settings =
        (struct net_settings){.mode = NET_DHCP, .hostname = DEFAULT_HOSTNAME, .ntp_port = NTP_PORT};
    if (cmdline_option(cmdline, "net", value, sizeof(value))) {
        const char *wrong;

        memcpy(original, value, strlen(value) + 1);
        wrong = parse_mode(value, settings);
        if (wrong) {
            return refuse(settings, reason, size, "net", original, wrong);
        }
    }
    if (cmdline_option(cmdline, "hostname", value, sizeof(value))) {
        if (!net_is_hostname(value)) {
            return refuse(settings, reason, size, "hostname", value,
                          "want up to 63 letters, digits and inner hyphens");
        }
        memcpy(settings->hostname, value, strlen(value) + 1);
    }
    if (cmdline_option(cmdline, "ntp-port", value, sizeof(value))) {
        if (!parse_number(value, PORT_MAX, &port) || port == 0) {
            return refuse(settings, reason, size, "ntp-port", value, "want 1 to 65535");
        }
        settings->ntp_port = (uint16_t)port;
    }
    (void)cmdline_option(cmdline, "ntp", settings->ntp, sizeof(settings->ntp));
    settings->echo = cmdline_option(cmdline, "net-echo", value, sizeof(value));
    if (cmdline_option(cmdline, "http", value, sizeof(value))) {
        if (!*value) {
            port = HTTP_PORT;
        } else if (!parse_number(value, PORT_MAX, &port) || port == 0) {
            return refuse(settings, reason, size, "http", value, "want 1 to 65535");
        }
        settings->http_port = (uint16_t)port;
    }
    return 0;
}
