#include "tests/unit/redfish/fake_machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/description.h"
#include "kernel/time.h"
#include "manage/consoles/tcp_consoles.h"

#define SECOND UINT64_C(1000000000)

struct fake_machine fake;

struct fake_upload {
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    uint64_t size;
};

uint16_t tcp_console_port(uint64_t vm, bool telnet)
{
    return telnet && fake.telnet_base != 0 ? (uint16_t)(fake.telnet_base + vm) : 0;
}

uint64_t time_from_tsc(uint64_t tsc)
{
    return tsc;
}

static int refuse(char *reason, size_t size)
{
    if (fake.refuse != 0) {
        snprintf(reason, size, "the fake machine refuses");
    } else {
        fake.changes++;
    }
    return fake.refuse;
}

static int fail(int error, char *reason, size_t size, const char *text)
{
    snprintf(reason, size, "%s", text);
    return error;
}

static void add_event(enum machine_event_kind kind, const char *subject, const char *message)
{
    if (fake.event_count < FAKE_MAX) {
        struct machine_event *event = &fake.events[fake.event_count++];

        *event = (struct machine_event){
            .number = fake.event_count, .kind = kind, .when = fake.event_count * SECOND};
        snprintf(event->subject, sizeof(event->subject), "%s", subject);
        snprintf(event->message, sizeof(event->message), "%s", message);
    }
}

struct machine_vm *fake_vm(const char *name)
{
    for (unsigned i = 0; i < fake.vm_count; i++) {
        if (strcmp(fake.vms[i].description.name, name) == 0) {
            return &fake.vms[i];
        }
    }
    return NULL;
}

struct machine_vm *fake_add_vm(const char *name)
{
    struct machine_vm *vm = &fake.vms[fake.vm_count++];

    *vm = (struct machine_vm){.id = fake.vm_count, .state = MACHINE_DEFINED};
    vm->description.memory = 256u << 20;
    vm->description.vcpus = 2;
    vm->description.sched.weight = 100;
    snprintf(vm->description.name, sizeof(vm->description.name), "%s", name);
    snprintf(vm->description.image, sizeof(vm->description.image), "vmlinuz");
    snprintf(vm->description.initrd, sizeof(vm->description.initrd), "initrd");
    snprintf(vm->description.cmdline, sizeof(vm->description.cmdline), "console=ttyS0");
    for (unsigned i = 0; i < DESCRIPTION_VCPUS_MAX; i++) {
        vm->vcpus[i] = (struct vcpu_statistics){.activity = VCPU_IS_STOPPED, .cpu = -1};
    }
    return vm;
}

static void add_log(enum log_level level, const char *text)
{
    struct log_record *record = &fake.log[fake.log_count++];

    *record = (struct log_record){
        .tsc = fake.log_count * SECOND, .level = level, .length = (uint16_t)strlen(text)};
    snprintf(record->text, sizeof(record->text), "%s", text);
}

static void add_image(const char *name, uint64_t size, enum machine_image_source source)
{
    struct machine_image *image = &fake.images[fake.image_count++];

    *image = (struct machine_image){.size = size, .source = source};
    snprintf(image->name, sizeof(image->name), "%s", name);
}

