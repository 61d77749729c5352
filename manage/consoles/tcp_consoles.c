#include "manage/consoles/tcp_consoles.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <lwip/tcp.h>

#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "manage/consoles/tcp_connection.h"
#include "manage/machine.h"

#define LISTENERS   48u
#define PORT_MAX    65535u
#define UPDATE_NS   UINT64_C(1000000000) /* between two looks at which VMs there are */
#define BACKLOG     4u
#define OPTION_SIZE 8u

/* A VM's port. */
struct listener {
    struct tcp_pcb *pcb; /* NULL: the place is free */
    uint64_t vm;         /* its id */
    bool telnet;
    bool seen; /* it was there when last looked */
};

static struct listener listeners[LISTENERS];
static unsigned bases[2]; /* of bare TCP, and of telnet; 0: off */
static uint64_t updated;

static err_t accept_client(void *argument, struct tcp_pcb *pcb, err_t error)
{
    const struct listener *listener = argument;

    if (error != ERR_OK || !pcb) {
        return ERR_VAL;
    }
    if (!tcp_connection_open(pcb, listener->vm, listener->telnet)) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    return ERR_OK;
}

static struct listener *find_listener(uint64_t vm, bool telnet)
{
    for (unsigned i = 0; i < LISTENERS; i++) {
        if (listeners[i].pcb && listeners[i].vm == vm && listeners[i].telnet == telnet) {
            return &listeners[i];
        }
    }
    return NULL;
}

uint16_t tcp_console_port(uint64_t vm, bool telnet)
{
    return find_listener(vm, telnet) ? (uint16_t)(bases[telnet] + vm) : 0;
}

static struct tcp_pcb *listen_at(uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    struct tcp_pcb *listening = NULL;

    if (pcb && tcp_bind(pcb, IP_ANY_TYPE, port) == ERR_OK) {
        listening = tcp_listen_with_backlog(pcb, BACKLOG);
    }
    if (pcb && !listening) {
        tcp_abort(pcb);
    }
    return listening;
}

/* A VM whose port cannot be had is tried again each time, and told of once. */
static void add_listener(const struct machine_vm *vm, bool telnet)
{
    static uint64_t told; /* the id of the last that was */
    const char *name = vm->description.name;
    const char *protocol = telnet ? "telnet" : "TCP";
    uint64_t port = bases[telnet] + vm->id;
    struct listener *place = NULL;

    for (unsigned i = 0; i < LISTENERS && !place; i++) {
        place = listeners[i].pcb ? NULL : &listeners[i];
    }
    if (place && port <= PORT_MAX) {
        *place = (struct listener){
            .pcb = listen_at((uint16_t)port), .vm = vm->id, .telnet = telnet, .seen = true};
    }
    if (place && place->pcb) {
        tcp_arg(place->pcb, place);
        tcp_accept(place->pcb, accept_client);
        log_info("console of vm %s: %s port %lu, open to anybody", name, protocol, port);
    } else if (told < vm->id) {
        told = vm->id;
        log_error("console of vm %s: no %s port %lu: %s", name, protocol, port,
                  port > PORT_MAX ? "there is none" : "it is taken, or there are too many");
    }
}

static void see_vm(const struct machine_vm *vm, bool telnet)
{
    struct listener *listener = find_listener(vm->id, telnet);

    if (listener) {
        listener->seen = true;
    } else {
        add_listener(vm, telnet);
    }
}

/* The VM is gone, and so are its clients. */
static void remove_listener(struct listener *listener)
{
    (void)tcp_close(listener->pcb); /* of one that listens, it does not fail */
    listener->pcb = NULL;
    tcp_connections_end(listener->vm);
}

static void update_listeners(void)
{
    static struct machine_vm vm; /* too large for a stack */

    for (unsigned i = 0; i < LISTENERS; i++) {
        listeners[i].seen = false;
    }
    for (unsigned i = 0; machine()->vm(i, &vm); i++) {
        for (unsigned telnet = 0; telnet < 2; telnet++) {
            if (bases[telnet]) {
                see_vm(&vm, telnet);
            }
        }
    }
    for (unsigned i = 0; i < LISTENERS; i++) {
        if (listeners[i].pcb && !listeners[i].seen) {
            remove_listener(&listeners[i]);
        }
    }
}

static unsigned parse_base(const char *cmdline, const char *key)
{
    char text[OPTION_SIZE];
    unsigned base = 0;

    if (!cmdline_option(cmdline, key, text, sizeof(text))) {
        return 0;
    }
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || base > PORT_MAX) {
            base = PORT_MAX + 1;
            break;
        }
        base = base * 10 + (unsigned)(*c - '0');
    }
    if (base == 0 || base >= PORT_MAX) {
        log_error("%s=%s: want a port below 65535; no such consoles", key, text);
        return 0;
    }
    return base;
}

void tcp_consoles_start(const char *cmdline)
{
    bases[false] = parse_base(cmdline, "console-tcp");
    bases[true] = parse_base(cmdline, "console-telnet");
}

void tcp_consoles_run(void)
{
    uint64_t now = time_ns();

    if (!bases[false] && !bases[true]) {
        return;
    }
    if (now - updated >= UPDATE_NS || updated == 0) {
        updated = now;
        update_listeners();
    }
    tcp_connections_run();
}
