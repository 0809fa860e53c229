/* sim_env: see sim_env.h. */
#include "sim_env.h"

#include <assert.h>

/* splitmix64 */
uint64_t sim_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct sim_env *of(struct env *e)
{
    return (struct sim_env *)(void *)e;
}

static uint64_t now_ns(struct env *e)
{
    return of(e)->now_ns;
}

static int64_t wall_ms(struct env *e)
{
    return (int64_t)(of(e)->now_ns / 1000000) + of(e)->wall_offset_ms;
}

static uint64_t random_number(struct env *e)
{
    return sim_random(&of(e)->state);
}

static void timer_set(struct env *e, struct timer *t, uint64_t due_ns)
{
    heap_del(&of(e)->timers, &t->node);
    heap_add(&of(e)->timers, &t->node, due_ns);
}

static void timer_drop(struct env *e, struct timer *t)
{
    heap_del(&of(e)->timers, &t->node);
}

int sim_env_no_children(struct env *e, struct proc *p, const struct proc_spec *spec, struct error *error)
{
    (void)e;
    (void)p;
    (void)spec;
    return error_set(error, ERR_NOTFOUND, "no child processes here");
}

static const struct env_ops ops = {.now_ns = now_ns,
                                   .wall_ms = wall_ms,
                                   .random = random_number,
                                   .timer_set = timer_set,
                                   .timer_clear = timer_drop,
                                   .proc_start = sim_env_no_children};

void sim_env_init(struct sim_env *s, uint64_t seed, int64_t wall)
{
    *s = (struct sim_env){.env.ops = &ops, .now_ns = 1000000000, .state = seed};
    s->wall_offset_ms = wall - (int64_t)(s->now_ns / 1000000);
    heap_init(&s->timers);
}

void sim_env_done(struct sim_env *s)
{
    assert(!heap_first(&s->timers));
    heap_done(&s->timers);
}

bool sim_env_step(struct sim_env *s, uint64_t until_ns)
{
    struct heap_node *n = heap_first(&s->timers);
    struct timer *t;

    if (!n || n->key > until_ns) {
        if (s->now_ns < until_ns && until_ns != UINT64_MAX)
            s->now_ns = until_ns;
        return false;
    }
    heap_del(&s->timers, n);
    if (n->key > s->now_ns)
        s->now_ns = n->key;
    t = (struct timer *)(void *)((char *)n - offsetof(struct timer, node));
    t->on_fire(t);
    return true;
}
