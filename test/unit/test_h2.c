/* test_h2: our HTTP/2 client against our server over loopback, plain and with TLS. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/h2.h"
#include "core/net/h2_session.h"
#include "core/net/tcp_uv.h"
#include "test/unit/support_certs.h"

static struct certs certs;

enum { BODY_MAX = 100000, PART = 50000 };

struct served { /* a request that the handler keeps open */
    struct http_serve *s;
    struct list link;
    struct world *w;
    unsigned parts; /* of /drip, still to come */
    bool in_answer, is_over;
};

struct world {
    struct env *env;
    struct tls_context *server_tls, *client_tls;
    struct h2_server *server;
    struct http_peer *peer;
    uint16_t port;
    struct list open; /* kept by the handler */
    unsigned handled, closed, drains;
    bool stopped, peer_closed;
    size_t live;
};

struct call {
    struct http_call http;
    struct world *w;
    int status, rc;
    struct error e;
    struct buf body;
    bool done, cancel_at_data, cancel_at_head;
    unsigned heads;
    bool *also; /* set with done */
    unsigned *order, place;
};

/* ---- the server's side ---- */

static void on_close(struct http_serve *s)
{
    struct served *v = s->data;

    v->w->closed++;
    list_del(&v->link);
    mem_free(v);
}

static struct served *hold(struct world *w, struct http_serve *s)
{
    struct served *v = mem_zalloc(sizeof(*v));

    v->s = s;
    v->w = w;
    list_add_tail(&w->open, &v->link);
    s->data = v;
    s->on_close = on_close;
    return v;
}

static void write_big(struct http_serve *s, size_t n)
{
    static char part[PART];

    memset(part, 'p', sizeof(part));
    s->ops->head(s, 200, NULL, 0);
    for (; n; n -= n < PART ? n : PART)
        s->ops->write(s, (struct str){part, n < PART ? n : PART});
    s->ops->end(s);
}

/* One part each time that the last one has gone. */
static void drip(struct http_serve *s)
{
    static char part[PART];
    struct served *v = s->data;

    assert_false(v->in_answer || v->is_over);
    assert_int_equal(s->ops->pending(s), 0);
    assert_true(v->parts > 0);
    v->w->drains++;
    v->in_answer = true;
    memset(part, 'p', sizeof(part));
    s->ops->write(s, (struct str){part, PART});
    if (--v->parts == 0)
        s->ops->end(s);
    v->in_answer = false;
}

static void start_dripping(struct http_serve *s)
{
    struct served *v = s->data;

    v->parts = (unsigned)strtoul(s->query.p, NULL, 10);
    s->on_drain = drip;
    v->in_answer = true;
    s->ops->head(s, 200, NULL, 0);
    v->in_answer = false;
}

static void tell(struct http_serve *s)
{
    struct buf b;

    buf_init(&b, 4096);
    buf_printf(&b, "%.*s|%.*s|%.*s|%.*s|%.*s|", (int)s->method.n, s->method.p, (int)s->path.n, s->path.p,
               (int)s->query.n, s->query.p ? s->query.p : "", (int)s->client_subject.n,
               s->client_subject.p ? s->client_subject.p : "", (int)s->body.n, s->body.p);
    for (size_t i = 0; i < s->n_headers; i++)
        buf_printf(&b, "%.*s=%.*s|", (int)s->headers[i].name.n, s->headers[i].name.p, (int)s->headers[i].value.n,
                   s->headers[i].value.p);
    http_reply(s, 201, "text/plain", buf_str(&b));
    buf_done(&b);
}

static void handle(void *ctx, struct http_serve *s)
{
    struct world *w = ctx;

    w->handled++;
    (void)hold(w, s);
    if (str_is(s->path, "/tell"))
        tell(s);
    else if (str_is(s->path, "/echo"))
        http_reply(s, 200, NULL, s->body);
    else if (str_is(s->path, "/big"))
        write_big(s, (size_t)strtoul(s->query.p, NULL, 10));
    else if (str_is(s->path, "/drip"))
        start_dripping(s);
    else if (str_is(s->path, "/empty"))
        http_reply(s, 204, NULL, STR_NONE);
    else if (str_is(s->path, "/reset")) {
        s->ops->head(s, 200, NULL, 0);
        s->ops->write(s, STR("half"));
        s->ops->reset(s);
    } else if (str_is(s->path, "/watch")) {
        s->ops->head(s, 200, NULL, 0);
        s->ops->write(s, STR("first\n"));
    } else if (!str_is(s->path, "/never"))
        http_reply(s, 404, "text/plain", STR("no such path"));
}

