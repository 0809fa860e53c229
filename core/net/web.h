/*
 * web: what we serve over HTTP/1.1 (metrics, health, the Pushgateway interface; admission over TLS) by libwebsockets on
 * our loop, as http_serve to the same kind of handler that h2 serves. At run time it needs libwebsockets' libuv plugin
 * (Debian: libwebsockets-evlib-uv).
 *
 * An answer whose length its head does not know goes in chunks to a client of HTTP/1.1, and the connection lives on.
 *
 * Limits of libwebsockets 4.1: a path comes decoded and is encoded again, so that %2F has become '/'; of the headers
 * only the well-known ones arrive; a chunked request body gets 411; that a client went away is noticed (on_close) when
 * its answer is sent, not before.
 */
#ifndef STASHD_WEB_H
#define STASHD_WEB_H

#include "core/base/env.h"
#include "core/base/http.h"
#include "core/net/tls.h"

struct web; /* opaque: a handle */

struct web_options {
    struct env *env; /* must be env_uv's */
    const char *address; /* "0.0.0.0" */
    uint16_t port;       /* 0: any */
    size_t body_max;     /* 413 over it */
    int stall_s;         /* a client that takes nothing of its answer for so long is dropped; 0: 30 */
    bool tls;            /* HTTPS only; nobody gets in before the first web_set_certificate */
    int idle_s;          /* how long a connection waits for its next request; 0: 60 */
    http_handler *handler;
    void *ctx;
};

/* NULL and e: ERR_EXISTS when the address is not free, ERR_BUG when the plugin is missing. */
struct web *web_start(const struct web_options *o, struct error *e);
uint16_t web_port(const struct web *w);
/* With tls: new connections get this one, open ones stay as they are. ERR_INVALID: the old one stays. */
int web_set_certificate(struct web *w, struct str cert_pem, struct str key_pem, struct error *e) NODISCARD;
/* Connections are dropped, open requests get on_close; on_stopped (may be NULL) in a later turn, and it is freed. */
void web_stop(struct web *w, void (*on_stopped)(void *ctx), void *ctx);

#endif
