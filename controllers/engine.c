/*
 * engine: see engine.h. Events only put keys in the queue; a timer at "now" runs the turn that takes keys out, so no
 * pass starts inside a cache's callback. A turn starts a bounded number of passes and comes back in the next turn of
 * the loop.
 */
#include "controllers/engine_pass.h"

#include <assert.h>

#include "core/base/mem.h"

enum {
    STARTS_A_TURN = 64,
    CATALOG_S = 60,       /* from a Task's or Function's going to the last moment that its successor may take */
    CATALOG_FIRST_S = 10, /* it may have been gone when the caches were filled */
};

static void turn(struct timer *t);

struct engine *engine_new(const struct engine_options *o)
{
    struct engine *e = mem_zalloc(sizeof(*e));

    e->o = *o;
    if (!e->o.controllers) {
        e->o.controllers = controllers;
        e->o.n_controllers = n_controllers;
    }
    e->queue = queue_new(env_random(o->env));
    e->docs = docs_new(env_random(o->env));
    e->scans = scan_ones_new();
    unseen_jobs_init(&e->unseen);
    list_init(&e->passes);
    list_init(&e->starved);
    e->tokens = o->burst;
    e->tokens_ns = env_now_ns(o->env);
    timer_init(&e->turn, turn, e);
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    assert(list_empty(&e->passes));
    timer_clear(e->o.env, &e->turn);
    engine_look_clear(&e->look);
    queue_free(e->queue);
    docs_free(e->docs);
    unseen_jobs_clear(&e->unseen);
    scan_ones_free(e->scans);
    mem_free(e);
}

/* ---- the rate limit ---- */

static void refill(struct engine *e)
{
    uint64_t now = env_now_ns(e->o.env);

    e->tokens += (double)(now - e->tokens_ns) / 1e9 * e->o.qps;
    if (e->tokens > e->o.burst)
        e->tokens = e->o.burst;
    e->tokens_ns = now;
}

/* A DELETE is good for seconds after the look it goes on: a line it stood in could make it late each time. */
static bool is_hurried(const struct engine_call *c)
{
    return c->call.verb == KUBE_DELETE && c->pass->effect && c->pass->effect->stays;
}

static bool is_late(const struct engine_call *c)
{
    return is_hurried(c) && engine_effect_is_late(c->pass);
}

/* False: c has to wait. What is hurried takes a token that is yet to come; for what is late there is none to take. */
static bool take_token(struct engine *e, const struct engine_call *c)
{
    if (is_late(c))
        return true;
    if (env_now_ns(e->o.env) < e->not_before_ns)
        return false;
    if (e->o.qps <= 0)
        return true;
    refill(e);
    if (e->tokens < 1 && !is_hurried(c))
        return false;
    e->tokens -= 1;
    return true;
}

static struct engine_call *first_starved(const struct engine *e)
{
    return LIST_ENTRY(e->starved.next, struct engine_call, link);
}

/* When the first of the line may go. */
static uint64_t next_token_ns(struct engine *e)
{
    uint64_t at = e->tokens_ns;

    if (e->o.qps > 0 && e->tokens < 1 && !is_hurried(first_starved(e)))
        at += (uint64_t)((1 - e->tokens) / e->o.qps * 1e9) + 1;
    return at > e->not_before_ns ? at : e->not_before_ns;
}

/* ---- turns ---- */

static void wait_for_work(struct engine *e)
{
    uint64_t next = UINT64_MAX;

    if (e->stopping) /* the timer is the grace's; what waits for the rate limit goes now */
        return;
    if (e->active && e->n_passes < e->o.concurrency)
        next = engine_look_left(&e->look, NULL) ? 0 : queue_next_ns(e->queue);
    if (!list_empty(&e->starved)) {
        uint64_t token = next_token_ns(e);

        next = token < next ? token : next;
    }
    if (next == UINT64_MAX)
        timer_clear(e->o.env, &e->turn);
    else
        timer_set_at(e->o.env, &e->turn, next);
}

static bool is_fenced(const struct engine *e, const struct engine_call *c)
{
    return c->call.verb != KUBE_GET && !c->doc && e->o.may_write && !e->o.may_write(e->o.ctx);
}

/* A write that may be sent no longer: the process stood still, or the server has told us to wait. */
static bool is_too_late(const struct engine *e, const struct engine_call *c)
{
    if (is_fenced(e, c))
        engine_pass_fail(c->pass, ERR_CANCELED, NULL, "the lead may be somebody else's");
    else if (is_late(c))
        engine_pass_fail(c->pass, ERR_CONFLICT, NULL, "what it goes beside was there too long ago");
    else
        return false;
    engine_pass_end(c->pass);
    return true;
}

static void start_call(struct engine *e, struct engine_call *c)
{
    if (is_too_late(e, c))
        return;
    c->started = true;
    if (c->pass->looking)
        c->pass->looked_ns = env_now_ns(e->o.env);
    if (c->doc)
        list_add_tail(&c->pass->fetches, &c->link);
    else
        engine_effect_goes(c->pass);
    kube_start(e->o.kube, &c->call);
}

