/* test_relay: a server that passes what it gets on to another one, on the real loop. */
#include "test.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"
#include "core/net/relay.h"
#include "core/net/tcp_uv.h"
#include "core/net/web.h"

struct world {
    struct env *env;
    struct web *front, *back;
    struct relays relays;
    struct http_serve *held; /* at the back: a request without an answer */
    struct buf seen, got;
    bool front_stopped, back_stopped, closed, back_has, idle;
    uint16_t target;
    size_t live;
};

static void at_front(void *ctx, struct http_serve *s)
{
    struct world *w = ctx;

    relay_start(&w->relays, "127.0.0.1", w->target, s);
}

static void held_closed(struct http_serve *s)
{
    struct world *w = s->data;

    w->held = NULL;
    w->idle = true;
}

static void at_back(void *ctx, struct http_serve *s)
{
    struct world *w = ctx;
    struct str type = http_header_find(s->headers, s->n_headers, "content-type");
    struct str token = http_header_find(s->headers, s->n_headers, "authorization");

    buf_printf(&w->seen, "%.*s %.*s|%.*s|%.*s|%.*s", (int)s->method.n, s->method.p, (int)s->path.n, s->path.p,
               (int)type.n, type.p, (int)token.n, token.p, (int)s->body.n, s->body.p);
    if (str_is(s->path, "/hold")) {
        w->held = s;
        s->data = w;
        s->on_close = held_closed;
        w->back_has = true;
        return;
    }
    http_reply(s, 409, "text/x-test", STR("said\nthe back\n"));
}

static void flag(void *ctx)
{
    *(bool *)ctx = true;
}

static struct web *start(struct world *w, http_handler *handler)
{
    struct error e;
    struct web *web = web_start(&(struct web_options){.env = w->env, .address = "127.0.0.1", .body_max = 100000,
                                                      .handler = handler, .ctx = w}, &e);

    assert_non_null(web);
    return web;
}

static int set_up(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->env = env_uv_new();
    relays_init(&w->relays, w->env);
    buf_init(&w->seen, 100000);
    buf_init(&w->got, 100000);
    w->front = start(w, at_front);
    w->back = start(w, at_back);
    w->target = web_port(w->back);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    web_stop(w->front, flag, &w->front_stopped);
    env_uv_run_until(w->env, &w->front_stopped);
    if (w->back) {
        web_stop(w->back, flag, &w->back_stopped);
        env_uv_run_until(w->env, &w->back_stopped);
    }
    relays_stop(&w->relays);
    env_uv_free(w->env);
    assert_int_equal(w->relays.n, 0);
    buf_done(&w->seen);
    buf_done(&w->got);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void on_data(struct tcp *c, struct str bytes)
{
    struct world *w = tcp_data(c);

    buf_add_str(&w->got, bytes);
}

static void on_eof(struct tcp *c)
{
    tcp_close(c);
}

static void on_closed(struct tcp *c, int rc, const struct error *e)
{
    struct world *w = tcp_data(c);

    (void)rc, (void)e;
    w->closed = true;
}

static const struct tcp_callbacks callbacks = {.on_data = on_data, .on_eof = on_eof, .on_closed = on_closed};

/* Sends text to the front. */
static struct tcp *say(struct world *w, const char *text)
{
    struct tcp *c = tcp_connect(w->env, "127.0.0.1", web_port(w->front), NULL, 5000, &callbacks, w);

    tcp_write(c, str_of(text));
    return c;
}

static void expect_answer(struct world *w, const char *text, const char *part)
{
    (void)say(w, text);
    env_uv_run_until(w->env, &w->closed);
    buf_add_str(&w->got, (struct str){"", 1});
    if (!strstr((const char *)w->got.data, part))
        fail_msg("\"%s\" is not in: %s", part, (const char *)w->got.data);
}

static void a_request_goes_on_and_its_answer_comes_back(void **state)
{
    struct world *w = *state;

    expect_answer(w,
                  "PUT /metrics/job/a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer t\r\ncontent-type: text/plain\r\n"
                  "content-length: 6\r\nconnection: close\r\n\r\nab 1\n\n",
                  "HTTP/1.1 409");
    assert_non_null(strstr((const char *)w->got.data, "text/x-test"));
    assert_non_null(strstr((const char *)w->got.data, "\r\n\r\nsaid\nthe back\n"));
    assert_true(str_is(buf_str(&w->seen), "PUT /metrics/job/a|text/plain|Bearer t|ab 1\n\n"));
}

static void what_was_passed_on_is_not_passed_on_again(void **state)
{
    struct world *w = *state;

    expect_answer(w, "DELETE /metrics/job/a HTTP/1.1\r\nhost: x\r\nvia: 1.1 stashd\r\nconnection: close\r\n\r\n",
                  "HTTP/1.1 503");
    assert_int_equal(w->seen.len, 0);
}

static void nobody_there_is_a_bad_gateway(void **state)
{
    struct world *w = *state;

    web_stop(w->back, flag, &w->back_stopped);
    env_uv_run_until(w->env, &w->back_stopped);
    w->back = NULL;
    expect_answer(w, "DELETE /metrics/job/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 502");
}

static void a_stop_ends_what_is_under_way(void **state)
{
    struct world *w = *state;

    (void)say(w, "DELETE /hold HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    env_uv_run_until(w->env, &w->back_has);
    assert_int_equal(w->relays.n, 1);
    relays_stop(&w->relays);
    env_uv_run_until(w->env, &w->closed);
    buf_add_str(&w->got, (struct str){"", 1});
    assert_non_null(strstr((const char *)w->got.data, "HTTP/1.1 502"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_goes_on_and_its_answer_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_passed_on_is_not_passed_on_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_there_is_a_bad_gateway, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_ends_what_is_under_way, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
