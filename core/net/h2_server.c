/*
 * h2_server: HTTP/2 requests on a listener to a handler (h2.h, http.h).
 *
 * A request is collected whole, then handed over; the server answers by itself what never reaches a handler: 413 for a
 * body over the cap, 431 for too many headers. Answers stay in the session's streams until the client takes them.
 */
#include <assert.h>
#include <nghttp2/nghttp2.h>

#include "core/base/mem.h"
#include "core/net/h2.h"
#include "core/net/h2_conn.h"

/* Of a body that got its answer already. A reset at once would be right too, but curl takes it for a broken stream and
 * does not show the answer. */
enum { DISCARD_MAX = 16 * 1024 * 1024 };

struct h2_server {
    struct env *env;
    struct tcp_listen *listen;
    size_t body_max;
    http_handler *handler;
    void *ctx;
    struct list conns;
    struct timer end;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    uint16_t port;
    bool stopping;
};

struct conn {
    struct h2_conn h2; /* data: the server */
    struct list link;
    bool gone; /* no handler call any more */
};

struct request {
    struct http_serve serve; /* first */
    struct conn *conn;
    struct h2_stream *stream;
    struct buf body;
    size_t discarded;
    struct timer drain;
    bool answered; /* by the server itself: the rest of the body is of no interest */
    bool ended, reset;
};

/* ---- a handler's answer ---- */

static struct request *of(struct http_serve *s)
{
    return (struct request *)(void *)s;
}

static void serve_head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    h2_stream_head(of(s)->stream, status, headers, n);
    h2_conn_wake(&of(s)->conn->h2);
}

static void serve_write(struct http_serve *s, struct str bytes)
{
    h2_stream_write(of(s)->stream, bytes);
    h2_conn_wake(&of(s)->conn->h2);
}

static void serve_end(struct http_serve *s)
{
    of(s)->ended = true;
    h2_stream_end(of(s)->stream);
    h2_conn_wake(&of(s)->conn->h2);
}

static void serve_reset(struct http_serve *s)
{
    if (of(s)->reset)
        return;
    of(s)->reset = true;
    h2_stream_reset(of(s)->stream, of(s)->answered ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR);
    h2_conn_wake(&of(s)->conn->h2);
}

static size_t serve_pending(struct http_serve *s)
{
    return h2_stream_pending(of(s)->stream);
}

static const struct http_serve_ops serve_ops = {serve_head, serve_write, serve_end, serve_reset, serve_pending};

/* More may have been written since; then it comes again when that has gone. */
static void on_drain_due(struct timer *t)
{
    struct request *r = t->data;

    if (r->serve.on_drain && !r->ended && !r->reset && !r->conn->gone && !serve_pending(&r->serve))
        r->serve.on_drain(&r->serve);
}

/* ---- the session's events ---- */

static void refuse(struct request *r, int status, struct str text)
{
    if (r->answered)
        return;
    r->answered = true;
    http_reply(&r->serve, status, "text/plain", text);
}

static void on_head(void *ctx, struct h2_stream *s, const struct h2_head *head)
{
    struct conn *c = ctx;
    struct h2_server *server = c->h2.data;
    struct request *r = mem_zalloc(sizeof(*r));
    struct str rest = head->path;
    uint64_t length;

    h2_stream_set_data(s, r);
    r->conn = c;
    r->stream = s;
    timer_init(&r->drain, on_drain_due, r);
    buf_init(&r->body, server->body_max);
    r->serve = (struct http_serve){.method = head->method,
                                   .headers = head->headers,
                                   .n_headers = head->n_headers,
                                   .remote = str_of(tcp_remote(c->h2.tcp)),
                                   .ops = &serve_ops};
    if (tcp_tls(c->h2.tcp))
        r->serve.client_subject = str_of(tls_peer_subject(tcp_tls(c->h2.tcp)));
    if (!str_cut(&rest, '?', &r->serve.path))
        r->serve.path = STR("");
    r->serve.query = rest;
    if (head->too_big)
        refuse(r, 431, STR("request headers too large\n"));
    else if (str_to_u64(http_header_find(head->headers, head->n_headers, "content-length"), &length) == 0 &&
             length > server->body_max)
        refuse(r, 413, STR("request body too large\n"));
}

