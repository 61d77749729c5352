/*
 * The parts of the shell: answers that are more than a word.
 */
#ifndef MANAGE_SHELL_ROWS_H
#define MANAGE_SHELL_ROWS_H

#include "manage/shell.h"

/** Answers with these rows, from the first on. */
void shell_answer(struct shell *shell, bool (*next_row)(struct shell *, char[SHELL_ROW_SIZE]));
/** Answers with one row. */
void shell_say(struct shell *shell, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** True, and its number, if there is a VM of that name; otherwise says so, and which there are. */
bool shell_find_vm(struct shell *shell, const char *name, unsigned *number);
/** A decimal number in the whole of `text`, up to `max`. */
bool shell_number(const char *text, uint64_t max, uint64_t *number);

/* Commands, with the arguments that were given, NULL where there are no more. In shell_tables.c. */
void shell_vms(struct shell *shell, const char *const *arguments);
void shell_vcpus(struct shell *shell, const char *const *arguments);
void shell_exits(struct shell *shell, const char *const *arguments);
void shell_net(struct shell *shell, const char *const *arguments);
void shell_log(struct shell *shell, const char *const *arguments);
/* In shell_top.c. */
void shell_top(struct shell *shell, const char *const *arguments);
bool shell_top_row(struct shell *shell, char row[SHELL_ROW_SIZE]);

#endif
