/*
 * Fetches files over HTTP, one connection for each. In the network's thread, by lwIP's calls: what
 * is said here does not wait.
 */
#ifndef MANAGE_FETCH_FETCH_H
#define MANAGE_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "manage/fetch/response.h"
#include "manage/fetch/url.h"

/* A server that sends nothing for so long is given up. */
#define FETCH_PATIENCE_S 30u

struct fetch;

struct fetch_receiver {
    struct response_sink sink;
    /* The last call: all has come, or `reason` says why not. The fetch is gone. */
    void (*end)(void *context, bool complete, const char *reason);
};

/** Begins to fetch. The receiver's functions are called later, with sink.context. 0; or -ENOMEM or
 * -EHOSTUNREACH and why in `reason`, and nothing is called. */
int fetch_start(const struct url *url, const struct fetch_receiver *receiver, struct fetch **fetch,
                char *reason, size_t size);
/** Breaks it off. Nothing is called any more, and the fetch is gone. Not from the receiver. */
void fetch_cancel(struct fetch *fetch);

#endif
