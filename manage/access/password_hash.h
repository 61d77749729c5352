/*
 * Salted hashes of passwords: PBKDF2 with HMAC-SHA256. As text, in the format that passlib and
 * tools/password write:
 *
 *   $pbkdf2-sha256$ITERATIONS$SALT$KEY
 *
 * SALT and KEY are base64 with '.' in place of '+' and without '='. Pure.
 */
#ifndef MANAGE_ACCESS_PASSWORD_HASH_H
#define MANAGE_ACCESS_PASSWORD_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/access/hmac.h"

#define PASSWORD_SALT_MIN       8u /* bytes */
#define PASSWORD_SALT_MAX       32u
#define PASSWORD_ITERATIONS_MIN 1000u
#define PASSWORD_ITERATIONS_MAX 1000000u
/* Of hashes that are made here. They are in memory only, where nobody can read them who has not
 * got everything already: what is given with the configuration wants more. */
#define PASSWORD_ITERATIONS 10000u

struct password_hash {
    uint32_t iterations;
    uint8_t salt_length;
    uint8_t salt[PASSWORD_SALT_MAX];
    uint8_t key[HMAC_SIZE];
};

/** Is called now and then in what takes long; NULL, as at first: nothing is. */
extern void (*password_hash_rest)(void);

/** With a random salt. */
void password_hash_make(struct password_hash *hash, const char *password);

/** NULL, or what is wrong with the text. */
const char *password_hash_parse(struct password_hash *hash, const char *text);

/** Takes as long for a wrong password as for the right one; and as long as a hash of `iterations`
 * takes, if that is more. */
bool password_hash_matches(const struct password_hash *hash, const char *password,
                           uint32_t iterations);

#endif
