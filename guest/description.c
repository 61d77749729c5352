#include "guest/description.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/description_sched.h"
#include "guest/json_fields.h"
#include "guest/memory.h"
#include "kernel/memory/heap.h"

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static int read_vm_name(struct json_reader *reader, const struct json_field *field,
                        json_value value, void *out)
{
    const char *name = out;
    int error = json_read_text(reader, field, value, out);

    if (error != 0) {
        return error;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if (!is_name_character(*c)) {
            return json_refuse(reader, field, value,
                               "is no name: letters, digits, '.', '_' and '-' are allowed");
        }
    }
    return name[0] != '\0' ? 0 : json_refuse(reader, field, value, "is no name");
}

/* The boot loader takes the first word of a module's command line as its name. */
static int read_module_name(struct json_reader *reader, const struct json_field *field,
                            json_value value, void *out)
{
    const char *name = out;
    int error = json_read_text(reader, field, value, out);

    if (error != 0) {
        return error;
    }
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ') {
            return json_refuse(reader, field, value, "is no module's name: it has spaces");
        }
    }
    return name[0] != '\0' ? 0 : json_refuse(reader, field, value, "is no module's name");
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

static int read_memory(struct json_reader *reader, const struct json_field *field, json_value value,
                       void *out)
{
    uint64_t *size = out;
    char text[24];
    int error;

    if (json_type(&reader->json, value) == JSMN_STRING) {
        error = json_string(&reader->json, value, text, sizeof(text)) < 0 ? -EINVAL
                                                                          : read_size(text, size);
    } else {
        error = json_unsigned(&reader->json, value, size);
    }
    if (error == -EINVAL) {
        return json_refuse(reader, field, value, "is not a size (such as \"256M\")");
    }
    if (error != 0 || *size > GUEST_MEMORY_LIMIT) {
        return json_refuse(reader, field, value, "is more than a VM can have (1024G)");
    }
    if (*size < DESCRIPTION_MEMORY_MIN) {
        return json_refuse(reader, field, value, "is less than a VM needs (2M)");
    }
    return 0;
}

static int read_vcpus(struct json_reader *reader, const struct json_field *field, json_value value,
                      void *out)
{
    uint64_t number;
    int error = json_read_number(reader, field, value, 1, DESCRIPTION_VCPUS_MAX, &number);

    if (error != 0) {
        return error;
    }
    *(unsigned *)out = (unsigned)number;
    return 0;
}

/* A module is an object, or just its name, which then is its command line too. */
static int read_module(struct json_reader *reader, const struct json_field *field, json_value value,
                       struct module_description *module)
{
    static const struct json_field fields[] = {
        {"name", read_module_name, offsetof(struct module_description, name),
         DESCRIPTION_MODULE_NAME_SIZE, true},
        {"cmdline", json_read_text, offsetof(struct module_description, cmdline),
         DESCRIPTION_MODULE_CMDLINE_SIZE, false},
    };
    const struct json_field name = {field->key, read_module_name, 0, sizeof(module->name), true};
    unsigned present = 0;
    int error;

    if (json_type(&reader->json, value) == JSMN_STRING) {
        error = read_module_name(reader, &name, value, module->name);
    } else {
        error = json_read_object(reader, "a module", fields, 2, value, module, &present);
    }
    if (error == 0 && (present & 1u << 1) == 0) {
        memcpy(module->cmdline, module->name, sizeof(module->name));
    }
    return error;
}

static int read_modules(struct json_reader *reader, const struct json_field *field,
                        json_value value, void *out)
{
    struct vm_description *vm = out;
    const struct json *json = &reader->json;
    json_value element = value + 1;

    if (json_type(json, value) != JSMN_ARRAY) {
        return json_refuse(reader, field, value, "is not a list, in []");
    }
    if (json_size(json, value) > DESCRIPTION_MODULES_MAX) {
        return json_report(reader, json_offset(json, value), "\"%s\": more than %u modules",
                           field->key, DESCRIPTION_MODULES_MAX);
    }
    for (unsigned i = 0; i < json_size(json, value); i++) {
        int error = read_module(reader, field, element, &vm->modules[i]);
        if (error != 0) {
            return error;
        }
        vm->module_count++;
        element = json_next(json, element);
    }
    return 0;
}

