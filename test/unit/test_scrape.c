/* test_scrape: who asks for the page gets a small one whole and a big one as fast as he takes it. */
#include "test.h"
#include "support_push.h"

#include <stdio.h>

#include "core/base/mem.h"
#include "metrics/scrape.h"

enum { PIECE = 64 * 1024 };

struct exchange {
    struct http_serve serve; /* first */
    struct buf head, body;
    int status;
    bool ended, reset;
};

struct here {
    struct push_world *w;
    struct scrapes scrapes;
    struct buf whole;
};

static struct exchange *of(struct http_serve *s)
{
    return (struct exchange *)(void *)s;
}

static void on_head(struct http_serve *s, int status, const struct http_header *headers, size_t n)
{
    of(s)->status = status;
    for (size_t i = 0; i < n; i++)
        buf_printf(&of(s)->head, "%.*s: %.*s\n", (int)headers[i].name.n, headers[i].name.p, (int)headers[i].value.n,
                   headers[i].value.p);
}

static void on_write(struct http_serve *s, struct str bytes)
{
    assert_false(of(s)->ended || of(s)->reset);
    buf_add_str(&of(s)->body, bytes);
}

static void on_end(struct http_serve *s)
{
    assert_false(of(s)->ended || of(s)->reset);
    of(s)->ended = true;
}

static void on_reset(struct http_serve *s)
{
    of(s)->reset = true;
}

static const struct http_serve_ops ops = {.head = on_head, .write = on_write, .end = on_end, .reset = on_reset};

static void ask_from(struct here *h, struct exchange *x, const char *remote)
{
    *x = (struct exchange){.serve = {.method = STR("GET"), .ops = &ops, .remote = str_of(remote)}};
    buf_init(&x->head, 4096);
    buf_init(&x->body, 8 << 20);
    scrape_serve(&h->scrapes, h->w->push, STR_NONE, &x->serve);
}

static void ask(struct here *h, struct exchange *x, const char *method, bool leads, struct str own)
{
    *x = (struct exchange){.serve = {.method = str_of(method), .ops = &ops, .remote = STR("10.0.0.9:1")}};
    buf_init(&x->head, 4096);
    buf_init(&x->body, 8 << 20);
    scrape_serve(&h->scrapes, leads ? h->w->push : NULL, own, &x->serve);
}

static void close_exchange(struct exchange *x)
{
    if (x->serve.on_close)
        x->serve.on_close(&x->serve);
    buf_done(&x->head);
    buf_done(&x->body);
}

static int set_up(void **state)
{
    struct here *h = mem_zalloc(sizeof(*h));

    h->w = support_push_new(NULL);
    buf_init(&h->whole, 1 << 20);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct here *h = *state;

    assert_int_equal(h->scrapes.n, 0);
    buf_done(&h->whole);
    support_push_free(h->w);
    mem_free(h);
    return 0;
}

/* Three pieces and a bit. */
static void fill(struct here *h)
{
    char path[64], body[1100];

    for (unsigned i = 0; i < 180; i++) {
        (void)snprintf(path, sizeof(path), "/metrics/job/j%u", i);
        (void)snprintf(body, sizeof(body), "a{l=\"%01000d\"} 1\n", i);
        assert_int_equal(push_send(h->w, "PUT", path, body), 200);
    }
    push_write(h->w->push, STR_NONE, &h->whole);
    assert_in_range(h->whole.len, 3 * PIECE + 1, 4 * PIECE - 4000);
}

static void a_small_page_goes_out_whole_with_its_length(void **state)
{
    struct here *h = *state;
    struct exchange x;
    char length[64];

    assert_int_equal(push_send(h->w, "PUT", "/metrics/job/j", "a 1\n"), 200);
    ask(h, &x, "GET", true, STR("# TYPE own gauge\nown 1\n"));
    assert_true(x.ended);
    assert_int_equal(x.status, 200);
    assert_null(x.serve.on_close);
    (void)snprintf(length, sizeof(length), "content-length: %zu\n", x.body.len);
    assert_non_null(strstr(x.head.data, length));
    assert_non_null(strstr(x.head.data, "content-type: text/plain; version=0.0.4; charset=utf-8\n"));
    assert_non_null(strstr(x.body.data, "a{instance=\"\",job=\"j\"} 1\n# TYPE own gauge\nown 1\n"));
    close_exchange(&x);
    ask(h, &x, "GET", false, STR("# TYPE own gauge\nown 1\n")); /* a replica without the lead */
    assert_true(x.ended);
    assert_string_equal(x.body.data, "# TYPE own gauge\nown 1\n");
    close_exchange(&x);
}

