/*
 * The commands of the host's console: a line is taken apart, done, and answered in rows of text,
 * which the console fetches as it has room for them. Pure: what the shell knows of the machine, and
 * what it can do to it, is a table of functions.
 */
#ifndef MANAGE_SHELL_H
#define MANAGE_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/line_editor.h"

#define SHELL_PROMPT   "innkeeper> "
#define SHELL_COLUMNS  80u
#define SHELL_ROW_SIZE 320u /* a row with its final NUL; only log lines exceed SHELL_COLUMNS */
#define SHELL_BUCKETS  32u
/* Names of VMs with their final NUL. */
#define SHELL_NAME_SIZE 32u
/* How many vCPUs `top` follows, how many of them it shows, and the time between two tables. */
#define SHELL_TOP_VCPUS 1024u
#define SHELL_TOP_SHOWN 16u
#define SHELL_TOP_CPUS  256u
#define SHELL_TOP_NS    UINT64_C(1000000000)

enum shell_action {
    SHELL_DEFINE,
    SHELL_START,
    SHELL_PAUSE,
    SHELL_RESUME,
    SHELL_RESET,
    SHELL_STOP, /* presses the power button */
    SHELL_KILL,
    SHELL_DELETE,
    SHELL_ATTACH,
    SHELL_PASSWORD, /* of an account, not of a VM */
    /* Of the machine, not of a VM. */
    SHELL_POWER_OFF,
    SHELL_REBOOT,
};

struct shell_vm {
    char name[SHELL_NAME_SIZE];
    const char *state; /* one word */
    uint64_t id;       /* unlike that of any VM before */
    unsigned vcpus;
    uint64_t memory;   /* bytes */
    uint64_t run_time; /* ns of CPU time of all vCPUs */
    uint64_t exits;
};

struct shell_vcpu {
    const char *state; /* one word */
    int cpu;           /* the CPU it runs on or ran on last, -1: none */
    uint64_t run_time; /* ns */
    uint64_t exits;
};

/* A kind of exit, of all vCPUs of a VM. */
struct shell_exits {
    const char *name;
    uint64_t count;
    uint64_t ticks_log2[SHELL_BUCKETS]; /* exits by log2 of the ticks they took */
};

struct shell_machine {
    /* VMs in the order of their numbers; false past the last. */
    bool (*vm)(void *context, unsigned index, struct shell_vm *vm);
    /* The VM's vCPUs; false past the last. */
    bool (*vcpu)(void *context, unsigned vm, unsigned index, struct shell_vcpu *vcpu);
    /* The VM's exits by kind; false past the last. */
    bool (*exits)(void *context, unsigned vm, unsigned kind, struct shell_exits *exits);
    /* How long a CPU has been busy, in ns; false past the last. */
    bool (*busy_time)(void *context, unsigned cpu, uint64_t *ns);
    uint64_t (*now)(void *context); /* ns */
    /* The log's line at *cursor (0: the oldest), without its line end; false past the last. */
    bool (*log_line)(void *context, uint64_t *cursor, char line[SHELL_ROW_SIZE]);
    /* A row of text about the network; false past the last. */
    bool (*network)(void *context, unsigned row, char text[SHELL_ROW_SIZE]);
    /* Does it to the VM (NULL: to the machine). 0, or a negative errno and why in `reason`. */
    int (*act)(void *context, enum shell_action action, const char *vm, char *reason, size_t size);
    void *context;
};

struct shell_top_vcpu {
    uint64_t vm; /* its id */
    unsigned index;
    uint64_t run_time;
    uint64_t used; /* since the table before */
};

struct shell_top {
    uint64_t when;   /* the numbers below are of then */
    uint64_t due;    /* the next table */
    uint64_t length; /* ns from the table before to `when` */
    unsigned vcpu_count;
    unsigned cpu_count;
    struct shell_top_vcpu vcpus[SHELL_TOP_VCPUS]; /* in the machine's order */
    uint64_t busy_time[SHELL_TOP_CPUS];
    uint64_t busy[SHELL_TOP_CPUS]; /* since the table before */
    struct {
        unsigned vm;   /* its number in the machine's order */
        unsigned vcpu; /* index above */
    } shown[SHELL_TOP_SHOWN];
    unsigned shown_count;
};

struct shell {
    const struct shell_machine *machine;
    struct line_editor editor;
    /* Makes the answer's next row; false when it is complete. NULL: there is no answer. */
    bool (*next_row)(struct shell *shell, char row[SHELL_ROW_SIZE]);
    /* How far the answer is. */
    unsigned step;
    unsigned vm;
    unsigned item;
    uint64_t cursor;
    const char *completes; /* what possible completions must begin with */
    char message[SHELL_ROW_SIZE];
    struct shell_top top;
};

void shell_init(struct shell *shell, const struct shell_machine *machine);

/** Takes a key for the line that is being typed. For LINE_ENTERED shell_run has to follow, for
 * LINE_TAB shell_complete and for LINE_GIVEN_UP line_editor_next, when they can be shown. */
static inline enum line_event shell_key(struct shell *shell, uint8_t key)
{
    return line_editor_key(&shell->editor, key);
}

/** Does what the line says and begins a new one. Its answer comes by shell_row. */
void shell_run(struct shell *shell);
/** Completes the last word of the line as far as it is unambiguous; what there is to choose from
 * then comes by shell_row. */
void shell_complete(struct shell *shell);

/** When the answer's next row can be had: 0 now, UINT64_MAX if there is no answer (any more). */
uint64_t shell_due(const struct shell *shell);
/** The answer's next row, at a time when it is due; false if it was complete. */
bool shell_row(struct shell *shell, char row[SHELL_ROW_SIZE]);
/** No more rows. */
void shell_interrupt(struct shell *shell);
/** True if the answer goes on until a key is pressed. */
bool shell_waits_for_key(const struct shell *shell);

#endif
