#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#include "kernel/boot/boot_info.h"
#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/access/access.h"
#include "manage/access/accounts.h"
#include "manage/access/accounts_config.h"
#include "manage/access/password_hash.h"

#define FIRST_USER "admin"

/* 80 random bits, in groups that can be read aloud. */
#define GROUPS          4u
#define GROUP_LENGTH    4u
#define PASSWORD_LENGTH (GROUPS * (GROUP_LENGTH + 1) - 1)

/* How long to wait for room on the console, and how often. */
#define CONSOLE_WAIT_NS  UINT64_C(10000000)
#define CONSOLE_PATIENCE 200u

static void rest(void)
{
    if (thread_should_yield(time_ns())) {
        thread_yield();
    }
}

static void report(void *context, const char *message)
{
    (void)context;
    log_error("access: %s", message);
}

static unsigned read_file(void)
{
    const struct boot_module *module;
    char name[64];

    if (!boot_option("accounts", name, sizeof(name))) {
        return 0;
    }
    module = boot_module_find(name);
    if (!module) {
        log_error("access: accounts=%s: no boot module is called that", name);
        return 0;
    }
    return accounts_from_file(module->name, module->data, module->size, report, NULL);
}

static void make_password(char password[PASSWORD_LENGTH + 1])
{
    /* Without those that are taken for one another: 1 l, 0 o. */
    static const char alphabet[32] __attribute__((nonstring)) = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[PASSWORD_LENGTH];

    random_bytes(random, sizeof(random));
    for (unsigned i = 0; i < PASSWORD_LENGTH; i++) {
        password[i] = alphabet[random[i] % sizeof(alphabet)];
    }
    for (unsigned i = GROUP_LENGTH; i < PASSWORD_LENGTH; i += GROUP_LENGTH + 1) {
        password[i] = '-';
    }
    password[PASSWORD_LENGTH] = '\0';
    mbedtls_platform_zeroize(random, sizeof(random));
}

/* To the machine's own console, past the log: that can be read over the network. */
static void show(const char *user, const char *password)
{
    char line[96];
    int length = snprintf(line, sizeof(line), "Login for the network: user %s, password %s\r\n",
                          user, password);

    for (unsigned i = 0; !console_put_line(line, (size_t)length); i++) {
        if (i == CONSOLE_PATIENCE) {
            log_error("access: the console does not take the password of %s", user);
            break;
        }
        thread_sleep_until(time_ns() + CONSOLE_WAIT_NS);
    }
    mbedtls_platform_zeroize(line, sizeof(line));
}

/* What somebody at the console has asked for, until the network's thread has done it. */
enum { NOT_STARTED, IDLE, TAKEN, ASKED };
static int request = NOT_STARTED;
static char request_name[ACCESS_NAME_SIZE];

int access_request_password(const char *name, char *reason, size_t size)
{
    int idle = IDLE;

    if (__atomic_load_n(&request, __ATOMIC_ACQUIRE) == NOT_STARTED) {
        snprintf(reason, size, "there is no network, and there are no accounts");
        return -ENODEV;
    }
    if (!__atomic_compare_exchange_n(&request, &idle, TAKEN, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        snprintf(reason, size, "another one is being made");
        return -EBUSY;
    }
    snprintf(request_name, sizeof(request_name), "%s", name);
    __atomic_store_n(&request, ASKED, __ATOMIC_RELEASE);
    return 0;
}

void access_run(void)
{
    char password[PASSWORD_LENGTH + 1];
    char reason[96];

    if (__atomic_load_n(&request, __ATOMIC_ACQUIRE) != ASKED) {
        return;
    }
    make_password(password);
    if (access_set_password(request_name, password, NULL, reason, sizeof(reason))) {
        log_error("access: %s", reason);
    } else {
        log_info("audit: the console: gives %s a new password", request_name);
        show(request_name, password);
    }
    mbedtls_platform_zeroize(password, sizeof(password));
    __atomic_store_n(&request, IDLE, __ATOMIC_RELEASE);
}

static void make_first_account(void)
{
    char password[PASSWORD_LENGTH + 1];
    char reason[96];

    make_password(password);
    if (access_add_account(FIRST_USER, password, ACCESS_ADMINISTRATOR, true, reason,
                           sizeof(reason))) {
        log_error("access: %s: %s", FIRST_USER, reason); /* there is no other account */
    }
    log_info("access: no accounts are configured: \"%s\" has a password for this time, which "
             "only this console shows",
             FIRST_USER);
    show(FIRST_USER, password);
    mbedtls_platform_zeroize(password, sizeof(password));
}

void access_start(void)
{
    unsigned count;

    accounts_init();
    password_hash_rest = rest;
    count = accounts_from_cmdline(boot_info()->cmdline, report, NULL) + read_file();
    if (count == 0) {
        make_first_account();
    } else {
        log_info("access: %u account%s", count, count == 1 ? "" : "s");
    }
    __atomic_store_n(&request, IDLE, __ATOMIC_RELEASE);
}
