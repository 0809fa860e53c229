/*
 * h2_peer: struct http_peer over HTTP/2 (h2.h).
 *
 * One connection takes the new calls; others may be finishing theirs after GOAWAY. A call knows its stream, a stream
 * its call; who ends first unties both. on_done always comes from the loop: from the stream's end, or, when the end is
 * our own doing (cancel, timeout, lost connection), from the `done` list in a later turn.
 */
#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "core/net/h2.h"
#include "core/net/h2_conn.h"

enum { CONNECT_TIMEOUT_MS = 10000 };

struct peer {
    struct http_peer base; /* first */
    struct env *env;
    char *host, *authority;
    uint16_t port;
    struct tls_context *tls;
    struct conn *conn;  /* for new calls; NULL: connect */
    struct list conns;  /* all */
    struct list done;   /* calls whose on_done is due */
    struct timer timer; /* for `done`, and for the end of the peer */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    bool freeing;
};

struct conn {
    struct h2_conn h2; /* data: the peer */
    struct list link;  /* in peer->conns */
    struct list calls;
};

/* A call under way; call->impl is this. */
struct running {
    struct http_call *call;
    struct peer *peer;
    struct conn *conn;        /* NULL: on the done list */
    struct h2_stream *stream; /* NULL: over */
    struct timer timer;       /* silence */
    uint64_t last_ns;
    bool got_head, ended, retried; /* ended: the whole answer is there */
    int rc;
    struct error error;
};

static void start(struct running *r);

/* ---- the end of a call ---- */

static void untie(struct running *r)
{
    if (r->stream)
        h2_stream_set_data(r->stream, NULL);
    r->stream = NULL;
    r->conn = NULL;
    timer_clear(r->peer->env, &r->timer);
    list_del(&r->call->link);
}

/* on_done now: from the loop only. */
static void finish(struct running *r)
{
    struct http_call *call = r->call;
    struct error e = r->error;
    int rc = r->rc;

    untie(r);
    call->impl = NULL;
    mem_free(r);
    call->on_done(call, rc, rc < 0 ? &e : NULL);
}

static void finish_later(struct running *r, enum err code, const char *text)
{
    struct peer *p = r->peer;

    untie(r);
    r->rc = error_set(&r->error, code, "%s", text);
    list_add_tail(&p->done, &r->call->link);
    if (!timer_is_set(&p->timer))
        timer_set_in(p->env, &p->timer, 0);
}

static void reset(struct running *r)
{
    struct conn *c = r->conn;

    if (!r->stream)
        return;
    h2_stream_reset(r->stream, NGHTTP2_CANCEL);
    h2_conn_wake(&c->h2);
}

static void on_silence(struct timer *t)
{
    struct running *r = t->data;
    uint64_t due = r->last_ns + r->call->timeout_ms * 1000000ull;
    char text[64];

    if (env_now_ns(r->peer->env) < due) { /* bytes came since: the timer is not touched for each of them */
        timer_set_at(r->peer->env, t, due);
        return;
    }
    (void)snprintf(text, sizeof(text), "no answer for %u ms", r->call->timeout_ms);
    reset(r);
    untie(r);
    r->rc = error_set(&r->error, ERR_TIMEOUT, "%s %s: %s", r->call->method, r->peer->authority, text);
    finish(r);
}

/* ---- the session's events ---- */

static void on_head(void *ctx, struct h2_stream *s, const struct h2_head *head)
{
    struct running *r = h2_stream_data(s);

    (void)ctx;
    if (!r)
        return;
    r->last_ns = env_now_ns(r->peer->env);
    r->got_head = true;
    if (head->too_big) {
        reset(r);
        finish_later(r, ERR_NET, "HTTP/2: the answer's headers are too big");
    } else if (r->call->on_head) {
        r->call->on_head(r->call, head->status, head->headers, head->n_headers);
    }
}

static void on_data(void *ctx, struct h2_stream *s, struct str chunk)
{
    struct running *r = h2_stream_data(s);

    (void)ctx;
    if (!r)
        return;
    r->last_ns = env_now_ns(r->peer->env);
    if (r->call->on_data)
        r->call->on_data(r->call, chunk);
}

static void on_end(void *ctx, struct h2_stream *s)
{
    struct running *r = h2_stream_data(s);

    (void)ctx;
    if (r)
        r->ended = true;
}

static void on_stream_close(void *ctx, struct h2_stream *s, int code)
{
    struct running *r = h2_stream_data(s);

    (void)ctx;
    if (!r)
        return;
    r->stream = NULL;
    if (code == NGHTTP2_REFUSED_STREAM && !r->got_head && !r->retried) {
        /* The server says that it has not looked at it (RFC 9113 section 8.7), as with GOAWAY: once more. */
        untie(r);
        r->retried = true;
        start(r);
        return;
    }
    /* A server that has answered in full may reset what we still had to say. */
    if (!r->ended)
        r->rc = error_set(&r->error, ERR_NET, "HTTP/2: stream ended early: %s", h2_code_name(code));
    finish(r);
}

static void on_goaway(void *ctx)
{
    struct conn *c = ctx;
    struct peer *p = c->h2.data;

    if (p->conn == c)
        p->conn = NULL; /* new calls connect again; this one ends with its last stream */
}

static const struct h2_events events = {
    .on_head = on_head, .on_data = on_data, .on_end = on_end, .on_close = on_stream_close, .on_goaway = on_goaway};

/* ---- connections ---- */