void engine_send(struct engine *e, struct engine_call *c)
{
    bool is_next = list_empty(&e->starved) || is_hurried(c);

    if (e->stopping || (is_next && take_token(e, c))) {
        start_call(e, c);
        return;
    }
    c->started = false;
    if (!c->doc) /* others may decide before it goes */
        engine_effect_goes(c->pass);
    if (is_next)
        list_add_head(&e->starved, &c->link);
    else
        list_add_tail(&e->starved, &c->link);
    wait_for_work(e);
}

static void feed_starved(struct engine *e)
{
    while (!list_empty(&e->starved) && take_token(e, first_starved(e))) {
        struct engine_call *c = first_starved(e);

        list_del(&c->link);
        start_call(e, c);
    }
}

void engine_throttled(struct engine *e, uint32_t retry_after_ms)
{
    uint64_t until = env_now_ns(e->o.env) + (uint64_t)(retry_after_ms ? retry_after_ms : 1000) * 1000000;

    if (until > e->not_before_ns)
        e->not_before_ns = until;
}

static void turn(struct timer *t)
{
    struct engine *e = t->data;
    uint64_t now = env_now_ns(e->o.env);

    feed_starved(e);
    for (int i = 0; e->active && i < STARTS_A_TURN && e->n_passes < e->o.concurrency; i++) {
        struct queue_key *key = queue_take(e->queue, now);

        if (!key && engine_look_next(&e->look, e->queue))
            key = queue_take(e->queue, now);
        if (!key)
            break;
        engine_pass_start(e, key);
    }
    wait_for_work(e);
}

/* ---- active or not ---- */

/* First those that wait for another pass: the end of that one would let them go on, and maybe end, inside the loop. */
static void cancel_passes(struct engine *e)
{
    LIST_EACH_SAFE (it, &e->passes) {
        struct pass *p = LIST_ENTRY(it, struct pass, link);

        if (!list_empty(&p->behind))
            engine_pass_cancel(p);
    }
    LIST_EACH_SAFE (it, &e->passes)
        engine_pass_cancel(LIST_ENTRY(it, struct pass, link));
}

static void tell_stopped(struct engine *e)
{
    if (!e->stopping || e->told_stopped || !list_empty(&e->passes))
        return;
    e->told_stopped = true;
    timer_clear(e->o.env, &e->turn);
    if (e->on_stopped)
        e->on_stopped(e->stopped_ctx);
}

struct first_look {
    struct engine *engine;
    const struct controller *controller;
};

static void wake_first(void *ctx, const char *ns, const char *name)
{
    struct first_look *f = ctx;

    queue_add(f->engine->queue, f->controller, kind_get(f->controller->kind)->namespaced ? ns : NULL, name, 0,
              QUEUE_LOW, env_wall_ms(f->engine->o.env));
}

static void look_first(struct engine *e, const struct controller *c)
{
    struct first_look f = {e, c};

    if (c->first_look)
        c->first_look(e->o.cache, e->o.settings, env_random(e->o.env), wake_first, &f);
    else if (!c->by_wake_only)
        engine_look_add(&e->look, e->o.cache, c, env_wall_ms(e->o.env));
}

static void set_active(struct engine *e)
{
    bool active = e->is_leader && e->is_synced && !e->stopping;

    if (active == e->active)
        return;
    e->active = active;
    if (e->o.on_active && active) /* what stays is made before what goes again: the heap has no holes then */
        e->o.on_active(e->o.ctx, true);
    if (active) {
        docs_clear(e->docs); /* of the time when another led: what it has written since may not have come here yet */
        for (size_t i = 0; i < e->o.n_controllers; i++)
            look_first(e, e->o.controllers[i]);
    } else {
        engine_look_clear(&e->look);
        queue_clear(e->queue);
        docs_clear(e->docs);
        if (!e->stopping) /* then the grace decides */
            cancel_passes(e);
    }
    if (e->o.on_active && !active)
        e->o.on_active(e->o.ctx, false);
    wait_for_work(e);
}

void engine_set_leader(struct engine *e, bool is_leader)
{
    e->is_leader = is_leader;
    set_active(e);
    if (!is_leader && e->stopping) /* nothing is written without the lead, grace or not */
        cancel_passes(e);
}

static void expect_catalog(struct engine *e, uint64_t seconds)
{
    uint64_t until = env_now_ns(e->o.env) + seconds * 1000000000;

    e->catalog_until_ns = until > e->catalog_until_ns ? until : e->catalog_until_ns;
}

void engine_set_synced(struct engine *e)
{
    e->is_synced = true;
    expect_catalog(e, CATALOG_FIRST_S);
    set_active(e);
}

