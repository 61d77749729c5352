#include "manage/access/password_hash.h"

#include <stddef.h>
#include <string.h>

#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

#include "kernel/random.h"

#define PREFIX        "$pbkdf2-sha256$"
#define SALT_LENGTH   16u
#define BASE64_LENGTH 44u /* of PASSWORD_SALT_MAX or HMAC_SIZE bytes, with its '=' */

_Static_assert(PASSWORD_SALT_MAX <= HMAC_SIZE, "both parts of a hash have room");

void (*password_hash_rest)(void);

void password_hash_make(struct password_hash *hash, const char *password)
{
    hash->iterations = PASSWORD_ITERATIONS;
    hash->salt_length = SALT_LENGTH;
    random_bytes(hash->salt, hash->salt_length);
    pbkdf2(password, hash->salt, hash->salt_length, hash->iterations, password_hash_rest,
           hash->key);
}

/* Decodes `length` characters to at most HMAC_SIZE bytes; returns how many, or 0 if they are none
 * of the sort. */
static size_t decode(const char *text, size_t length, uint8_t out[HMAC_SIZE])
{
    unsigned char padded[BASE64_LENGTH];
    size_t size;

    if (length > BASE64_LENGTH - 1) {
        return 0;
    }
    for (size_t i = 0; i < BASE64_LENGTH; i++) {
        padded[i] = '=';
        if (i < length) {
            if (text[i] == '=' || text[i] == '+') {
                return 0;
            }
            padded[i] = (unsigned char)(text[i] == '.' ? '+' : text[i]);
        }
    }
    if (mbedtls_base64_decode(out, HMAC_SIZE, &size, padded, (length + 3) / 4 * 4) != 0) {
        return 0;
    }
    return size;
}

/* The number that `*text` begins with, up to the '$' after it, which is passed over. 0 if there is
 * none, or it is too large. */
static uint32_t parse_iterations(const char **text)
{
    uint32_t number = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        number = number * 10 + (uint32_t)(**text - '0');
        if (number > PASSWORD_ITERATIONS_MAX) {
            return 0;
        }
    }
    if (**text != '$') {
        return 0;
    }
    (*text)++;
    return number;
}

const char *password_hash_parse(struct password_hash *hash, const char *text)
{
    const char *dollar;

    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0) {
        return "a password's hash begins with " PREFIX " (see tools/password)";
    }
    text += strlen(PREFIX);
    hash->iterations = parse_iterations(&text);
    if (hash->iterations < PASSWORD_ITERATIONS_MIN) {
        return "want 1000 to 1000000 iterations in a password's hash";
    }
    dollar = strchr(text, '$');
    if (!dollar) {
        return "want a salt and a key in a password's hash";
    }
    hash->salt_length = (uint8_t)decode(text, (size_t)(dollar - text), hash->salt);
    if (hash->salt_length < PASSWORD_SALT_MIN) {
        return "want a salt of 8 to 32 bytes, in base64, in a password's hash";
    }
    if (decode(dollar + 1, strlen(dollar + 1), hash->key) != HMAC_SIZE) {
        return "want a key of 32 bytes, in base64, in a password's hash";
    }
    return NULL;
}

bool password_hash_matches(const struct password_hash *hash, const char *password,
                           uint32_t iterations)
{
    uint8_t key[HMAC_SIZE];
    bool same;

    pbkdf2(password, hash->salt, hash->salt_length, hash->iterations, password_hash_rest, key);
    same = mbedtls_ct_memcmp(key, hash->key, sizeof(key)) == 0;
    if (iterations > hash->iterations) {
        pbkdf2(password, hash->salt, hash->salt_length, iterations - hash->iterations,
               password_hash_rest, key);
    }
    mbedtls_platform_zeroize(key, sizeof(key));
    return same;
}
