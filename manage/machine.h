/*
 * The machine as its management sees it, whoever asks by which protocol: VMs, images, the host and
 * its log. A table of functions, so that what speaks protocols is pure and can be tested with a
 * machine that is none.
 *
 * Functions may sleep for some ms (starting a VM copies its images). Those that change something
 * return 0, or a negative errno and why in `reason`: -ENOENT (no such VM or image), -EEXIST,
 * -EINVAL (`reason` says what and where), -EBUSY (not in this state), -ENOSPC, -ENOMEM.
 */
#ifndef MANAGE_MACHINE_H
#define MANAGE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/description.h"
#include "guest/vm_statistics.h"
#include "kernel/log.h"
#include "manage/net/net.h"

#define MACHINE_REASON_SIZE 320u
#define MACHINE_URL_SIZE    512u
#define MACHINE_IMAGES_MAX  64u

enum machine_vm_state { MACHINE_DEFINED, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_STOPPED };

/* What the next starts of a VM use in place of its description's image (Redfish Boot). */
enum machine_override { MACHINE_OVERRIDE_DISABLED, MACHINE_OVERRIDE_ONCE, MACHINE_OVERRIDE_ON };

struct machine_boot {
    enum machine_override override;
    char url[MACHINE_URL_SIZE]; /* http://…: an image to be fetched; "" if there is none */
};

struct machine_vm {
    uint64_t id; /* no other VM since boot had it */
    enum machine_vm_state state;
    bool starting; /* an image is being fetched for it */
    bool ending;   /* it runs, but only to its end: it can be started again */
    struct vm_description description;
    struct machine_boot boot;
    uint64_t memory_touched; /* bytes of its memory that it has ever used since it was started */
    uint64_t started_at;     /* ns since boot; 0: never */
    uint64_t starts;         /* how often */
    uint64_t steal_time;     /* ns */
    uint64_t console_bytes;  /* that its serial port has sent */
    char stop_reason[MACHINE_REASON_SIZE]; /* how it ended last; "" if it never did */
    struct vcpu_statistics vcpus[DESCRIPTION_VCPUS_MAX];
};

enum machine_action {
    MACHINE_START,
    MACHINE_KILL,
    MACHINE_POWER_BUTTON,
    MACHINE_RESET,
    MACHINE_PAUSE,
    MACHINE_RESUME,
    MACHINE_POWER_CYCLE, /* kill and start */
    MACHINE_NMI,
    MACHINE_SHUT_DOWN_AND_START, /* power button, and start when it has ended */
};

enum machine_image_source { MACHINE_IMAGE_MODULE, MACHINE_IMAGE_UPLOADED, MACHINE_IMAGE_FETCHED };

struct machine_image {
    char name[DESCRIPTION_MODULE_NAME_SIZE];
    uint64_t size; /* bytes */
    enum machine_image_source source;
    unsigned used_by; /* VMs whose descriptions name it */
};

struct machine_cpu {
    uint64_t busy_time; /* ns */
};

struct machine_host {
    const char *version; /* of Innkeeper */
    const char *loader;
    char cpu_name[52]; /* as CPUID says */
    unsigned cpus;
    uint64_t tsc_hz;
    uint64_t memory; /* bytes of RAM */
    uint64_t memory_free;
    uint64_t heap_used;  /* of the kernel */
    uint64_t uptime;     /* ns */
    uint64_t wall_clock; /* ns since 1970; less than 2000-01-01 if nobody knows the date */
    bool vmx;            /* VMs can be started */
    const char *why_not; /* if they cannot */
    struct net_status network;
    char hostname[64];
};

/* Long work. */
enum machine_task_state {
    MACHINE_TASK_RUNNING,
    MACHINE_TASK_COMPLETED,
    MACHINE_TASK_FAILED,
    MACHINE_TASK_CANCELLED
};

struct machine_task {
    uint64_t id;                    /* from 1 on */
    char name[96];                  /* "fetch http://… for vm NAME" */
    char vm[DESCRIPTION_NAME_SIZE]; /* "" if it is for none */
    enum machine_task_state state;
    uint64_t started, ended;           /* ns since boot; 0: not yet */
    uint64_t bytes, bytes_all;         /* fetched; bytes_all 0: not known */
    char message[MACHINE_REASON_SIZE]; /* why it failed */
};

