#include "manage/net/net.h"

#include <errno.h>
#include <string.h>

#include <lwip/apps/mdns.h>
#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/timeouts.h>

#include "drivers/e1000.h"
#include "drivers/pci/pci.h"
#include "drivers/virtio_net.h"
#include "kernel/boot/boot_info.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/net/addresses.h"
#include "manage/net/echo.h"
#include "manage/net/interface.h"
#include "manage/net/listen.h"
#include "manage/net/services.h"
#include "manage/net/settings.h"
#include "manage/net/status.h"
#include "manage/net/tls/tls.h"

#define NS_PER_MS UINT64_C(1000000)

#define IDLE_SLEEP_MS 250u

/* Frames between two looks at the timers. */
#define FRAME_BUDGET 64u

static struct thread *thread;
static struct thread *serving; /* the same, once it serves and never ends */
static const struct net_application *application;
static struct net_settings settings;
static struct net_interface interface;

/* The interface's interrupt. */
static void notify(void *context)
{
    (void)context;
    thread_wake(thread);
}

static struct nic *start_nic(void)
{
    const struct pci_device *device;
    struct nic *nic;

    for (unsigned i = 0; (device = pci_device(i)) != NULL; i++) {
        if (e1000_knows(device) && e1000_start(device, notify, NULL, &nic) == 0) {
            return nic;
        }
        if (virtio_net_knows(device) && virtio_net_start(device, notify, NULL, &nic) == 0) {
            return nic;
        }
    }
    return NULL;
}

/* When lwIP has something to do by itself; ns since boot. It counts in steps of 100 ms for IGMP and
 * MLD even if nothing waits for these. Only TCP needs to be that exact: without a connection, a few
 * looks a second do for all the others, and guests are left alone longer. */
static uint64_t next_timeout(void)
{
    u32_t sleep = sys_timeouts_sleeptime();

    if (sleep == SYS_TIMEOUTS_SLEEPTIME_INFINITE) {
        return TIME_NEVER;
    }
    if (!tcp_active_pcbs && !tcp_tw_pcbs && sleep < IDLE_SLEEP_MS) {
        sleep = IDLE_SLEEP_MS;
    }
    return time_ns() + sleep * NS_PER_MS;
}

void net_wake(void)
{
    struct thread *server = __atomic_load_n(&serving, __ATOMIC_ACQUIRE);

    if (server) {
        thread_wake(server);
    }
}

static bool wake_is_due;

static void wake_later(void *context)
{
    (void)context;
    wake_is_due = false;
    net_wake();
}

void net_wake_in(uint32_t ms)
{
    if (serving && !wake_is_due) {
        wake_is_due = true;
        sys_timeout(ms, wake_later, NULL);
    }
}

const char *net_hostname(void)
{
    return settings.hostname;
}

int net_set_hostname(const char *name)
{
    if (!net_is_hostname(name)) {
        return -EINVAL;
    }
    memcpy(settings.hostname, name, strlen(name) + 1);
    if (serving) {
        /* DHCP tells of it when it next asks. */
        mdns_resp_rename_netif(&interface.netif, settings.hostname);
    }
    log_info("net: the host is called %s now", settings.hostname);
    return 0;
}

static _Noreturn void serve(void)
{
    __atomic_store_n(&serving, thread, __ATOMIC_RELEASE);
    for (;;) {
        bool more = net_interface_receive(&interface, FRAME_BUDGET);

        net_rank_connections();
        net_interface_update_link(&interface);
        sys_check_timeouts();
        net_status_update(&interface);
        more |= application->run();
        if (more) {
            thread_yield();
            continue;
        }
        /* What came since the ring was found empty interrupts at once. */
        nic_listen(interface.nic);
        if (thread_block_until(next_timeout())) {
            random_add(rdtsc()); /* when a frame comes is hard to tell from afar */
        }
    }
}

static void run(void *context)
{
    struct nic *nic = start_nic();

    (void)context;
    if (!nic) {
        log_info("net: there is no network interface that works here");
        return;
    }
    lwip_init();
    net_addresses_watch();
    if (net_interface_start(&interface, nic, &settings) ||
        net_services_start(&interface.netif, &settings)) {
        log_error("net: no memory; the network is off");
        return;
    }
    (void)tls_start(&interface.netif, &settings); /* which logs; there is more than TLS */
    if (settings.echo && net_echo_start()) {
        log_error("net: no memory for the echo service");
    }
    application->start(&settings);
    serve();
}

void net_start(const struct net_application *net_application)
{
    char reason[192];

    if (net_settings_parse(boot_info()->cmdline, &settings, reason, sizeof(reason))) {
        log_error("net: %s; the network is off", reason);
    }
    if (settings.mode == NET_OFF) {
        return;
    }
    application = net_application;
    thread = thread_create("net", run, NULL);
    if (!thread) {
        log_error("net: no memory for its thread; the network is off");
        return;
    }
    (void)thread_set_io(thread); /* it has neither cap nor reservation */
    thread_start(thread);
}