/* ---- the client's side ---- */

static void on_head(struct http_call *h, int status, const struct http_header *headers, size_t n)
{
    struct call *c = h->data;

    (void)headers;
    (void)n;
    assert_false(c->done);
    c->status = status;
    c->heads++;
    if (c->cancel_at_head)
        http_cancel(c->w->peer, h);
}

static void on_data(struct http_call *h, struct str chunk)
{
    struct call *c = h->data;

    assert_false(c->done);
    assert_int_equal(c->heads, 1);
    buf_add_str(&c->body, chunk);
    if (c->cancel_at_data) {
        http_cancel(c->w->peer, h);
        http_cancel(c->w->peer, h);
    }
}

static void on_done(struct http_call *h, int rc, const struct error *e)
{
    struct call *c = h->data;

    assert_false(c->done);
    c->done = true;
    c->rc = rc;
    if (rc < 0) {
        assert_int_equal(e->code, rc);
        c->e = *e;
    }
    if (c->also)
        *c->also = true;
    if (c->order)
        c->place = ++*c->order;
}

static void call_init(struct call *c, struct world *w, const char *method, const char *path, struct str body)
{
    *c = (struct call){.w = w};
    c->http = (struct http_call){.method = method,
                                 .path = path,
                                 .body = body,
                                 .timeout_ms = 20000,
                                 .on_head = on_head,
                                 .on_data = on_data,
                                 .on_done = on_done,
                                 .data = c};
    buf_init(&c->body, 64 << 20);
}

static void go(struct call *c)
{
    http_start(c->w->peer, &c->http);
    assert_false(c->done); /* never inside the call */
}

static void run_call(struct call *c)
{
    go(c);
    env_uv_run_until(c->w->env, &c->done);
    assert_true(c->done);
}

static void get(struct call *c, struct world *w, const char *path)
{
    call_init(c, w, "GET", path, STR_NONE);
    run_call(c);
}

/* ---- the world ---- */

static void start_server(struct world *w)
{
    struct h2_server_options o = {.env = w->env,
                                  .address = "127.0.0.1",
                                  .port = w->port,
                                  .tls = w->server_tls,
                                  .body_max = BODY_MAX,
                                  .handler = handle,
                                  .ctx = w};
    struct error e;

    w->server = h2_server_start(&o, &e);
    assert_non_null(w->server);
    w->port = h2_server_port(w->server);
}

static struct world *world_make(bool tls)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->env = env_uv_new();
    list_init(&w->open);
    if (tls) {
        w->server_tls = support_server_context(&certs, "h2", false);
        w->client_tls = support_client_context(&certs, "h2", true);
    }
    start_server(w);
    w->peer = h2_peer_new(&(struct h2_peer_options){
        .env = w->env, .host = "127.0.0.1", .port = w->port, .tls = w->client_tls, .authority = "api.test:6443"});
    return w;
}

static void on_flag(void *ctx)
{
    bool *flag = ctx;

    *flag = true;
}

static void stop_server(struct world *w)
{
    w->stopped = false;
    h2_server_stop(w->server, on_flag, &w->stopped);
    assert_false(w->stopped);
    w->server = NULL;
    env_uv_run_until(w->env, &w->stopped);
    assert_true(w->stopped);
    assert_true(list_empty(&w->open)); /* each had its on_close */
}

static void world_drop(struct world *w)
{
    size_t live = w->live;

    if (w->peer) {
        h2_peer_free(w->peer, on_flag, &w->peer_closed);
        env_uv_run_until(w->env, &w->peer_closed);
        assert_true(w->peer_closed);
    }
    if (w->server)
        stop_server(w);
    assert_int_equal(w->handled, w->closed);
    env_uv_run(w->env);
    env_uv_free(w->env);
    tls_context_free(w->server_tls);
    tls_context_free(w->client_tls);
    mem_free(w);
    assert_int_equal(mem_live(), live);
}