static void on_data(void *ctx, struct h2_stream *s, struct str chunk)
{
    struct request *r = h2_stream_data(s);

    (void)ctx;
    if (!r)
        return;
    if (r->answered) {
        r->discarded += chunk.n;
        if (r->discarded > DISCARD_MAX)
            serve_reset(&r->serve);
        return;
    }
    buf_add_str(&r->body, chunk);
    if (buf_error(&r->body) < 0) {
        buf_done(&r->body);
        refuse(r, 413, STR("request body too large\n"));
    }
}

static void on_end(void *ctx, struct h2_stream *s)
{
    struct request *r = h2_stream_data(s);
    struct conn *c = ctx;
    struct h2_server *server = c->h2.data;

    if (!r || r->answered || c->gone || server->stopping)
        return;
    r->serve.body = buf_str(&r->body);
    server->handler(server->ctx, &r->serve);
}

/* The session is being pulled: the handler hears it in a turn of its own. */
static void on_stream_drain(void *ctx, struct h2_stream *s)
{
    struct request *r = h2_stream_data(s);
    struct conn *c = ctx;

    if (r && r->serve.on_drain)
        timer_set_in(c->h2.env, &r->drain, 0);
}

static void on_stream_close(void *ctx, struct h2_stream *s, int code)
{
    struct request *r = h2_stream_data(s);
    struct conn *c = ctx;

    (void)code;
    if (!r)
        return;
    timer_clear(c->h2.env, &r->drain);
    if (r->serve.on_close)
        r->serve.on_close(&r->serve);
    buf_done(&r->body);
    mem_free(r);
}

static const struct h2_events events = {
    .on_head = on_head, .on_data = on_data, .on_end = on_end, .on_drain = on_stream_drain, .on_close = on_stream_close};

/* ---- connections ---- */

static void end_if_empty(struct h2_server *server)
{
    if (server->stopping && list_empty(&server->conns) && !timer_is_set(&server->end))
        timer_set_in(server->env, &server->end, 0);
}

static void on_lost(struct h2_conn *h, const struct error *e)
{
    (void)e; /* clients come and go */
    LIST_ENTRY(h, struct conn, h2)->gone = true;
}

static void on_gone(struct h2_conn *h)
{
    struct conn *c = LIST_ENTRY(h, struct conn, h2);
    struct h2_server *server = h->data;

    list_del(&c->link);
    mem_free(c);
    end_if_empty(server);
}

static void on_accept(struct tcp_listen *l, struct tcp *tcp)
{
    struct h2_server *server = tcp_listen_data(l);
    struct conn *c = mem_zalloc(sizeof(*c));

    c->h2 = (struct h2_conn){.env = server->env, .on_lost = on_lost, .on_gone = on_gone, .data = server};
    c->h2.session = h2_session_new(H2_SERVER, &events, c);
    list_add_tail(&server->conns, &c->link);
    tcp_set_data(tcp, &h2_conn_tcp, &c->h2);
    h2_conn_start(&c->h2, tcp, true);
}

static void on_end_timer(struct timer *t)
{
    struct h2_server *server = t->data;
    void (*on_stopped)(void *ctx) = server->on_stopped;
    void *ctx = server->stopped_ctx;

    mem_free(server);
    if (on_stopped)
        on_stopped(ctx);
}

struct h2_server *h2_server_start(const struct h2_server_options *o, struct error *e)
{
    struct h2_server *server = mem_zalloc(sizeof(*server));

    assert(o->handler);
    *server = (struct h2_server){.env = o->env, .body_max = o->body_max, .handler = o->handler, .ctx = o->ctx};
    list_init(&server->conns);
    timer_init(&server->end, on_end_timer, server);
    server->listen = tcp_listen(o->env, o->address, o->port, o->tls, on_accept, server, e);
    if (!server->listen) {
        mem_free(server);
        return NULL;
    }
    server->port = tcp_listen_port(server->listen);
    return server;
}

uint16_t h2_server_port(const struct h2_server *s)
{
    return s->port;
}

void h2_server_stop(struct h2_server *s, void (*on_stopped)(void *ctx), void *ctx)
{
    if (!s) {
        if (on_stopped)
            on_stopped(ctx);
        return;
    }
    s->stopping = true;
    s->on_stopped = on_stopped;
    s->stopped_ctx = ctx;
    tcp_listen_close(s->listen);
    LIST_EACH (it, &s->conns)
        h2_conn_close(&LIST_ENTRY(it, struct conn, link)->h2);
    end_if_empty(s);
}
