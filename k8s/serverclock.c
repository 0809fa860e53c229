/* serverclock: see serverclock.h. */
#include "k8s/serverclock.h"

static struct serverclock *of(struct env *e)
{
    return (struct serverclock *)(void *)e;
}

static int64_t estimate_ms(const struct serverclock *c)
{
    return c->server_ms + (int64_t)((env_now_ns(c->inner) - c->seen_ns) / 1000000);
}

static uint64_t now_ns(struct env *e)
{
    return env_now_ns(of(e)->inner);
}

static int64_t wall_ms(struct env *e)
{
    const struct serverclock *c = of(e);
    int64_t own_ms = env_wall_ms(c->inner), server_ms = c->known ? estimate_ms(c) : own_ms;
    int64_t ahead_ms = own_ms - server_ms;

    return ahead_ms > SERVERCLOCK_TRUST_MS || ahead_ms < -SERVERCLOCK_TRUST_MS ? server_ms : own_ms;
}

static uint64_t random_number(struct env *e)
{
    return env_random(of(e)->inner);
}

static void timer_set_by(struct env *e, struct timer *t, uint64_t due_ns)
{
    timer_set_at(of(e)->inner, t, due_ns);
}

static void timer_drop(struct env *e, struct timer *t)
{
    timer_clear(of(e)->inner, t);
}

static const struct env_ops ops = {.now_ns = now_ns,
                                   .wall_ms = wall_ms,
                                   .random = random_number,
                                   .timer_set = timer_set_by,
                                   .timer_clear = timer_drop};

void serverclock_init(struct serverclock *c, struct env *inner)
{
    *c = (struct serverclock){.env.ops = &ops, .inner = inner};
}

void serverclock_saw(struct serverclock *c, int64_t date_s)
{
    uint64_t now = env_now_ns(c->inner);
    bool is_old = c->known && now - c->seen_ns > SERVERCLOCK_OLD_MS * 1000000ull;

    if (c->known && !is_old && date_s * 1000 <= estimate_ms(c))
        return;
    c->known = true;
    c->server_ms = date_s * 1000;
    c->seen_ns = now;
}
