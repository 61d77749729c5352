/* KVM's counters (Linux, Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD). */
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/kvm/launcher.h"

#define COUNTERS_MAX 128u

static struct kvm_stats_header header;
static uint8_t *descriptors;
static uint64_t before[COUNTERS_MAX];

static void read_at(int file, void *data, size_t size, uint32_t offset)
{
    if (pread(file, data, size, offset) != (ssize_t)size) {
        fail("KVM's statistics are shorter than they say");
    }
}

static const struct kvm_stats_desc *descriptor(unsigned index)
{
    size_t size = sizeof(struct kvm_stats_desc) + header.name_size;

    return (const struct kvm_stats_desc *)(descriptors + index * size);
}

static int open_statistics(struct guest *guest)
{
    static int file = -1;
    size_t size;

    if (file >= 0) {
        return file;
    }
    file = checked_ioctl(guest->vcpu[0], KVM_GET_STATS_FD, NULL, "statistics");
    read_at(file, &header, sizeof(header), 0);
    size = header.num_desc * (sizeof(struct kvm_stats_desc) + header.name_size);
    descriptors = malloc(size);
    if (!descriptors || header.num_desc > COUNTERS_MAX) {
        fail("too many statistics");
    }
    read_at(file, descriptors, size, header.desc_offset);
    return file;
}

/* Counts of events, and only single ones. */
static bool is_counter(const struct kvm_stats_desc *d)
{
    return (d->flags & KVM_STATS_TYPE_MASK) == KVM_STATS_TYPE_CUMULATIVE &&
           (d->flags & KVM_STATS_UNIT_MASK) == KVM_STATS_UNIT_NONE && d->size == 1;
}

void count_exits(struct guest *guest, bool print)
{
    int file = open_statistics(guest);

    if (print) {
        printf("exits");
    }
    for (unsigned i = 0; i < header.num_desc; i++) {
        const struct kvm_stats_desc *d = descriptor(i);
        uint64_t now;

        if (!is_counter(d)) {
            continue;
        }
        read_at(file, &now, sizeof(now), header.data_offset + d->offset);
        if (print && now != before[i]) {
            printf(" %s=%llu", d->name, (unsigned long long)(now - before[i]));
        }
        before[i] = now;
    }
    if (print) {
        printf("\n");
        fflush(stdout);
    }
}