enum machine_event_kind {
    MACHINE_EVENT_VM_ADDED,
    MACHINE_EVENT_VM_REMOVED,
    MACHINE_EVENT_VM_STATE, /* started, paused, resumed, ended, was reset */
    MACHINE_EVENT_VM_CHANGED,
    MACHINE_EVENT_IMAGE,
    MACHINE_EVENT_TASK,
};

struct machine_event {
    uint64_t number; /* from 1 on */
    enum machine_event_kind kind;
    uint64_t when;                              /* ns since boot */
    char subject[DESCRIPTION_MODULE_NAME_SIZE]; /* the VM, image or task */
    char message[128];
};

struct machine {
    unsigned (*vm_count)(void);
    /* VMs in the order in which they were defined; false past the last. */
    bool (*vm)(unsigned index, struct machine_vm *vm);
    bool (*find_vm)(const char *name, struct machine_vm *vm);
    /* Those of a VM, by kind. */
    bool (*exits)(const char *name, struct exit_statistics exits[static VM_EXIT_KINDS]);
    /* From the text of a description: one VM's object, or {"vms": [one]}. `name` gets its name. */
    int (*define)(const char *json, size_t length, char name[DESCRIPTION_NAME_SIZE], char *reason,
                  size_t size);
    int (*delete)(const char *name, char *reason, size_t size);
    /* START with an override of a URL returns -EINPROGRESS and the task's id in *task. */
    int (*act)(const char *name, enum machine_action action, uint64_t *task, char *reason,
               size_t size);
    int (*set_boot)(const char *name, const struct machine_boot *boot, char *reason, size_t size);
    /* Weight of each vCPU and cap of all, in percent of a CPU; 0: as it is. A cap can only be
     * changed where there is one. */
    int (*set_share)(const char *name, uint32_t weight, uint32_t cap, char *reason, size_t size);

    bool (*image)(unsigned index, struct machine_image *image);
    bool (*find_image)(const char *name, struct machine_image *image);
    int (*delete_image)(const char *name, char *reason, size_t size);
    /* An image that comes in pieces. `size` UINT64_MAX: not known. An image of that name is
     * replaced when the new one is complete, unless it is a boot module's (-EEXIST) . */
    int (*image_begin)(const char *name, uint64_t length, void **upload, char *reason, size_t size);
    int (*image_data)(void *upload, const void *bytes, size_t length, char *reason, size_t size);
    int (*image_end)(void *upload, bool complete, char *reason, size_t size);
    /* Fetches an image from http://HOST[:PORT]/PATH: a task. */
    int (*image_fetch)(const char *name, const char *url, uint64_t *task, char *reason,
                       size_t size);

    bool (*task)(unsigned index, struct machine_task *task);
    bool (*find_task)(uint64_t id, struct machine_task *task);
    int (*cancel_task)(uint64_t id, char *reason, size_t size);

    /* The first event with a number greater than `after`; false if there is none yet. */
    bool (*event)(uint64_t after, struct machine_event *event);

    void (*host)(struct machine_host *host);
    bool (*cpu)(unsigned index, struct machine_cpu *cpu);
    /* As log_read. */
    bool (*log)(uint64_t *cursor, struct log_record *record);
    int (*set_hostname)(const char *name, char *reason, size_t size);
    /* Of the whole machine: a moment later, when an answer has got out. */
    int (*power)(bool reset, char *reason, size_t size);

    /* Consoles: what the serial port has sent, from byte number *position on (0: the first ever;
     * what the ring has lost is skipped). Returns bytes read; *position moves. */
    size_t (*console_read)(uint64_t vm_id, uint64_t *position, uint8_t *bytes, size_t size);
    /* Becomes the one that may type, instead of whoever it was if `take`; `writer` is an address of
     * the caller's that tells it from others. False if somebody else is it. */
    bool (*console_claim)(uint64_t vm_id, const void *writer, bool take);
    bool (*console_is_writer)(uint64_t vm_id, const void *writer);
    void (*console_release)(uint64_t vm_id, const void *writer);
    /* Returns how many bytes were taken; 0 if the VM is gone or `writer` is not it. */
    size_t (*console_type)(uint64_t vm_id, const void *writer, const uint8_t *bytes, size_t length);
};

/** This machine. */
const struct machine *machine(void);

#endif
