/* test_env_uv: clocks, timers, signals and files of the real environment. */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/env_uv.h"

struct world {
    struct env *env;
    size_t live;
    char trace[64];
    bool done;
    unsigned n;
    int sig;
};

struct named {
    struct timer timer;
    struct world *w;
    char name;
};

static int world_new(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->env = env_uv_new();
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    env_uv_free(w->env);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

static void on_named(struct timer *t)
{
    struct named *n = t->data;
    size_t at = strlen(n->w->trace);

    n->w->trace[at] = n->name;
    n->w->trace[at + 1] = 0;
}

static void named_init(struct named *n, struct world *w, char name)
{
    n->w = w;
    n->name = name;
    timer_init(&n->timer, on_named, n);
}

static void timers_fire_by_due_time_then_by_order_of_setting(void **state)
{
    struct world *w = *state;
    uint64_t now = env_now_ns(w->env);
    struct named t[5];

    for (int i = 0; i < 5; i++)
        named_init(&t[i], w, (char)('a' + i));
    timer_set_at(w->env, &t[0].timer, now + 3000000);
    timer_set_at(w->env, &t[1].timer, now + 1000);
    timer_set_at(w->env, &t[2].timer, now + 3000000);
    timer_set_at(w->env, &t[3].timer, now + 2000);
    timer_set_at(w->env, &t[4].timer, now + 3000000);
    assert_true(timer_is_set(&t[4].timer));
    timer_clear(w->env, &t[2].timer);
    timer_set_at(w->env, &t[0].timer, now + 3000000); /* set again: behind e */
    env_uv_run(w->env);
    assert_string_equal(w->trace, "bdea");
    assert_false(timer_is_set(&t[4].timer));
}

static void on_clear_other(struct timer *t)
{
    struct named *other = t->data;

    timer_clear(other->w->env, &other->timer);
}

static void a_timer_may_clear_one_that_is_due_in_the_same_turn(void **state)
{
    struct world *w = *state;
    struct named victim;
    struct timer first;

    named_init(&victim, w, 'x');
    timer_init(&first, on_clear_other, &victim);
    timer_set_in(w->env, &first, 0);
    timer_set_in(w->env, &victim.timer, 0);
    env_uv_run(w->env);
    assert_string_equal(w->trace, "");
}

static void on_again(struct timer *t)
{
    struct world *w = t->data;

    w->n++;
    if (!w->done)
        timer_set_in(w->env, t, 0);
}

static void on_readable(uv_poll_t *p, int status, int events)
{
    struct world *w = p->data;

    (void)status;
    (void)events;
    w->done = true;
    uv_close((uv_handle_t *)p, NULL);
}

static void a_timer_that_sets_itself_at_once_does_not_starve_the_loop(void **state)
{
    struct world *w = *state;
    struct timer t;
    uv_poll_t poll;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(uv_poll_init(env_uv_loop(w->env), &poll, fds[0]), 0);
    poll.data = w;
    timer_init(&t, on_again, w);
    timer_set_in(w->env, &t, 0);
    assert_int_equal(w->n, 0); /* not inside the call */
    assert_int_equal(uv_poll_start(&poll, UV_READABLE, on_readable), 0);
    env_uv_run(w->env);
    assert_true(w->done);
    assert_true(w->n >= 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void on_look_at_clock(struct timer *t)
{
    struct world *w = t->data;
    uint64_t before = env_now_ns(w->env);
    uint64_t spin = uv_hrtime() + 200000;

    while (uv_hrtime() < spin)
        ;
    w->done = env_now_ns(w->env) == before;
}

static void now_is_the_same_within_a_turn_and_moves_between_turns(void **state)
{
    struct world *w = *state;
    uint64_t start = env_now_ns(w->env);
    struct timer t;

    timer_init(&t, on_look_at_clock, w);
    timer_set_in(w->env, &t, 1);
    env_uv_run(w->env);
    assert_true(w->done);
    assert_true(env_now_ns(w->env) >= start + 1000000); /* never early */
}

static void on_done(struct timer *t)
{
    struct world *w = t->data;

    w->done = true;
}

static void run_until_returns_when_done_is_set_though_others_wait(void **state)
{
    struct world *w = *state;
    struct timer t, late;

    timer_init(&t, on_done, w);
    timer_init(&late, on_again, w);
    timer_set_in(w->env, &late, 3600 * 1000);
    timer_set_in(w->env, &t, 1);
    env_uv_run_until(w->env, &w->done);
    assert_true(w->done);
    assert_int_equal(w->n, 0);
    timer_clear(w->env, &late);
    env_uv_run(w->env); /* nothing left: returns */
}

static void on_stop(struct timer *t)
{
    struct world *w = t->data;

    env_uv_stop(w->env);
}

static void stop_ends_a_run(void **state)
{
    struct world *w = *state;
    struct timer t, late;

    timer_init(&t, on_stop, w);
    timer_init(&late, on_again, w);
    timer_set_in(w->env, &t, 0);
    timer_set_in(w->env, &late, 3600 * 1000);
    env_uv_run(w->env);
    assert_true(timer_is_set(&late));
    timer_clear(w->env, &late);
}

static void on_signal(void *ctx, int sig)
{
    struct world *w = ctx;

    w->sig = sig;
    w->done = true;
}

static void a_signal_comes_in_a_turn_and_does_not_keep_the_loop(void **state)
{
    struct world *w = *state;
    struct timer late;

    env_uv_on_signal(w->env, on_signal, w);
    env_uv_run(w->env); /* returns: a signal handler is nothing to wait for */
    timer_init(&late, on_again, w);
    timer_set_in(w->env, &late, 60 * 1000);
    (void)kill(getpid(), SIGTERM);
    assert_int_equal(w->sig, 0);
    env_uv_run_until(w->env, &w->done);
    assert_int_equal(w->sig, SIGTERM);
    timer_clear(w->env, &late);
    env_uv_on_signal(w->env, NULL, NULL);
}

static void random_numbers_differ(void **state)
{
    struct world *w = *state;
    uint64_t a = env_random(w->env), b = env_random(w->env);

    assert_int_not_equal(a, b);
    assert_true(env_wall_ms(w->env) > 1700000000000);
}

static void a_file_is_written_whole_with_its_mode_and_read_back(void **state)
{
    char folder[] = "/tmp/test_env_uv.XXXXXX", path[64];
    struct error e;
    struct stat st;
    struct buf b;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/f", folder);
    assert_int_equal(env_uv_write_file(path, STR("one\0two"), 0604, true, &e), 0);
    assert_int_equal(env_uv_write_file(path, STR("three\0four"), 0604, false, &e), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    buf_init(&b, 10);
    assert_int_equal(env_uv_read_file(path, &b, &e), 0);
    assert_true(str_eq(buf_str(&b), STR("three\0four")));
    buf_done(&b);
    buf_init(&b, 9);
    assert_int_equal(env_uv_read_file(path, &b, &e), ERR_TOOBIG);
    buf_done(&b);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(env_uv_read_file(path, &b, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(env_uv_read_file(folder, &b, &e), ERR_INVALID);
    buf_done(&b);
    (void)snprintf(path, sizeof(path), "%s/no/f", folder);
    assert_int_equal(env_uv_write_file(path, STR("x"), 0600, false, &e), ERR_NOTFOUND);
    assert_int_equal(rmdir(folder), 0); /* no temporary file was left */
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(timers_fire_by_due_time_then_by_order_of_setting),
        T(a_timer_may_clear_one_that_is_due_in_the_same_turn),
        T(a_timer_that_sets_itself_at_once_does_not_starve_the_loop),
        T(now_is_the_same_within_a_turn_and_moves_between_turns),
        T(run_until_returns_when_done_is_set_though_others_wait),
        T(stop_ends_a_run),
        T(a_signal_comes_in_a_turn_and_does_not_keep_the_loop),
        T(random_numbers_differ),
        T(a_file_is_written_whole_with_its_mode_and_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
