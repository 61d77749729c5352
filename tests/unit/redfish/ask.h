/*
 * Asks the routes of Redfish as the HTTP server does, and looks into what they answer.
 */
#ifndef TESTS_UNIT_REDFISH_ASK_H
#define TESTS_UNIT_REDFISH_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manage/access/access.h"
#include "manage/http/http.h"

#define ASK_NOW UINT64_C(100000000000)

/* Who asks: an account of the fixture. */
extern enum access_role ask_role; /* ACCESS_ADMINISTRATOR at first */
extern const char *ask_session;   /* id; "" */

/** A fake machine, accounts "admin" and "look", no sessions. */
int ask_setup(void **state);
int ask_teardown(void **state);

/** Asks; the path may have a query. `body` NULL: none. Returns the status; the body is parsed, and
 * the test fails if it is no JSON. */
unsigned ask(enum http_method method, const char *path, const char *body);
/** As that, with a header field. An upload is as long as Content-Length says, or comes in chunks.
 */
unsigned ask_with(enum http_method method, const char *path, const char *body, const char *name,
                  const char *value);
#define get(path) ask(HTTP_GET, path, NULL)

/** The last answer's header field; NULL if it is not there. Fails if it is there twice. */
const char *field_of_answer(const char *name);
/** The last answer's body. */
const char *body_of_answer(void);
/** A text, or a number or word as it is written, in the last answer: "Boot/HttpBootUri",
 * "Members/0/@odata.id"; NULL if it is not there. Slashes in keys are not for here. */
const char *value_at(const char *path);
/** Number of elements or members there; -1 if it is not there. */
int size_at(const char *path);

/* The last answer as a stream of events, if it is one. */
bool is_stream(void);
/** Lets it send what there is; at most `room` bytes of it are taken. Returns all so far. */
const char *serve_stream(size_t room);

void assert_value(const char *path, const char *wanted);
/** The last answer is an error with this message, by the end of its id. */
void assert_message(const char *id);

#endif
