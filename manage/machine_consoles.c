/*
 * VMs' consoles for those who read and type over the network.
 *
 * A reader that has read everything is woken by the next byte, but the next byte is awaited only
 * every few ms: so a guest that writes without a pause wakes the network's thread a few hundred
 * times a second and not for each character, and one that nobody reads does not at all.
 */
#include "kernel/time.h"
#include "manage/machine_parts.h"

#define GATHER_MS 5u
#define NS_PER_MS UINT64_C(1000000)

/* Has the network's thread come back when there is more. */
static void await_output(struct managed_vm *vm, uint64_t position)
{
    uint64_t now = time_ns();

    if (now - vm->watched_at < GATHER_MS * NS_PER_MS) {
        net_wake_in(GATHER_MS);
        return;
    }
    vm->watched_at = now;
    if (!console_watch(&vm->console, position)) {
        net_wake();
    }
}

size_t machine_console_read(uint64_t vm_id, uint64_t *position, uint8_t *bytes, size_t size)
{
    struct managed_vm *vm;
    size_t count = 0;

    vms_lock();
    vm = vms_find_id(vm_id);
    if (vm) {
        count = console_read_at(&vm->console, position, bytes, size);
        if (count == 0) {
            await_output(vm, *position);
        }
    }
    vms_unlock();
    return count;
}

bool machine_console_claim(uint64_t vm_id, const void *writer, bool take)
{
    struct managed_vm *vm;
    bool is_it;

    vms_lock();
    vm = vms_find_id(vm_id);
    if (vm && vm->writer != writer && (take || !vm->writer)) {
        vm->writer = writer;
        net_wake(); /* whoever it was is told */
    }
    is_it = vm && vm->writer == writer;
    vms_unlock();
    return is_it;
}

bool machine_console_is_writer(uint64_t vm_id, const void *writer)
{
    const struct managed_vm *vm;
    bool is_it;

    vms_lock();
    vm = vms_find_id(vm_id);
    is_it = vm && vm->writer == writer;
    vms_unlock();
    return is_it;
}

void machine_console_release(uint64_t vm_id, const void *writer)
{
    struct managed_vm *vm;

    vms_lock();
    vm = vms_find_id(vm_id);
    if (vm && vm->writer == writer) {
        vm->writer = NULL;
        net_wake(); /* another one may want it */
    }
    vms_unlock();
}

size_t machine_console_type(uint64_t vm_id, const void *writer, const uint8_t *bytes, size_t length)
{
    struct managed_vm *vm;
    size_t count = 0;

    vms_lock();
    vm = vms_find_id(vm_id);
    if (vm && vm->writer == writer) {
        while (count < length && console_type(&vm->console, bytes[count])) {
            count++;
        }
        /* What the UART has no room for now, the console's thread gives it later. */
        if (vm->vm && vm_service_console(vm->vm)) {
            vm->console.notify();
        }
    }
    vms_unlock();
    return count;
}