/* While stopping the turn's timer has another meaning: what still runs after the grace is canceled. */
static void cancel_turn(struct timer *t)
{
    cancel_passes(t->data);
}

/* The first turn of stopping: on_stopped never comes inside engine_stop, and what waits for the rate limit goes now,
 * for no turn would send it any more. The list is our own: the last pass to end may take the engine with it. */
static void drain_turn(struct timer *t)
{
    struct engine *e = t->data;
    struct list starved, *l;

    if (list_empty(&e->passes)) {
        tell_stopped(e);
        return;
    }
    e->turn.on_fire = cancel_turn;
    timer_set_in(e->o.env, &e->turn, e->o.drain_ms);
    list_init(&starved);
    list_move_all(&starved, &e->starved);
    while ((l = list_pop(&starved)))
        start_call(e, LIST_ENTRY(l, struct engine_call, link));
}

void engine_stop(struct engine *e, void (*on_stopped)(void *ctx), void *ctx)
{
    e->stopping = true;
    e->on_stopped = on_stopped;
    e->stopped_ctx = ctx;
    set_active(e);
    e->turn.on_fire = drain_turn;
    timer_set_in(e->o.env, &e->turn, 0);
}

/* ---- keys ---- */

struct waking {
    struct engine *engine;
    const struct controller *controller;
};

static void wake_mapped(void *ctx, const char *ns, const char *name)
{
    struct waking *w = ctx;

    engine_wake(w->engine, w->controller, ns, name);
}

/* same: the records of old and now differ in nothing but their version, so no look at them can tell a change. */
static void wake_watchers(struct engine *e, const struct controller *c, const struct kind *k, const struct kobj *old,
                          const struct kobj *now, bool same)
{
    struct waking w = {e, c};

    for (size_t i = 0; i < c->n_watches; i++) {
        if (c->watches[i].kind != k->id)
            continue;
        if (old && now && c->watches[i].matters && (same || !c->watches[i].matters(old, now)))
            continue;
        if (old)
            c->watches[i].map(e->o.cache, old, wake_mapped, &w);
        if (now)
            c->watches[i].map(e->o.cache, now, wake_mapped, &w);
    }
}

static void wake(struct engine *e, const struct controller *c, const char *ns, const char *name,
                 enum queue_priority priority)
{
    if (!e->active)
        return;
    queue_add(e->queue, c, kind_get(c->kind)->namespaced ? ns : NULL, name, 0, priority, env_wall_ms(e->o.env));
    wait_for_work(e);
}

void engine_changed(void *engine, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct engine *e = engine;
    bool same = old && now && kobj_same(old, now);

    unseen_jobs_changed(&e->unseen, e->o.cache, old, now, env_now_ns(e->o.env));
    if (!now)
        docs_drop(e->docs, k, k->namespaced ? old->ns : NULL, old->name);
    if (!now && (k->id == KIND_TASK || k->id == KIND_FUNCTION))
        expect_catalog(e, CATALOG_S);
    if (!e->active)
        return;
    for (size_t i = 0; i < e->o.n_controllers; i++) {
        const struct controller *c = e->o.controllers[i];

        if (kind_get(c->kind) == k) {
            if (!now)
                queue_drop(e->queue, c, k->namespaced ? old->ns : NULL, old->name);
            else if (!c->by_wake_only && !(same && c->is_settled && c->is_settled(now)))
                wake(e, c, now->ns, now->name, c->is_begun && c->is_begun(now) ? QUEUE_BEGUN : QUEUE_HIGH);
        }
        wake_watchers(e, c, k, old, now, same);
    }
}

void engine_offer(struct engine *e, const struct kobj *o, struct str text)
{
    if (!e->active) /* set_active begins anew: a replica that waits for the lead would keep megabytes for nothing */
        return;
    docs_offer(e->docs, o->kind, o->kind->namespaced ? o->ns : NULL, o->name, o->rv, text, env_now_ns(e->o.env));
}

void engine_wake(struct engine *e, const struct controller *c, const char *ns, const char *name)
{
    wake(e, c, ns, name, QUEUE_HIGH);
}

void engine_pass_ended(struct pass *p)
{
    struct engine *e = p->engine;

    list_del(&p->link);
    e->n_passes--;
    kobj_unref(p->self);
    arena_done(&p->arena);
    mem_free(p);
    if (e->stopping)
        tell_stopped(e);
    else
        wait_for_work(e);
}

size_t engine_queued(const struct engine *e, const struct controller *c)
{
    return queue_waiting(e->queue, c) + engine_look_left(&e->look, c);
}

size_t engine_running(const struct engine *e)
{
    return e->n_passes;
}

size_t engine_kept_bytes(const struct engine *e)
{
    return docs_bytes(e->docs);
}

bool engine_idle(const struct engine *e)
{
    return e->n_passes == 0 && !engine_look_left(&e->look, NULL) && queue_next_ns(e->queue) > env_now_ns(e->o.env);
}
