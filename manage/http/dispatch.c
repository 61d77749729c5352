#include <stdio.h>
#include <string.h>

#include "kernel/time.h"
#include "manage/http/connection.h"
#include "manage/http/fields.h"

#define NS_PER_SECOND UINT64_C(1000000000)

#define LINE_SIZE 64u

/* Some clients send a few bytes where nobody wants any. */
#define NEEDLESS_BODY_MAX 1024u

static const char *const method_names[HTTP_METHODS] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS",
};

static const char *field(const struct http_connection *connection, const char *name)
{
    return http_field(&connection->request, name);
}

static bool is_safe(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS;
}

/* Writes "NAME, NAME, …". */
static void add_allow(struct http_connection *connection, unsigned methods)
{
    char text[LINE_SIZE] = "";
    size_t length = 0;

    for (unsigned i = 0; i < HTTP_METHODS; i++) {
        if (methods & HTTP_ALLOW(i)) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
                                       length ? ", " : "", method_names[i]);
        }
    }
    http_add_field(&connection->answer, "Allow", text);
}

void http_start_answer(struct http_connection *connection)
{
    struct http_answer *answer = &connection->answer;
    const struct http_parser *parser = connection->parser;
    bool is_head = parser && parser->state == HTTP_PARSER_DONE && parser->method == HTTP_HEAD;
    struct http_sending sending = {
        .bodiless = is_head,
        .date = boot_wall_clock() ? wall_clock_ns() / NS_PER_SECOND : 0,
    };

    if (answer->stream &&
        (is_head || answer->failed || http_server_streams() >= HTTP_STREAMS_MAX)) {
        const struct http_stream_handler *handler = answer->stream;
        void *context = answer->stream_context;

        http_answer_free(answer);
        handler->closed(&connection->stream, context);
        if (!is_head) {
            http_answer_text(answer, 503, "there are too many streams");
        }
    }
    if (answer->stream && !answer->websocket) {
        connection->close = true; /* its end is the connection's */
    }
    if (connection->close) {
        sending.connection = "close";
    } else if (parser && parser->minor == 0) {
        sending.connection = "keep-alive";
    }
    connection->body_sent = 0;
    if (http_answer_header(answer, &sending, &connection->header)) {
        http_server_count(http_answer_status(answer));
        http_connection_enter(connection, HTTP_ANSWER);
    } else {
        http_connection_enter(connection, HTTP_CUT);
    }
}

void http_refuse(struct http_connection *connection, unsigned status, const char *reason)
{
    const struct http_route *route = connection->route;

    if (http_end_upload(connection, false)) {
        http_answer_free(&connection->answer);
    }
    /* What is not read of the request would be taken for the next one. */
    if (!connection->parser || connection->parser->state != HTTP_PARSER_DONE ||
        connection->body.state != HTTP_BODY_DONE) {
        connection->close = true;
    }
    if (route && route->error) {
        http_status(&connection->answer, status);
        route->error(&connection->request, &connection->answer, status, reason);
    } else {
        http_answer_text(&connection->answer, status, reason);
    }
    http_start_answer(connection);
}

/* Who asks. False: refused. */
static bool identify(struct http_connection *connection)
{
    struct http_request *request = &connection->request;
    const char *authorization = field(connection, "Authorization");
    const char *token = field(connection, "X-Auth-Token");
    const char *cookie = field(connection, "Cookie");
    enum access_result result = ACCESS_NO_CREDENTIALS;
    const char *asker;
    unsigned retry_after = 0;
    char text[LINE_SIZE];

    if (authorization || token || cookie) {
        result = access_identify(authorization, token, cookie, connection->peer, connection->now,
                                 &request->who, &retry_after);
    }
    if (result == ACCESS_GRANTED) {
        return true;
    }
    /* A browser may still send an old session's cookie to where it logs in again. */
    request->who = (struct access_identity){0};
    if (connection->route->access == HTTP_PUBLIC) {
        return true;
    }
    if (result == ACCESS_TOO_MANY) {
        snprintf(text, sizeof(text), "%u", retry_after);
        http_add_field(&connection->answer, "Retry-After", text);
        http_refuse(connection, 429, "too many wrong passwords; wait");
        return false;
    }
    /* A page asks for passwords itself: without this, the browser would come before it. */
    asker = field(connection, "X-Requested-With");
    if (!asker || !http_equal(asker, "XMLHttpRequest")) {
        http_add_field(&connection->answer, "WWW-Authenticate",
                       "Basic realm=\"Innkeeper\", charset=\"UTF-8\"");
    }
    http_refuse(connection, 401, "this needs a user name and password");
    return false;
}

/* A browser sends its cookies, and passwords that it was told, with requests of other sites'
 * making; but it says whose they are. */
