/*
 * tls: TLS 1.2 and 1.3 by OpenSSL over memory BIOs: bytes in, bytes out, no socket. One context a peer or listener, one
 * session a connection. Always verified unless the context says insecure.
 */
#ifndef STASHD_TLS_H
#define STASHD_TLS_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"

struct tls_context; /* opaque */
struct tls;         /* opaque: one session */

struct tls_options {
    bool server;
    bool insecure;            /* client: don't verify */
    bool want_client_cert;    /* server: ask for one, verified against ca_pem when given; none is fine */
    bool need_client_cert;    /* server: refuse a client without one */
    struct str ca_pem;        /* STR_NONE: client: the system's roots; server: no client certificates */
    struct str cert_pem, key_pem; /* own chain and key; STR_NONE on a client without one */
    const char *alpn;         /* "h2"; NULL: no ALPN */
    const char *server_name;  /* client: SNI and the name to verify; NULL with insecure or no_name_check */
    bool no_name_check;       /* client and server: verify the chain only */
};

struct tls_context *tls_context_new(const struct tls_options *o, struct error *e); /* NULL and e on bad PEM */
void tls_context_free(struct tls_context *c); /* sessions keep what they need */

/* A server's session that another library drives (in its servername callback) goes on with the certificate of c. */
struct ssl_st;
void tls_context_use(struct tls_context *c, struct ssl_st *session);

struct tls *tls_new(struct tls_context *c);
void tls_free(struct tls *t);

/* Bytes from the wire. ERR_NET with the reason (bad certificate, …) ends the session. */
int tls_feed(struct tls *t, struct str wire, struct error *e) NODISCARD;
/* Moves decrypted bytes to plain (which the caller clears), up to its cap. */
int tls_read(struct tls *t, struct buf *plain, struct error *e) NODISCARD;
/* Encrypts; keeps it until the handshake is done. */
int tls_write(struct tls *t, struct str plain, struct error *e) NODISCARD;
/* Moves what has to go to the wire to out. Call after each of the others. */
void tls_pull(struct tls *t, struct buf *out);
bool tls_ready(const struct tls *t);       /* the handshake is done */
bool tls_closed(const struct tls *t);      /* the other side sent close_notify */
void tls_close(struct tls *t);             /* sends close_notify */
const char *tls_alpn(const struct tls *t); /* chosen protocol; "" */
/* "CN=…,O=…" of the verified peer certificate in RFC 2253 order; "" when none. */
const char *tls_peer_subject(const struct tls *t);

#endif
