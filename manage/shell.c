#include "manage/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "manage/shell_rows.h"

#define WORDS_MAX 8u

/* What an argument can be completed to. */
enum argument { NO_ARGUMENT, COMMAND_NAME, VM_NAME, OTHER_ARGUMENT };

struct command {
    const char *name;
    const char *arguments; /* as help shows them */
    const char *help;
    /* NULL: `action` is done to the VM of that name, or to the machine, and answered so. */
    void (*run)(struct shell *shell, const char *const *arguments);
    const char *done;
    enum shell_action action;
    enum argument first; /* what the first argument is */
    unsigned min;        /* how many there are at least and at most */
    unsigned max;
};

static void help(struct shell *shell, const char *const *arguments);

static const struct command commands[] = {
    {"help", "[COMMAND]", "what there is, or what COMMAND does", help, NULL, 0, COMMAND_NAME, 0, 1},
    {"vms", "", "the VMs: number, state, CPU time and exits", shell_vms, NULL, 0, NO_ARGUMENT, 0,
     0},
    {"vcpus", "[NAME]", "the vCPUs of all VMs, or of VM NAME", shell_vcpus, NULL, 0, VM_NAME, 0, 1},
    {"exits", "NAME [REASON]", "exits by reason, and how long they took", shell_exits, NULL, 0,
     VM_NAME, 1, 2},
    {"top", "", "who uses the CPUs, every second until a key is pressed", shell_top, NULL, 0,
     NO_ARGUMENT, 0, 0},
    {"net", "", "the network: addresses, frames, memory", shell_net, NULL, 0, NO_ARGUMENT, 0, 0},
    {"log", "[LINES]", "the log's last lines, 20 or LINES", shell_log, NULL, 0, OTHER_ARGUMENT, 0,
     1},
    {"attach", "NAME", "keyboard and screen to the VM; Ctrl-] 0 comes back", NULL, NULL,
     SHELL_ATTACH, VM_NAME, 1, 1},
    {"define", "NAME", "makes a deleted VM anew from its description", NULL, "defined",
     SHELL_DEFINE, OTHER_ARGUMENT, 1, 1},
    {"start", "NAME", "runs a VM that does not run", NULL, "started", SHELL_START, VM_NAME, 1, 1},
    {"pause", "NAME", "stops its vCPUs and its clock", NULL, "paused", SHELL_PAUSE, VM_NAME, 1, 1},
    {"resume", "NAME", "goes on after a pause", NULL, "resumed", SHELL_RESUME, VM_NAME, 1, 1},
    {"reset", "NAME", "starts it afresh, as its reset button does", NULL, "reset", SHELL_RESET,
     VM_NAME, 1, 1},
    {"stop", "NAME", "presses its power button: the guest shuts down", NULL, "power button pressed",
     SHELL_STOP, VM_NAME, 1, 1},
    {"kill", "NAME", "cuts its power", NULL, "killed", SHELL_KILL, VM_NAME, 1, 1},
    {"delete", "NAME", "forgets a VM that does not run", NULL, "deleted", SHELL_DELETE, VM_NAME, 1,
     1},
    {"password", "ACCOUNT", "a new one for the network, shown here", NULL, "a new password is made",
     SHELL_PASSWORD, OTHER_ARGUMENT, 1, 1},
    {"poweroff", "", "turns this machine off, whatever the VMs do", NULL, NULL, SHELL_POWER_OFF,
     NO_ARGUMENT, 0, 0},
    {"reboot", "", "starts this machine again, whatever the VMs do", NULL, NULL, SHELL_REBOOT,
     NO_ARGUMENT, 0, 0},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

void shell_init(struct shell *shell, const struct shell_machine *machine)
{
    memset(shell, 0, sizeof(*shell));
    shell->machine = machine;
}

void shell_answer(struct shell *shell, bool (*next_row)(struct shell *, char[SHELL_ROW_SIZE]))
{
    shell->next_row = next_row;
    shell->step = 0;
    shell->vm = 0;
    shell->item = 0;
}

static bool message_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    memcpy(row, shell->message, SHELL_ROW_SIZE);
    return shell->step++ == 0;
}

