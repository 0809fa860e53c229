/* test_web_tls: HTTPS: no certificate, no entry; a new one for new connections while open ones go on. */
#include "test.h"

#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/tcp_uv.h"
#include "core/net/web.h"
#include "support_certs.h"

struct client {
    struct tcp *tcp;
    struct tls_context *tls;
    struct buf got;
    bool closed;
};

struct world {
    struct env *env;
    struct web *web;
    struct certs certs;
    unsigned handled;
    bool stopped;
    size_t live;
};

static void on_stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void handle(void *ctx, struct http_serve *s)
{
    struct world *w = ctx;

    w->handled++;
    http_reply(s, 200, "text/plain", s->body);
}

static void client_data(struct tcp *t, struct str bytes)
{
    buf_add_str(&((struct client *)tcp_data(t))->got, bytes);
}

static void client_closed(struct tcp *t, int rc, const struct error *e)
{
    struct client *c = tcp_data(t);

    (void)rc, (void)e;
    c->closed = true;
    c->tcp = NULL;
}

static const struct tcp_callbacks callbacks = {.on_data = client_data, .on_closed = client_closed};

static int setup(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));
    struct web_options o = {.address = "127.0.0.1", .body_max = 1000000, .tls = true, .handler = handle, .ctx = w};
    struct error e;

    w->live = live;
    support_certs_make(&w->certs);
    w->env = o.env = env_uv_new();
    w->web = web_start(&o, &e);
    assert_non_null(w->web);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    web_stop(w->web, on_stopped, &w->stopped);
    env_uv_run_until(w->env, &w->stopped);
    env_uv_run(w->env);
    env_uv_free(w->env);
    support_certs_done(&w->certs);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

/* A client that trusts one CA only. */
static void dial(struct world *w, struct client *c, const struct cert *ca)
{
    struct error e;

    *c = (struct client){.tls = tls_context_new(&(struct tls_options){.ca_pem = str_of(ca->cert_pem),
                                                                      .server_name = "localhost"}, &e)};
    buf_init(&c->got, 1 << 21);
    c->tcp = tcp_connect(w->env, "127.0.0.1", web_port(w->web), c->tls, 5000, &callbacks, c);
}

static void one_turn(struct world *w)
{
    (void)uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
}

/* Posts n bytes and waits for them to come back. */
static void post(struct world *w, struct client *c, size_t n)
{
    char *body = mem_zalloc(n + 1), *text;
    size_t got = c->got.len;

    memset(body, 'x', n);
    text = mem_printf("POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", n, body);
    tcp_write(c->tcp, str_of(text));
    while (!c->closed && !(c->got.len > got + n && strstr(c->got.data + got, body)))
        one_turn(w);
    if (c->closed)
        fail_msg("closed with %zu of %zu bytes back, %u handled", c->got.len - got, n, w->handled);
    mem_free(text);
    mem_free(body);
}

static void hang_up(struct world *w, struct client *c)
{
    if (c->tcp)
        tcp_close(c->tcp);
    while (!c->closed)
        one_turn(w);
    tls_context_free(c->tls);
    buf_done(&c->got);
}

static int serve(struct world *w, const struct cert *c, struct error *e)
{
    return web_set_certificate(w->web, str_of(c->cert_pem), str_of(c->key_pem), e);
}

static void without_a_certificate_nobody_gets_in(void **state)
{
    struct world *w = *state;
    struct client c;

    dial(w, &c, &w->certs.ca);
    while (!c.closed)
        one_turn(w);
    hang_up(w, &c);
    assert_int_equal(w->handled, 0);
}

static void requests_come_over_tls_big_ones_too(void **state)
{
    struct world *w = *state;
    struct client c;
    struct error e;

    assert_int_equal(serve(w, &w->certs.server, &e), 0);
    dial(w, &c, &w->certs.ca);
    post(w, &c, 10);
    for (size_t n = 3000; n < 700000; n *= 3)
        post(w, &c, n);
    post(w, &c, 700000);
    post(w, &c, 1);
    hang_up(w, &c);
    assert_int_equal(w->handled, 8);
}

static void a_new_certificate_is_for_new_connections(void **state)
{
    struct world *w = *state;
    const char *const names[] = {"localhost", NULL};
    struct client before, after, old;
    struct cert next = {0};
    struct error e;
    int64_t from, to;

    assert_int_equal(serve(w, &w->certs.server, &e), 0);
    assert_int_equal(cert_times(w->certs.server.cert_pem, &from, &to, &e), 0);
    assert_int_equal(to - from, 7200);
    assert_int_equal(cert_make(&(struct cert_spec){.common_name = "next", .names = names, .from_unix_s = from,
                                                   .to_unix_s = to}, &w->certs.other_ca, &next, &e), 0);
    dial(w, &before, &w->certs.ca);
    post(w, &before, 10);
    assert_int_equal(serve(w, &next, &e), 0);
    post(w, &before, 20);
    dial(w, &after, &w->certs.other_ca);
    post(w, &after, 10);
    dial(w, &old, &w->certs.ca); /* trusts only what was before */
    while (!old.closed)
        one_turn(w);
    hang_up(w, &old);
    hang_up(w, &before);
    hang_up(w, &after);
    cert_done(&next);
}

static void a_pair_that_does_not_fit_leaves_the_old_one(void **state)
{
    struct world *w = *state;
    struct client c;
    struct error e;

    assert_int_equal(serve(w, &w->certs.server, &e), 0);
    assert_int_equal(web_set_certificate(w->web, str_of(w->certs.server.cert_pem), str_of(w->certs.client.key_pem), &e),
                     ERR_INVALID);
    assert_int_equal(web_set_certificate(w->web, STR("nonsense"), STR("nonsense"), &e), ERR_INVALID);
    dial(w, &c, &w->certs.ca);
    post(w, &c, 10);
    hang_up(w, &c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(without_a_certificate_nobody_gets_in),
        T(requests_come_over_tls_big_ones_too),
        T(a_new_certificate_is_for_new_connections),
        T(a_pair_that_does_not_fit_leaves_the_old_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
