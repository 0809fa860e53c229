/*
 * h2: HTTP/2 by nghttp2 behind http.h, in both roles. The session part (h2_session.h) has no socket and no clock; this
 * header is what others use: a peer that connects by itself, and a server on a listener.
 *
 * Peer: connects at the first call; calls of a lost connection end with ERR_NET; the next call connects again. GOAWAY:
 * running calls go on, new calls take a new connection. PING every 30 s, dead after 15 s silence (multitenancy.md 6).
 */
#ifndef STASHD_H2_H
#define STASHD_H2_H

#include "core/base/env.h"
#include "core/base/http.h"
#include "core/base/log.h"
#include "core/net/tls.h"

struct h2_peer_options {
    struct env *env;
    const char *host;
    uint16_t port;
    struct tls_context *tls; /* borrowed for the peer's life; NULL: prior knowledge over plain TCP (tests) */
    const char *authority;   /* :authority; NULL: host:port */
};

struct http_peer *h2_peer_new(const struct h2_peer_options *o);
/* All calls end with ERR_CANCELED first; on_closed (may be NULL) when nothing is left. */
void h2_peer_free(struct http_peer *p, void (*on_closed)(void *ctx), void *ctx);

struct h2_server; /* opaque: a handle */

struct h2_server_options {
    struct env *env;
    const char *address;
    uint16_t port; /* 0: any */
    struct tls_context *tls; /* with alpn "h2"; NULL: prior knowledge */
    size_t body_max;
    http_handler *handler;
    void *ctx;
};

struct h2_server *h2_server_start(const struct h2_server_options *o, struct error *e);
uint16_t h2_server_port(const struct h2_server *s);
/* GOAWAY to all, open streams get on_close, then on_stopped (may be NULL) and it is freed. */
void h2_server_stop(struct h2_server *s, void (*on_stopped)(void *ctx), void *ctx);

#endif