void shell_say(struct shell *shell, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(shell->message, sizeof(shell->message), format, arguments);
    va_end(arguments);
    shell_answer(shell, message_row);
}

static bool machine_vm(const struct shell *shell, unsigned number, struct shell_vm *vm)
{
    return shell->machine->vm(shell->machine->context, number, vm);
}

/* Adds a name to the list at the end of the message; false if there was only room for "...". */
static bool append_name(struct shell *shell, const char *name, bool first)
{
    static const char more[] = ", ...";
    size_t used = strlen(shell->message);
    char *end = shell->message + used;

    if (used + strlen(name) + sizeof(", ") + sizeof(more) > sizeof(shell->message)) {
        memcpy(end, more, sizeof(more));
        return false;
    }
    snprintf(end, sizeof(shell->message) - used, "%s%s", first ? "" : ", ", name);
    return true;
}

bool shell_find_vm(struct shell *shell, const char *name, unsigned *number)
{
    struct shell_vm vm;

    for (*number = 0; machine_vm(shell, *number, &vm); ++*number) {
        if (strcmp(vm.name, name) == 0) {
            return true;
        }
    }
    if (*number == 0) {
        shell_say(shell, "shell: no VM is called \"%s\"; there is none", name);
        return false;
    }
    shell_say(shell, "shell: no VM is called \"%s\"; there are: ", name);
    for (unsigned i = 0; machine_vm(shell, i, &vm) && append_name(shell, vm.name, i == 0); i++) {
    }
    return false;
}

bool shell_number(const char *text, uint64_t max, uint64_t *number)
{
    *number = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        *number = *number * 10 + (uint64_t)(*text - '0');
        if (*number > max) {
            return false;
        }
    }
    return true;
}

static const struct command *find_command(const char *name)
{
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static bool help_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const struct command *command = &commands[shell->step];
    char usage[32];

    if (shell->step == COMMANDS) {
        return false;
    }
    shell->step++;
    snprintf(usage, sizeof(usage), "%s %s", command->name, command->arguments);
    snprintf(row, SHELL_ROW_SIZE, "%-20s %s", usage, command->help);
    return true;
}

static bool no_command(struct shell *shell, const char *name)
{
    shell_say(shell, "shell: there is no command \"%s\"; \"help\" lists them", name);
    return false;
}

static void help(struct shell *shell, const char *const *arguments)
{
    const struct command *command = arguments[0] ? find_command(arguments[0]) : NULL;

    if (command) {
        shell_say(shell, "%s%s%s: %s", command->name, command->arguments[0] ? " " : "",
                  command->arguments, command->help);
    } else if (arguments[0]) {
        no_command(shell, arguments[0]);
    } else {
        shell_answer(shell, help_row);
    }
}

static void act(struct shell *shell, const struct command *command, const char *name)
{
    const struct shell_machine *machine = shell->machine;
    char reason[160] = "";
    unsigned number;

    if (name && command->first == VM_NAME && !shell_find_vm(shell, name, &number)) {
        return;
    }
    if (machine->act(machine->context, command->action, name, reason, sizeof(reason)) != 0) {
        shell_say(shell, "shell: %s%s%s: %s", command->name, name ? " " : "", name ? name : "",
                  reason);
    } else if (command->done) {
        shell_say(shell, "%s: %s", name, command->done);
    }
}

static void run_command(struct shell *shell, const char *const *words, unsigned count)
{
    const struct command *command = find_command(words[0]);

    if (!command) {
        no_command(shell, words[0]);
    } else if (count - 1 < command->min || count - 1 > command->max) {
        shell_say(shell, "shell: this is used so: %s%s%s", command->name,
                  command->arguments[0] ? " " : "", command->arguments);
    } else if (command->run) {
        command->run(shell, &words[1]);
    } else {
        act(shell, command, words[1]);
    }
}

