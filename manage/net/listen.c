#include "manage/net/listen.h"

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

/* There is no other limit than that of all connections: a new one takes the place of the oldest
 * that is half open. */
#define BACKLOG 255u

/* Below all others that are used. */
#define HALF_OPEN_PRIORITY 0u

/* That of lwIP's layer over TCP, the same for all. */
static tcp_accept_fn take_connection;

/* When there is no room lwIP tells of a connection that is none, which its own layer over TCP does
 * not look at before it uses it. */
static err_t accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
    if (!pcb) {
        return ERR_MEM;
    }
    return take_connection(argument, pcb, error);
}

static void guard(struct altcp_pcb *listening)
{
    struct altcp_pcb *lowest = listening;
    struct tcp_pcb_listen *tcp;

    while (lowest->inner_conn) {
        lowest = lowest->inner_conn;
    }
    tcp = lowest->state;
    take_connection = tcp->accept;
    tcp->accept = accepted;
}

struct altcp_pcb *net_listen(struct altcp_pcb *pcb, u16_t port)
{
    struct altcp_pcb *listening = NULL;

    if (pcb && altcp_bind(pcb, IP_ANY_TYPE, port) == ERR_OK) {
        listening = altcp_listen_with_backlog(pcb, BACKLOG);
    }
    if (listening) {
        guard(listening);
    } else if (pcb) {
        altcp_close(pcb);
    }
    return listening;
}

void net_rank_connections(void)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (pcb->state == SYN_RCVD) {
            tcp_setprio(pcb, HALF_OPEN_PRIORITY);
        } else if (pcb->prio == HALF_OPEN_PRIORITY) {
            tcp_setprio(pcb, TCP_PRIO_NORMAL);
        }
    }
}