static int read_linux(struct json_reader *reader, const struct json_field *field, json_value value,
                      void *out)
{
    static const struct json_field fields[] = {
        {"kernel", read_module_name, offsetof(struct vm_description, image),
         DESCRIPTION_MODULE_NAME_SIZE, true},
        {"initrd", read_module_name, offsetof(struct vm_description, initrd),
         DESCRIPTION_MODULE_NAME_SIZE, false},
        {"cmdline", json_read_text, offsetof(struct vm_description, cmdline),
         DESCRIPTION_CMDLINE_SIZE, false},
    };
    struct vm_description *vm = out;
    unsigned present;

    (void)field;
    vm->boot = BOOT_KIND_LINUX;
    return json_read_object(reader, "\"linux\"", fields, 3, value, vm, &present);
}

static int read_multiboot(struct json_reader *reader, const struct json_field *field,
                          json_value value, void *out)
{
    static const struct json_field fields[] = {
        {"image", read_module_name, offsetof(struct vm_description, image),
         DESCRIPTION_MODULE_NAME_SIZE, true},
        {"cmdline", json_read_text, offsetof(struct vm_description, cmdline),
         DESCRIPTION_CMDLINE_SIZE, false},
        {"modules", read_modules, 0, 0, false},
    };
    struct vm_description *vm = out;
    unsigned present;

    (void)field;
    vm->boot = BOOT_KIND_MULTIBOOT;
    return json_read_object(reader, "\"multiboot\"", fields, 3, value, vm, &present);
}

enum vm_field {
    VM_NAME,
    VM_MEMORY,
    VM_VCPUS,
    VM_SCHED,
    VM_AUTOSTART,
    VM_TEST_DEVICE,
    VM_LINUX,
    VM_MULTIBOOT,
    VM_FIELDS
};

static const struct json_field vm_fields[VM_FIELDS] = {
    [VM_NAME] = {"name", read_vm_name, offsetof(struct vm_description, name), DESCRIPTION_NAME_SIZE,
                 true},
    [VM_MEMORY] = {"memory", read_memory, offsetof(struct vm_description, memory), 0, true},
    [VM_VCPUS] = {"vcpus", read_vcpus, offsetof(struct vm_description, vcpus), 0, false},
    [VM_SCHED] = {"sched", description_read_sched, offsetof(struct vm_description, sched), 0,
                  false},
    [VM_AUTOSTART] = {"autostart", json_read_bool, offsetof(struct vm_description, autostart), 0,
                      false},
    [VM_TEST_DEVICE] = {"test-device", json_read_bool, offsetof(struct vm_description, test_device),
                        0, false},
    [VM_LINUX] = {"linux", read_linux, 0, 0, false},
    [VM_MULTIBOOT] = {"multiboot", read_multiboot, 0, 0, false},
};

/* A cap speaks of all vCPUs together, which may be told of after it. */
static int check_cap(struct json_reader *reader, json_value value, const struct vm_description *vm)
{
    const struct sched_description *sched = &vm->sched;

    if (sched->cap > vm->vcpus * DESCRIPTION_CAP_PERCENT_MAX) {
        return json_report(reader, json_offset(&reader->json, value),
                           "VM \"%s\": \"cap\": %u is more than %u vCPU%s can use (%u)", vm->name,
                           sched->cap, vm->vcpus, vm->vcpus > 1 ? "s" : "",
                           vm->vcpus * DESCRIPTION_CAP_PERCENT_MAX);
    }
    if (sched->cap != 0 && sched->budget * vm->vcpus * 100 > sched->cap * sched->period) {
        return json_report(reader, json_offset(&reader->json, value),
                           "VM \"%s\": its vCPUs reserve more than its \"cap\" of %u allows",
                           vm->name, sched->cap);
    }
    return 0;
}

