/* test_tcp: connections over loopback, plain and with TLS: each test runs both ways unless it is about one. */
#include "test.h"

#include <stdio.h>
#include <sys/socket.h>

#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/tcp_uv.h"
#include "test/unit/support_certs.h"

static struct certs certs;

struct side {
    struct world *w;
    struct tcp *c;
    struct buf got;
    bool opened, eof, closed;
    int rc;
    struct error e;
    unsigned drains;
    /* What it does. */
    bool echo, shut_at_eof, close_at_open, close_at_data, close_at_eof;
    size_t pause_every; /* bytes */
    size_t next_pause;
    struct str reply_at_eof;
    struct timer resume;
};

struct world {
    struct env *env;
    struct tls_context *server_tls, *client_tls;
    struct tcp_listen *listen;
    struct side client, server;
    unsigned accepted;
    bool both_closed;
    size_t live;
};

static void on_open(struct tcp *c)
{
    struct side *s = tcp_data(c);

    assert_false(s->opened);
    s->opened = true;
    if (s->close_at_open)
        tcp_close(c);
}

static void on_resume(struct timer *t)
{
    struct side *s = t->data;

    if (!s->closed)
        tcp_pause(s->c, false);
}

static void on_data(struct tcp *c, struct str bytes)
{
    struct side *s = tcp_data(c);

    assert_false(s->eof);
    assert_false(s->closed);
    assert_false(timer_is_set(&s->resume)); /* paused is paused */
    buf_add_str(&s->got, bytes);
    if (s->echo)
        tcp_write(c, bytes);
    if (s->close_at_data)
        tcp_close(c);
    if (s->pause_every && s->got.len >= s->next_pause) {
        s->next_pause = s->got.len + s->pause_every;
        tcp_pause(c, true);
        timer_set_in(s->w->env, &s->resume, 1);
    }
}

static void on_eof(struct tcp *c)
{
    struct side *s = tcp_data(c);

    assert_false(s->eof);
    s->eof = true;
    tcp_write(c, s->reply_at_eof);
    if (s->shut_at_eof)
        tcp_shutdown(c);
    if (s->close_at_eof)
        tcp_close(c);
}

static void on_drain(struct tcp *c)
{
    struct side *s = tcp_data(c);

    assert_int_equal(tcp_pending(c), 0);
    s->drains++;
}

static void on_closed(struct tcp *c, int rc, const struct error *e)
{
    struct side *s = tcp_data(c);

    assert_false(s->closed);
    s->closed = true;
    s->rc = rc;
    s->e = *e;
    s->c = NULL;
    s->w->both_closed = s->w->client.closed && (s->w->server.closed || !s->w->server.w);
}

static const struct tcp_callbacks callbacks = {on_open, on_data, on_eof, on_drain, on_closed};

static void on_accept(struct tcp_listen *l, struct tcp *c)
{
    struct world *w = tcp_listen_data(l);

    w->accepted++;
    w->server.w = w;
    w->server.c = c;
    tcp_set_data(c, &callbacks, &w->server);
}

static struct world *world_make(bool tls, bool need_client)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));
    struct error e;

    w->live = live;
    w->env = env_uv_new();
    if (tls) {
        w->server_tls = support_server_context(&certs, NULL, need_client);
        w->client_tls = support_client_context(&certs, NULL, true);
    }
    w->listen = tcp_listen(w->env, "127.0.0.1", 0, w->server_tls, on_accept, w, &e);
    assert_non_null(w->listen);
    w->client.w = w;
    buf_init(&w->client.got, 32 << 20);
    buf_init(&w->server.got, 32 << 20);
    timer_init(&w->client.resume, on_resume, &w->client);
    timer_init(&w->server.resume, on_resume, &w->server);
    return w;
}

static void world_drop(struct world *w)
{
    size_t live = w->live;

    timer_clear(w->env, &w->client.resume);
    timer_clear(w->env, &w->server.resume);
    if (w->listen)
        tcp_listen_close(w->listen);
    tls_context_free(w->server_tls);
    tls_context_free(w->client_tls);
    buf_done(&w->client.got);
    buf_done(&w->server.got);
    env_uv_run(w->env);
    env_uv_free(w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
}

static void dial(struct world *w, const char *host)
{
    w->client.c = tcp_connect(w->env, host, tcp_listen_port(w->listen), w->client_tls, 5000, &callbacks, &w->client);
    assert_false(w->client.opened);
}

static void fill(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 11 + i / 253);
}

