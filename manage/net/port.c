#include "manage/net/port.h"

#include <lwip/apps/sntp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/tcp.h>
#include <lwip/sys.h>

#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define NS_PER_MS     UINT64_C(1000000)
#define NS_PER_US     UINT64_C(1000)
#define NS_PER_SECOND UINT64_C(1000000000)

/* Less is not worth a line each hour. */
#define NOTABLE_STEP_NS UINT64_C(1000000000)

uint16_t net_ntp_port = LWIP_IANA_PORT_SNTP;

u32_t sys_now(void)
{
    return (u32_t)(time_ns() / NS_PER_MS);
}

uint32_t net_random(void)
{
    return random_u32();
}

_Noreturn void net_broken(const char *text, const char *file, int line)
{
    log_error("net: %s (%s:%d); the network is off now", text, file, line);
    for (;;) {
        thread_block();
    }
}

int net_tcp_look(struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
    if (pcb->state != TIME_WAIT ||
        (TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN ||
        !TCP_SEQ_GT(header->seqno, pcb->rcv_nxt + pcb->rcv_wnd)) {
        return ERR_OK;
    }
    tcp_pcb_remove(&tcp_tw_pcbs, pcb);
    tcp_free(pcb);
    return ERR_ABRT;
}

void net_clock_get(uint32_t *seconds, uint32_t *us)
{
    uint64_t now = wall_clock_ns();

    *seconds = (uint32_t)(now / NS_PER_SECOND);
    *us = (uint32_t)(now % NS_PER_SECOND / NS_PER_US);
}

void net_clock_set(uint32_t seconds, uint32_t us)
{
    uint64_t before = wall_clock_ns();
    uint64_t now = seconds * NS_PER_SECOND + us * NS_PER_US;
    uint64_t step = now > before ? now - before : before - now;

    wall_clock_set(now);
    if (step >= NOTABLE_STEP_NS) {
        log_info("net: NTP: it is %u s since 1970, the clock was %s by %lu ms", seconds,
                 now > before ? "slow" : "fast", step / NS_PER_MS);
    }
}