static void on_lost(struct h2_conn *h, const struct error *e)
{
    struct conn *c = LIST_ENTRY(h, struct conn, h2);
    struct peer *p = h->data;

    if (p->conn == c)
        p->conn = NULL;
    while (!list_empty(&c->calls)) {
        struct http_call *call = LIST_ENTRY(c->calls.next, struct http_call, link);
        enum err code = e->code == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_NET;

        finish_later(call->impl, code, e->msg);
    }
}

static void end_if_empty(struct peer *p)
{
    if (p->freeing && list_empty(&p->conns) && list_empty(&p->done) && !timer_is_set(&p->timer))
        timer_set_in(p->env, &p->timer, 0);
}

static void on_gone(struct h2_conn *h)
{
    struct conn *c = LIST_ENTRY(h, struct conn, h2);
    struct peer *p = h->data;

    list_del(&c->link);
    mem_free(c);
    end_if_empty(p);
}

static void dial(struct peer *p)
{
    struct conn *c = mem_zalloc(sizeof(*c));
    struct tcp *tcp;

    c->h2 = (struct h2_conn){.env = p->env, .on_lost = on_lost, .on_gone = on_gone, .data = p};
    c->h2.session = h2_session_new(H2_CLIENT, &events, c);
    list_init(&c->calls);
    list_add_tail(&p->conns, &c->link);
    tcp = tcp_connect(p->env, p->host, p->port, p->tls, CONNECT_TIMEOUT_MS, &h2_conn_tcp, &c->h2);
    h2_conn_start(&c->h2, tcp, false);
    p->conn = c;
}

/* ---- calls ---- */

static void start(struct running *r)
{
    struct peer *p = r->peer;

    for (int attempt = 0; attempt < 2 && !r->stream; attempt++) {
        if (!p->conn)
            dial(p);
        r->conn = p->conn;
        r->stream = h2_session_request(r->conn->h2.session, r->call, p->tls ? "https" : "http", p->authority, r);
        if (!r->stream)
            p->conn = NULL; /* its stream ids are used up: it ends with its last stream */
    }
    if (!r->stream) {
        finish_later(r, ERR_NET, "HTTP/2: the request can't be sent");
        return;
    }
    list_add_tail(&r->conn->calls, &r->call->link);
    r->last_ns = env_now_ns(p->env);
    if (r->call->timeout_ms)
        timer_set_in(p->env, &r->timer, r->call->timeout_ms);
    h2_conn_wake(&r->conn->h2);
}

static void peer_start(struct http_peer *base, struct http_call *call)
{
    struct peer *p = (struct peer *)(void *)base;
    struct running *r = mem_zalloc(sizeof(*r));

    assert(call->on_done);
    r->call = call;
    r->peer = p;
    timer_init(&r->timer, on_silence, r);
    call->impl = r;
    list_init(&call->link);
    if (p->freeing)
        finish_later(r, ERR_CANCELED, "the peer is closing");
    else
        start(r);
}

static void peer_cancel(struct http_peer *base, struct http_call *call)
{
    struct running *r = call->impl;

    (void)base;
    if (!r)
        return;
    reset(r);
    finish_later(r, ERR_CANCELED, "canceled"); /* also when it was about to end otherwise */
}

static void on_timer(struct timer *t)
{
    struct peer *p = t->data;
    struct list now;

    /* Away with them first: on_done may start and cancel calls. A call canceled again meanwhile waits for its turn. */
    list_init(&now);
    list_move_all(&now, &p->done);
    while (!list_empty(&now)) {
        struct http_call *call = LIST_ENTRY(now.next, struct http_call, link);

        finish(call->impl);
    }
    if (p->freeing && list_empty(&p->conns) && list_empty(&p->done)) {
        void (*on_closed)(void *ctx) = p->on_closed;
        void *ctx = p->closed_ctx;

        timer_clear(p->env, &p->timer);
        mem_free(p->host);
        mem_free(p->authority);
        mem_free(p);
        if (on_closed)
            on_closed(ctx);
    }
}

static const struct http_peer_ops ops = {.start = peer_start, .cancel = peer_cancel};

struct http_peer *h2_peer_new(const struct h2_peer_options *o)
{
    struct peer *p = mem_zalloc(sizeof(*p));

    p->base.ops = &ops;
    p->env = o->env;
    p->host = mem_strdup(o->host);
    p->port = o->port;
    p->tls = o->tls;
    if (o->authority)
        p->authority = mem_strdup(o->authority);
    else
        p->authority = mem_printf(strchr(o->host, ':') ? "[%s]:%u" : "%s:%u", o->host, o->port);
    list_init(&p->conns);
    list_init(&p->done);
    timer_init(&p->timer, on_timer, p);
    return &p->base;
}

void h2_peer_free(struct http_peer *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct peer *p = (struct peer *)(void *)base;

    if (!p) {
        if (on_closed)
            on_closed(ctx);
        return;
    }
    p->freeing = true;
    p->on_closed = on_closed;
    p->closed_ctx = ctx;
    p->conn = NULL;
    LIST_EACH (it, &p->conns) {
        struct conn *c = LIST_ENTRY(it, struct conn, link);

        while (!list_empty(&c->calls)) {
            struct running *r = LIST_ENTRY(c->calls.next, struct http_call, link)->impl;

            reset(r);
            finish_later(r, ERR_CANCELED, "the peer is closing");
        }
        h2_conn_close(&c->h2);
    }
    end_if_empty(p);
}
