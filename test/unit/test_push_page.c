/* test_push_page: a page in pieces is the page of one moment, whatever happens to its groups while it is written. */
#include "test.h"
#include "support_push.h"

#include <stdio.h>

#include "core/base/mem.h"

enum { PIECE = 64 * 1024, N_GROUPS = 300, N_SERIES = 8 };

static int set_up(void **state)
{
    *state = support_push_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    support_push_free(*state);
    return 0;
}

static void name_of(char name[16], unsigned series)
{
    (void)snprintf(name, 16, "f%u", (series * 5 + 3) % N_SERIES); /* not in order */
}

/* 300 groups of 8 series, in 8 families and those of the times. */
static void fill(struct push_world *w)
{
    char path[64], name[16];
    struct buf body;

    buf_init(&body, 64 * 1024);
    for (unsigned i = 0; i < N_GROUPS; i++) {
        buf_clear(&body);
        for (unsigned k = 0; k < N_SERIES; k++) {
            name_of(name, k);
            buf_printf(&body, "# HELP %s Of all.\n# TYPE %s gauge\n%s{l=\"%0100d\"} %u\n", name, name, name, 7, i);
        }
        (void)snprintf(path, sizeof(path), "/metrics/job/j%u", i);
        assert_int_equal(push_send(w, "PUT", path, body.data), 200);
    }
    buf_done(&body);
}

/* What fill makes, written by the rules. */
static void expected(struct buf *out, const char *own)
{
    static const char *const times[][3] = {
        {"push_failure_time_seconds", "failed", "0"},
        {"push_time_seconds", "succeeded", "1.7723304005e+09"},
    };

    buf_puts(out, own);
    for (unsigned k = 0; k < N_SERIES; k++) {
        buf_printf(out, "# HELP f%u Of all.\n# TYPE f%u gauge\n", k, k);
        for (unsigned i = 0; i < N_GROUPS; i++)
            buf_printf(out, "f%u{instance=\"\",job=\"j%u\",l=\"%0100d\"} %u\n", k, i, 7, i);
    }
    for (unsigned t = 0; t < 2; t++) {
        buf_printf(out, "# HELP %s When a push to this group last %s, Unix time.\n# TYPE %s gauge\n", times[t][0],
                   times[t][1], times[t][0]);
        for (unsigned i = 0; i < N_GROUPS; i++)
            buf_printf(out, "%s{instance=\"\",job=\"j%u\"} %s\n", times[t][0], i, times[t][2]);
    }
}

static void assert_same(const struct buf *got, const struct buf *wanted)
{
    size_t at = 0;

    while (at < got->len && got->data[at] == wanted->data[at])
        at++;
    if (got->len != wanted->len || at < got->len)
        fail_msg("%zu bytes, not %zu, other from %zu on:\n%.200s\nnot\n%.200s", got->len, wanted->len, at,
                 got->data + at, wanted->data + at);
}

/* Each piece ends with a line. The number of pieces. */
static unsigned write_rest(struct push_page *page, struct buf *out)
{
    unsigned n = 0;
    bool more = true;

    while (more) {
        size_t before = out->len;

        more = push_page_next(page, out);
        n++;
        assert_true(out->len - before < PIECE + 300);
        assert_true(!more || out->len - before >= PIECE);
        assert_int_equal(out->data[out->len - 1], '\n');
    }
    assert_false(push_page_next(page, out));
    return n;
}

static void the_pieces_are_the_whole_page(void **state)
{
    struct push_world *w = *state;
    struct push_page *page;
    struct buf own, whole;

    buf_init(&own, 1 << 20);
    buf_init(&whole, 1 << 20);
    buf_puts(&own, "# HELP a Our own.\n# TYPE a counter\n");
    for (unsigned i = 0; i < 5000; i++) /* a family of the operator's is cut, too */
        buf_printf(&own, "a{l=\"%u\"} %u\n", i, i);
    fill(w);
    expected(&whole, own.data);
    page = push_page_new(w->push, buf_str(&own));
    buf_clear(&own); /* it was copied */
    buf_puts(&own, "# TYPE b counter\n");
    assert_int_equal(write_rest(page, &w->page), whole.len / PIECE + 1);
    assert_same(&w->page, &whole);
    push_page_free(page);
    buf_clear(&w->page);
    push_write(w->push, STR_NONE, &w->page);
    buf_clear(&whole);
    expected(&whole, "");
    assert_same(&w->page, &whole);
    buf_done(&own);
    buf_done(&whole);
}

static void a_small_page_is_one_piece(void **state)
{
    struct push_world *w = *state;
    static const char start[] = "# TYPE a untyped\na{instance=\"\",job=\"j\"} 1\n# TYPE own gauge\nown 2\n# HELP push_";
    struct push_page *page = push_page_new(w->push, STR_NONE);

    assert_false(push_page_next(page, &w->page)); /* there is nothing at all */
    assert_int_equal(w->page.len, 0);
    push_page_free(page);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j", "a 1\n"), 200);
    page = push_page_new(w->push, STR("# TYPE own gauge\nown 2")); /* an end of a line is missing */
    assert_false(push_page_next(page, &w->page));
    assert_memory_equal(w->page.data, start, sizeof(start) - 1);
    push_page_free(page);
    push_page_free(NULL);
}

