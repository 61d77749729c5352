#include "manage/http_service.h"

#include <lwip/altcp.h>
#include <lwip/altcp_tcp.h>

#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "manage/access/access.h"
#include "manage/consoles/tcp_consoles.h"
#include "manage/consoles/web_console.h"
#include "manage/http/listener.h"
#include "manage/http/server.h"
#include "manage/metrics/metrics.h"
#include "manage/net/settings.h"
#include "manage/net/tls/tls.h"
#include "manage/redfish/redfish.h"
#include "manage/syslog/syslog.h"
#include "manage/web/routes.h"

#define HTTPS_PORT 443u

static const struct http_route_table tables[] = {
    {redfish_routes, REDFISH_ROUTES},
    {metrics_routes, METRICS_ROUTES},
    {web_console_routes, WEB_CONSOLE_ROUTES},
    {page_routes, PAGE_ROUTES},
};

static void listen(altcp_allocator_t *allocator, uint16_t port, bool secure)
{
    if (http_listen(altcp_new_ip_type(allocator, IPADDR_TYPE_ANY), port, secure)) {
        log_error("http: no memory for port %u", port);
    } else {
        log_info("http: port %u, %s TLS", port, secure ? "with" : "without");
    }
}

static void start(const struct net_settings *settings)
{
    altcp_allocator_t plain = {.alloc = altcp_tcp_alloc};
    altcp_allocator_t *tls = tls_allocator();

    access_start();
    http_server_set_routes(tables, sizeof(tables) / sizeof(*tables));
    if (tls) {
        listen(tls, HTTPS_PORT, true);
    }
    if (settings->http_port) {
        listen(&plain, settings->http_port, false);
    }
    tcp_consoles_start(boot_info()->cmdline);
    syslog_start(boot_info()->cmdline);
}

static bool run(void)
{
    access_run();
    tcp_consoles_run();
    syslog_run();
    return http_server_run(time_ns());
}

const struct net_application http_service = {.start = start, .run = run};