/* Cuts the line into words, which are separated by spaces; NULL follows the last. */
static unsigned cut_words(char *line, const char *words[WORDS_MAX + 1])
{
    unsigned count = 0;

    for (char *c = line; *c != '\0' && count < WORDS_MAX;) {
        if (*c == ' ') {
            *c++ = '\0';
            continue;
        }
        words[count++] = c;
        while (*c != '\0' && *c != ' ') {
            c++;
        }
    }
    words[count] = NULL;
    return count;
}

void shell_run(struct shell *shell)
{
    char line[LINE_EDITOR_SIZE];
    const char *words[WORDS_MAX + 1];
    unsigned count;

    memcpy(line, shell->editor.text, sizeof(line));
    line_editor_next(&shell->editor, true);
    shell->next_row = NULL;
    count = cut_words(line, words);
    if (count > 0) {
        run_command(shell, words, count);
    }
}

/* What the last word of the line can be, one after the other. */
static const char *candidate(const struct shell *shell, enum argument kind, unsigned index,
                             struct shell_vm *vm)
{
    if (kind == COMMAND_NAME) {
        return index < COMMANDS ? commands[index].name : NULL;
    }
    return kind == VM_NAME && machine_vm(shell, index, vm) ? vm->name : NULL;
}

/* What kind of word the last one of the line is, which begins at *last. */
static enum argument last_word(const struct shell *shell, const char **last)
{
    const char *text = shell->editor.text;
    const char *space = strrchr(text, ' ');
    const char *end = strchr(text, ' ');
    char name[LINE_EDITOR_SIZE];
    const struct command *command;

    *last = space ? space + 1 : text;
    if (!space) {
        return COMMAND_NAME;
    }
    memcpy(name, text, (size_t)(end - text));
    name[end - text] = '\0';
    command = end == space ? find_command(name) : NULL;
    return command ? command->first : NO_ARGUMENT;
}

static bool candidate_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    const char *last;
    enum argument kind = last_word(shell, &last);
    size_t used = 0;
    struct shell_vm vm;
    const char *name;

    /* `item` counts the candidates that are done. */
    while ((name = candidate(shell, kind, shell->item, &vm)) != NULL) {
        if (strncmp(name, last, strlen(last)) == 0) {
            if (used + strlen(name) + 2 > SHELL_COLUMNS) {
                break;
            }
            used += (size_t)snprintf(row + used, SHELL_ROW_SIZE - used, "%s%s",
                                     used > 0 ? "  " : "", name);
        }
        shell->item++;
    }
    return used > 0;
}

void shell_complete(struct shell *shell)
{
    const char *last;
    enum argument kind = last_word(shell, &last);
    size_t typed = strlen(last);
    char common[LINE_EDITOR_SIZE] = "";
    unsigned matches = 0;
    struct shell_vm vm;
    const char *name;

    for (unsigned i = 0; (name = candidate(shell, kind, i, &vm)) != NULL; i++) {
        if (strncmp(name, last, typed) != 0) {
            continue;
        }
        if (matches++ == 0) {
            snprintf(common, sizeof(common), "%s", name);
        }
        for (size_t c = 0; common[c] != '\0'; c++) {
            if (common[c] != name[c]) {
                common[c] = '\0';
            }
        }
    }
    if (matches == 1) {
        line_editor_type(&shell->editor, common + typed);
        line_editor_type(&shell->editor, " ");
    } else if (matches > 1 && strlen(common) > typed) {
        line_editor_type(&shell->editor, common + typed);
    } else if (matches > 1) {
        shell_answer(shell, candidate_row);
    }
}

bool shell_waits_for_key(const struct shell *shell)
{
    return shell->next_row == shell_top_row;
}

uint64_t shell_due(const struct shell *shell)
{
    if (!shell->next_row) {
        return UINT64_MAX;
    }
    return shell_waits_for_key(shell) && shell->step == 0 ? shell->top.due : 0;
}

bool shell_row(struct shell *shell, char row[SHELL_ROW_SIZE])
{
    if (shell->next_row && shell->next_row(shell, row)) {
        return true;
    }
    shell->next_row = NULL;
    return false;
}

void shell_interrupt(struct shell *shell)
{
    shell->next_row = NULL;
}
