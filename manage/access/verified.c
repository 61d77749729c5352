#include "manage/access/verified.h"

#include <string.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

#include "kernel/random.h"
#include "manage/access/hmac.h"

#define ENTRIES 16u /* no account has two passwords */

static struct hmac_key key;
static struct {
    bool used;
    uint8_t hash[HMAC_SIZE];
} entries[ENTRIES];
static unsigned next; /* the one to be replaced */

void verified_init(void)
{
    uint8_t bytes[HMAC_SIZE];

    random_bytes(bytes, sizeof(bytes));
    hmac_key_init(&key, bytes, sizeof(bytes));
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    verified_forget();
}

void verified_forget(void)
{
    memset(entries, 0, sizeof(entries));
}

static void hash(const char *name, const char *password, uint8_t out[HMAC_SIZE])
{
    struct hmac hmac;

    hmac_start(&hmac, &key);
    hmac_update(&hmac, name, strlen(name) + 1);
    hmac_update(&hmac, password, strlen(password));
    hmac_finish(&hmac, out);
}

void verified_add(const char *name, const char *password)
{
    if (verified_find(name, password)) {
        return;
    }
    entries[next].used = true;
    hash(name, password, entries[next].hash);
    next = (next + 1) % ENTRIES;
}

bool verified_find(const char *name, const char *password)
{
    uint8_t wanted[HMAC_SIZE];
    bool found = false;

    hash(name, password, wanted);
    for (unsigned i = 0; i < ENTRIES; i++) {
        found |= entries[i].used && mbedtls_ct_memcmp(entries[i].hash, wanted, sizeof(wanted)) == 0;
    }
    return found;
}