/* All that can become of a group, after the first piece of each of two pages. */
static void groups_are_shown_as_they_were(void **state)
{
    struct push_world *w = *state;
    struct push_page *page, *other;
    struct buf whole, second;

    buf_init(&whole, 1 << 20);
    buf_init(&second, 1 << 20);
    fill(w);
    expected(&whole, "");
    page = push_page_new(w->push, STR_NONE);
    assert_true(push_page_next(page, &w->page));

    assert_int_equal(push_send(w, "PUT", "/metrics/job/j0", "# TYPE f1 counter\nf1 1\nnew 1\n"), 400);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j1", "# HELP f7 Other.\n# TYPE f7 gauge\nf7 1\nnew 1\n"), 200);
    assert_int_equal(push_send(w, "POST", "/metrics/job/j2", "# TYPE f7 gauge\nf7 2\n"), 200);
    assert_int_equal(push_send(w, "DELETE", "/metrics/job/j299", ""), 202);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j9999", "a 1\n"), 200);
    other = push_page_new(w->push, STR_NONE);
    assert_true(push_page_next(other, &second));
    assert_non_null(strstr(second.data, "a{instance=\"\",job=\"j9999\"} 1\n"));

    push_clear(w->push); /* the lead was lost */
    assert_int_equal(push_bytes(w->push), 0);
    assert_int_equal(push_send(w, "PUT", "/metrics/job/j3", "# TYPE f7 counter\nf7 3\n"), 200);
    (void)write_rest(page, &w->page);
    assert_same(&w->page, &whole);
    push_page_free(page);
    (void)write_rest(other, &second);
    assert_non_null(strstr(second.data, "\n# HELP f7 Of all.\n# TYPE f7 gauge\nf7{instance=\"\",job=\"j0\",l=\"0"));
    assert_non_null(strstr(second.data, "\nf7{instance=\"\",job=\"j1\"} 1\n"));
    assert_non_null(strstr(second.data, "\nf7{instance=\"\",job=\"j2\"} 2\n"));
    assert_non_null(strstr(second.data, "\npush_failure_time_seconds{instance=\"\",job=\"j0\"} 1.7723304005e+09\n"));
    assert_null(strstr(second.data, "job=\"j299\""));
    push_page_free(other);
    push_assert_page(w, "# TYPE f7 counter\nf7{instance=\"\",job=\"j3\"} 3\n", true);
    push_assert_page(w, "job=\"j1\"", false);
    buf_done(&whole);
    buf_done(&second);
}

/* The families of a page's groups have gone, have come again, and go again before the page does. */
static void a_page_freed_in_the_middle_leaves_nothing(void **state)
{
    struct push_world *w = *state;
    struct push_page *page, *other;
    size_t live;

    fill(w);
    (void)push_page(w); /* takes its memory once */
    push_clear(w->push);
    live = mem_live();
    fill(w);
    buf_clear(&w->page);
    page = push_page_new(w->push, STR("# TYPE f3 gauge\nf3 0\n"));
    assert_true(push_page_next(page, &w->page));
    push_clear(w->push);
    push_page_free(page);
    assert_int_equal(mem_live(), live);

    fill(w);
    page = push_page_new(w->push, STR_NONE);
    push_clear(w->push);
    push_assert_page(w, "f1", false); /* no group in the store has one */
    fill(w);
    other = push_page_new(w->push, STR_NONE);
    push_clear(w->push);
    buf_clear(&w->page);
    assert_true(push_page_next(page, &w->page));
    push_page_free(page);
    buf_clear(&w->page);
    assert_true(push_page_next(other, &w->page));
    push_page_free(other);
}

/* Whoever reads slowly keeps nobody from pushing. */
static void what_pages_alone_show_counts_for_no_cap(void **state)
{
    const struct push_limits limits = {.groups = 2, .total_bytes = 4000};
    struct push_world *w = *state;
    struct push_page *pages[4];
    char body[2100];

    push_free(w->push);
    w->push = push_new(1, &limits);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(body, sizeof(body), "# HELP a %02000d\na 1\n", i);
        assert_int_equal(push_send(w, "PUT", "/metrics/job/j", body), 200);
        assert_true(push_bytes(w->push) < 2500);
        pages[i] = push_page_new(w->push, STR_NONE);
        if (i % 2)
            assert_int_equal(push_send(w, "DELETE", "/metrics/job/j", ""), 202);
    }
    assert_int_equal(push_bytes(w->push), 0);
    assert_int_equal(push_groups(w->push), 0);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(body, sizeof(body), "# HELP a %02000d\n# TYPE a untyped\na{instance", i);
        buf_clear(&w->page);
        assert_false(push_page_next(pages[i], &w->page));
        assert_memory_equal(w->page.data, body, strlen(body));
        push_page_free(pages[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_pieces_are_the_whole_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_page_is_one_piece, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_are_shown_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_freed_in_the_middle_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_pages_alone_show_counts_for_no_cap, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
