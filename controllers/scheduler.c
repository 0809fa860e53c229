/* scheduler: see scheduler.h. */
#include "controllers/scheduler.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/wheel.h"

enum { TICK_MAX_MS = 30000, LATER_MAX_S = 86400 };

struct entry {
    struct wheel_entry wheel;
    const struct kobj *invoker; /* a reference */
    int64_t since_s;            /* a due time that is not handled yet; INT64_MAX: there is none */
};

struct scheduler {
    struct env *env;
    struct schedule_context context;
    struct wheel wheel;
    struct map entries; /* by the invoker's key, which lies in its record */
    struct timer tick;
    bool active;
    scheduler_fn *on_due;
    void *ctx;
};

static void tick(struct timer *t);

static int64_t wall_s(const struct scheduler *s)
{
    return env_wall_ms(s->env) / 1000;
}

struct scheduler *scheduler_new(struct env *env, const struct schedule_context *context, scheduler_fn *on_due,
                                void *ctx)
{
    struct scheduler *s = mem_zalloc(sizeof(*s));

    s->env = env;
    s->context = *context;
    s->on_due = on_due;
    s->ctx = ctx;
    map_init_borrowing(&s->entries, env_random(env));
    wheel_init(&s->wheel, (uint64_t)wall_s(s));
    timer_init(&s->tick, tick, s);
    return s;
}

static void forget(struct scheduler *s, struct entry *e)
{
    (void)map_del(&s->entries, kobj_key(e->invoker));
    wheel_del(&s->wheel, &e->wheel);
    kobj_unref(e->invoker);
    mem_free(e);
}

static void forget_all(struct scheduler *s)
{
    size_t it = 0;
    void *e;

    while (map_next(&s->entries, &it, NULL, &e))
        forget(s, e);
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    timer_clear(s->env, &s->tick);
    forget_all(s);
    map_done(&s->entries);
    mem_free(s);
}

static void wait_for_next(struct scheduler *s)
{
    uint64_t next = wheel_next(&s->wheel), in_ms = TICK_MAX_MS;
    int64_t now_ms = env_wall_ms(s->env);

    if (!s->active || next == UINT64_MAX) {
        timer_clear(s->env, &s->tick);
        return;
    }
    if ((int64_t)next * 1000 <= now_ms)
        in_ms = 0;
    else if (next * 1000 - (uint64_t)now_ms < in_ms)
        in_ms = next * 1000 - (uint64_t)now_ms;
    timer_set_in(s->env, &s->tick, in_ms);
}

/* Due times further away than a day are looked at again daily: the wheel stays small and a step of the clock is met. */
static void put_in_wheel(struct scheduler *s, struct entry *e, int64_t after_s)
{
    int64_t now_s = wall_s(s), next = schedule_next(&s->context, e->invoker, now_s, after_s);

    if (after_s == INT64_MIN)
        e->since_s = next <= now_s ? next : INT64_MAX;
    if (next == INT64_MAX)
        return;
    if (next > now_s + LATER_MAX_S)
        next = now_s + LATER_MAX_S;
    wheel_add(&s->wheel, &e->wheel, (uint64_t)(next < 0 ? 0 : next));
}

static bool triggers(const struct scheduler *s, const struct kobj *o)
{
    struct schedule unused;

    return schedule_of(&s->context, o, wall_s(s), &unused);
}

static void keep(struct scheduler *s, struct entry *e, const struct kobj *o)
{
    const struct kobj *old = e->invoker;

    e->invoker = kobj_ref(o);
    (void)map_put(&s->entries, kobj_key(o), e); /* the key lies in the new record now */
    kobj_unref(old);
}

static void set(struct scheduler *s, const struct kobj *o)
{
    struct entry *e = map_get(&s->entries, kobj_key(o));

    if (!triggers(s, o)) {
        if (e)
            forget(s, e);
        return;
    }
    if (!e) {
        e = mem_zalloc(sizeof(*e));
        wheel_entry_init(&e->wheel);
    } else {
        wheel_del(&s->wheel, &e->wheel);
    }
    keep(s, e, o);
    put_in_wheel(s, e, INT64_MIN);
}

static void fire(struct scheduler *s, struct entry *e)
{
    int64_t now_s = wall_s(s), first_s = schedule_next(&s->context, e->invoker, now_s, INT64_MIN);

    if (first_s > now_s) { /* the daily look at a far one */
        put_in_wheel(s, e, INT64_MIN);
        return;
    }
    e->since_s = first_s;
    s->on_due(s->ctx, e->invoker, env_wall_ms(s->env) - (int64_t)e->wheel.due * 1000);
    /* The next one comes by itself even if nothing changes the record (a pass that skips does change it). */
    put_in_wheel(s, e, now_s);
}

static void tick(struct timer *t)
{
    struct scheduler *s = t->data;
    struct list expired;

    list_init(&expired);
    wheel_advance(&s->wheel, (uint64_t)wall_s(s), &expired);
    for (struct list *l; (l = list_pop(&expired));)
        fire(s, (struct entry *)(void *)LIST_ENTRY(l, struct wheel_entry, link));
    wait_for_next(s);
}

static bool set_one(void *ctx, const struct kobj *o)
{
    set(ctx, o);
    return true;
}

void scheduler_set_active(struct scheduler *s, bool active)
{
    s->active = active;
    if (active)
        cache_each(s->context.cache, kind_get(KIND_BACKUPCONFIGURATION), set_one, s);
    else
        forget_all(s);
    wait_for_next(s);
}

static void drop(struct scheduler *s, const struct kobj *o)
{
    struct entry *e = map_get(&s->entries, kobj_key(o));

    if (e)
        forget(s, e);
}

/* Of a record that says the same as before nothing is to be asked again. */
static void set_changed(struct scheduler *s, const struct kobj *o)
{
    struct entry *e = map_get(&s->entries, kobj_key(o));

    if (!e || !kobj_same(e->invoker, o)) {
        set(s, o);
        return;
    }
    keep(s, e, o);
}

/* A CronJob that came or went: its invoker's schedule is its own, or ours. */
static void set_invoker(struct scheduler *s, const struct kobj *cronjob)
{
    const struct kobj *o =
        cache_find(s->context.cache, kind_get(KIND_BACKUPCONFIGURATION), cronjob->ns, cronjob->owner_name);

    if (o && strcmp(o->uid, cronjob->owner_uid) == 0)
        set(s, o);
}

void scheduler_changed(void *scheduler, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct scheduler *s = scheduler;

    if (!s->active)
        return;
    if (k->id == KIND_CRONJOB)
        set_invoker(s, now ? now : old);
    else if (k->id == KIND_BACKUPCONFIGURATION && now)
        set_changed(s, now);
    else if (k->id == KIND_BACKUPCONFIGURATION)
        drop(s, old);
    else
        return;
    wait_for_next(s);
}

size_t scheduler_count(const struct scheduler *s)
{
    return map_size(&s->entries);
}

size_t scheduler_overdue(const struct scheduler *s, int64_t by_s)
{
    size_t it = 0, n = 0;
    struct str key;
    void *value;

    while (map_next(&s->entries, &it, &key, &value)) {
        const struct entry *e = value;

        n += e->since_s != INT64_MAX && e->since_s < wall_s(s) - by_s;
    }
    return n;
}
