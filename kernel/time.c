#include "kernel/time.h"

#include "kernel/boot/boot.h"
#include "kernel/cpu/x86.h"
#include "kernel/time_scale.h"

static struct time_scale scale;
static uint64_t tsc_hz;

uint64_t tsc_khz(void)
{
    return tsc_hz / 1000;
}

uint64_t time_from_tsc(uint64_t tsc)
{
    return tsc > boot_tsc ? scale_to_ns(&scale, tsc - boot_tsc) : 0;
}

uint64_t time_ns(void)
{
    return time_from_tsc(rdtsc());
}

uint64_t ticks_from_ns(uint64_t ns)
{
    return scale_to_ticks(&scale, ns);
}
