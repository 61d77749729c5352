/* What mbedTLS needs, from the host, so that AddressSanitizer sees every allocation. The random
 * numbers are the same each time. */
#include "manage/net/tls/port.h"

#include <stdlib.h>
#include <time.h>

void tls_pause(void)
{
}

void *tls_calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

void tls_free(void *memory)
{
    free(memory);
}

int64_t tls_time(int64_t *seconds)
{
    return time(seconds);
}

int tls_random(void *context, unsigned char *bytes, size_t size)
{
    static uint64_t state = 1;

    (void)context;
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (unsigned char)(state >> 56);
    }
    return 0;
}
