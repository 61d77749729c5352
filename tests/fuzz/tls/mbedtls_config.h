/* mbedTLS as the kernel has it, and with the other side of a connection, too: a client. */
#define MBEDTLS_SSL_CLI_C

#include "manage/net/tls/mbedtls_config.h"
