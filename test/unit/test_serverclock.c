/* test_serverclock: the header Date, and the clock that is made of it. */
#include "test.h"

#include <string.h>

#include "core/base/httpdate.h"
#include "k8s/serverclock.h"
#include "support_env.h"

static void a_date_is_read_as_it_is_written(void **state)
{
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
                {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
                {1772330400, "Sun, 01 Mar 2026 02:00:00 GMT"},
                {1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"}};
    char out[32];
    int64_t s;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(httpdate_format(rows[i].s, out), rows[i].text);
        assert_int_equal(httpdate_parse(str_of(rows[i].text), &s), 0);
        assert_int_equal(s, rows[i].s);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const bad[] = {"", "0", "Sun, 01 Mar 2026 02:00:00 CET", "Sun, 01 Mär 2026 02:00:00 GMT",
                                      "Sun, 31 Feb 2026 02:00:00 GMT", "Sun, 01 Xyz 2026 02:00:00 GMT",
                                      "Sun, 01 Mar 2026 25:00:00 GMT", "Sun, 01 Mar 2026 02:00:00 GMT ",
                                      "Sunday, 01-Mar-26 02:00:00 GMT", "Sun Mar  1 02:00:00 2026"};
    int64_t s;

    (void)state;
    assert_int_equal(httpdate_parse(STR_NONE, &s), -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (httpdate_parse(str_of(bad[i]), &s) == 0)
            fail_msg("read: %s", bad[i]);
}

struct clocks {
    struct test_env own;
    struct serverclock server;
    int64_t true_ms; /* of the server: its difference to the monotonic clock */
};

static void begin(struct clocks *c)
{
    test_env_init(&c->own);
    serverclock_init(&c->server, &c->own.env);
    c->true_ms = c->own.wall_ms;
}

static void advance(struct clocks *c, int64_t ms)
{
    test_env_advance(&c->own, (uint64_t)ms);
    c->true_ms += ms;
}

static int64_t ahead_ms(struct clocks *c)
{
    return env_wall_ms(&c->server.env) - c->true_ms;
}

static void our_own_clock_counts_while_it_agrees(void **state)
{
    struct clocks c;

    (void)state;
    begin(&c);
    c.own.wall_ms += 9000;
    assert_int_equal(ahead_ms(&c), 9000); /* nobody has said anything yet */
    serverclock_saw(&c.server, c.true_ms / 1000);
    assert_int_equal(ahead_ms(&c), 9000);
    advance(&c, 86400000);
    assert_int_equal(ahead_ms(&c), 9000);
    test_env_done(&c.own);
}

static void a_step_of_our_own_clock_changes_nothing(void **state)
{
    static const int64_t steps_ms[] = {900000, -1800000, 7200000};
    struct clocks c;

    (void)state;
    begin(&c);
    serverclock_saw(&c.server, c.true_ms / 1000);
    for (size_t i = 0; i < 3; i++) {
        c.own.wall_ms += steps_ms[i];
        assert_in_range(ahead_ms(&c) + 1000, 0, 1000);
        advance(&c, 3600000);
        assert_in_range(ahead_ms(&c) + 1000, 0, 1000);
    }
    test_env_done(&c.own);
}

static void answers_that_were_under_way_for_long_turn_nothing_back(void **state)
{
    struct clocks c;

    (void)state;
    begin(&c);
    c.own.wall_ms += 900000;
    serverclock_saw(&c.server, c.true_ms / 1000 - 60); /* the first one: it is at least so late */
    assert_int_equal(ahead_ms(&c), -60000);
    serverclock_saw(&c.server, c.true_ms / 1000);
    assert_int_equal(ahead_ms(&c), 0);
    advance(&c, 30000);
    serverclock_saw(&c.server, c.true_ms / 1000 - 30);
    assert_int_equal(ahead_ms(&c), 0);
    c.true_ms -= 3600000; /* the server's clock was set back: believed when nothing newer speaks against it */
    advance(&c, SERVERCLOCK_OLD_MS);
    serverclock_saw(&c.server, c.true_ms / 1000);
    assert_int_equal(ahead_ms(&c), 0);
    test_env_done(&c.own);
}

static void count(struct timer *t)
{
    ++*(int *)t->data;
}

static void timers_are_those_of_the_inner_env(void **state)
{
    struct clocks c;
    struct timer t;
    int n = 0;

    (void)state;
    begin(&c);
    timer_init(&t, count, &n);
    timer_set_in(&c.server.env, &t, 100);
    advance(&c, 99);
    assert_int_equal(n, 0);
    advance(&c, 1);
    assert_int_equal(n, 1);
    timer_set_in(&c.server.env, &t, 100);
    timer_clear(&c.server.env, &t);
    assert_false(timer_is_set(&t));
    assert_int_equal(env_now_ns(&c.server.env), c.own.now_ns);
    test_env_done(&c.own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_read_as_it_is_written),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(our_own_clock_counts_while_it_agrees),
        cmocka_unit_test(a_step_of_our_own_clock_changes_nothing),
        cmocka_unit_test(answers_that_were_under_way_for_long_turn_nothing_back),
        cmocka_unit_test(timers_are_those_of_the_inner_env),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
