/*
 * http: an HTTP exchange as it passes the door to the outside, in both roles. core/net/h2 carries it over HTTP/2,
 * core/net/web serves HTTP/1.1 by libwebsockets, test/sim connects both ends without a socket. The seam is the
 * exchange, not the socket.
 */
#ifndef STASHD_HTTP_H
#define STASHD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/str.h"

struct http_header {
    struct str name; /* lower case */
    struct str value;
};

/* Value of the first header of that (lower-case) name, or STR_NONE. */
struct str http_header_find(const struct http_header *headers, size_t n, const char *name);

/* HTTP/1: status of a complete head in bytes, 0: not there yet, -1: no HTTP. */
int http_parse_status(struct str bytes);

/* ---- client role ---- */

struct http_peer;

/*
 * One call. A request in libuv's sense: embed it, fill it, http_start; it is the caller's again in on_done, which comes
 * once, last, and never inside http_start. All pointers are borrowed until on_done.
 */
struct http_call {
    const char *method;
    const char *path; /* with the query, percent-encoded */
    const struct http_header *headers;
    size_t n_headers;
    struct str body;
    uint32_t timeout_ms; /* without any byte from the server for so long: ERR_TIMEOUT. 0: no limit */
    bool bulk;           /* a list or a watch: others go first */

    /* Each may be NULL but on_done. Headers and chunks are borrowed for the call. */
    void (*on_head)(struct http_call *c, int status, const struct http_header *headers, size_t n);
    void (*on_data)(struct http_call *c, struct str chunk);
    /* rc 0: the whole answer came (whatever its status). Else ERR_NET, ERR_TIMEOUT or ERR_CANCELED, e says why. */
    void (*on_done)(struct http_call *c, int rc, const struct error *e);
    void *data;

    /* private, the peer's */
    struct list link;
    void *impl;
};

struct http_peer_ops {
    void (*start)(struct http_peer *, struct http_call *);
    /* on_done with ERR_CANCELED follows in a later turn, no other callback comes. No-op when it is done. */
    void (*cancel)(struct http_peer *, struct http_call *);
};

/* A server to talk to: connects when needed, again after a loss. Its maker frees it. */
struct http_peer {
    const struct http_peer_ops *ops;
};

static inline void http_start(struct http_peer *p, struct http_call *c)
{
    p->ops->start(p, c);
}

static inline void http_cancel(struct http_peer *p, struct http_call *c)
{
    p->ops->cancel(p, c);
}

/* ---- server role ---- */

struct http_serve;

struct http_serve_ops {
    void (*head)(struct http_serve *, int status, const struct http_header *headers, size_t n);
    /* Copies. What the client does not fetch waits in memory; see pending and on_drain. */
    void (*write)(struct http_serve *, struct str bytes);
    void (*end)(struct http_serve *);
    void (*reset)(struct http_serve *); /* breaks the stream off; on_close follows */
    size_t (*pending)(struct http_serve *); /* bytes written but not yet sent */
};

/*
 * One request being served. The server makes it when the whole request is there (body capped by the server's setting:
 * over it the server itself answers 413) and frees it after on_close. The handler answers with head, write…, end, now
 * or in any later turn. After on_close nothing may be called on it. An answer that is cut off before its end, by reset
 * or by the server's stop, never looks whole to the client.
 */
struct http_serve {
    struct str method, path; /* path without the query */
    struct str query;        /* after '?', still encoded; empty when none */
    const struct http_header *headers;
    size_t n_headers;
    struct str body;
    struct str client_subject; /* "CN=admin,O=system:masters" of a verified client certificate; empty when none */
    struct str remote;         /* "127.0.0.1:40000" */

    const struct http_serve_ops *ops; /* the server's */
    /* The handler's: */
    /* Nothing that was written waits any more: a long answer writes on from here, so that a slow client holds a piece
     * of it and not the whole. Once after head and after what was written since the last time, in a turn of its own;
     * never after end or reset. May be NULL; set it before end. */
    void (*on_drain)(struct http_serve *);
    void (*on_close)(struct http_serve *); /* the stream is over: answered in full, or the client went */
    void *data;
};

/* Called once for each request. */
typedef void http_handler(void *ctx, struct http_serve *s);

/* head + write + end in one: content-type and a whole body. */
void http_reply(struct http_serve *s, int status, const char *content_type, struct str body);

/* Value of a query key, percent-decoded into out (NUL-terminated, cut at size). False when the key is absent. */
bool http_query(struct str query, const char *key, char *out, size_t size);
/* Percent-encodes everything but unreserved characters. */
struct buf;
void http_escape(struct buf *out, struct str s);
/* Percent-decodes into out; '+' stays (paths). False on a bad escape or a NUL. */
bool http_unescape(struct buf *out, struct str s);

#endif
