#include "manage/machine.h"

#include "kernel/log.h"
#include "manage/events.h"
#include "manage/machine_parts.h"
#include "manage/tasks.h"

void machine_init(void (*notify)(void))
{
    vms_init(notify, net_wake);
    events_init(net_wake);
}

static bool get_task(unsigned index, struct machine_task *task)
{
    bool found;

    vms_lock();
    found = tasks_get(index, task);
    vms_unlock();
    return found;
}

static bool get_task_by_id(uint64_t id, struct machine_task *task)
{
    bool found;

    vms_lock();
    found = tasks_find(id, task);
    vms_unlock();
    return found;
}

static bool get_event(uint64_t after, struct machine_event *event)
{
    bool found;

    vms_lock();
    found = events_read(after, event);
    vms_unlock();
    return found;
}

const struct machine *machine(void)
{
    static const struct machine table = {
        .vm_count = machine_vm_count,
        .vm = machine_get_vm,
        .find_vm = machine_get_vm_by_name,
        .exits = machine_get_exits,
        .define = machine_define,
        .delete = machine_delete,
        .act = machine_act,
        .set_boot = machine_set_boot,
        .set_share = machine_set_share,
        .image = machine_get_image,
        .find_image = machine_get_image_by_name,
        .delete_image = machine_delete_image,
        .image_begin = machine_image_begin,
        .image_data = machine_image_data,
        .image_end = machine_image_end,
        .image_fetch = machine_fetch_image,
        .task = get_task,
        .find_task = get_task_by_id,
        .cancel_task = machine_cancel_task,
        .event = get_event,
        .host = machine_get_host,
        .cpu = machine_get_cpu,
        .log = log_read,
        .set_hostname = machine_set_hostname,
        .power = machine_power,
        .console_read = machine_console_read,
        .console_claim = machine_console_claim,
        .console_is_writer = machine_console_is_writer,
        .console_release = machine_console_release,
        .console_type = machine_console_type,
    };

    return &table;
}
