/*
 * h2_conn: an h2_session on a tcp connection: pumps bytes both ways, keeps the connection alive by PING and finds out
 * when it is dead. Shared by h2_peer and h2_server; nobody else's.
 */
#ifndef STASHD_H2_CONN_H
#define STASHD_H2_CONN_H

#include "core/base/env.h"
#include "core/net/h2_session.h"
#include "core/net/tcp_uv.h"

struct h2_conn {
    /* The owner's, set before start. */
    struct env *env;
    void (*on_open)(struct h2_conn *c);
    /* No more use from here on: calls and streams of it are lost; e says why (code 0: in order). Once, then on_gone. */
    void (*on_lost)(struct h2_conn *c, const struct error *e);
    void (*on_gone)(struct h2_conn *c); /* last: streams had their on_close; free it */
    void *data;

    struct h2_session *session;
    struct tcp *tcp;
    /* private */
    struct timer pump, ping;
    uint64_t last_in_ns;
    bool open, closing, in_session, lost, waits_for_pong;
};

/* tcp: connecting or accepted; the connection is h2_conn's from here on. tls_wanted: ALPN must have chosen h2. */
void h2_conn_start(struct h2_conn *c, struct tcp *tcp, bool is_open);
extern const struct tcp_callbacks h2_conn_tcp; /* for tcp_connect, with the h2_conn as data */

void h2_conn_wake(struct h2_conn *c);  /* something was given to the session */
void h2_conn_close(struct h2_conn *c); /* GOAWAY, then drops the connection; on_gone in a later turn */

#endif
