#include "guest/description.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "guest/json.h"
#include "guest/memory.h"
#include "kernel/memory/heap.h"

#define MESSAGE_SIZE 256
#define QUOTE_SIZE   40 /* how much of a wrong value a message shows */

struct parser {
    struct json json;
    const char *file;
    description_report_fn report;
    void *context;
};

struct field;

/* Reads `value` into `out`, which field.offset has chosen. 0 or -EINVAL after one report. */
typedef int (*field_parser)(struct parser *parser, const struct field *field, json_value value,
                            void *out);

/* A key that an object may have. */
struct field {
    const char *key;
    field_parser parse;
    size_t offset; /* into the structure that the object is read into */
    size_t size;   /* of the string buffer there */
    bool required;
};

static int report_at(struct parser *parser, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int report_at(struct parser *parser, size_t offset, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    unsigned line;
    unsigned column;
    va_list arguments;

    json_position(parser->json.text, offset, &line, &column);
    int used = snprintf(message, sizeof(message), "%s:%u:%u: ", parser->file, line, column);
    if (used >= 0 && (size_t)used < sizeof(message)) {
        va_start(arguments, format);
        vsnprintf(message + used, sizeof(message) - (size_t)used, format, arguments);
        va_end(arguments);
    }
    parser->report(parser->context, message);
    return -EINVAL;
}

/* A value as it stands in the file, shortened, for messages. */
static const char *quote(const struct parser *parser, json_value value, char out[QUOTE_SIZE])
{
    const jsmntok_t *token = &parser->json.tokens[value];
    size_t length = (size_t)(token->end - token->start);

    if (length < QUOTE_SIZE) {
        memcpy(out, parser->json.text + token->start, length);
        out[length] = '\0';
    } else {
        memcpy(out, parser->json.text + token->start, QUOTE_SIZE - 4);
        memcpy(out + QUOTE_SIZE - 4, "...", 4);
    }
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r' || *c == '\t') {
            *c = ' ';
        }
    }
    return out;
}

/* Reports "KEY": 'VALUE' PROBLEM. */
static int refuse_value(struct parser *parser, const struct field *field, json_value value,
                        const char *problem)
{
    char text[QUOTE_SIZE];

    return report_at(parser, json_offset(&parser->json, value), "\"%s\": '%s' %s", field->key,
                     quote(parser, value, text), problem);
}

static const struct field *find_field(const struct field *fields, unsigned count, const char *key)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static int refuse_key(struct parser *parser, const char *what, const struct field *fields,
                      unsigned count, json_value key)
{
    char text[QUOTE_SIZE];
    char known[128] = "";
    size_t used = 0;

    for (unsigned i = 0; i < count && used < sizeof(known); i++) {
        int length =
            snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", fields[i].key);
        used += length > 0 ? (size_t)length : 0;
    }
    return report_at(parser, json_offset(&parser->json, key), "unknown key \"%s\"; %s may have: %s",
                     quote(parser, key, text), what, known);
}

/* Reads an object by the table of its keys. `what` names it: "a VM". `present` gets a bit per field
 * that is there. */
static int parse_object(struct parser *parser, const char *what, const struct field *fields,
                        unsigned count, json_value object, void *out, unsigned *present)
{
    const struct json *json = &parser->json;
    json_value key = object + 1;

    *present = 0;
    if (json_type(json, object) != JSMN_OBJECT) {
        return report_at(parser, json_offset(json, object), "%s must be an object, in {}", what);
    }
    for (unsigned i = 0; i < json_size(json, object); i++) {
        char name[QUOTE_SIZE];
        const struct field *field = NULL;

        if (json_string(json, key, name, sizeof(name)) >= 0) {
            field = find_field(fields, count, name);
        }
        if (field == NULL) {
            return refuse_key(parser, what, fields, count, key);
        }
        unsigned bit = 1u << (field - fields);
        if ((*present & bit) != 0) {
            return report_at(parser, json_offset(json, key), "\"%s\" is there twice", name);
        }
        *present |= bit;
        int error = field->parse(parser, field, key + 1, (char *)out + field->offset);
        if (error != 0) {
            return error;
        }
        key = json_next(json, key + 1);
    }
    for (unsigned i = 0; i < count; i++) {
        if (fields[i].required && (*present & 1u << i) == 0) {
            return report_at(parser, json_offset(json, object), "%s needs \"%s\"", what,
                             fields[i].key);
        }
    }
    return 0;
}

