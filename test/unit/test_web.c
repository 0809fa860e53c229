/* test_web: HTTP/1.1 as a client's bytes against the server on our loop. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/tcp_uv.h"
#include "core/net/web.h"

enum { BODY_MAX = 100000, DRIP = 64 * 1024 };

struct client {
    struct world *w;
    struct tcp *tcp;
    struct buf got;
    bool closed;
};

struct world {
    struct env *env;
    struct web *web;
    struct client client;
    struct http_serve *held; /* a request that waits for its answer */
    struct buf seen;         /* requests as lines */
    unsigned handled, closed;
    bool stopped;
    size_t live;
    size_t left; /* of an answer in pieces */
    unsigned drains;
    bool in_answer, reset_in_drain, stop_in_drain, is_over;
};

static void on_stopped(void *ctx)
{
    bool *flag = ctx;

    *flag = true;
}

static void on_close(struct http_serve *s)
{
    struct world *w = s->data;

    w->closed++;
    if (w->held == s)
        w->held = NULL;
}

/* The next piece of as many letters: a, b, … */
static void drip(struct http_serve *s)
{
    static char piece[DRIP];
    struct world *w = s->data;
    size_t n = w->left < DRIP ? w->left : DRIP;

    assert_false(w->in_answer);
    assert_false(w->is_over);
    assert_int_equal(s->ops->pending(s), 0);
    w->in_answer = true;
    memset(piece, 'a' + (int)(w->drains++ % 26), n);
    s->ops->write(s, (struct str){piece, n});
    w->left -= n;
    if (!w->left)
        s->ops->end(s);
    if (w->reset_in_drain)
        s->ops->reset(s);
    if (w->stop_in_drain) {
        web_stop(w->web, on_stopped, &w->stopped);
        w->web = NULL;
    }
    w->in_answer = false;
}

static void start_dripping(struct world *w, struct http_serve *s)
{
    uint64_t n = 0;

    assert_int_equal(str_to_u64(s->query, &n), 0);
    w->left = (size_t)n;
    w->held = s;
    s->on_drain = drip;
    w->in_answer = true;
    s->ops->head(s, 200, NULL, 0);
    if (str_is(s->method, "HEAD"))
        s->ops->end(s);
    w->in_answer = false;
}

static void handle(void *ctx, struct http_serve *s)
{
    struct world *w = ctx;

    w->handled++;
    s->data = w;
    s->on_close = on_close;
    buf_printf(&w->seen, "%.*s %.*s?%.*s %.*s %zu\n", (int)s->method.n, s->method.p, (int)s->path.n, s->path.p,
               (int)s->query.n, s->query.p, (int)http_header_find(s->headers, s->n_headers, "content-type").n,
               http_header_find(s->headers, s->n_headers, "content-type").p, s->body.n);
    assert_memory_equal(s->remote.p, "127.0.0.1:", 10);
    if (str_is(s->path, "/echo"))
        http_reply(s, 200, "text/plain", s->body);
    else if (str_is(s->path, "/hold"))
        w->held = s;
    else if (str_is(s->path, "/stream")) {
        s->ops->head(s, 200, NULL, 0);
        s->ops->write(s, STR("one,"));
        w->held = s;
    } else if (str_is(s->path, "/drip"))
        start_dripping(w, s);
    else if (str_is(s->path, "/reset"))
        s->ops->reset(s);
    else if (str_is(s->path, "/stop")) {
        web_stop(w->web, on_stopped, &w->stopped);
        w->web = NULL;
    } else if (str_is(s->path, "/big") || str_is(s->path, "/huge")) {
        size_t n = str_is(s->path, "/big") ? 5000000 : 50000000; /* the latter is over what the kernel takes */
        char *p = mem_zalloc(n);

        memset(p, 'b', n);
        http_reply(s, 200, NULL, (struct str){p, n});
        mem_free(p);
    } else
        http_reply(s, 404, "text/plain", STR("no"));
}

static void client_data(struct tcp *t, struct str bytes)
{
    buf_add_str(&((struct client *)tcp_data(t))->got, bytes);
}

static void client_eof(struct tcp *t)
{
    tcp_close(t);
}