static bool is_of_our_site(const struct http_connection *connection)
{
    const char *origin = field(connection, "Origin");
    const char *upgrade = field(connection, "Upgrade");
    const char *scheme = connection->secure ? "https://" : "http://";
    size_t length = strlen(scheme);

    if (is_safe(connection->request.method) && (!upgrade || !http_list_has(upgrade, "websocket"))) {
        return true;
    }
    if (!origin) {
        return !connection->request.who.by_cookie;
    }
    return strncmp(origin, scheme, length) == 0 &&
           http_equal(origin + length, connection->parser->host);
}

static bool may(const struct http_connection *connection)
{
    return connection->route->access != HTTP_READ || is_safe(connection->request.method) ||
           connection->request.who.role == ACCESS_ADMINISTRATOR;
}

/* What is asked for without a path, or of a path's methods. */
static void answer_options(struct http_connection *connection, unsigned methods)
{
    add_allow(connection, methods);
    http_status(&connection->answer, 204);
    http_start_answer(connection);
}

/* Whether the route takes the method; if not, or if that was the question, it is answered. */
static bool check_method(struct http_connection *connection)
{
    unsigned methods = connection->route->methods | HTTP_ALLOW(HTTP_OPTIONS);

    if (methods & HTTP_ALLOW(HTTP_GET)) {
        methods |= HTTP_ALLOW(HTTP_HEAD);
    }
    if (connection->request.method == HTTP_OPTIONS) {
        answer_options(connection, methods);
        return false;
    }
    if (!(methods & HTTP_ALLOW(connection->request.method))) {
        add_allow(connection, methods);
        http_refuse(connection, 405, "this method is not for here");
        return false;
    }
    return true;
}

/* The body will come; the client may wait to be told to send it. */
static void expect_content(struct http_connection *connection)
{
    if (connection->parser->expects_continue && connection->input.length == 0 &&
        connection->body.state != HTTP_BODY_DONE) {
        (void)http_buffer_append_text(&connection->header, "HTTP/1.1 100 Continue\r\n\r\n",
                                      LINE_SIZE);
    }
    http_connection_enter(connection, HTTP_CONTENT);
}

static void begin_upload(struct http_connection *connection)
{
    const struct http_parser *parser = connection->parser;
    const struct http_upload *upload = connection->route->upload;
    void *context = upload->begin(
        &connection->request, parser->chunked ? UINT64_MAX : parser->length, &connection->answer);

    if (context) {
        connection->upload = upload;
        connection->upload_context = context;
        expect_content(connection);
        return;
    }
    if (connection->body.state != HTTP_BODY_DONE) {
        connection->close = true;
    }
    http_start_answer(connection);
}

static void begin_content(struct http_connection *connection)
{
    const struct http_route *route = connection->route;

    if (route->upload &&
        (connection->request.method == HTTP_PUT || connection->request.method == HTTP_POST)) {
        begin_upload(connection);
    } else if (connection->parser->length > http_content_max(connection)) {
        http_refuse(connection, 413, "the body is too long");
    } else {
        expect_content(connection);
    }
}

size_t http_content_max(const struct http_connection *connection)
{
    size_t max = connection->route->body_max;

    return max < NEEDLESS_BODY_MAX ? NEEDLESS_BODY_MAX : max;
}

void http_begin_request(struct http_connection *connection)
{
    const struct http_parser *parser = connection->parser;

    connection->request = (struct http_request){
        .method = parser->method,
        .path = parser->path,
        .query = parser->query,
        .fields = parser->fields,
        .field_count = parser->field_count,
        .body = "",
        .secure = connection->secure,
        .peer = connection->peer,
        .now = connection->now,
    };
    connection->close = !parser->keep_alive;
    http_body_start(&connection->body, parser->chunked, parser->length);
    if (strcmp(parser->path, "*") == 0 && connection->body.state == HTTP_BODY_DONE) {
        answer_options(connection, (1u << HTTP_METHODS) - 1);
        return;
    }
    connection->route = http_find_route(parser->path);
    if (!connection->route) {
        http_refuse(connection, 404, "there is nothing here");
    } else if (identify(connection)) {
        if (!is_of_our_site(connection)) {
            http_refuse(connection, 403, "this request is of another site's making");
        } else if (!may(connection)) {
            http_refuse(connection, 403, "this account may not do that");
        } else if (check_method(connection)) {
            begin_content(connection);
        }
    }
}

bool http_end_upload(struct http_connection *connection, bool complete)
{
    const struct http_upload *upload = connection->upload;

    if (!upload) {
        return false;
    }
    connection->upload = NULL;
    upload->end(connection->upload_context, &connection->request, complete, &connection->answer);
    return true;
}

void http_handle_request(struct http_connection *connection)
{
    struct http_request *request = &connection->request;
    bool complete = connection->body.state == HTTP_BODY_DONE;

    if (http_end_upload(connection, complete)) {
        connection->close |= !complete;
    } else {
        request->body = connection->content.length ? connection->content.bytes : "";
        request->body_length = connection->content.length;
        connection->route->handle(request, &connection->answer);
    }
    http_start_answer(connection);
}
