/* process: see process.h. */
#include "process.h"

#include <assert.h>

static struct process *of(struct env *e)
{
    return (struct process *)(void *)e;
}

static void arm(struct process *p)
{
    struct heap_node *first = heap_first(&p->timers);
    uint64_t due;

    if (!first) {
        timer_clear(&p->sim->env, &p->next);
        return;
    }
    due = first->key > p->stopped_until_ns ? first->key : p->stopped_until_ns;
    timer_set_at(&p->sim->env, &p->next, due);
}

static void fire_first(struct process *p)
{
    struct heap_node *n = heap_pop(&p->timers);
    struct timer *t = (struct timer *)(void *)((char *)n - offsetof(struct timer, node));

    t->on_fire(t);
}

static void fire(struct timer *t)
{
    struct process *p = t->data;

    fire_first(p);
    arm(p);
}

static uint64_t now_ns(struct env *e)
{
    return of(e)->sim->now_ns;
}

static int64_t wall_ms(struct env *e)
{
    return env_wall_ms(&of(e)->sim->env) + of(e)->wall_off_ms;
}

static uint64_t random_number(struct env *e)
{
    return env_random(&of(e)->sim->env);
}

static void timer_set(struct env *e, struct timer *t, uint64_t due_ns)
{
    heap_del(&of(e)->timers, &t->node);
    heap_add(&of(e)->timers, &t->node, due_ns);
    arm(of(e));
}

static void timer_drop(struct env *e, struct timer *t)
{
    heap_del(&of(e)->timers, &t->node);
    arm(of(e));
}

static const struct env_ops ops = {.now_ns = now_ns,
                                   .wall_ms = wall_ms,
                                   .random = random_number,
                                   .timer_set = timer_set,
                                   .timer_clear = timer_drop,
                                   .proc_start = sim_env_no_children};

void process_init(struct process *p, struct sim_env *sim)
{
    *p = (struct process){.env.ops = &ops, .sim = sim};
    heap_init(&p->timers);
    timer_init(&p->next, fire, p);
}

void process_done(struct process *p)
{
    assert(!heap_first(&p->timers));
    timer_clear(&p->sim->env, &p->next);
    heap_done(&p->timers);
}

void process_stop_until(struct process *p, uint64_t ns)
{
    p->stopped_until_ns = ns;
    arm(p);
}

void process_run_now(struct process *p)
{
    while (heap_first(&p->timers) && heap_first(&p->timers)->key <= p->sim->now_ns)
        fire_first(p);
    arm(p);
}