static void echoed_bytes_are_unchanged_with_pauses_on_both_sides(void **state)
{
    enum { N = 5 * 1024 * 1024 };
    char *bytes = mem_alloc(N);

    (void)state;
    fill(bytes, N);
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls, true);

        w->server.echo = w->server.shut_at_eof = true;
        w->server.pause_every = 700001;
        w->client.pause_every = 900001;
        dial(w, "127.0.0.1");
        tcp_write(w->client.c, (struct str){bytes, 1000}); /* before it is connected */
        env_uv_run_until(w->env, &w->client.opened);
        assert_non_null(strstr(tcp_remote(w->client.c), "127.0.0.1:"));
        tcp_write(w->client.c, (struct str){bytes + 1000, N - 1000});
        assert_true(tcp_pending(w->client.c) > 0);
        tcp_shutdown(w->client.c);
        tcp_write(w->client.c, STR("not sent: our direction has ended"));
        env_uv_run_until(w->env, &w->both_closed);
        assert_int_equal(w->client.rc, 0);
        assert_int_equal(w->server.rc, 0);
        assert_int_equal(w->client.got.len, N);
        assert_memory_equal(w->client.got.data, bytes, N);
        assert_true(w->client.drains > 0);
        world_drop(w);
    }
    mem_free(bytes);
}

static void one_direction_ends_and_the_other_goes_on(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls, false);

        w->server.reply_at_eof = STR("counted: 5");
        w->server.shut_at_eof = true;
        dial(w, "localhost"); /* ::1 may come first, where nobody listens */
        tcp_write(w->client.c, STR("12345"));
        tcp_shutdown(w->client.c);
        env_uv_run_until(w->env, &w->both_closed);
        assert_string_equal(w->server.got.data, "12345");
        assert_string_equal(w->client.got.data, "counted: 5");
        assert_true(w->server.eof && w->client.eof);
        assert_int_equal(w->client.rc, 0);
        assert_int_equal(w->server.rc, 0);
        world_drop(w);
    }
}

static void over_tls_a_dropped_connection_is_no_end(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls, false);

        w->server.close_at_data = true;
        w->client.close_at_eof = true;
        dial(w, "127.0.0.1");
        tcp_write(w->client.c, STR("x"));
        env_uv_run_until(w->env, &w->both_closed);
        assert_int_equal(w->client.eof, !tls);
        assert_int_equal(w->client.rc, tls ? ERR_NET : 0);
        if (tls)
            assert_non_null(strstr(w->client.e.msg, "close_notify"));
        assert_int_equal(w->server.rc, 0);
        world_drop(w);
    }
}

static void the_client_certificate_is_known_on_accept(void **state)
{
    struct world *w = world_make(true, true);

    (void)state;
    dial(w, "127.0.0.1");
    env_uv_run_until(w->env, &w->client.opened);
    while (!w->accepted)
        uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
    assert_string_equal(tls_peer_subject(tcp_tls(w->server.c)), "CN=admin,O=system:masters");
    tcp_close(w->client.c);
    w->server.close_at_eof = true;
    env_uv_run_until(w->env, &w->both_closed);
    assert_int_equal(w->server.rc, ERR_NET); /* the client dropped it */
    world_drop(w);
}

static void a_refused_connection_is_a_network_error(void **state)
{
    struct world *w = world_make(false, false);
    uint16_t port = tcp_listen_port(w->listen);

    (void)state;
    tcp_listen_close(w->listen);
    w->listen = NULL;
    env_uv_run(w->env);
    w->client.c = tcp_connect(w->env, "127.0.0.1", port, NULL, 5000, &callbacks, &w->client);
    env_uv_run_until(w->env, &w->client.closed);
    assert_int_equal(w->client.rc, ERR_NET);
    assert_non_null(strstr(w->client.e.msg, "connection refused"));
    assert_false(w->client.opened);
    world_drop(w);
}

static void a_name_that_does_not_exist_is_a_network_error(void **state)
{
    struct world *w = world_make(false, false);
    char longest[400];

    (void)state;
    dial(w, "no-such-host.invalid");
    env_uv_run_until(w->env, &w->client.closed);
    assert_int_equal(w->client.rc, ERR_NET);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    w->client.closed = false;
    dial(w, longest);
    assert_false(w->client.closed); /* not inside the call */
    env_uv_run_until(w->env, &w->client.closed);
    assert_int_equal(w->client.rc, ERR_NET);
    world_drop(w);
}

static void a_server_that_does_not_answer_is_a_timeout(void **state)
{
    struct world *w = world_make(false, false);

    (void)state;
    w->client_tls = support_client_context(&certs, NULL, false); /* and the server says nothing: no TLS there */
    w->client.c =
        tcp_connect(w->env, "127.0.0.1", tcp_listen_port(w->listen), w->client_tls, 50, &callbacks, &w->client);
    env_uv_run_until(w->env, &w->client.closed);
    assert_int_equal(w->client.rc, ERR_TIMEOUT);
    w->server.close_at_eof = true;
    if (w->server.c)
        tcp_close(w->server.c);
    world_drop(w);
}