static int parse_text(struct parser *parser, const struct field *field, json_value value, void *out)
{
    int length = json_string(&parser->json, value, out, field->size);

    if (length == -ENAMETOOLONG) {
        return report_at(parser, json_offset(&parser->json, value),
                         "\"%s\": longer than %zu characters", field->key, field->size - 1);
    }
    if (length < 0) {
        return refuse_value(parser, field, value, "is not a text");
    }
    return 0;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static int parse_vm_name(struct parser *parser, const struct field *field, json_value value,
                         void *out)
{
    const char *name = out;
    int error = parse_text(parser, field, value, out);

    if (error != 0) {
        return error;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (!is_name_character(*c)) {
            return refuse_value(parser, field, value,
                                "is no name: letters, digits, '.', '_' and '-' are allowed");
        }
    }
    return name[0] != '\0' ? 0 : refuse_value(parser, field, value, "is no name");
}

/* The boot loader takes the first word of a module's command line as its name. */
static int parse_module_name(struct parser *parser, const struct field *field, json_value value,
                             void *out)
{
    const char *name = out;
    int error = parse_text(parser, field, value, out);

    if (error != 0) {
        return error;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ') {
            return refuse_value(parser, field, value, "is no module's name: it has spaces");
        }
    }
    return name[0] != '\0' ? 0 : refuse_value(parser, field, value, "is no module's name");
}

/* Digits and one of K, M, G. 0, -EINVAL or -ERANGE. */
static int read_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMG";
    uint64_t size = 0;
    const char *c = text;

    for (; *c >= '0' && *c <= '9'; c++) {
        if (__builtin_mul_overflow(size, 10u, &size) ||
            __builtin_add_overflow(size, (uint64_t)(*c - '0'), &size)) {
            return -ERANGE;
        }
    }
    const char *unit = *c != '\0' ? strchr(units, *c) : NULL;
    if (c == text || unit == NULL || c[1] != '\0') {
        return -EINVAL;
    }
    return __builtin_mul_overflow(size, UINT64_C(1024) << (10 * (unit - units)), out) ? -ERANGE : 0;
}

static int parse_memory(struct parser *parser, const struct field *field, json_value value,
                        void *out)
{
    uint64_t *size = out;
    char text[24];
    int error;

    if (json_type(&parser->json, value) == JSMN_STRING) {
        error = json_string(&parser->json, value, text, sizeof(text)) < 0 ? -EINVAL
                                                                          : read_size(text, size);
    } else {
        error = json_unsigned(&parser->json, value, size);
    }
    if (error == -EINVAL) {
        return refuse_value(parser, field, value, "is not a size (such as \"256M\")");
    }
    if (error != 0 || *size > GUEST_MEMORY_LIMIT) {
        return refuse_value(parser, field, value, "is more than a VM can have (1024G)");
    }
    if (*size < DESCRIPTION_MEMORY_MIN) {
        return refuse_value(parser, field, value, "is less than a VM needs (2M)");
    }
    return 0;
}

static int parse_vcpus(struct parser *parser, const struct field *field, json_value value,
                       void *out)
{
    uint64_t number;

    if (json_unsigned(&parser->json, value, &number) != 0 || number < 1 ||
        number > DESCRIPTION_VCPUS_MAX) {
        return refuse_value(parser, field, value, "is not a number from 1 to 16");
    }
    *(unsigned *)out = (unsigned)number;
    return 0;
}

