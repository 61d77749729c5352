/*
 * Sends the log, and the audit trail in it, to a syslog server by UDP: from the first line on that
 * the log still has when there is a network, as fast as a server may be expected to take it. What
 * the log has lost meanwhile is counted and told. The network's thread.
 */
#ifndef MANAGE_SYSLOG_SYSLOG_H
#define MANAGE_SYSLOG_SYSLOG_H

/** Reads the setting (manage/syslog/message.h); what is wrong is logged. */
void syslog_start(const char *cmdline);

/** Goes on: a few times a second. */
void syslog_run(void);

#endif