static void a_server_without_a_good_certificate_is_refused(void **state)
{
    struct world *w = world_make(true, false);
    struct tls_options o = {.ca_pem = str_of(certs.other_ca.cert_pem), .server_name = "localhost"};
    struct error e;

    (void)state;
    tls_context_free(w->client_tls);
    w->client_tls = tls_context_new(&o, &e);
    dial(w, "127.0.0.1");
    env_uv_run_until(w->env, &w->client.closed);
    assert_int_equal(w->client.rc, ERR_NET);
    assert_non_null(strstr(w->client.e.msg, "certificate of localhost"));
    assert_false(w->client.opened);
    assert_int_equal(w->accepted, 0);
    world_drop(w);
}

static void garbage_for_a_handshake_harms_only_itself(void **state)
{
    struct world *w = world_make(true, false);
    struct tls_context *tls = w->client_tls;

    (void)state;
    w->client_tls = NULL;
    dial(w, "127.0.0.1");
    tcp_write(w->client.c, STR("GET / HTTP/1.1\r\n\r\n"));
    w->client.close_at_eof = true;
    env_uv_run_until(w->env, &w->client.closed);
    assert_int_equal(w->accepted, 0);
    w->client_tls = tls;
    w->client.closed = w->client.opened = w->client.eof = w->both_closed = false;
    w->server.close_at_eof = w->server.echo = true;
    dial(w, "127.0.0.1");
    tcp_write(w->client.c, STR("hello"));
    env_uv_run_until(w->env, &w->client.opened);
    tcp_shutdown(w->client.c);
    w->client.close_at_eof = true;
    env_uv_run_until(w->env, &w->both_closed);
    assert_int_equal(w->accepted, 1);
    world_drop(w);
}

static void on_tick(struct timer *t)
{
    (void)t;
}

static void a_connection_may_be_closed_in_every_state(void **state)
{
    struct timer tick;

    (void)state;
    timer_init(&tick, on_tick, NULL);
    for (int tls = 0; tls < 2; tls++) {
        for (int turns = 0; turns < 12; turns++) {
            struct world *w = world_make(tls, false);

            w->server.close_at_eof = true;
            dial(w, turns % 2 ? "127.0.0.1" : "localhost");
            for (int i = 0; i < turns; i++) {
                timer_set_in(w->env, &tick, 2); /* a turn ends though nothing happens */
                uv_run(env_uv_loop(w->env), UV_RUN_ONCE);
            }
            timer_clear(w->env, &tick);
            tcp_close(w->client.c);
            tcp_close(w->client.c);
            assert_false(w->client.closed);
            env_uv_run_until(w->env, &w->client.closed);
            assert_int_equal(w->client.rc, 0);
            world_drop(w);
        }
    }
}

static void closing_in_on_open_is_fine(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world *w = world_make(tls, false);

        w->client.close_at_open = true;
        w->server.close_at_eof = true;
        dial(w, "127.0.0.1");
        env_uv_run_until(w->env, &w->both_closed);
        assert_true(w->client.opened);
        world_drop(w);
    }
}

static void a_port_in_use_and_a_bad_address_are_told(void **state)
{
    struct world *w = world_make(false, false);
    struct error e;

    (void)state;
    assert_null(tcp_listen(w->env, "127.0.0.1", tcp_listen_port(w->listen), NULL, on_accept, w, &e));
    assert_int_equal(e.code, ERR_EXISTS);
    assert_null(tcp_listen(w->env, "nowhere", 0, NULL, on_accept, w, &e));
    assert_int_equal(e.code, ERR_INVALID);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoed_bytes_are_unchanged_with_pauses_on_both_sides),
        cmocka_unit_test(one_direction_ends_and_the_other_goes_on),
        cmocka_unit_test(over_tls_a_dropped_connection_is_no_end),
        cmocka_unit_test(the_client_certificate_is_known_on_accept),
        cmocka_unit_test(a_refused_connection_is_a_network_error),
        cmocka_unit_test(a_name_that_does_not_exist_is_a_network_error),
        cmocka_unit_test(a_server_that_does_not_answer_is_a_timeout),
        cmocka_unit_test(a_server_without_a_good_certificate_is_refused),
        cmocka_unit_test(garbage_for_a_handshake_harms_only_itself),
        cmocka_unit_test(a_connection_may_be_closed_in_every_state),
        cmocka_unit_test(closing_in_on_open_is_fine),
        cmocka_unit_test(a_port_in_use_and_a_bad_address_are_told),
    };

    return cmocka_run_group_tests(tests, all_new, all_done);
}
