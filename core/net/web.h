/*
 * web: what we serve over HTTP/1.1 (metrics, health, the Pushgateway interface) by libwebsockets on our loop, as
 * http_serve to the same kind of handler that h2 serves.
 */
#ifndef STASHD_WEB_H
#define STASHD_WEB_H

#include "core/base/env.h"
#include "core/base/http.h"

struct web; /* opaque: a handle */

struct web_options {
    struct env *env; /* must be env_uv's */
    const char *address; /* "0.0.0.0" */
    uint16_t port;       /* 0: any */
    size_t body_max;     /* 413 over it */
    http_handler *handler;
    void *ctx;
};

struct web *web_start(const struct web_options *o, struct error *e);
uint16_t web_port(const struct web *w);
void web_stop(struct web *w, void (*on_stopped)(void *ctx), void *ctx);

#endif