/* ---- tests ---- */

static void a_request_arrives_whole_and_its_answer_too(void **state)
{
    const struct http_header headers[] = {
        {STR("accept"), STR("application/json")},
        {STR("authorization"), STR("Bearer x")},
        {STR("connection"), STR("close")},
    };

    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls);
        struct call c;

        call_init(&c, w, "PATCH", "/tell?a=1&b=%20?", STR("{\"x\":1}"));
        c.http.headers = headers;
        c.http.n_headers = 3;
        run_call(&c);
        assert_int_equal(c.rc, 0);
        assert_int_equal(c.status, 201);
        assert_string_equal(c.body.data,
                            tls ? "PATCH|/tell|a=1&b=%20?|CN=admin,O=system:masters|{\"x\":1}|host=api.test:6443|"
                                  "accept=application/json|authorization=Bearer x|"
                                : "PATCH|/tell|a=1&b=%20?||{\"x\":1}|host=api.test:6443|accept=application/json|"
                                  "authorization=Bearer x|");
        buf_done(&c.body);
        get(&c, w, "/nothing");
        assert_int_equal(c.rc, 0); /* the exchange went well, whatever the status */
        assert_int_equal(c.status, 404);
        buf_done(&c.body);
        get(&c, w, "/empty");
        assert_int_equal(c.status, 204);
        buf_done(&c.body);
        call_init(&c, w, "HEAD", "/tell", STR_NONE);
        run_call(&c);
        assert_int_equal(c.status, 201);
        assert_int_equal(c.body.len, 0);
        buf_done(&c.body);
        world_drop(w);
    }
}

static void a_hundred_calls_at_once_all_end_well(void **state)
{
    enum { N = 300 }; /* over what the server takes at once: the rest waits */

    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls);
        struct call *calls = mem_alloc(N * sizeof(*calls));
        char bodies[N][32];

        for (int i = 0; i < N; i++) {
            (void)snprintf(bodies[i], sizeof(bodies[i]), "body %d", i);
            call_init(&calls[i], w, "POST", "/echo", str_of(bodies[i]));
            go(&calls[i]);
        }
        for (int i = 0; i < N; i++) {
            env_uv_run_until(w->env, &calls[i].done);
            assert_int_equal(calls[i].rc, 0);
            assert_string_equal(calls[i].body.data, bodies[i]);
            buf_done(&calls[i].body);
        }
        assert_int_equal(w->handled, N);
        mem_free(calls);
        world_drop(w);
    }
}

static void big_answers_pass_the_windows(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls);
        struct call c;

        get(&c, w, "/big?20000000"); /* over the session's window */
        assert_int_equal(c.rc, 0);
        assert_int_equal(c.body.len, 20000000);
        buf_done(&c.body);
        world_drop(w);
    }
}

static void a_small_call_overtakes_a_bulk_one(void **state)
{
    struct world *w = world_make(true);
    struct call bulk, small, equal;
    unsigned order = 0;

    (void)state;
    call_init(&bulk, w, "GET", "/big?30000000", STR_NONE);
    call_init(&small, w, "GET", "/tell", STR_NONE);
    call_init(&equal, w, "GET", "/big?30000000", STR_NONE);
    bulk.http.bulk = true;
    bulk.order = small.order = equal.order = &order;
    go(&bulk);
    go(&small);
    go(&equal);
    env_uv_run_until(w->env, &bulk.done);
    assert_int_equal(bulk.body.len, 30000000);
    assert_int_equal(small.place, 1);
    assert_int_equal(equal.place, 2); /* as big, and started later */
    assert_int_equal(bulk.place, 3);
    buf_done(&bulk.body);
    buf_done(&equal.body);
    buf_done(&small.body);
    world_drop(w);
}

