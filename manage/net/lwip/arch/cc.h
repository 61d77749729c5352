/*
 * What lwIP wants to know of the compiler and its surroundings.
 */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include "manage/net/port.h"

#define BYTE_ORDER LITTLE_ENDIAN

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1

#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define LWIP_PLATFORM_DIAG(message) ((void)0)
#define LWIP_PLATFORM_ASSERT(text)  net_broken(text, __FILE__, __LINE__)
#define LWIP_RAND()                 net_random()

#endif