static int parse_bool(struct parser *parser, const struct field *field, json_value value, void *out)
{
    if (json_bool(&parser->json, value, out) != 0) {
        return refuse_value(parser, field, value, "is neither true nor false");
    }
    return 0;
}

/* A module is an object, or just its name, which then is its command line too. */
static int parse_module(struct parser *parser, const struct field *field, json_value value,
                        struct module_description *module)
{
    static const struct field fields[] = {
        {"name", parse_module_name, offsetof(struct module_description, name),
         DESCRIPTION_MODULE_NAME_SIZE, true},
        {"cmdline", parse_text, offsetof(struct module_description, cmdline),
         DESCRIPTION_MODULE_CMDLINE_SIZE, false},
    };
    const struct field name = {field->key, parse_module_name, 0, sizeof(module->name), true};
    unsigned present = 0;
    int error;

    if (json_type(&parser->json, value) == JSMN_STRING) {
        error = parse_module_name(parser, &name, value, module->name);
    } else {
        error = parse_object(parser, "a module", fields, 2, value, module, &present);
    }
    if (error == 0 && (present & 1u << 1) == 0) {
        memcpy(module->cmdline, module->name, sizeof(module->name));
    }
    return error;
}

static int parse_modules(struct parser *parser, const struct field *field, json_value value,
                         void *out)
{
    struct vm_description *vm = out;
    const struct json *json = &parser->json;
    json_value element = value + 1;

    if (json_type(json, value) != JSMN_ARRAY) {
        return refuse_value(parser, field, value, "is not a list, in []");
    }
    if (json_size(json, value) > DESCRIPTION_MODULES_MAX) {
        return report_at(parser, json_offset(json, value), "\"%s\": more than %u modules",
                         field->key, DESCRIPTION_MODULES_MAX);
    }
    for (unsigned i = 0; i < json_size(json, value); i++) {
        int error = parse_module(parser, field, element, &vm->modules[i]);
        if (error != 0) {
            return error;
        }
        vm->module_count++;
        element = json_next(json, element);
    }
    return 0;
}

static int parse_linux(struct parser *parser, const struct field *field, json_value value,
                       void *out)
{
    static const struct field fields[] = {
        {"kernel", parse_module_name, offsetof(struct vm_description, image),
         DESCRIPTION_MODULE_NAME_SIZE, true},
        {"initrd", parse_module_name, offsetof(struct vm_description, initrd),
         DESCRIPTION_MODULE_NAME_SIZE, false},
        {"cmdline", parse_text, offsetof(struct vm_description, cmdline), DESCRIPTION_CMDLINE_SIZE,
         false},
    };
    struct vm_description *vm = out;
    unsigned present;

    (void)field;
    vm->boot = BOOT_KIND_LINUX;
    return parse_object(parser, "\"linux\"", fields, 3, value, vm, &present);
}

static int parse_multiboot(struct parser *parser, const struct field *field, json_value value,
                           void *out)
{
    static const struct field fields[] = {
        {"image", parse_module_name, offsetof(struct vm_description, image),
         DESCRIPTION_MODULE_NAME_SIZE, true},
        {"cmdline", parse_text, offsetof(struct vm_description, cmdline), DESCRIPTION_CMDLINE_SIZE,
         false},
        {"modules", parse_modules, 0, 0, false},
    };
    struct vm_description *vm = out;
    unsigned present;

    (void)field;
    vm->boot = BOOT_KIND_MULTIBOOT;
    return parse_object(parser, "\"multiboot\"", fields, 3, value, vm, &present);
}

enum vm_field { VM_NAME, VM_MEMORY, VM_VCPUS, VM_TEST_DEVICE, VM_LINUX, VM_MULTIBOOT, VM_FIELDS };