static void a_body_over_the_cap_gets_413_and_the_connection_lives(void **state)
{
    char *body = mem_zalloc(40 << 20);

    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls);
        struct call c;

        call_init(&c, w, "POST", "/echo", (struct str){body, 8 << 20}); /* more than a window: we'd wait for ever */
        run_call(&c);
        assert_int_equal(c.rc, 0);
        assert_int_equal(c.status, 413);
        assert_int_equal(w->handled, 0);
        buf_done(&c.body);
        call_init(&c, w, "POST", "/echo", (struct str){body, 40 << 20}); /* it does not listen for ever */
        run_call(&c);
        assert_true(c.rc == ERR_NET || c.status == 413);
        buf_done(&c.body);
        call_init(&c, w, "POST", "/echo", (struct str){body, BODY_MAX});
        run_call(&c);
        assert_int_equal(c.status, 200);
        assert_int_equal(c.body.len, BODY_MAX);
        buf_done(&c.body);
        world_drop(w);
    }
    mem_free(body);
}

static void headers_over_the_cap_get_431(void **state)
{
    enum { N = 124 };
    struct world *w = world_make(false);
    struct http_header headers[N];
    char value[500];
    struct call c;

    (void)state;
    memset(value, 'v', sizeof(value));
    for (int over = 0; over < 2; over++) {
        for (int i = 0; i < N; i++) /* each counts 32 more; in all some 62,000 or 66,000 bytes */
            headers[i] = (struct http_header){STR("x-big"), {value, over ? 495 : 460}};
        call_init(&c, w, "POST", "/echo", STR("x"));
        c.http.headers = headers;
        c.http.n_headers = N;
        run_call(&c);
        assert_int_equal(c.rc, 0);
        assert_int_equal(c.status, over ? 431 : 200);
        buf_done(&c.body);
    }
    world_drop(w);
}

static void a_watch_gets_each_line_as_it_comes(void **state)
{
    struct world *w = world_make(true);
    struct served *v;
    struct call c;

    (void)state;
    call_init(&c, w, "GET", "/watch", STR_NONE);
    c.http.bulk = true;
    go(&c);
    while (c.body.len < 6)
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    assert_string_equal(c.body.data, "first\n");
    v = LIST_ENTRY(w->open.next, struct served, link);
    v->s->ops->write(v->s, STR("second\n"));
    assert_int_equal(v->s->ops->pending(v->s), 7);
    while (c.body.len < 13)
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    assert_int_equal(v->s->ops->pending(v->s), 0);
    assert_false(c.done);
    v->s->ops->write(v->s, STR("last"));
    v->s->ops->end(v->s);
    v->s->ops->write(v->s, STR("ignored"));
    env_uv_run_until(w->env, &c.done);
    assert_int_equal(c.rc, 0);
    assert_string_equal(c.body.data, "first\nsecond\nlast");
    buf_done(&c.body);
    world_drop(w);
}

static void cancel_ends_a_call_and_tells_the_server(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        struct world *w = world_make(true);
        struct call c;

        call_init(&c, w, "GET", at == 2 ? "/big?9000000" : "/watch", STR_NONE);
        c.cancel_at_head = at == 1;
        c.cancel_at_data = at == 2;
        go(&c);
        if (at == 0)
            http_cancel(w->peer, &c.http); /* before anything was sent */
        assert_false(c.done);
        env_uv_run_until(w->env, &c.done);
        assert_int_equal(c.rc, ERR_CANCELED);
        http_cancel(w->peer, &c.http); /* done: nothing happens */
        if (at == 1)
            assert_int_equal(c.body.len, 0);
        while (!list_empty(&w->open))
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        buf_done(&c.body);
        get(&c, w, "/tell"); /* the connection goes on */
        assert_int_equal(c.rc, 0);
        buf_done(&c.body);
        assert_int_equal(w->closed, w->handled);
        world_drop(w);
    }
}

static void a_stream_that_the_server_breaks_off_is_a_network_error(void **state)
{
    struct world *w = world_make(false);
    struct call c;

    (void)state;
    get(&c, w, "/reset");
    assert_int_equal(c.rc, ERR_NET);
    assert_non_null(strstr(c.e.msg, "INTERNAL_ERROR"));
    buf_done(&c.body);
    world_drop(w);
}

