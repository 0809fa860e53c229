/*
 * env_uv: struct env on libuv.
 *
 * Time: a turn begins before the loop polls and again before due timers fire. The clock is read once a turn, at its
 * first use: two reads in one turn that differ make bugs nobody can repeat (curl's TIME-KEEPING tells of some).
 *
 * Timers: all of ours stand in one heap behind one uv_timer, since libuv's own has milliseconds only and would lose
 * the order of ours. What is due at once runs from an idle handle in the next turn: a uv_timer started with 0 inside
 * its own callback would fire again before the loop polls, and starve the sockets.
 */
#include "core/loop/env_uv.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/loop/proc_uv.h"

struct env_uv {
    struct env env; /* first: struct env * is struct env_uv * */
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t timer;
    uv_signal_t signals[2];
    struct heap timers;
    uint64_t now_ns; /* 0: not read in this turn */
    uint64_t random;
    void (*on_signal)(void *ctx, int sig);
    void *signal_ctx;
    char *room; /* ENV_UV_ROOM bytes; NULL: not asked for yet */
    unsigned n_closing;
    bool stop;
};

static const int caught[2] = {SIGTERM, SIGINT};

static struct env_uv *of(struct env *e)
{
    return (struct env_uv *)(void *)e;
}

static uint64_t now_ns(struct env *e)
{
    struct env_uv *u = of(e);

    if (!u->now_ns)
        u->now_ns = uv_hrtime();
    return u->now_ns;
}