static int read_vm(struct json_reader *reader, json_value value, struct vm_description *vm)
{
    const unsigned boots = 1u << VM_LINUX | 1u << VM_MULTIBOOT;
    unsigned present;

    memset(vm, 0, sizeof(*vm));
    vm->vcpus = 1;
    vm->autostart = true;
    description_default_sched(&vm->sched);
    int error = json_read_object(reader, "a VM", vm_fields, VM_FIELDS, value, vm, &present);
    if (error != 0) {
        return error;
    }
    if ((present & boots) == 0 || (present & boots) == boots) {
        return json_report(reader, json_offset(&reader->json, value),
                           "VM \"%s\" needs either \"linux\" or \"multiboot\"", vm->name);
    }
    return check_cap(reader, value, vm);
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

static int read_list(struct json_reader *reader, json_value list, struct vm_description *out,
                     unsigned max, unsigned *count)
{
    const struct json *json = &reader->json;
    json_value value = list + 1;
    int result = 0;
    /* A place of its own for each, until it is known to be right. */
    struct vm_description *vm = kmalloc(sizeof(*vm));

    if (vm == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < json_size(json, list); i++, value = json_next(json, value)) {
        if (read_vm(reader, value, vm) != 0) {
            continue;
        }
        if (is_name_taken(out, *count, vm->name)) {
            json_report(reader, json_offset(json, value), "another VM is called \"%s\" already",
                        vm->name);
        } else if (*count == max) {
            json_report(reader, json_offset(json, value),
                        "VM \"%s\" is one too many, %u are allowed", vm->name, max);
            result = -ENOSPC;
        } else {
            out[(*count)++] = *vm;
        }
    }
    kfree(vm);
    return result;
}

/* The document is {"vms": [...]}. The list's elements are looked at later, each by itself. */
static int read_vms(struct json_reader *reader, const struct json_field *field, json_value value,
                    void *out)
{
    if (json_type(&reader->json, value) != JSMN_ARRAY) {
        return json_refuse(reader, field, value, "is not a list, in []");
    }
    *(json_value *)out = value;
    return 0;
}

static const struct json_field document_fields[] = {{"vms", read_vms, 0, 0, true}};

static int read_document(struct json_reader *reader, struct vm_description *out, unsigned max,
                         unsigned *count)
{
    json_value list = 0;
    unsigned present;
    int error = json_read_object(reader, "the file", document_fields, 1, 0, &list, &present);

    return error != 0 ? error : read_list(reader, list, out, max, count);
}

/* Parses the text. Its errors are reported, but for the want of memory. */
static int parse_text(struct json_reader *reader, const char *text, size_t length)
{
    struct json_error syntax;
    int error = json_parse(&reader->json, text, length, &syntax);

    if (error == -EINVAL) {
        json_report(reader, syntax.offset, "no JSON: %s", syntax.message);
    }
    return error;
}

static int report_no_memory(struct json_reader *reader)
{
    char message[JSON_MESSAGE_SIZE];

    snprintf(message, sizeof(message), "%s: no memory to read it", reader->file);
    reader->report(reader->context, message);
    return -ENOMEM;
}

int description_parse(const char *file, const char *text, size_t length, struct vm_description *out,
                      unsigned max, unsigned *count, description_report_fn report, void *context)
{
    struct json_reader reader = {.file = file, .report = report, .context = context};
    int error;

    *count = 0;
    error = parse_text(&reader, text, length);
    if (error == 0) {
        error = read_document(&reader, out, max, count);
        json_free(&reader.json);
    }
    return error == -ENOMEM ? report_no_memory(&reader) : error;
}

/* True if the document is an object whose first key is "vms", as no VM's is. */
static bool is_list(const struct json *json)
{
    char key[sizeof("vms")];

    return json_type(json, 0) == JSMN_OBJECT && json_size(json, 0) > 0 &&
           json_string(json, 1, key, sizeof(key)) == 3 && strcmp(key, "vms") == 0;
}

/* The only VM in a list of them. */
static int find_only_vm(struct json_reader *reader, json_value *vm)
{
    json_value list = 0;
    unsigned present;
    int error = json_read_object(reader, "the description", document_fields, 1, 0, &list, &present);

    if (error == 0 && json_size(&reader->json, list) != 1) {
        error = json_report(reader, json_offset(&reader->json, list),
                            "\"vms\" has %u VMs here, where one is wanted",
                            json_size(&reader->json, list));
    }
    *vm = list + 1;
    return error;
}

int description_parse_one(const char *source, const char *text, size_t length,
                          struct vm_description *out, description_report_fn report, void *context)
{
    struct json_reader reader = {.file = source, .report = report, .context = context};
    json_value vm = 0;
    int error = parse_text(&reader, text, length);

    if (error == 0) {
        if (is_list(&reader.json)) {
            error = find_only_vm(&reader, &vm);
        }
        if (error == 0) {
            error = read_vm(&reader, vm, out);
        }
        json_free(&reader.json);
    }
    return error == -ENOMEM ? report_no_memory(&reader) : error;
}
