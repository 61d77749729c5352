#include "manage/syslog/syslog.h"

#include <stddef.h>
#include <stdio.h>

#include <lwip/dns.h>
#include <lwip/udp.h>

#include "kernel/log.h"
#include "kernel/time.h"
#include "manage/net/net.h"
#include "manage/syslog/message.h"

/* Messages in a second, and at once. */
#define RATE  100u
#define BURST 25u

#define NS_PER_SECOND   UINT64_C(1000000000)
#define RETRY_NS        (2 * NS_PER_SECOND)   /* without a route, an address or memory */
#define RESOLVE_NS      (600 * NS_PER_SECOND) /* a server may move */
#define CLOCK_IS_SET_NS (UINT64_C(946684800) * NS_PER_SECOND) /* 2000-01-01 */

static struct syslog_server server;
static struct udp_pcb *pcb;
static ip_addr_t address; /* any: not known yet */
static bool resolving;
static uint64_t resolve_at;
static uint64_t send_at;
static uint64_t cursor; /* into the log */
static uint64_t unsaid; /* lines that the log has lost and the server was not told of */
static uint32_t sequence;
static struct syslog_counters counters;
static uint64_t credit; /* ns: what is left of the rate */
static uint64_t credit_counted;

static void resolved(const char *name, const ip_addr_t *found, void *context)
{
    (void)name;
    (void)context;
    resolving = false;
    resolve_at = time_ns() + (found ? RESOLVE_NS : RETRY_NS);
    if (found) {
        address = *found;
    }
}

static void resolve(void)
{
    ip_addr_t found;
    err_t error;

    if (resolving || time_ns() < resolve_at) {
        return;
    }
    resolving = true;
    error = dns_gethostbyname_addrtype(server.host, &found, resolved, NULL,
                                       LWIP_DNS_ADDRTYPE_IPV4_IPV6);
    if (error != ERR_INPROGRESS) {
        resolved(NULL, error == ERR_OK ? &found : NULL, NULL);
    }
}

/* Sends a line written at `uptime`. False: not now. */
static bool send(enum log_level level, const char *text, uint64_t uptime)
{
    uint64_t boot = wall_clock_ns() - time_ns();
    struct syslog_line line = {
        .level = level,
        .text = text,
        .uptime = uptime,
        .when = boot >= CLOCK_IS_SET_NS ? boot + uptime : 0,
        .sequence = sequence + 1,
    };
    char message[SYSLOG_MESSAGE_SIZE];
    size_t length = syslog_format(&line, net_hostname(), message);
    struct pbuf *packet = pbuf_alloc(PBUF_TRANSPORT, (u16_t)length, PBUF_RAM);
    bool sent;

    if (!packet) {
        return false;
    }
    pbuf_take(packet, message, (u16_t)length);
    sent = udp_sendto(pcb, packet, &address, server.port) == ERR_OK;
    pbuf_free(packet);
    sequence += sent;
    counters.sent += sent;
    return sent;
}

static bool send_loss(void)
{
    char text[64];

    if (unsaid == 0) {
        return true;
    }
    snprintf(text, sizeof(text), "%lu lines of the log were lost", unsaid);
    if (!send(LOG_WARN, text, time_ns())) {
        return false;
    }
    unsaid = 0;
    return true;
}

/* The next line; false if there is none, or it cannot be sent now. */
static bool send_next(void)
{
    struct log_record record;
    uint64_t next = cursor;

    if (!log_read(&next, &record)) {
        return false;
    }
    /* The cursor stays where it is until the line is sent, but what is lost is counted once. */
    unsaid += record.lost;
    counters.lost += record.lost;
    cursor = next - 1;
    if (!send_loss() || !send(record.level, record.text, time_from_tsc(record.tsc))) {
        send_at = time_ns() + RETRY_NS;
        return false;
    }
    cursor = next;
    return true;
}

static void earn(void)
{
    uint64_t now = time_ns();

    credit += now - credit_counted;
    credit_counted = now;
    if (credit > BURST * NS_PER_SECOND / RATE) {
        credit = BURST * NS_PER_SECOND / RATE;
    }
}

void syslog_start(const char *cmdline)
{
    const char *wrong = syslog_parse(cmdline, &server);

    if (wrong) {
        log_error("syslog: %s", wrong);
    }
    if (server.host[0]) {
        pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
        if (!pcb) {
            log_error("syslog: no memory to send it");
        }
    }
}

bool syslog_count(struct syslog_counters *to)
{
    *to = counters;
    return pcb != NULL;
}

void syslog_run(void)
{
    if (!pcb) {
        return;
    }
    resolve();
    earn();
    if (ip_addr_isany(&address) || time_ns() < send_at) {
        return;
    }
    while (credit >= NS_PER_SECOND / RATE && send_next()) {
        credit -= NS_PER_SECOND / RATE;
    }
}