static int64_t wall_ms(struct env *e)
{
    uv_timeval64_t tv;

    (void)e;
    (void)uv_gettimeofday(&tv); /* fails for a bad pointer only */
    return tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

/* splitmix64: good enough for jitter and seeds, and a counter cannot get stuck. */
static uint64_t next_random(struct env *e)
{
    uint64_t z = of(e)->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- timers ---- */

static void fire_due(struct env_uv *u);

static void on_timer(uv_timer_t *t)
{
    fire_due(t->data);
}

static void on_idle(uv_idle_t *t)
{
    fire_due(t->data);
}

/* Starts what wakes us for the first timer. uv_now and our clock are both CLOCK_MONOTONIC, so that a uv_timer for the
 * millisecond after the due time never fires early. */
static void arm(struct env_uv *u)
{
    struct heap_node *first = heap_first(&u->timers);
    uint64_t due_ms, now_ms = uv_now(&u->loop);
    int rc;

    if (!first) {
        (void)uv_timer_stop(&u->timer);
        (void)uv_idle_stop(&u->idle);
        return;
    }
    due_ms = first->key / 1000000 + (first->key % 1000000 != 0);
    if (due_ms <= now_ms || first->key <= now_ns(&u->env) + 1) {
        (void)uv_timer_stop(&u->timer);
        rc = uv_idle_start(&u->idle, on_idle);
    } else {
        (void)uv_idle_stop(&u->idle);
        rc = uv_timer_start(&u->timer, on_timer, due_ms - now_ms, 0);
    }
    assert(rc == 0);
    (void)rc;
}

static void fire_due(struct env_uv *u)
{
    struct heap_node *first;

    u->now_ns = 0; /* a new turn */
    while ((first = heap_first(&u->timers)) && first->key <= now_ns(&u->env)) {
        struct timer *t = LIST_ENTRY(heap_pop(&u->timers), struct timer, node);

        t->on_fire(t);
    }
    arm(u);
}

static void timer_set(struct env *e, struct timer *t, uint64_t due_ns)
{
    struct env_uv *u = of(e);
    uint64_t now = now_ns(e);

    heap_del(&u->timers, &t->node);
    /* Never due in this turn: no callback inside the call that armed it, and no endless round in fire_due. */
    heap_add(&u->timers, &t->node, due_ns > now ? due_ns : now + 1);
    arm(u);
}

static void timer_clear_op(struct env *e, struct timer *t)
{
    if (!heap_holds(&t->node))
        return;
    heap_del(&of(e)->timers, &t->node);
    arm(of(e));
}

static const struct env_ops ops = {
    .now_ns = now_ns,
    .wall_ms = wall_ms,
    .random = next_random,
    .timer_set = timer_set,
    .timer_clear = timer_clear_op,
    .proc_start = proc_uv_start,
    .proc_write = proc_uv_write,
    .proc_close_stdin = proc_uv_close_stdin,
    .proc_kill = proc_uv_kill,
    .proc_pid = proc_uv_pid,
    .proc_pause = proc_uv_pause,
};

/* ---- the loop ---- */

static void on_prepare(uv_prepare_t *p)
{
    struct env_uv *u = p->data;

    u->now_ns = 0;
}

static uint64_t seed(void)
{
    uint64_t s;

    /* Fails on kernels without the call only; then the clock and an address have to do. */
    if (getrandom(&s, sizeof(s), 0) != (ssize_t)sizeof(s))
        s = uv_hrtime() ^ (uint64_t)(uintptr_t)&s;
    return s;
}

static void *uv_zalloc(size_t n, size_t size)
{
    return mem_zalloc(n * size); /* libuv's own counts: no overflow */
}

struct env *env_uv_new(void)
{
    static bool installed; /* libuv's allocator is the process's, and may be set before its first use only */
    struct env_uv *u = mem_zalloc(sizeof(*u));
    int rc = 0;

    if (!installed)
        rc = uv_replace_allocator(mem_alloc, mem_realloc, uv_zalloc, mem_free);
    installed = true;
    assert(rc == 0);
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error code, not the end; children get the default */
    rc = uv_loop_init(&u->loop);
    assert(rc == 0);
    (void)rc;
    u->env.ops = &ops;
    u->random = seed();
    heap_init(&u->timers);
    (void)uv_prepare_init(&u->loop, &u->prepare);
    (void)uv_idle_init(&u->loop, &u->idle);
    (void)uv_timer_init(&u->loop, &u->timer);
    u->prepare.data = u->idle.data = u->timer.data = u;
    (void)uv_prepare_start(&u->prepare, on_prepare);
    uv_unref((uv_handle_t *)&u->prepare);
    for (unsigned i = 0; i < 2; i++) {
        (void)uv_signal_init(&u->loop, &u->signals[i]);
        u->signals[i].data = u;
        uv_unref((uv_handle_t *)&u->signals[i]); /* waiting for a signal is no reason to live on */
    }
    return &u->env;
}

void env_uv_free(struct env *e)
{
    struct env_uv *u = of(e);
    int rc;

    if (!e)
        return;
    uv_close((uv_handle_t *)&u->prepare, NULL);
    uv_close((uv_handle_t *)&u->idle, NULL);
    uv_close((uv_handle_t *)&u->timer, NULL);
    for (unsigned i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&u->signals[i], NULL);
    while (uv_run(&u->loop, UV_RUN_NOWAIT))
        if (!uv_loop_alive(&u->loop) || uv_backend_timeout(&u->loop) != 0)
            break; /* what is left waits for something outside: a leak */
    rc = uv_loop_close(&u->loop);
    if (rc != 0)
        uv_print_all_handles(&u->loop, stderr);
    assert(rc == 0);
    assert(!heap_first(&u->timers));
    heap_done(&u->timers);
    mem_free(u->room);
    mem_free(u);
}

uv_loop_t *env_uv_loop(struct env *e)
{
    return &of(e)->loop;
}

char *env_uv_room(struct env *e)
{
    struct env_uv *u = of(e);

    if (!u->room)
        u->room = mem_alloc(ENV_UV_ROOM);
    return u->room;
}

void env_uv_run(struct env *e)
{
    static const bool never;

    env_uv_run_until(e, &never);
}

void env_uv_run_until(struct env *e, const bool *done)
{
    struct env_uv *u = of(e);

    u->stop = false;
    u->now_ns = 0;
    while (!*(const volatile bool *)done && !u->stop)
        if (!uv_run(&u->loop, UV_RUN_ONCE))
            break;
}

void env_uv_stop(struct env *e)
{
    of(e)->stop = true;
}

static void on_signal(uv_signal_t *s, int sig)
{
    struct env_uv *u = s->data;

    if (u->on_signal)
        u->on_signal(u->signal_ctx, sig);
}

void env_uv_on_signal(struct env *e, void (*cb)(void *ctx, int sig), void *ctx)
{
    struct env_uv *u = of(e);

    u->on_signal = cb;
    u->signal_ctx = ctx;
    for (unsigned i = 0; i < 2; i++) {
        if (cb)
            (void)uv_signal_start(&u->signals[i], on_signal, caught[i]);
        else
            (void)uv_signal_stop(&u->signals[i]);
    }
}