static void a_big_page_waits_for_its_client(void **state)
{
    struct here *h = *state;
    struct exchange x;

    fill(h);
    ask(h, &x, "GET", true, STR_NONE);
    assert_int_equal(x.status, 200);
    assert_string_equal(x.head.data, "content-type: text/plain; version=0.0.4; charset=utf-8\n");
    push_clear(h->w->push); /* the lead is lost: the page goes on */
    for (unsigned n = 1; n <= 4; n++) {
        assert_true(x.body.len <= n * (PIECE + 2000));
        assert_int_equal(x.ended, n == 4);
        assert_int_equal(h->scrapes.n, 1);
        if (n < 4)
            x.serve.on_drain(&x.serve);
    }
    assert_string_equal(x.body.data, h->whole.data);
    close_exchange(&x);
}

static void a_fifth_scraper_is_told_to_come_again(void **state)
{
    struct here *h = *state;
    struct exchange x[SCRAPES_MAX], more;

    fill(h);
    for (int i = 0; i < SCRAPES_MAX; i++) {
        ask(h, &x[i], "GET", true, STR_NONE);
        assert_int_equal(x[i].status, 200);
        assert_false(x[i].ended);
    }
    ask(h, &more, "GET", true, STR_NONE);
    assert_int_equal(more.status, 503);
    assert_true(more.ended);
    assert_non_null(strstr(more.head.data, "retry-after: 1\n"));
    assert_string_equal(more.body.data, "4 big pages are being read already, most from there; try again\n");
    close_exchange(&more);
    close_exchange(&x[1]); /* gone in the middle */
    ask(h, &x[1], "GET", true, STR_NONE);
    assert_int_equal(x[1].status, 200);
    for (int i = 0; i < SCRAPES_MAX; i++)
        close_exchange(&x[i]);
}

static void slow_readers_keep_nobody_out(void **state)
{
    static const char *const remotes[] = {"10.0.0.1:1", "[fd00::2]:1", "[fd00::2]:2", "[fd00::2]:3"};
    struct here *h = *state;
    struct exchange x[SCRAPES_MAX], more[3];

    fill(h);
    for (int i = 0; i < SCRAPES_MAX; i++)
        ask_from(h, &x[i], remotes[i]);
    ask_from(h, &more[0], "10.0.0.3:1"); /* in place of the oldest of who has three */
    assert_int_equal(more[0].status, 200);
    assert_true(x[1].reset && !x[0].reset && !x[2].reset && !x[3].reset);
    assert_int_equal(h->scrapes.n, SCRAPES_MAX);
    ask_from(h, &more[1], "[fd00::2]:4");
    assert_int_equal(more[1].status, 503);
    ask_from(h, &more[2], "10.0.0.1:2");
    assert_int_equal(more[2].status, 200);
    assert_true(x[2].reset && !x[0].reset && !x[3].reset && !more[0].reset);
    for (int i = 0; i < SCRAPES_MAX; i++)
        close_exchange(&x[i]);
    for (int i = 0; i < 3; i++)
        close_exchange(&more[i]);
}

static void head_makes_no_page(void **state)
{
    struct here *h = *state;
    struct exchange x;
    size_t live;

    fill(h);
    live = mem_live();
    ask(h, &x, "HEAD", true, STR("# TYPE own gauge\nown 1\n"));
    assert_true(x.ended);
    assert_int_equal(x.status, 200);
    assert_int_equal(x.body.len, 0);
    assert_string_equal(x.head.data, "content-type: text/plain; version=0.0.4; charset=utf-8\n");
    close_exchange(&x);
    assert_int_equal(mem_live(), live);
}

static void a_line_that_fits_no_piece_is_an_error(void **state)
{
    struct here *h = *state;
    struct exchange x;
    struct buf own;

    buf_init(&own, 4 << 20);
    buf_printf(&own, "# HELP z %02000000d\n# TYPE z gauge\nz 1\n", 1);
    ask(h, &x, "GET", true, buf_str(&own));
    assert_int_equal(x.status, 500);
    close_exchange(&x);
    fill(h);
    ask(h, &x, "GET", true, buf_str(&own));
    assert_int_equal(x.status, 200);
    while (!x.reset)
        x.serve.on_drain(&x.serve);
    assert_false(x.ended);
    close_exchange(&x);
    buf_done(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_small_page_goes_out_whole_with_its_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_big_page_waits_for_its_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fifth_scraper_is_told_to_come_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_readers_keep_nobody_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(head_makes_no_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_fits_no_piece_is_an_error, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