void fake_machine_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    struct machine_vm *vm = fake_add_vm("linux");
    vm->state = MACHINE_RUNNING;
    vm->starts = 1;
    vm->started_at = 2 * SECOND;
    vm->vcpus[0] = (struct vcpu_statistics){
        .activity = VCPU_IS_RUNNING, .cpu = 0, .run_time = 5 * SECOND, .exits = 1000};
    vm->vcpus[1] = (struct vcpu_statistics){
        .activity = VCPU_IS_HALTED, .cpu = 1, .run_time = SECOND, .exits = 200};
    fake_add_vm("idle")->description.sched.cap = 50;
    add_image("vmlinuz", 8u << 20, MACHINE_IMAGE_MODULE);
    fake.images[0].used_by = 2;
    add_image("disk.img", 1u << 20, MACHINE_IMAGE_UPLOADED);
    fake.host = (struct machine_host){.version = "0.1.0",
                                      .loader = "GRUB 2.06",
                                      .cpu_name = "A CPU \"of ours\"",
                                      .cpus = 2,
                                      .tsc_hz = 2500000000,
                                      .memory = 4ull << 30,
                                      .memory_free = 3ull << 30,
                                      .heap_used = 1 << 20,
                                      .uptime = 100 * SECOND,
                                      .wall_clock = 1700000000 * SECOND,
                                      .vmx = true,
                                      .hostname = "innkeeper"};
    fake.host.network = (struct net_status){.name = "82540EM",
                                            .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
                                            .link = true,
                                            .ipv4 = "10.0.2.15/24",
                                            .gateway = "10.0.2.2",
                                            .ipv6 = {"FE80::5054:FF:FE12:3456"}};
    fake.cpus[0].busy_time = 10 * SECOND;
    fake.cpus[1].busy_time = 20 * SECOND;
    add_log(LOG_INFO, "net: link up");
    add_log(LOG_WARN, "a warning");
    add_log(LOG_ERROR, "an \"error\"");
    add_event(MACHINE_EVENT_VM_ADDED, "linux", "vm linux defined");
    add_event(MACHINE_EVENT_VM_ADDED, "idle", "vm idle defined");
    add_event(MACHINE_EVENT_VM_STATE, "linux", "vm linux started");
}

static unsigned vm_count(void)
{
    return fake.vm_count;
}

static bool get_vm(unsigned index, struct machine_vm *vm)
{
    if (index >= fake.vm_count) {
        return false;
    }
    *vm = fake.vms[index];
    return true;
}

static bool find_vm(const char *name, struct machine_vm *vm)
{
    const struct machine_vm *found = fake_vm(name);

    if (found != NULL) {
        *vm = *found;
    }
    return found != NULL;
}

static bool get_exits(const char *name, struct exit_statistics exits[static VM_EXIT_KINDS])
{
    memset(exits, 0, sizeof(*exits) * VM_EXIT_KINDS);
    exits[VM_EXIT_IO].count = 1200;
    return fake_vm(name) != NULL;
}

static void report(void *context, const char *message)
{
    snprintf(context, MACHINE_REASON_SIZE, "%s", message);
}

static int define(const char *json, size_t length, char name[DESCRIPTION_NAME_SIZE], char *reason,
                  size_t size)
{
    static struct vm_description description;
    char *list = malloc(length + 16);
    unsigned count;

    int used = sprintf(list, "{\"vms\":[%.*s]}", (int)length, json);
    int error =
        description_parse("request", list, (size_t)used, &description, 1, &count, report, reason);
    free(list);
    if (error != 0 || count == 0) {
        return -EINVAL;
    }
    if (fake_vm(description.name) != NULL) {
        return fail(-EEXIST, reason, size, "there is a VM of that name");
    }
    error = refuse(reason, size);
    if (error == 0) {
        fake_add_vm(description.name)->description = description;
        snprintf(name, DESCRIPTION_NAME_SIZE, "%s", description.name);
        add_event(MACHINE_EVENT_VM_ADDED, name, "defined");
    }
    return error;
}

static int delete_vm(const char *name, char *reason, size_t size)
{
    struct machine_vm *vm = fake_vm(name);

    if (vm == NULL) {
        return fail(-ENOENT, reason, size, "there is no such VM");
    }
    if (vm->state == MACHINE_RUNNING || vm->state == MACHINE_PAUSED) {
        return fail(-EBUSY, reason, size, "the VM is started");
    }
    int error = refuse(reason, size);
    if (error == 0) {
        *vm = fake.vms[--fake.vm_count];
        add_event(MACHINE_EVENT_VM_REMOVED, name, "deleted");
    }
    return error;
}

