/*
 * support_env: a deterministic struct env for tests: time stands still until the test moves it, random numbers come
 * from a seed, timers fire in order. Child processes are the test's: see on_proc_start.
 */
#ifndef STASHD_SUPPORT_ENV_H
#define STASHD_SUPPORT_ENV_H

#include "core/base/env.h"
#include "core/base/heap.h"

struct test_env {
    struct env env; /* first: &t->env is what modules get */
    uint64_t now_ns;
    int64_t wall_ms; /* moves with now_ns; a test may make it jump */
    uint64_t seed;
    struct heap timers;
    /* NULL: proc_start fails with ERR_NOTFOUND. Else the test keeps p and calls its callbacks in a later turn. */
    int (*on_proc_start)(struct test_env *t, struct proc *p, const struct proc_spec *spec, struct error *e);
    void (*on_proc_write)(struct test_env *t, struct proc *p, struct str bytes);
    void (*on_proc_kill)(struct test_env *t, struct proc *p, int sig);
    void *data;
};

/* now_ns 1 s, wall clock 2026-03-01T02:00:00Z, seed 1. */
void test_env_init(struct test_env *t);
/* Fails the test when a timer is still set. */
void test_env_done(struct test_env *t);

/* Moves time to the first timer and fires it; false when none is set. */
bool test_env_step(struct test_env *t);
/* Fires what is due at once (calls "in a later turn"), and what
 * that makes due, without moving time by a millisecond. */
void test_env_settle(struct test_env *t);
/* Moves time by ms and fires in order what falls due. */
void test_env_advance(struct test_env *t, uint64_t ms);
/* Milliseconds until the first timer, rounded up; UINT64_MAX: none. */
uint64_t test_env_next_ms(const struct test_env *t);

#endif