static void silence_is_a_timeout_and_sound_is_not(void **state)
{
    struct world *w = world_make(false);
    struct served *v;
    struct call c;

    (void)state;
    call_init(&c, w, "GET", "/never", STR_NONE);
    c.http.timeout_ms = 30;
    run_call(&c);
    assert_int_equal(c.rc, ERR_TIMEOUT);
    buf_done(&c.body);
    while (!list_empty(&w->open)) /* the server hears of it */
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    call_init(&c, w, "GET", "/watch", STR_NONE);
    c.http.timeout_ms = 400;
    go(&c);
    for (size_t n = 6; n < 20; n += 2) { /* longer than the limit in all */
        while (c.body.len < n && !c.done)
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        assert_false(c.done);
        v = LIST_ENTRY(w->open.next, struct served, link);
        uv_sleep(80);
        v->s->ops->write(v->s, STR("x\n"));
    }
    v = LIST_ENTRY(w->open.next, struct served, link);
    v->s->ops->end(v->s);
    env_uv_run_until(w->env, &c.done);
    assert_int_equal(c.rc, 0);
    buf_done(&c.body);
    world_drop(w);
}

static void calls_of_a_lost_connection_end_and_the_next_one_connects_again(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls);
        struct call watch, c;

        call_init(&watch, w, "GET", "/watch", STR_NONE);
        go(&watch);
        while (!watch.body.len)
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        stop_server(w);
        env_uv_run_until(w->env, &watch.done);
        assert_int_equal(watch.rc, ERR_NET);
        buf_done(&watch.body);
        get(&c, w, "/tell"); /* nobody listens */
        assert_int_equal(c.rc, ERR_NET);
        assert_non_null(strstr(c.e.msg, "connection refused"));
        buf_done(&c.body);
        start_server(w);
        get(&c, w, "/tell");
        assert_int_equal(c.rc, 0);
        buf_done(&c.body);
        world_drop(w);
    }
}

static void freeing_the_peer_cancels_its_calls(void **state)
{
    struct world *w = world_make(true);
    struct call a, b;

    (void)state;
    call_init(&a, w, "GET", "/watch", STR_NONE);
    go(&a);
    while (!a.body.len)
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    call_init(&b, w, "GET", "/tell", STR_NONE);
    go(&b);
    h2_peer_free(w->peer, on_flag, &w->peer_closed);
    w->peer = NULL;
    assert_false(a.done);
    env_uv_run_until(w->env, &w->peer_closed);
    assert_true(a.done && b.done);
    assert_int_equal(a.rc, ERR_CANCELED);
    assert_int_equal(b.rc, ERR_CANCELED);
    buf_done(&a.body);
    buf_done(&b.body);
    world_drop(w);
}

/* ---- a client that reads slowly, and one that speaks no HTTP/2 ---- */

struct raw {
    struct tcp *tcp;
    struct buf got;
    bool opened, closed;
    int rc;
};

static void raw_open(struct tcp *t)
{
    ((struct raw *)tcp_data(t))->opened = true;
}

static void raw_data(struct tcp *t, struct str bytes)
{
    buf_add_str(&((struct raw *)tcp_data(t))->got, bytes);
}

static void raw_eof(struct tcp *t)
{
    tcp_close(t);
}

static void raw_closed(struct tcp *t, int rc, const struct error *e)
{
    struct raw *r = tcp_data(t);

    (void)e;
    r->closed = true;
    r->rc = rc;
}

static const struct tcp_callbacks raw_callbacks = {
    .on_open = raw_open, .on_data = raw_data, .on_eof = raw_eof, .on_closed = raw_closed};

static void a_client_without_alpn_is_closed_in_order(void **state)
{
    struct world *w = world_make(true);
    struct tls_context *no_alpn = support_client_context(&certs, NULL, true);
    struct raw r = {0};

    (void)state;
    buf_init(&r.got, 1 << 20);
    r.tcp = tcp_connect(w->env, "127.0.0.1", w->port, no_alpn, 5000, &raw_callbacks, &r);
    env_uv_run_until(w->env, &r.closed);
    assert_true(r.opened);
    assert_int_equal(r.rc, 0); /* close_notify came */
    buf_done(&r.got);
    tls_context_free(no_alpn);
    world_drop(w);
}

