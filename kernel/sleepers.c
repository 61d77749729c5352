#include "kernel/sleepers.h"

#include <stddef.h>

/* Makes one heap of two; both have no siblings. */
static struct sleeper *meld(struct sleeper *a, struct sleeper *b)
{
    struct sleeper *parent;
    struct sleeper *child;

    if (!a || !b) {
        return a ? a : b;
    }
    parent = b->deadline < a->deadline ? b : a;
    child = parent == a ? b : a;
    child->sibling = parent->child;
    if (child->sibling) {
        child->sibling->link = &child->sibling;
    }
    parent->child = child;
    child->link = &parent->child;
    return parent;
}

/* Makes one heap of siblings: in pairs from the left, then all pairs from the right. */
static struct sleeper *meld_siblings(struct sleeper *first)
{
    struct sleeper *pairs = NULL; /* in reverse, by sibling */
    struct sleeper *whole = NULL;

    if (!first || !first->sibling) {
        return first;
    }
    while (first) {
        struct sleeper *a = first;
        struct sleeper *b = a->sibling;
        struct sleeper *pair;

        first = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b) {
            b->sibling = NULL;
        }
        pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct sleeper *pair = pairs;

        pairs = pair->sibling;
        pair->sibling = NULL;
        whole = meld(whole, pair);
    }
    return whole;
}

static void set_first(struct sleepers *sleepers, struct sleeper *first)
{
    sleepers->first = first;
    sleepers->next = UINT64_MAX;
    if (first) {
        first->link = &sleepers->first;
        sleepers->next = first->deadline;
    }
}

void sleepers_add(struct sleepers *sleepers, struct sleeper *sleeper, uint64_t deadline)
{
    *sleeper = (struct sleeper){.deadline = deadline};
    set_first(sleepers, meld(sleepers->first, sleeper));
}

void sleepers_remove(struct sleepers *sleepers, struct sleeper *sleeper)
{
    struct sleeper *children;

    if (!sleeper->link) {
        return;
    }
    children = meld_siblings(sleeper->child);
    if (sleepers->first == sleeper) {
        set_first(sleepers, children);
    } else {
        *sleeper->link = sleeper->sibling;
        if (sleeper->sibling) {
            sleeper->sibling->link = sleeper->link;
        }
        set_first(sleepers, meld(sleepers->first, children));
    }
    sleeper->link = NULL;
}