static uint64_t add_task(const char *name, const char *vm)
{
    struct machine_task *task = &fake.tasks[fake.task_count++];

    *task = (struct machine_task){
        .id = fake.task_count, .started = 50 * SECOND, .bytes = 100, .bytes_all = 1000};
    snprintf(task->name, sizeof(task->name), "%s", name);
    snprintf(task->vm, sizeof(task->vm), "%s", vm);
    return task->id;
}

static int act(const char *name, enum machine_action action, uint64_t *task, char *reason,
               size_t size)
{
    static const enum machine_vm_state after[] = {[MACHINE_START] = MACHINE_RUNNING,
                                                  [MACHINE_KILL] = MACHINE_STOPPED,
                                                  [MACHINE_POWER_BUTTON] = MACHINE_STOPPED,
                                                  [MACHINE_RESET] = MACHINE_RUNNING,
                                                  [MACHINE_PAUSE] = MACHINE_PAUSED,
                                                  [MACHINE_RESUME] = MACHINE_RUNNING,
                                                  [MACHINE_POWER_CYCLE] = MACHINE_RUNNING,
                                                  [MACHINE_NMI] = MACHINE_RUNNING,
                                                  [MACHINE_SHUT_DOWN_AND_START] = MACHINE_RUNNING};
    struct machine_vm *vm = fake_vm(name);
    bool on = (vm->state == MACHINE_RUNNING || vm->state == MACHINE_PAUSED) && !vm->ending;

    if (on == (action == MACHINE_START)) {
        return fail(-EBUSY, reason, size, "the VM is not in a state for this");
    }
    int error = refuse(reason, size);
    if (error != 0) {
        return error;
    }
    if (action == MACHINE_START && vm->boot.override != MACHINE_OVERRIDE_DISABLED) {
        vm->starting = true;
        *task = add_task("fetch", name);
        return -EINPROGRESS;
    }
    vm->state = after[action];
    add_event(MACHINE_EVENT_VM_STATE, name, "changed");
    return 0;
}

static int set_boot(const char *name, const struct machine_boot *boot, char *reason, size_t size)
{
    int error = refuse(reason, size);

    if (error == 0) {
        fake_vm(name)->boot = *boot;
    }
    return error;
}

static int set_share(const char *name, uint32_t weight, uint32_t cap, char *reason, size_t size)
{
    struct sched_description *sched = &fake_vm(name)->description.sched;

    if (cap != 0 && sched->cap == 0) {
        return fail(-EINVAL, reason, size, "the VM has no cap");
    }
    int error = refuse(reason, size);
    if (error == 0) {
        sched->weight = weight != 0 ? weight : sched->weight;
        sched->cap = cap != 0 ? cap : sched->cap;
    }
    return error;
}

static bool get_image(unsigned index, struct machine_image *image)
{
    if (index >= fake.image_count) {
        return false;
    }
    *image = fake.images[index];
    return true;
}

static struct machine_image *lookup_image(const char *name)
{
    for (unsigned i = 0; i < fake.image_count; i++) {
        if (strcmp(fake.images[i].name, name) == 0) {
            return &fake.images[i];
        }
    }
    return NULL;
}

static bool find_image(const char *name, struct machine_image *image)
{
    const struct machine_image *found = lookup_image(name);

    if (found != NULL) {
        *image = *found;
    }
    return found != NULL;
}

static int delete_image(const char *name, char *reason, size_t size)
{
    struct machine_image *image = lookup_image(name);

    if (image == NULL) {
        return fail(-ENOENT, reason, size, "there is no such image");
    }
    if (image->used_by > 0) {
        return fail(-EBUSY, reason, size, "a VM uses the image");
    }
    int error = refuse(reason, size);
    if (error == 0) {
        *image = fake.images[--fake.image_count];
    }
    return error;
}

