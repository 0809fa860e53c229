/* support_env: see support_env.h. */
#include "test.h"

#include "support_env.h"

#include "core/base/list.h"

static struct test_env *of(struct env *e)
{
    return (struct test_env *)(void *)e;
}

static uint64_t now_ns(struct env *e)
{
    return of(e)->now_ns;
}

static int64_t wall_ms(struct env *e)
{
    return of(e)->wall_ms;
}

static uint64_t next_random(struct env *e)
{
    uint64_t z = of(e)->seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void timer_set(struct env *e, struct timer *timer, uint64_t due_ns)
{
    struct test_env *t = of(e);

    heap_del(&t->timers, &timer->node);
    heap_add(&t->timers, &timer->node, due_ns > t->now_ns ? due_ns : t->now_ns + 1);
}

static void timer_clear_op(struct env *e, struct timer *timer)
{
    heap_del(&of(e)->timers, &timer->node);
}

static int proc_start(struct env *e, struct proc *p, const struct proc_spec *spec, struct error *err)
{
    if (!of(e)->on_proc_start)
        return error_set(err, ERR_NOTFOUND, "%s: no such program in this test", spec->argv[0]);
    return of(e)->on_proc_start(of(e), p, spec, err);
}

static bool proc_write(struct env *e, struct proc *p, const void *bytes, size_t n)
{
    if (of(e)->on_proc_write)
        of(e)->on_proc_write(of(e), p, (struct str){bytes, n});
    return true;
}

static void proc_close_stdin(struct env *e, struct proc *p)
{
    (void)e;
    (void)p;
}

static void proc_kill(struct env *e, struct proc *p, int sig)
{
    if (of(e)->on_proc_kill)
        of(e)->on_proc_kill(of(e), p, sig);
}

static pid_t proc_pid(struct env *e, struct proc *p)
{
    (void)e;
    (void)p;
    return 4711;
}

static void proc_pause(struct env *e, struct proc *p, bool paused)
{
    (void)e;
    (void)p;
    (void)paused;
}

static const struct env_ops ops = {
    .now_ns = now_ns,
    .wall_ms = wall_ms,
    .random = next_random,
    .timer_set = timer_set,
    .timer_clear = timer_clear_op,
    .proc_start = proc_start,
    .proc_write = proc_write,
    .proc_close_stdin = proc_close_stdin,
    .proc_kill = proc_kill,
    .proc_pid = proc_pid,
    .proc_pause = proc_pause,
};

void test_env_init(struct test_env *t)
{
    *t = (struct test_env){.env.ops = &ops, .now_ns = 1000000000, .wall_ms = 1772330400000, .seed = 1};
    heap_init(&t->timers);
}

void test_env_done(struct test_env *t)
{
    assert_null(heap_first(&t->timers));
    heap_done(&t->timers);
}

static void move_to(struct test_env *t, uint64_t ns)
{
    int64_t before_ms = (int64_t)(t->now_ns / 1000000);

    if (ns <= t->now_ns)
        return;
    t->now_ns = ns;
    t->wall_ms += (int64_t)(ns / 1000000) - before_ms;
}

bool test_env_step(struct test_env *t)
{
    struct heap_node *first = heap_pop(&t->timers);
    struct timer *timer;

    if (!first)
        return false;
    timer = LIST_ENTRY(first, struct timer, node);
    move_to(t, first->key);
    timer->on_fire(timer);
    return true;
}

static void run_until(struct test_env *t, uint64_t until_ns)
{
    unsigned n = 0;

    for (struct heap_node *first; (first = heap_first(&t->timers)) && first->key <= until_ns;) {
        (void)test_env_step(t);
        assert_true(++n < 1000000); /* a timer that sets itself again and again without end */
    }
}

void test_env_settle(struct test_env *t)
{
    /* "At once" is one nanosecond later each time, so a thousand rounds stay far below a millisecond. */
    run_until(t, t->now_ns + 1000);
}

void test_env_advance(struct test_env *t, uint64_t ms)
{
    uint64_t until = t->now_ns + ms * 1000000;

    run_until(t, until);
    move_to(t, until);
}

uint64_t test_env_next_ms(const struct test_env *t)
{
    struct heap_node *first = heap_first(&t->timers);

    if (!first)
        return UINT64_MAX;
    return first->key <= t->now_ns ? 0 : (first->key - t->now_ns + 999999) / 1000000;
}
