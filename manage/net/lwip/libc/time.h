/*
 * lwIP includes it, and uses nothing of it.
 */
#ifndef LWIP_LIBC_TIME_H
#define LWIP_LIBC_TIME_H
#endif