static void a_server_without_alpn_is_a_network_error(void **state)
{
    struct world *w = world_make(true);
    struct tls_context *http1 = support_client_context(&certs, NULL, true);
    struct call c;

    (void)state;
    h2_peer_free(w->peer, on_flag, &w->peer_closed);
    env_uv_run_until(w->env, &w->peer_closed);
    w->peer = h2_peer_new(
        &(struct h2_peer_options){.env = w->env, .host = "127.0.0.1", .port = w->port, .tls = http1});
    get(&c, w, "/tell");
    assert_int_equal(c.rc, ERR_NET);
    assert_non_null(strstr(c.e.msg, "ALPN"));
    buf_done(&c.body);
    tls_context_free(w->client_tls);
    w->client_tls = http1;
    world_drop(w);
}

static void garbage_gets_goaway_and_an_end(void **state)
{
    struct world *w = world_make(false);
    struct raw r = {0};

    (void)state;
    buf_init(&r.got, 1 << 20);
    r.tcp = tcp_connect(w->env, "127.0.0.1", w->port, NULL, 5000, &raw_callbacks, &r);
    tcp_write(r.tcp, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    env_uv_run_until(w->env, &r.closed);
    assert_int_equal(w->handled, 0);
    buf_done(&r.got);
    world_drop(w);
}

static void a_client_that_does_not_read_does_not_hold_the_others(void **state)
{
    struct world *w = world_make(false);
    struct raw r = {0};
    struct call c;
    /* Preface, SETTINGS with a window of 2^31-1, WINDOW_UPDATE of the session, GET /big?20000000 (HPACK without
     * Huffman, no indexing). */
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"
                                "\0\0\4\x8\0\0\0\0\0\x7f\0\0\0";
    static const char request[] = "\0\0\x14\1\5\0\0\0\1\x82\x86\x04\x0d/big?20000000\x41\1x";

    (void)state;
    buf_init(&r.got, 64 << 20);
    r.tcp = tcp_connect(w->env, "127.0.0.1", w->port, NULL, 5000, &raw_callbacks, &r);
    tcp_write(r.tcp, (struct str){hello, sizeof(hello) - 1});
    tcp_write(r.tcp, (struct str){request, sizeof(request) - 1});
    env_uv_run_until(w->env, &r.opened);
    tcp_pause(r.tcp, true);
    while (!w->handled)
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    get(&c, w, "/tell");
    assert_int_equal(c.rc, 0);
    buf_done(&c.body);
    assert_false(list_empty(&w->open)); /* the kernel's buffers hold less than 20 MB: it waits */
    tcp_pause(r.tcp, false);
    while (r.got.len < 20000000)
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    tcp_close(r.tcp);
    env_uv_run_until(w->env, &r.closed);
    buf_done(&r.got);
    world_drop(w);
}

/* ---- a server by hand: the session, and what the test makes of it ---- */

struct manual {
    struct world *w;
    struct tcp_listen *listen;
    struct manual_conn {
        struct manual *m;
        struct tcp *tcp;
        struct h2_session *session;
        struct h2_stream *stream; /* the last request */
        bool closed;
    } conns[2];
    unsigned accepted, requests;
    bool refuse;
};

static void manual_flush(struct manual_conn *c)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    (void)h2_session_pull(c->session, &out);
    if (c->tcp)
        tcp_write(c->tcp, buf_str(&out));
    buf_done(&out);
}

static void manual_head(void *ctx, struct h2_stream *s, const struct h2_head *head)
{
    struct manual_conn *c = ctx;

    (void)head;
    c->m->requests++;
    c->stream = s;
    if (c->m->refuse) {
        c->m->refuse = false;
        h2_stream_reset(s, 7); /* REFUSED_STREAM */
    }
}

static const struct h2_events manual_events = {.on_head = manual_head};

static void manual_data(struct tcp *t, struct str bytes)
{
    struct manual_conn *c = tcp_data(t);

    assert_int_equal(h2_session_feed(c->session, bytes, NULL), 0);
    manual_flush(c);
}

