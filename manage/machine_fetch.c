/*
 * Images that are fetched by URL: for others to use, or for one start of a VM. Each is a task. All
 * by the network's thread, whose calls come one at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/log.h"
#include "manage/events.h"
#include "manage/fetch/fetch.h"
#include "manage/machine_parts.h"
#include "manage/tasks.h"

#define JOBS_MAX 4u

struct job {
    uint64_t task;              /* 0: no job */
    uint64_t vm;                /* its id, 0: for no VM */
    enum machine_action action; /* that was asked of the VM */
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    struct fetch *fetch;
    struct image *image; /* NULL: nothing has come yet */
};

static struct job jobs[JOBS_MAX];

static int begin(void *context, uint64_t length, char *reason, size_t size)
{
    struct job *job = context;

    return image_begin(job->name, MACHINE_IMAGE_FETCHED, length, &job->image, reason, size);
}

static int data(void *context, const uint8_t *bytes, size_t length, char *reason, size_t size)
{
    struct job *job = context;
    const struct image *image = job->image;
    int error = image_append(job->image, bytes, length, reason, size);

    vms_lock();
    tasks_progress(job->task, image->size, image->expected == UINT64_MAX ? 0 : image->expected);
    vms_unlock();
    return error;
}

/* With the lock. The job is over, however. */
static void end_job(struct job *job, enum machine_task_state state, const char *message)
{
    struct managed_vm *vm = vms_find_id(job->vm);

    if (vm && vm->fetch == job->task) {
        vm->fetch = 0;
    }
    if (job->image) {
        image_drop(job->image);
    }
    if (state == MACHINE_TASK_FAILED) {
        log_warn("image %s: not fetched: %s", job->name, message);
    }
    tasks_end(job->task, state, message);
    memset(job, 0, sizeof(*job));
}

/* The image is there: starts the VM with it. 0 or a negative errno. */
static int use_for_vm(struct job *job, char *reason, size_t size)
{
    struct managed_vm *vm = vms_find_id(job->vm);
    enum boot_kind kind;
    int error;

    if (!vm || vm->fetch != job->task) {
        snprintf(reason, size, "the VM is not to be started any more");
        return -ECANCELED;
    }
    if (!image_kind(job->image->data, job->image->size, &kind)) {
        snprintf(reason, size, "it is neither a Linux kernel nor a multiboot image");
        return -ENOEXEC;
    }
    vm->fetch = 0;
    vms_set_next(vm, job->image);
    job->image = NULL;
    error = machine_act_now(vm, job->action, reason, size);
    /* What waits for the VM's end keeps the image. */
    vm = vms_find_id(job->vm);
    if (error && vm) {
        vms_set_next(vm, NULL);
    }
    return error;
}

static void end(void *context, bool complete, const char *why)
{
    struct job *job = context;
    char reason[MACHINE_REASON_SIZE];
    int error = complete ? 0 : -EIO;

    vms_lock();
    snprintf(reason, sizeof(reason), "%s", why);
    if (!error && (!job->image || !image_is_complete(job->image, reason, sizeof(reason)))) {
        error = -EINVAL;
    }
    if (!error) {
        log_info("image %s: %lu bytes fetched", job->name, job->image->size);
        if (job->vm != 0) {
            error = use_for_vm(job, reason, sizeof(reason));
        } else {
            error = images_add(job->image, reason, sizeof(reason));
            if (!error) {
                events_post(MACHINE_EVENT_IMAGE, job->name, "fetched");
            }
        }
    }
    end_job(job, error ? MACHINE_TASK_FAILED : MACHINE_TASK_COMPLETED, error ? reason : "");
    vms_unlock();
}

static struct job *find_job(uint64_t task)
{
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        if (jobs[i].task == task) {
            return &jobs[i];
        }
    }
    return NULL;
}

/* With the lock. */
static int start(const char *text, const struct url *url, struct job *job, const char *vm,
                 char *reason, size_t size)
{
    const struct fetch_receiver receiver = {{begin, data, job}, end};
    int error;

    job->task = tasks_begin(vm, "fetch %s%s%s", text, vm[0] ? " for " : "", vm);
    if (job->task == 0) {
        snprintf(reason, size, "too many tasks");
        return -EBUSY;
    }
    error = fetch_start(url, &receiver, &job->fetch, reason, size);
    if (error) {
        end_job(job, MACHINE_TASK_FAILED, reason);
    }
    return error;
}

/* A job that is free, and the address taken apart. */
static int prepare(const char *text, struct url *url, struct job **job, char *reason, size_t size)
{
    int error = url_parse(text, url, reason, size);

    if (error) {
        return error;
    }
    *job = find_job(0);
    if (!*job) {
        snprintf(reason, size, "as many images are being fetched as can be at a time (%u)",
                 JOBS_MAX);
        return -EBUSY;
    }
    return 0;
}

int machine_fetch_for_vm(struct managed_vm *vm, enum machine_action action, uint64_t *task,
                         char *reason, size_t size)
{
    struct url url;
    struct job *job;
    int error;

    if (vm->fetch) {
        snprintf(reason, size, "an image is being fetched for it (task %lu)", vm->fetch);
        return -EBUSY;
    }
    error = prepare(vm->boot.url, &url, &job, reason, size);
    if (error) {
        return error;
    }
    *job = (struct job){.vm = vm->id, .action = action};
    url_file_name(&url, job->name, sizeof(job->name));
    error = start(vm->boot.url, &url, job, vm->description.name, reason, size);
    if (!error) {
        vm->fetch = job->task;
        *task = job->task;
    }
    return error ? error : -EINPROGRESS;
}

int machine_fetch_image(const char *name, const char *text, uint64_t *task, char *reason,
                        size_t size)
{
    struct url url;
    struct job *job;
    int error;

    vms_lock();
    error = images_check_name(name, reason, size);
    if (!error) {
        error = prepare(text, &url, &job, reason, size);
    }
    if (!error) {
        *job = (struct job){0};
        snprintf(job->name, sizeof(job->name), "%s", name);
        error = start(text, &url, job, "", reason, size);
        *task = job->task;
    }
    vms_unlock();
    return error;
}

void machine_cancel_fetch(uint64_t task)
{
    struct job *job = task != 0 ? find_job(task) : NULL;

    if (job) {
        fetch_cancel(job->fetch);
        end_job(job, MACHINE_TASK_CANCELLED, "");
    }
}

int machine_cancel_task(uint64_t id, char *reason, size_t size)
{
    struct machine_task task;
    struct job *job;
    int error = 0;

    vms_lock();
    job = id != 0 ? find_job(id) : NULL;
    if (job) {
        fetch_cancel(job->fetch);
        end_job(job, MACHINE_TASK_CANCELLED, "");
    } else {
        error = tasks_find(id, &task) ? -EBUSY : -ENOENT;
        snprintf(reason, size, "%s",
                 error == -EBUSY ? "it has ended already" : "there is no such task");
    }
    vms_unlock();
    return error;
}
