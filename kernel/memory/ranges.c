#include "kernel/memory/ranges.h"

/* Takes `count` entries out at `at`. */
static void delete_at(struct range_list *list, unsigned at, unsigned count)
{
    for (unsigned i = at + count; i < list->count; i++) {
        list->ranges[i - count] = list->ranges[i];
    }
    list->count -= count;
}

static void insert_at(struct range_list *list, unsigned at, struct phys_range range)
{
    for (unsigned i = list->count; i > at; i--) {
        list->ranges[i] = list->ranges[i - 1];
    }
    list->ranges[at] = range;
    list->count++;
}

bool range_list_add(struct range_list *list, uint64_t base, uint64_t end)
{
    unsigned first = 0;
    unsigned after;

    if (base >= end) {
        return true;
    }
    while (first < list->count && list->ranges[first].end < base) {
        first++;
    }
    /* [first, after) touch the new one. */
    for (after = first; after < list->count && list->ranges[after].base <= end; after++) {
        base = base < list->ranges[after].base ? base : list->ranges[after].base;
        end = end > list->ranges[after].end ? end : list->ranges[after].end;
    }
    if (after == first) {
        if (list->count == RANGES_MAX) {
            return false;
        }
        insert_at(list, first, (struct phys_range){base, end});
        return true;
    }
    list->ranges[first] = (struct phys_range){base, end};
    delete_at(list, first + 1, after - first - 1);
    return true;
}

bool range_list_remove(struct range_list *list, uint64_t base, uint64_t end)
{
    unsigned i = 0;

    if (base >= end) {
        return true;
    }
    while (i < list->count) {
        struct phys_range *range = &list->ranges[i];
        struct phys_range upper = {end, range->end};

        if (range->end <= base || range->base >= end) {
            i++;
        } else if (range->base >= base && range->end <= end) {
            delete_at(list, i, 1);
        } else if (range->base >= base) {
            range->base = end;
            i++;
        } else {
            range->end = base;
            if (upper.base < upper.end) {
                if (list->count == RANGES_MAX) {
                    return false;
                }
                insert_at(list, i + 1, upper);
            }
            i++;
        }
    }
    return true;
}
