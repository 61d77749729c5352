/*
 * A VM's console over a WebSocket, at /console/NAME: binary messages are the console's bytes, in
 * both directions. Text messages are JSON: {"writer": true} or false tells the client whether what
 * it types has an effect, {"lost": N} that N typed bytes were too many; {"take": true} from the
 * client makes it the writer.
 */
#ifndef MANAGE_CONSOLES_WEB_CONSOLE_H
#define MANAGE_CONSOLES_WEB_CONSOLE_H

#include "manage/http/http.h"

#define WEB_CONSOLE_ROUTES 1u
extern const struct http_route web_console_routes[WEB_CONSOLE_ROUTES];

#endif
