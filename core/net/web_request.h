/*
 * web_request: one HTTP/1.1 request: taken from libwebsockets' tokens, answered in pieces as the socket takes them.
 * web.c has the loop and the sockets; nobody else uses this.
 */
#ifndef STASHD_WEB_REQUEST_H
#define STASHD_WEB_REQUEST_H

#include <libwebsockets.h>

#include "core/base/env.h"
#include "core/base/http.h"

/* What a request needs of its server. */
struct web_site {
    struct env *env;
    size_t body_max;
    http_handler *handler;
    void *ctx;
    void (*kick)(struct web_site *site); /* libwebsockets was asked for something outside of its own callbacks */
    int stall_s;
};

struct web_request; /* ends by itself, with on_close */

/* 0, or < 0: libwebsockets shall close the connection. r may be NULL: nothing happens. */
int web_request_begin(struct web_site *site, struct lws *wsi, struct str path); /* the head is there */
int web_request_body(struct web_request *r, struct str bytes);
int web_request_complete(struct web_request *r); /* may come more than once */
int web_request_writable(struct web_request *r);
void web_request_end(struct web_request *r); /* the connection is gone */

enum { WEB_HEADERS_BYTES = 16 * 1024 }; /* all headers of a request */

#endif
