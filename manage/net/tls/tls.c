#include "manage/net/tls/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <lwip/timeouts.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "manage/net/tls/certificate.h"
#include "manage/net/tls/layer.h"

#define CHECK_MS 1500u

#define CERTIFICATE_OPTION "tls-cert"
#define KEY_OPTION         "tls-key"
#define MODULE_NAME_SIZE   64
#define REASON_SIZE        128

#define TICKET_SECONDS (24u * 3600)

static const int cipher_suites[] = {
    /* First what needs no tables, whose use others on this machine could watch. */
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

/* P-384 takes three times as long, for clients that have nothing else. */
static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1,
                                              MBEDTLS_ECP_DP_NONE};

static struct netif *interface;
static const char *hostname;
static mbedtls_ssl_config config;
static mbedtls_ssl_ticket_context tickets;
static mbedtls_pk_context key;
static mbedtls_x509_crt certificate;
/* A self-made one. */
static struct certificate_host made_for;
static int64_t made_at; /* seconds since 1970 */

static altcp_allocator_t allocator = {tls_layer_alloc, &config};
static bool started;

static void log_certificate(const char *origin)
{
    char fingerprint[FINGERPRINT_SIZE];

    certificate_fingerprint(&certificate, fingerprint);
    log_info("tls: %s, SHA-256 fingerprint %s", origin, fingerprint);
}

static void add_address(struct certificate_host *host, const void *bytes, uint8_t length)
{
    struct certificate_address *address = &host->addresses[host->address_count++];

    address->length = length;
    memcpy(address->bytes, bytes, length);
}

static void find_addresses(struct certificate_host *host)
{
    _Static_assert(CERTIFICATE_ADDRESSES > LWIP_IPV6_NUM_ADDRESSES, "there is room for all");

    memset(host, 0, sizeof(*host));
    host->name = hostname;
    if (!ip4_addr_isany(netif_ip4_addr(interface))) {
        add_address(host, netif_ip4_addr(interface), 4);
    }
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(interface, i))) {
            add_address(host, netif_ip6_addr(interface, i)->addr, 16);
        }
    }
}

/* Connections look at `certificate` when they have to send it, and keep nothing of it: so it can be
 * replaced under them. The key stays. */
static int make_certificate(const struct certificate_host *host)
{
    int64_t now = tls_time(NULL);
    int error = certificate_make(host, &key, now, &certificate);

    if (error) {
        log_error("tls: no memory for a certificate");
        return error;
    }
    made_for = *host;
    made_at = now;
    return 0;
}

/* Looks whether the certificate is still right. Addresses come one after the other when the network
 * comes up: they count when they have been the same for two looks. */
static void check(void *argument)
{
    static struct certificate_host seen;
    static bool logged;
    struct certificate_host host;

    (void)argument;
    sys_timeout(CHECK_MS, check, NULL);
    find_addresses(&host);
    if (memcmp(&host, &seen, sizeof(host)) != 0) {
        seen = host;
        return;
    }
    if (memcmp(&host, &made_for, sizeof(host)) != 0 ||
        certificate_is_outdated(made_at, tls_time(NULL))) {
        logged = false;
        if (make_certificate(&host)) {
            return; /* tried again; there still is the one before */
        }
    }
    if (!logged && host.address_count > 0) {
        log_certificate("self-made certificate");
        logged = true;
    }
}

static int make_own(void)
{
    int error = certificate_make_key(&key);

    if (error) {
        log_error("tls: no memory for a key; there is no TLS");
        return error;
    }
    find_addresses(&made_for);
    error = make_certificate(&made_for);
    if (!error) {
        sys_timeout(CHECK_MS, check, NULL);
    }
    return error;
}

/* The module that the option names; NULL, which is logged, if there is none. */
static const struct boot_module *option_module(const char *option)
{
    char name[MODULE_NAME_SIZE];
    const struct boot_module *module;

    if (!boot_option(option, name, sizeof(name))) {
        log_error("tls: %s= is missing; there is no TLS", option);
        return NULL;
    }
    module = boot_module_find(name);
    if (!module) {
        log_error("tls: %s=%s: there is no boot module of that name; there is no TLS", option,
                  name);
    }
    return module;
}

static int take_given(void)
{
    const struct boot_module *certificate_module = option_module(CERTIFICATE_OPTION);
    const struct boot_module *key_module = option_module(KEY_OPTION);
    char reason[REASON_SIZE];
    int error;

    if (!certificate_module || !key_module) {
        return -EINVAL;
    }
    error = certificate_read(certificate_module->data, certificate_module->size, key_module->data,
                             key_module->size, &certificate, &key, reason, sizeof(reason));
    if (error) {
        log_error("tls: %s, %s: %s; there is no TLS", certificate_module->name, key_module->name,
                  reason);
        return error;
    }
    log_certificate("certificate from a boot module");
    return 0;
}

static int configure(void)
{
    if (mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) ||
        mbedtls_ssl_conf_own_cert(&config, &certificate, &key) ||
        mbedtls_ssl_ticket_setup(&tickets, tls_random, NULL, MBEDTLS_CIPHER_AES_256_GCM,
                                 TICKET_SECONDS)) {
        log_error("tls: no memory; there is no TLS");
        return -ENOMEM;
    }
    mbedtls_ssl_conf_rng(&config, tls_random, NULL);
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_ciphersuites(&config, cipher_suites);
    mbedtls_ssl_conf_curves(&config, curves);
    mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &tickets);
    return 0;
}

int tls_start(struct netif *netif, const struct net_settings *settings)
{
    char value[MODULE_NAME_SIZE];
    bool given = boot_option(CERTIFICATE_OPTION, value, sizeof(value)) ||
                 boot_option(KEY_OPTION, value, sizeof(value));
    int error;

    interface = netif;
    hostname = settings->hostname;
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_ticket_init(&tickets);
    mbedtls_pk_init(&key);
    mbedtls_x509_crt_init(&certificate);
    /* Whoever gives a key does not want another one. */
    error = given ? take_given() : make_own();
    if (!error) {
        error = configure();
    }
    started = !error;
    return error;
}

altcp_allocator_t *tls_allocator(void)
{
    return started ? &allocator : NULL;
}
