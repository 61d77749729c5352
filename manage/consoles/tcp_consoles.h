/*
 * VMs' consoles by telnet or as bare TCP connections: a port for each VM. There is no login, so
 * this is off unless the kernel's command line asks for it:
 *
 *   console-telnet=BASE   the console of VM number N at port BASE + N, with the telnet protocol
 *   console-tcp=BASE      the same without any protocol
 *
 * The number is that in which VMs were defined since boot, from 1 up; no number is used twice. The
 * network's thread.
 */
#ifndef MANAGE_CONSOLES_TCP_CONSOLES_H
#define MANAGE_CONSOLES_TCP_CONSOLES_H

#include <stdbool.h>
#include <stdint.h>

/** Reads the settings; what is wrong is logged. */
void tcp_consoles_start(const char *cmdline);

/** Goes on: when something has come from a console or a client, and a few times a second. */
void tcp_consoles_run(void);

/** The port of a VM's console, by telnet or without any protocol; 0: there is none. */
uint16_t tcp_console_port(uint64_t vm, bool telnet);

#endif