static void manual_closed(struct tcp *t, int rc, const struct error *e)
{
    struct manual_conn *c = tcp_data(t);

    (void)rc, (void)e;
    c->tcp = NULL;
    c->closed = true;
    h2_session_free(c->session);
}

static const struct tcp_callbacks manual_callbacks = {
    .on_data = manual_data, .on_eof = raw_eof, .on_closed = manual_closed};

static void manual_accept(struct tcp_listen *l, struct tcp *t)
{
    struct manual *m = tcp_listen_data(l);
    struct manual_conn *c = &m->conns[m->accepted++];

    assert_true(m->accepted <= 2);
    c->m = m;
    c->tcp = t;
    c->session = h2_session_new(H2_SERVER, &manual_events, c);
    tcp_set_data(t, &manual_callbacks, c);
}

static void manual_answer(struct manual_conn *c, const char *text)
{
    h2_stream_head(c->stream, 200, NULL, 0);
    h2_stream_write(c->stream, str_of(text));
    h2_stream_end(c->stream);
    manual_flush(c);
}

static void manual_start(struct manual *m, struct world *w)
{
    struct error e;

    *m = (struct manual){.w = w};
    h2_peer_free(w->peer, on_flag, &w->peer_closed);
    env_uv_run_until(w->env, &w->peer_closed);
    m->listen = tcp_listen(w->env, "127.0.0.1", 0, NULL, manual_accept, m, &e);
    assert_non_null(m->listen);
    w->peer = h2_peer_new(
        &(struct h2_peer_options){.env = w->env, .host = "127.0.0.1", .port = tcp_listen_port(m->listen)});
    w->peer_closed = false;
}

static void manual_end(struct manual *m)
{
    h2_peer_free(m->w->peer, on_flag, &m->w->peer_closed);
    env_uv_run_until(m->w->env, &m->w->peer_closed);
    m->w->peer = NULL;
    tcp_listen_close(m->listen);
    for (unsigned i = 0; i < m->accepted; i++)
        env_uv_run_until(m->w->env, &m->conns[i].closed);
}

static void wait_requests(struct manual *m, unsigned n)
{
    while (m->requests < n)
        uv_run(env_uv_loop(m->w->env), UV_RUN_ONCE);
}

static void after_goaway_running_calls_go_on_and_new_ones_connect_again(void **state)
{
    struct world *w = world_make(false);
    struct call a, b, c;
    struct manual m;

    (void)state;
    manual_start(&m, w);
    call_init(&a, w, "GET", "/a", STR_NONE);
    go(&a);
    wait_requests(&m, 1);
    h2_session_goaway(m.conns[0].session);
    call_init(&b, w, "GET", "/b", STR_NONE);
    go(&b); /* on its way when GOAWAY comes: the server ignores it, and it is sent again */
    manual_flush(&m.conns[0]);
    wait_requests(&m, 2);
    assert_int_equal(m.accepted, 2);
    call_init(&c, w, "GET", "/c", STR_NONE);
    manual_answer(&m.conns[1], "b");
    env_uv_run_until(w->env, &b.done);
    assert_int_equal(b.rc, 0);
    assert_string_equal(b.body.data, "b");
    go(&c);
    wait_requests(&m, 3);
    manual_answer(&m.conns[1], "c");
    env_uv_run_until(w->env, &c.done);
    assert_string_equal(c.body.data, "c");
    assert_false(a.done);
    manual_answer(&m.conns[0], "a");
    env_uv_run_until(w->env, &a.done);
    assert_int_equal(a.rc, 0);
    assert_string_equal(a.body.data, "a");
    env_uv_run_until(w->env, &m.conns[0].closed); /* nothing is left for it to do */
    assert_false(m.conns[1].closed);
    buf_done(&a.body);
    buf_done(&b.body);
    buf_done(&c.body);
    manual_end(&m);
    world_drop(w);
}

