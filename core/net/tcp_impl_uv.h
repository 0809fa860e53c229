/* tcp_impl_uv: what tcp_uv.c (a connection's life) and tcp_open_uv.c (how it comes about) share. Nobody else's. */
#ifndef STASHD_TCP_IMPL_UV_H
#define STASHD_TCP_IMPL_UV_H

#include <uv.h>

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/net/tcp_uv.h"

enum tcp_state {
    CONN_RESOLVING,  /* from tcp_connect until an address is known */
    CONN_CONNECTING, /* an address is being tried */
    CONN_HANDSHAKE,  /* TLS has the connection for itself */
    CONN_OPEN,       /* on_open or on_accept has been called */
    CONN_CLOSING,    /* the handle is closing; only on_closed follows */
};

struct tcp {
    struct env *env;
    const struct tcp_callbacks *cb;
    void *data;
    uv_tcp_t handle;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    struct resolve *resolve;
    struct addrinfo *addresses, *next; /* next: to be tried */
    struct timer timer;                /* the limit for all until open */
    struct timer kick;                 /* what was held back while paused */
    struct tls *tls;
    struct tcp_listen *listener; /* until on_accept */
    struct list link;            /* in the listener's list */
    struct buf early;
    char *target; /* "host:port" for texts */
    size_t pending;
    enum tcp_state state;
    bool paused, reading, got_eof, told_eof, shut_wanted, shut_done;
    int rc;
    struct error error;
    char remote[64];
};

struct tcp_listen {
    struct env *env;
    uv_tcp_t handle;
    struct tls_context *tls;
    void (*on_accept)(struct tcp_listen *l, struct tcp *c);
    void *data;
    struct list handshakes;
    uint16_t port;
};

/* timeout_ms: for all until CONN_OPEN. target: for texts; taken over. */
struct tcp *tcp_impl_new(struct env *env, struct tls_context *tls, uint32_t timeout_ms, char *target_take);
void tcp_impl_connected(struct tcp *c); /* the TCP connection is there, on either side */
void tcp_impl_fail(struct tcp *c, enum err code, const char *what, const char *why);
void tcp_impl_enter_closing(struct tcp *c);
void tcp_impl_handle_closed(uv_handle_t *h);
/* A resolve that nobody waits for any more. */
void tcp_impl_resolve_drop(struct resolve *r);

#endif
