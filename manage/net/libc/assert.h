/*
 * mbedTLS includes it, and uses static_assert of it.
 */
#ifndef NET_LIBC_ASSERT_H
#define NET_LIBC_ASSERT_H

#define static_assert _Static_assert

#endif