static void client_closed(struct tcp *t, int rc, const struct error *e)
{
    struct client *c = tcp_data(t);

    (void)rc, (void)e;
    c->closed = true;
    c->tcp = NULL;
}

static const struct tcp_callbacks callbacks = {
    .on_data = client_data, .on_eof = client_eof, .on_closed = client_closed};

static int world_new(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));
    struct web_options o = {.address = "127.0.0.1", .body_max = BODY_MAX, .stall_s = 1, .handler = handle, .ctx = w};
    struct error e;

    w->live = live;
    w->env = o.env = env_uv_new();
    buf_init(&w->client.got, 32 << 20);
    buf_init(&w->seen, 1 << 20);
    w->web = web_start(&o, &e);
    assert_non_null(w->web);
    assert_int_not_equal(web_port(w->web), 0);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    if (w->client.tcp)
        tcp_close(w->client.tcp);
    if (w->web)
        web_stop(w->web, on_stopped, &w->stopped);
    env_uv_run_until(w->env, &w->stopped);
    env_uv_run(w->env);
    assert_int_equal(w->handled, w->closed); /* each request had its on_close */
    buf_done(&w->client.got);
    buf_done(&w->seen);
    env_uv_free(w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void dial(struct world *w)
{
    w->client.closed = false;
    buf_clear(&w->client.got);
    w->client.tcp = tcp_connect(w->env, "127.0.0.1", web_port(w->web), NULL, 5000, &callbacks, &w->client);
}

static void say(struct world *w, const char *text)
{
    tcp_write(w->client.tcp, str_of(text));
}

static void turn(struct world *w)
{
    uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
}

/* Runs until the text has come; the connection must not end before. */
static void expect(struct world *w, const char *text)
{
    while (!strstr(w->client.got.data, text)) {
        if (w->client.closed)
            fail_msg("closed after \"%s\", not \"%s\"", w->client.got.data, text);
        turn(w);
    }
}

static void expect_end(struct world *w)
{
    env_uv_run_until(w->env, &w->client.closed);
}

static void on_time(struct timer *t)
{
    *(bool *)t->data = true;
}

static void requests_on_one_connection_are_answered_in_order(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "POST /echo?a=1%202&b=%26&c HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nfirst");
    expect(w, "\r\n\r\nfirst");
    assert_memory_equal(w->client.got.data, "HTTP/1.1 200", 12);
    assert_non_null(strstr(w->client.got.data, "content-length: 5\r\n"));
    /* Two more, the second's head cut in the middle. */
    say(w, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsecondDELETE /a%20b/c HT");
    expect(w, "\r\n\r\nsecond");
    say(w, "TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_end(w);
    assert_non_null(strstr(w->client.got.data, "404"));
    assert_string_equal(w->seen.data, "POST /echo?a=1%202&b=%26&c text/x 5\n"
                                      "PUT /echo?  6\n"
                                      "DELETE /a%20b/c?  0\n");
}

static void a_client_is_told_to_send_the_body_it_asked_about(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    expect(w, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(w->handled, 0);
    say(w, "body");
    expect(w, "\r\n\r\nbody");
}

static void a_body_of_length_zero_is_a_body(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    expect(w, "content-length: 0\r\n");
    say(w, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    expect_end(w);
    dial(w);
    say(w, "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n"); /* none at all: answered, then closed */
    expect_end(w);
    assert_non_null(strstr(w->client.got.data, " 200 "));
    assert_int_equal(w->handled, 3);
}

static void a_body_over_the_cap_gets_413_and_the_connection_lives(void **state)
{
    struct world *w = *state;
    char *body = mem_zalloc(1000000);
    char head[200];

    dial(w);
    (void)snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1000000);
    say(w, head);
    tcp_write(w->client.tcp, (struct str){body, 1000000});
    expect(w, "too large\n");
    assert_memory_equal(w->client.got.data, "HTTP/1.1 413", 12);
    assert_int_equal(w->handled, 0);
    say(w, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(w, " 404 ");
    /* Asked first, or too big even to be read: told at once. */
    say(w, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
    expect_end(w);
    dial(w);
    say(w, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
    expect_end(w);
    assert_memory_equal(w->client.got.data, "HTTP/1.1 413", 12);
    mem_free(body);
}

static void what_is_not_supported_is_refused(void **state)
{
    static const char *const requests[][2] = {
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", " 411 "},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", " 400 "},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\n", " 400 "},
        {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", ""},
        {"\x16\x03\x01\x02garbage \x01\xff\xfe\r\n\r\n\r\n", ""},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        dial(w);
        say(w, requests[i][0]);
        expect_end(w);
        assert_non_null(strstr(w->client.got.data, requests[i][1]));
    }
    assert_int_equal(w->handled, 0);
}

static void an_answer_may_come_later_and_in_parts(void **state)
{
    struct world *w = *state;
    struct http_serve *s;

    dial(w);
    say(w, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n"); /* the second waits */
    while (!w->held)
        turn(w);
    assert_int_equal(w->client.got.len, 0);
    http_reply(w->held, 200, NULL, STR("late"));
    expect(w, "late");
    expect(w, " 404 ");
    tcp_close(w->client.tcp);
    expect_end(w);
    dial(w);
    say(w, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(w, "one,");
    s = w->held;
    s->ops->write(s, STR("two,"));
    assert_int_equal(s->ops->pending(s), 4);
    expect(w, "two,");
    s->ops->write(s, STR("three"));
    s->ops->end(s);
    s->ops->write(s, STR("ignored"));
    expect(w, "\r\n0\r\n\r\n");
    assert_non_null(strstr(w->client.got.data, "transfer-encoding: chunked\r\n"));
    assert_null(strstr(w->client.got.data, "connection: close"));
    assert_non_null(strstr(w->client.got.data, "\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n"));
    buf_clear(&w->client.got);
    say(w, "GET /stream HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"); /* on the same connection */
    expect(w, "one,");
    w->held->ops->end(w->held);
    expect_end(w); /* it knows no chunks: the end of the connection is the end */
    assert_non_null(strstr(w->client.got.data, "connection: close\r\n"));
    assert_null(strstr(w->client.got.data, "chunked"));
    assert_memory_equal(strstr(w->client.got.data, "\r\n\r\n"), "\r\n\r\none,", 9);
}

static void a_client_that_went_away_is_noticed_with_its_answer(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!w->held)
        turn(w);
    tcp_close(w->client.tcp);
    expect_end(w);
    http_reply(w->held, 200, NULL, STR("for nobody"));
    while (w->held)
        turn(w);
    assert_int_equal(w->closed, 1);
    dial(w);
    say(w, "GET /reset HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_end(w);
    while (w->closed < 2)
        turn(w);
}

static void a_held_request_costs_no_cpu_though_more_bytes_wait(void **state)
{
    static const char *const requests[] = {
        "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
        "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct world *w = *state;

    for (int i = 0; i < 2; i++) {
        struct timer t;
        unsigned turns = 0;
        bool fired = false;

        dial(w);
        say(w, requests[i]);
        while (!w->held)
            turn(w);
        say(w, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        timer_init(&t, on_time, &fired);
        timer_set_in(w->env, &t, 500);
        while (!fired) {
            turn(w);
            turns++;
        }
        assert_true(turns < 1200); /* 17 in 10 ms at most; a spinning loop has many thousands */
        http_reply(w->held, 200, NULL, STR("late"));
        expect(w, " 404 ");
        assert_int_equal(w->handled, 2 + 2 * i);
        tcp_close(w->client.tcp);
        expect_end(w);
    }
}

static void a_big_answer_to_a_slow_reader_is_whole(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    tcp_pause(w->client.tcp, true);
    while (!w->handled)
        turn(w);
    tcp_pause(w->client.tcp, false);
    while (w->client.got.len < 5000000)
        turn(w);
    assert_memory_equal(w->client.got.data + w->client.got.len - 3, "bbb", 3);
    buf_clear(&w->client.got);
    say(w, "HEAD /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_end(w);
    assert_true(w->client.got.len < 1000);
    assert_non_null(strstr(w->client.got.data, "content-length: 5000000\r\n"));
}

static void no_drain_follows_an_end(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2 * 16; i++) { /* the handler ends the answer, or breaks it off, in any turn */
        w->is_over = false;
        w->drains = 0;
        dial(w);
        say(w, "GET /drip?1000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        while (!w->held)
            turn(w);
        for (unsigned k = 0; k < i / 2 && w->held; k++)
            turn(w);
        w->is_over = true;
        if (w->held && i % 2)
            w->held->ops->reset(w->held);
        else if (w->held)
            w->held->ops->end(w->held);
        expect_end(w);
        while (w->held)
            turn(w);
    }
}

static void the_server_may_be_stopped_by_its_handler(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "GET /stop HTTP/1.1\r\nHost: x\r\n\r\n");
    env_uv_run_until(w->env, &w->stopped);
    expect_end(w);
    assert_int_equal(w->closed, 1);
}

static void two_servers_share_a_loop_and_a_port_in_use_is_told(void **state)
{
    struct world *w = *state;
    struct web_options o = {.env = w->env, .address = "127.0.0.1", .body_max = BODY_MAX, .handler = handle, .ctx = w};
    bool stopped = false;
    struct web *other;
    struct error e;

    o.port = web_port(w->web);
    assert_null(web_start(&o, &e));
    assert_int_equal(e.code, ERR_EXISTS);
    o.port = 0;
    other = web_start(&o, &e);
    assert_non_null(other);
    assert_int_not_equal(web_port(other), web_port(w->web));
    web_stop(other, on_stopped, &stopped);
    assert_false(stopped);
    env_uv_run_until(w->env, &stopped);
    dial(w);
    say(w, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(w, " 404 ");
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)

static void a_client_that_does_not_read_is_dropped(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "GET /huge HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(w, "bbbb");
    tcp_pause(w->client.tcp, true);
    while (!w->closed)
        turn(w);
}

static void assert_letters(struct str body, size_t n)
{
    assert_int_equal(body.n, n);
    for (size_t i = 0; i < n; i++)
        if (body.p[i] != 'a' + (int)(i / DRIP % 26))
            fail_msg("byte %zu is %c", i, body.p[i]);
}

static void a_long_answer_is_written_as_it_is_taken(void **state)
{
    struct world *w = *state;
    const char *body;

    dial(w);
    say(w, "GET /drip?1000000 HTTP/1.0\r\nHost: x\r\n\r\n");
    expect_end(w);
    assert_int_equal(w->drains, 16); /* after the head and after all pieces but the last */
    assert_memory_equal(w->client.got.data, "HTTP/1.0 200", 12);
    assert_null(strstr(w->client.got.data, "chunked"));
    body = strstr(w->client.got.data, "\r\n\r\n") + 4;
    assert_letters((struct str){body, w->client.got.len - (size_t)(body - w->client.got.data)}, 1000000);
}

/* Takes the chunks of the answer apart, in place. Is the last one there? */
static bool unchunk(struct buf *b, struct str *ret_body)
{
    char *body = strstr(b->data, "\r\n\r\n") + 4, *at = body, *to = body;
    bool is_last = false;

    assert_non_null(strstr(b->data, "transfer-encoding: chunked\r\n"));
    assert_null(strstr(b->data, "content-length"));
    while (!is_last && at < b->data + b->len) {
        size_t n = strtoul(at, &at, 16), here;

        assert_memory_equal(at, "\r\n", 2);
        at += 2;
        here = (size_t)(b->data + b->len - at) < n ? (size_t)(b->data + b->len - at) : n;
        memmove(to, at, here);
        to += here;
        is_last = n == 0;
        at += here;
        if (here == n && at < b->data + b->len)
            at += 2;
    }
    *ret_body = (struct str){body, (size_t)(to - body)};
    return is_last;
}

static void a_long_answer_comes_in_chunks(void **state)
{
    struct world *w = *state;
    struct str body;

    dial(w);
    for (int i = 0; i < 2; i++) {
        w->drains = 0;
        say(w, "GET /drip?1000000 HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(w, "\r\n0\r\n\r\n");
        assert_true(unchunk(&w->client.got, &body));
        assert_letters(body, 1000000);
        buf_clear(&w->client.got);
        say(w, "HEAD /drip?1000000 HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(w, "\r\n\r\n");
        while (w->closed < w->handled)
            turn(w);
        assert_null(strstr(w->client.got.data, "chunked"));
        assert_string_equal(strstr(w->client.got.data, "\r\n\r\n"), "\r\n\r\n");
        buf_clear(&w->client.got);
    }
    say(w, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); /* the connection lives on */
    expect_end(w);
    assert_non_null(strstr(w->client.got.data, " 404 "));
}

static void on_curl_exit(uv_process_t *p, int64_t status, int sig)
{
    assert_int_equal(sig, 0);
    *(int *)p->data = (int)status;
    uv_close((uv_handle_t *)p, NULL);
}

/* curl's exit code for a GET of the path, its body thrown away. */
static int run_curl(struct world *w, const char *path, const char *version)
{
    char url[128];
    const char *args[] = {"curl", "-sS", version, "-o", "/dev/null", url, NULL};
    uv_process_options_t o = {.file = "curl", .args = (char **)(uintptr_t)args, .exit_cb = on_curl_exit};
    uv_process_t process;
    int status = -1;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", web_port(w->web), path);
    assert_int_equal(uv_spawn(env_uv_loop(w->env), &process, &o), 0);
    process.data = &status;
    while (status < 0)
        turn(w);
    uv_run(env_uv_loop(w->env), UV_RUN_NOWAIT); /* the handle's end */
    return status;
}

static void an_answer_that_is_cut_off_is_an_error_to_its_client(void **state)
{
    struct world *w = *state;
    struct str body;

    assert_int_equal(run_curl(w, "/drip?1000000", "--http1.1"), 0);
    assert_int_equal(run_curl(w, "/drip?1000000", "--http1.0"), 0);
    w->reset_in_drain = true;
    assert_int_equal(run_curl(w, "/drip?1000000", "--http1.1"), 18); /* a partial file */
    w->reset_in_drain = false;
    w->stop_in_drain = true;
    dial(w);
    say(w, "GET /drip?1000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_end(w);
    if (w->client.got.len)
        assert_false(unchunk(&w->client.got, &body));
}

static void a_slow_client_holds_one_piece_and_is_dropped(void **state)
{
    struct world *w = *state;

    dial(w);
    say(w, "GET /drip?50000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(w, "aaaa");
    tcp_pause(w->client.tcp, true);
    while (!w->closed) {
        turn(w);
        assert_true(!w->held || w->held->ops->pending(w->held) <= DRIP);
    }
    assert_true(w->left > 30000000); /* the rest is what the kernel takes */
}

static void an_answer_in_pieces_may_end_at_any_of_them(void **state)
{
    struct world *w = *state;

    for (unsigned i = 1; i <= 3; i++) { /* the client goes, the handler breaks off, the server stops */
        unsigned drains;

        w->reset_in_drain = i == 2;
        w->stop_in_drain = i == 3;
        w->drains = 0;
        dial(w);
        say(w, "GET /drip?50000000 HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 1) {
            expect(w, "aaaa");
            tcp_close(w->client.tcp);
        }
        while (w->closed < i)
            turn(w);
        drains = w->drains;
        if (i > 1)
            assert_int_equal(drains, 1);
        expect_end(w);
        for (int k = 0; k < 20; k++)
            uv_run(env_uv_loop(w->env), UV_RUN_NOWAIT);
        assert_int_equal(w->drains, drains);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_client_that_does_not_read_is_dropped),
        T(requests_on_one_connection_are_answered_in_order),
        T(a_client_is_told_to_send_the_body_it_asked_about),
        T(a_body_of_length_zero_is_a_body),
        T(a_body_over_the_cap_gets_413_and_the_connection_lives),
        T(what_is_not_supported_is_refused),
        T(an_answer_may_come_later_and_in_parts),
        T(a_client_that_went_away_is_noticed_with_its_answer),
        T(a_held_request_costs_no_cpu_though_more_bytes_wait),
        T(a_big_answer_to_a_slow_reader_is_whole),
        T(a_long_answer_is_written_as_it_is_taken),
        T(a_long_answer_comes_in_chunks),
        T(an_answer_that_is_cut_off_is_an_error_to_its_client),
        T(a_slow_client_holds_one_piece_and_is_dropped),
        T(an_answer_in_pieces_may_end_at_any_of_them),
        T(the_server_may_be_stopped_by_its_handler),
        T(no_drain_follows_an_end),
        T(two_servers_share_a_loop_and_a_port_in_use_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
