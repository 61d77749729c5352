/*
 * The accounts that the configuration names. Pure.
 *
 * On the kernel's command line, any number of
 *
 *   user=NAME:HASH[:read-only]
 *
 * and in a boot module that the option accounts= names
 *
 *   {"accounts": [{"name": "admin", "password_hash": "$pbkdf2-sha256$…"},
 *                 {"name": "guest", "password": "in the open", "role": "read-only"}]}
 *
 * What tools/password writes is a HASH (manage/access/password_hash.h); the role is
 * "administrator" where none is given.
 */
#ifndef MANAGE_ACCESS_ACCOUNTS_CONFIG_H
#define MANAGE_ACCESS_ACCOUNTS_CONFIG_H

#include <stddef.h>

/** Is told each error, as one line of text without its newline. */
typedef void (*accounts_report_fn)(void *context, const char *message);

/* What is right becomes an account; each wrong one costs a report. Returned is how many are right.
 */

unsigned accounts_from_cmdline(const char *cmdline, accounts_report_fn report, void *context);
/** Reports begin "FILE:LINE:COLUMN: ". */
unsigned accounts_from_file(const char *file, const char *text, size_t length,
                            accounts_report_fn report, void *context);

#endif
