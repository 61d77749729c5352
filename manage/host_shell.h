/*
 * What the shell on the host's console sees of this machine, and what it can do to it.
 */
#ifndef MANAGE_HOST_SHELL_H
#define MANAGE_HOST_SHELL_H

#include "manage/host_console.h"
#include "manage/shell.h"

/** `console` gets and loses the guests that are defined and deleted, and is attached to them. */
void host_shell_init(struct shell_machine *machine, struct host_console *console);

#endif
