#include "manage/net/tls/port.h"

#include "kernel/memory/heap.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define NS_PER_SECOND UINT64_C(1000000000)

void tls_pause(void)
{
    if (thread_should_yield(time_ns())) {
        thread_yield();
    }
}

void *tls_calloc(size_t count, size_t size)
{
    size_t bytes;

    tls_pause();
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : kzalloc(bytes);
}

void tls_free(void *memory)
{
    kfree(memory);
}

int64_t tls_time(int64_t *seconds)
{
    int64_t now = (int64_t)(wall_clock_ns() / NS_PER_SECOND);

    if (seconds) {
        *seconds = now;
    }
    return now;
}

int tls_random(void *context, unsigned char *bytes, size_t size)
{
    (void)context;
    random_bytes(bytes, size);
    return 0;
}