static void a_refused_call_is_sent_once_more(void **state)
{
    struct world *w = world_make(false);
    struct manual m;
    struct call a;

    (void)state;
    manual_start(&m, w);
    m.refuse = true;
    call_init(&a, w, "GET", "/a", STR_NONE);
    go(&a);
    wait_requests(&m, 2);
    manual_answer(&m.conns[0], "second");
    env_uv_run_until(w->env, &a.done);
    assert_int_equal(a.rc, 0);
    assert_string_equal(a.body.data, "second");
    buf_done(&a.body);
    manual_end(&m);
    world_drop(w);
}

static int all_done(void **state)
{
    (void)state;
    support_certs_done(&certs);
    return 0;
}

static int all_new(void **state)
{
    (void)state;
    support_certs_make(&certs);
    return 0;
}

static void a_long_answer_is_written_as_it_is_taken(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) { /* whole; canceled in the middle; the server stops in the middle */
        struct world *w = world_make(at != 0);
        struct call c;
        unsigned drains;

        call_init(&c, w, "GET", "/drip?100", STR_NONE);
        c.cancel_at_data = at == 1;
        go(&c);
        while (at == 2 && !c.body.len)
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        if (at == 2)
            stop_server(w);
        env_uv_run_until(w->env, &c.done);
        assert_int_equal(c.rc, at == 1 ? ERR_CANCELED : at == 2 ? ERR_NET : 0);
        while (!list_empty(&w->open))
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        drains = w->drains;
        if (at == 0) {
            assert_int_equal(drains, 100); /* after the head and after all parts but the last */
            assert_int_equal(c.body.len, 100 * PART);
        } else {
            assert_in_range(drains, 1, 99);
        }
        for (int i = 0; i < 20; i++)
            uv_run(env_uv_loop(w->env), UV_RUN_NOWAIT);
        assert_int_equal(w->drains, drains);
        buf_done(&c.body);
        world_drop(w);
    }
}

static void no_drain_follows_an_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * 16; i++) { /* the handler ends the answer, or breaks it off, in any turn */
        struct world *w = world_make(false);
        struct served *v;
        struct call c;

        call_init(&c, w, "GET", "/drip?100", STR_NONE);
        go(&c);
        while (list_empty(&w->open))
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        for (unsigned k = 0; k < i / 2; k++)
            uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
        assert_false(list_empty(&w->open)); /* it has hundred parts */
        v = LIST_ENTRY(w->open.next, struct served, link);
        v->is_over = true;
        if (i % 2)
            v->s->ops->reset(v->s);
        else
            v->s->ops->end(v->s);
        env_uv_run_until(w->env, &c.done);
        assert_int_equal(c.rc, i % 2 ? ERR_NET : 0);
        buf_done(&c.body);
        world_drop(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_whole_and_its_answer_too),
        cmocka_unit_test(a_hundred_calls_at_once_all_end_well),
        cmocka_unit_test(big_answers_pass_the_windows),
        cmocka_unit_test(a_small_call_overtakes_a_bulk_one),
        cmocka_unit_test(a_body_over_the_cap_gets_413_and_the_connection_lives),
        cmocka_unit_test(headers_over_the_cap_get_431),
        cmocka_unit_test(a_watch_gets_each_line_as_it_comes),
        cmocka_unit_test(cancel_ends_a_call_and_tells_the_server),
        cmocka_unit_test(a_stream_that_the_server_breaks_off_is_a_network_error),
        cmocka_unit_test(silence_is_a_timeout_and_sound_is_not),
        cmocka_unit_test(calls_of_a_lost_connection_end_and_the_next_one_connects_again),
        cmocka_unit_test(freeing_the_peer_cancels_its_calls),
        cmocka_unit_test(a_client_without_alpn_is_closed_in_order),
        cmocka_unit_test(a_server_without_alpn_is_a_network_error),
        cmocka_unit_test(garbage_gets_goaway_and_an_end),
        cmocka_unit_test(a_client_that_does_not_read_does_not_hold_the_others),
        cmocka_unit_test(after_goaway_running_calls_go_on_and_new_ones_connect_again),
        cmocka_unit_test(a_refused_call_is_sent_once_more),
        cmocka_unit_test(a_long_answer_is_written_as_it_is_taken),
        cmocka_unit_test(no_drain_follows_an_end),
    };

    return cmocka_run_group_tests(tests, all_new, all_done);
}