static const struct field vm_fields[VM_FIELDS] = {
    [VM_NAME] = {"name", parse_vm_name, offsetof(struct vm_description, name),
                 DESCRIPTION_NAME_SIZE, true},
    [VM_MEMORY] = {"memory", parse_memory, offsetof(struct vm_description, memory), 0, true},
    [VM_VCPUS] = {"vcpus", parse_vcpus, offsetof(struct vm_description, vcpus), 0, false},
    [VM_TEST_DEVICE] = {"test-device", parse_bool, offsetof(struct vm_description, test_device), 0,
                        false},
    [VM_LINUX] = {"linux", parse_linux, 0, 0, false},
    [VM_MULTIBOOT] = {"multiboot", parse_multiboot, 0, 0, false},
};

static int parse_vm(struct parser *parser, json_value value, struct vm_description *vm)
{
    const unsigned boots = 1u << VM_LINUX | 1u << VM_MULTIBOOT;
    unsigned present;

    memset(vm, 0, sizeof(*vm));
    vm->vcpus = 1;
    int error = parse_object(parser, "a VM", vm_fields, VM_FIELDS, value, vm, &present);
    if (error != 0) {
        return error;
    }
    if ((present & boots) == 0 || (present & boots) == boots) {
        return report_at(parser, json_offset(&parser->json, value),
                         "VM \"%s\" needs either \"linux\" or \"multiboot\"", vm->name);
    }
    return 0;
}

static bool is_name_taken(const struct vm_description *vms, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(vms[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int parse_list(struct parser *parser, json_value list, struct vm_description *out,
                      unsigned max, unsigned *count)
{
    const struct json *json = &parser->json;
    json_value value = list + 1;
    int result = 0;
    /* A place of its own for each, until it is known to be right. */
    struct vm_description *vm = kmalloc(sizeof(*vm));

    if (vm == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < json_size(json, list); i++, value = json_next(json, value)) {
        if (parse_vm(parser, value, vm) != 0) {
            continue;
        }
        if (is_name_taken(out, *count, vm->name)) {
            report_at(parser, json_offset(json, value), "another VM is called \"%s\" already",
                      vm->name);
        } else if (*count == max) {
            report_at(parser, json_offset(json, value), "VM \"%s\" is one too many, %u are allowed",
                      vm->name, max);
            result = -ENOSPC;
        } else {
            out[(*count)++] = *vm;
        }
    }
    kfree(vm);
    return result;
}

/* The document is {"vms": [...]}. The list's elements are looked at later, each by itself. */
static int parse_vms(struct parser *parser, const struct field *field, json_value value, void *out)
{
    if (json_type(&parser->json, value) != JSMN_ARRAY) {
        return refuse_value(parser, field, value, "is not a list, in []");
    }
    *(json_value *)out = value;
    return 0;
}

static int parse_document(struct parser *parser, struct vm_description *out, unsigned max,
                          unsigned *count)
{
    static const struct field fields[] = {{"vms", parse_vms, 0, 0, true}};
    json_value list = 0;
    unsigned present;
    int error = parse_object(parser, "the file", fields, 1, 0, &list, &present);

    return error != 0 ? error : parse_list(parser, list, out, max, count);
}

int description_parse(const char *file, const char *text, size_t length, struct vm_description *out,
                      unsigned max, unsigned *count, description_report_fn report, void *context)
{
    struct parser parser = {.file = file, .report = report, .context = context};
    struct json_error syntax;

    *count = 0;
    int error = json_parse(&parser.json, text, length, &syntax);
    if (error == 0) {
        error = parse_document(&parser, out, max, count);
        json_free(&parser.json);
    } else if (error == -EINVAL) {
        report_at(&parser, syntax.offset, "no JSON: %s", syntax.message);
    }
    if (error == -ENOMEM) {
        char message[MESSAGE_SIZE];

        snprintf(message, sizeof(message), "%s: no memory to read it", file);
        report(context, message);
    }
    return error;
}
