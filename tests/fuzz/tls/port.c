#include "tests/fuzz/tls/port.h"

#include <stddef.h>
#include <stdlib.h>

#include <lwip/timeouts.h>

#include "kernel/boot/boot_info.h"
#include "kernel/time.h"
#include "manage/net/port.h"
#include "manage/net/tls/port.h"

uint64_t port_now;
static uint64_t random_state;
static unsigned good_pieces, bad_pieces;
static bool bad_everywhere;

void port_reset(void)
{
    port_now = 1000 * SECOND;
    random_state = 1;
    port_lack_memory(0, 0, false);
}

void port_lack_memory(unsigned good, unsigned bad, bool everywhere)
{
    good_pieces = good;
    bad_pieces = bad;
    bad_everywhere = everywhere;
}

uint64_t time_ns(void)
{
    return port_now;
}

bool boot_option(const char *key, char *value, size_t size)
{
    (void)key;
    (void)value;
    (void)size;
    return false;
}

const struct boot_module *boot_module_find(const char *name)
{
    (void)name;
    return NULL;
}

void sys_timeout(u32_t ms, sys_timeout_handler handler, void *argument)
{
    (void)ms;
    (void)handler;
    (void)argument;
}

_Noreturn void net_broken(const char *text, const char *file, int line)
{
    (void)text;
    (void)file;
    (void)line;
    abort();
}

static bool is_short(void)
{
    if (good_pieces > 0) {
        good_pieces--;
        return false;
    }
    if (bad_pieces > 0) {
        bad_pieces--;
        return true;
    }
    return false;
}

void *lwip_memory(size_t size)
{
    return is_short() ? NULL : malloc(size);
}

void *lwip_cleared_memory(size_t count, size_t size)
{
    return is_short() ? NULL : calloc(count, size);
}

void tls_pause(void)
{
}

void *tls_calloc(size_t count, size_t size)
{
    return bad_everywhere && is_short() ? NULL : calloc(count, size);
}

void tls_free(void *memory)
{
    free(memory);
}

int64_t tls_time(int64_t *seconds)
{
    int64_t time = 1795305600; /* 2026-11-22 */

    if (seconds) {
        *seconds = time;
    }
    return time;
}

int tls_random(void *context, unsigned char *bytes, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++) {
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (unsigned char)(random_state >> 56);
    }
    return 0;
}
