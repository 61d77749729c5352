#include "manage/access/accounts_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#include "guest/json_fields.h"
#include "kernel/cmdline.h"
#include "manage/access/accounts.h"

#define HASH_TEXT_SIZE 128u
#define USER_SIZE      (ACCESS_NAME_SIZE + HASH_TEXT_SIZE + 32)
#define REASON_SIZE    128u
#define ROLE_SIZE      16u
#define READ_ONLY      "read-only"
#define ADMINISTRATOR  "administrator"

static enum access_role parse_role(const char *text)
{
    if (strcmp(text, READ_ONLY) == 0) {
        return ACCESS_READ_ONLY;
    }
    return strcmp(text, ADMINISTRATOR) == 0 ? ACCESS_ADMINISTRATOR : ACCESS_NOBODY;
}

/* NULL, or what is wrong with NAME:HASH[:ROLE], which is cut into pieces. */
static const char *parse_user(char *text, char *reason, size_t size)
{
    enum access_role role = ACCESS_ADMINISTRATOR;
    struct password_hash hash;
    char *hash_text = strchr(text, ':');
    char *role_text = hash_text ? strchr(hash_text + 1, ':') : NULL;
    const char *wrong;

    if (!hash_text) {
        return "want NAME:HASH";
    }
    *hash_text++ = '\0';
    if (role_text) {
        *role_text++ = '\0';
        role = parse_role(role_text);
        if (role == ACCESS_NOBODY) {
            return "a role is " ADMINISTRATOR " or " READ_ONLY;
        }
    }
    wrong = password_hash_parse(&hash, hash_text);
    if (!wrong && accounts_add(text, &hash, role, true, reason, size)) {
        wrong = reason;
    }
    return wrong;
}

unsigned accounts_from_cmdline(const char *cmdline, accounts_report_fn report, void *context)
{
    char text[USER_SIZE];
    char reason[REASON_SIZE];
    unsigned count = 0;

    while (cmdline_next(&cmdline, "user", text, sizeof(text))) {
        const char *wrong = parse_user(text, reason, sizeof(reason));

        if (wrong) {
            char message[sizeof(text) + sizeof(reason) + 8];
            /* Cut behind the name: the rest may be a password that was to be hashed. */
            snprintf(message, sizeof(message), "user=%s: %s", text, wrong);
            report(context, message);
        } else {
            count++;
        }
    }
    return count;
}

struct file_account {
    char name[ACCESS_NAME_SIZE];
    char password[ACCESS_PASSWORD_SIZE];
    struct password_hash hash;
    enum access_role role;
};

static int read_hash(struct json_reader *reader, const struct json_field *field, json_value value,
                     void *out)
{
    char text[HASH_TEXT_SIZE];
    const struct json_field of_text = {.key = field->key, .size = sizeof(text)};
    const char *wrong;
    int error = json_read_text(reader, &of_text, value, text);

    if (error) {
        return error;
    }
    wrong = password_hash_parse(out, text);
    return wrong ? json_report(reader, json_offset(&reader->json, value), "\"%s\": %s", field->key,
                               wrong)
                 : 0;
}

static int read_role(struct json_reader *reader, const struct json_field *field, json_value value,
                     void *out)
{
    char text[ROLE_SIZE];
    enum access_role role = ACCESS_NOBODY;

    if (json_string(&reader->json, value, text, sizeof(text)) >= 0) {
        role = parse_role(text);
    }
    if (role == ACCESS_NOBODY) {
        return json_refuse(reader, field, value,
                           "is neither \"" ADMINISTRATOR "\" nor \"" READ_ONLY "\"");
    }
    *(enum access_role *)out = role;
    return 0;
}

enum { ACCOUNT_NAME, ACCOUNT_PASSWORD, ACCOUNT_HASH, ACCOUNT_ROLE, ACCOUNT_FIELDS };

static const struct json_field account_fields[ACCOUNT_FIELDS] = {
    [ACCOUNT_NAME] = {"name", json_read_text, offsetof(struct file_account, name), ACCESS_NAME_SIZE,
                      true},
    [ACCOUNT_PASSWORD] = {"password", json_read_text, offsetof(struct file_account, password),
                          ACCESS_PASSWORD_SIZE, false},
    [ACCOUNT_HASH] = {"password_hash", read_hash, offsetof(struct file_account, hash), 0, false},
    [ACCOUNT_ROLE] = {"role", read_role, offsetof(struct file_account, role), 0, false},
};

static int read_account(struct json_reader *reader, json_value value, struct file_account *account)
{
    const unsigned passwords = 1u << ACCOUNT_PASSWORD | 1u << ACCOUNT_HASH;
    char reason[REASON_SIZE];
    unsigned present;
    int error;

    *account = (struct file_account){.role = ACCESS_ADMINISTRATOR};
    error = json_read_object(reader, "an account", account_fields, ACCOUNT_FIELDS, value, account,
                             &present);
    if (error) {
        return error;
    }
    if ((present & passwords) == 0 || (present & passwords) == passwords) {
        return json_report(reader, json_offset(&reader->json, value),
                           "account \"%s\" needs either \"password_hash\" or \"password\"",
                           account->name);
    }
    if (present & 1u << ACCOUNT_PASSWORD) {
        error = access_add_account(account->name, account->password, account->role, true, reason,
                                   sizeof(reason));
    } else {
        error = accounts_add(account->name, &account->hash, account->role, true, reason,
                             sizeof(reason));
    }
    if (error) {
        return json_report(reader, json_offset(&reader->json, value), "account \"%s\": %s",
                           account->name, reason);
    }
    return 0;
}

/* The document is {"accounts": [...]}. The list's elements are looked at later, each by itself. */
static int read_list(struct json_reader *reader, const struct json_field *field, json_value value,
                     void *out)
{
    if (json_type(&reader->json, value) != JSMN_ARRAY) {
        return json_refuse(reader, field, value, "is not a list, in []");
    }
    *(json_value *)out = value;
    return 0;
}

static unsigned read_document(struct json_reader *reader)
{
    static const struct json_field fields[] = {{"accounts", read_list, 0, 0, true}};
    const struct json *json = &reader->json;
    struct file_account account;
    json_value list = 0;
    json_value value;
    unsigned present;
    unsigned count = 0;

    if (json_read_object(reader, "the file", fields, 1, 0, &list, &present)) {
        return 0;
    }
    value = list + 1;
    for (unsigned i = 0; i < json_size(json, list); i++, value = json_next(json, value)) {
        count += read_account(reader, value, &account) == 0;
    }
    mbedtls_platform_zeroize(&account, sizeof(account));
    return count;
}

unsigned accounts_from_file(const char *file, const char *text, size_t length,
                            accounts_report_fn report, void *context)
{
    struct json_reader reader = {.file = file, .report = report, .context = context};
    struct json_error syntax;
    int error = json_parse(&reader.json, text, length, &syntax);
    unsigned count = 0;

    if (error == 0) {
        count = read_document(&reader);
        json_free(&reader.json);
    } else if (error == -EINVAL) {
        json_report(&reader, syntax.offset, "no JSON: %s", syntax.message);
    } else {
        char message[JSON_MESSAGE_SIZE];

        snprintf(message, sizeof(message), "%s: no memory to read it", file);
        report(context, message);
    }
    return count;
}