static int image_begin(const char *name, uint64_t length, void **upload, char *reason, size_t size)
{
    const struct machine_image *image = lookup_image(name);

    if (image != NULL && image->source == MACHINE_IMAGE_MODULE) {
        return fail(-EEXIST, reason, size, "a boot module has this name");
    }
    if (length != UINT64_MAX && length > (1u << 20)) {
        return fail(-ENOSPC, reason, size, "there is no memory for it");
    }
    int error = refuse(reason, size);
    if (error == 0) {
        struct fake_upload *made = calloc(1, sizeof(*made));

        snprintf(made->name, sizeof(made->name), "%s", name);
        *upload = made;
    }
    return error;
}

static int image_data(void *upload, const void *bytes, size_t length, char *reason, size_t size)
{
    struct fake_upload *to = upload;

    (void)bytes;
    to->size += length;
    return to->size > (1u << 20) ? fail(-ENOSPC, reason, size, "there is no memory for it") : 0;
}

static int image_end(void *upload, bool complete, char *reason, size_t size)
{
    struct fake_upload *from = upload;

    (void)reason;
    (void)size;
    if (complete) {
        struct machine_image *image = lookup_image(from->name);

        if (image != NULL) {
            image->size = from->size;
        } else {
            add_image(from->name, from->size, MACHINE_IMAGE_UPLOADED);
        }
    }
    free(from);
    return 0;
}

static int image_fetch(const char *name, const char *url, uint64_t *task, char *reason, size_t size)
{
    int error = refuse(reason, size);

    (void)url;
    if (error == 0) {
        *task = add_task(name, "");
    }
    return error;
}

static bool get_task(unsigned index, struct machine_task *task)
{
    if (index >= fake.task_count) {
        return false;
    }
    *task = fake.tasks[index];
    return true;
}

static bool find_task(uint64_t id, struct machine_task *task)
{
    return id > 0 && get_task((unsigned)id - 1, task);
}

static int cancel_task(uint64_t id, char *reason, size_t size)
{
    struct machine_task *task = &fake.tasks[id - 1];

    if (task->state != MACHINE_TASK_RUNNING) {
        return fail(-EBUSY, reason, size, "the task has ended");
    }
    task->state = MACHINE_TASK_CANCELLED;
    return 0;
}

static bool get_event(uint64_t after, struct machine_event *event)
{
    if (after >= fake.event_count) {
        return false;
    }
    *event = fake.events[after];
    return true;
}

static void get_host(struct machine_host *host)
{
    *host = fake.host;
}

static bool get_cpu(unsigned index, struct machine_cpu *cpu)
{
    if (index >= fake.host.cpus) {
        return false;
    }
    *cpu = fake.cpus[index];
    return true;
}

static bool get_log(uint64_t *cursor, struct log_record *record)
{
    if (*cursor >= fake.log_count) {
        return false;
    }
    *record = fake.log[(*cursor)++];
    return true;
}

static int set_hostname(const char *name, char *reason, size_t size)
{
    int error = refuse(reason, size);

    if (error == 0) {
        snprintf(fake.host.hostname, sizeof(fake.host.hostname), "%s", name);
    }
    return error;
}

static int power(bool reset, char *reason, size_t size)
{
    int error = refuse(reason, size);

    fake.powered_off = error == 0 && !reset;
    fake.was_reset = error == 0 && reset;
    return error;
}

const struct machine *machine(void)
{
    static const struct machine table = {
        .vm_count = vm_count,
        .vm = get_vm,
        .find_vm = find_vm,
        .exits = get_exits,
        .define = define,
        .delete = delete_vm,
        .act = act,
        .set_boot = set_boot,
        .set_share = set_share,
        .image = get_image,
        .find_image = find_image,
        .delete_image = delete_image,
        .image_begin = image_begin,
        .image_data = image_data,
        .image_end = image_end,
        .image_fetch = image_fetch,
        .task = get_task,
        .find_task = find_task,
        .cancel_task = cancel_task,
        .event = get_event,
        .host = get_host,
        .cpu = get_cpu,
        .log = get_log,
        .set_hostname = set_hostname,
        .power = power,
    };

    return &table;
}
