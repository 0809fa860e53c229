/*
 * tcp_uv: sockets on the loop, with or without TLS on top. The only file of core/net that knows libuv.
 */
#ifndef STASHD_TCP_UV_H
#define STASHD_TCP_UV_H

#include "core/base/env.h"
#include "core/base/str.h"
#include "core/net/tls.h"

struct tcp;        /* opaque: a connection; a handle: freed by itself after on_closed */
struct tcp_listen; /* opaque: a handle */

/* Each may be NULL. They come from the loop, never inside a call of this header. */
struct tcp_callbacks {
    void (*on_open)(struct tcp *c);                   /* connected, and the TLS handshake done */
    void (*on_data)(struct tcp *c, struct str bytes); /* decrypted */
    /* The other side ended its direction in order (FIN, over TLS with close_notify). We may still write. */
    void (*on_eof)(struct tcp *c);
    void (*on_drain)(struct tcp *c); /* all written bytes are with the kernel; only after tcp_pending was not 0 */
    /* Last callback, once, also after tcp_close: rc 0 after tcp_close or when both directions ended in order, else
     * ERR_NET (over TLS also when the connection ended without close_notify: truncated) or ERR_TIMEOUT. */
    void (*on_closed)(struct tcp *c, int rc, const struct error *e);
};

/* host: name or address. Resolves, connects within timeout_ms. tls may be NULL. Callbacks come in later turns. */
struct tcp *tcp_connect(struct env *env, const char *host, uint16_t port, struct tls_context *tls, uint32_t timeout_ms,
                        const struct tcp_callbacks *cb, void *data);
void *tcp_data(const struct tcp *c);
void tcp_set_data(struct tcp *c, const struct tcp_callbacks *cb, void *data);
void tcp_write(struct tcp *c, struct str bytes); /* copies; ignored once closing */
size_t tcp_pending(const struct tcp *c);         /* bytes not yet with the kernel */
void tcp_pause(struct tcp *c, bool paused);      /* stop or start reading: back-pressure */
void tcp_shutdown(struct tcp *c);                /* our direction ends in order, after what was written */
void tcp_close(struct tcp *c);                   /* drops the connection at once; on_closed in a later turn */
const char *tcp_remote(const struct tcp *c);     /* "127.0.0.1:40000" */
struct tls *tcp_tls(const struct tcp *c);        /* NULL without TLS */

/* address "127.0.0.1", "::", …; port 0: any free one (tcp_listen_port tells). on_accept: set the connection's callbacks
 * with tcp_set_data, or it is closed; on_open does not come. With TLS on_accept comes after the handshake, for which a
 * client has 10 s. NULL and e on failure. */
struct tcp_listen *tcp_listen(struct env *env, const char *address, uint16_t port, struct tls_context *tls,
                              void (*on_accept)(struct tcp_listen *l, struct tcp *c), void *data, struct error *e);
uint16_t tcp_listen_port(const struct tcp_listen *l);
void *tcp_listen_data(const struct tcp_listen *l);
/* Frees itself in a later turn. Accepted connections live on; those still in their handshake are dropped. */
void tcp_listen_close(struct tcp_listen *l);

#endif
