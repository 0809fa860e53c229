/*
 * engine_pass: see engine_pass.h.
 *
 *   decide --asked for documents--> fetch (all at once) --> decide again
 *     |                                 |
 *     | plan                            +-- a fetch failed: the pass fails
 *     v
 *   effects, one after the other --failed: the rest is not run, the key comes back later--> end
 */
#include "controllers/engine_pass.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"

enum { RERUNS_MAX = 32, BACKOFF_MAX_S = 300 };

static const char *const result_names[N_PASS_RESULTS] = {"ok", "refused", "conflict", "error", "canceled"};

static void decide(struct pass *p);

/* ---- the end ---- */

/* Full jitter over 1 s, 2 s, 4 s … 5 min, never under a second. */
static uint64_t backoff_ns(struct engine *e, uint32_t failures)
{
    uint64_t span_s = failures < 9 ? 1u << failures : BACKOFF_MAX_S;

    if (span_s > BACKOFF_MAX_S)
        span_s = BACKOFF_MAX_S;
    return 1000000000u + env_random(e->o.env) % ((span_s - 1) * 1000000000u + 1);
}

/* After a conflict the newer object is on its way to the cache, and its event wakes the key too. */
static uint64_t conflict_ns(struct engine *e, uint32_t failures)
{
    uint64_t span_ms = 100u << (failures < 6 ? failures : 6);

    return (50 + env_random(e->o.env) % span_ms) * 1000000u;
}

static void log_end(const struct pass *p)
{
    const char *reason = p->rule ? p->rule->reason : "";
    PASS_LOG(log, p);

    switch (p->result) {
    case PASS_OK:
        log_debug(&log, "pass done", F_STR("reason", reason));
        break;
    case PASS_REFUSED:
    case PASS_ERROR:
        log_warn(&log, "pass failed", F_STR("reason", reason), F_INT("failures", p->key->failures), F_ERR(&p->error));
        break;
    case PASS_CONFLICT:
    case PASS_CANCELED:
    case N_PASS_RESULTS:
        log_debug(&log, "pass not finished", F_STR("reason", reason), F_ERR(&p->error));
        break;
    }
}

/* What a failed pass was decided on may be the reason: the next one reads anew. A conflict names its reason, and a
 * watch may have brought the newer one already. */
static void forget_documents(struct pass *p)
{
    const struct effect *f = p->effect;

    if (p->result == PASS_CONFLICT && f) {
        docs_drop_version(p->engine->docs, f->kind, f->ns, f->name,
                          json_text(f->body, "metadata.resourceVersion"));
        return;
    }
    LIST_EACH (it, &p->world.docs) {
        const struct world_doc *d = LIST_ENTRY(it, struct world_doc, link);

        if (world_is_document(d))
            docs_drop(p->engine->docs, d->kind, d->ns, d->name);
    }
}

void engine_pass_end(struct pass *p)
{
    struct engine *e = p->engine;
    struct queue_key *key = p->key;
    uint64_t now = env_now_ns(e->o.env), again = UINT64_MAX;
    int64_t asked_ms = env_wall_ms(e->o.env);

    engine_effect_ends(p);
    key->failures = p->result == PASS_OK || p->result == PASS_REFUSED || p->result == PASS_CANCELED ? 0
                                                                                                    : key->failures + 1;
    switch (p->result) {
    case PASS_OK:
        if (p->plan.wake_at_s != INT64_MAX) {
            int64_t in_ms = p->plan.wake_at_s * 1000 - asked_ms;

            again = in_ms > 0 ? now + (uint64_t)in_ms * 1000000u : 0;
            asked_ms += in_ms > 0 ? in_ms : 0;
        }
        break;
    case PASS_REFUSED:
        again = 0; /* the next pass says so in a condition */
        break;
    case PASS_CONFLICT:
        again = now + conflict_ns(e, key->failures);
        break;
    case PASS_ERROR:
        again = now + backoff_ns(e, key->failures);
        break;
    case PASS_CANCELED:
    case N_PASS_RESULTS:
        break;
    }
    if (p->result != PASS_OK)
        forget_documents(p);
    engine_pass_release(p);
    log_end(p);
    if (e->o.on_pass)
        e->o.on_pass(e->o.ctx, p->controller, p->rule ? p->rule->reason : "", result_names[p->result],
                     now - p->started_ns);
    queue_done(e->queue, key, again, asked_ms);
    engine_pass_ended(p);
}

void engine_pass_fail(struct pass *p, int rc, const struct error *e, const char *what)
{
    if (p->result != PASS_OK)
        return; /* the first failure tells */
    p->result = rc == ERR_CANCELED ? PASS_CANCELED : rc == ERR_CONFLICT ? PASS_CONFLICT : PASS_ERROR;
    p->error.code = rc;
    (void)snprintf(p->error.msg, sizeof(p->error.msg), "%s: %.400s", what, e ? e->msg : error_name(rc));
    if (rc == ERR_THROTTLED)
        engine_throttled(p->engine, e ? e->retry_after_ms : 0);
}

/* ---- what is kept ---- */

static const struct kobj *record_of(const struct pass *p, const struct kind *k, const char *ns, const char *name)
{
    return k->id < N_KINDS ? cache_find(p->engine->o.cache, k, ns, name) : NULL;
}

/* True: it is known without asking. */
static bool take_kept(void *pass, struct world_doc *d)
{
    struct pass *p = pass;
    struct engine *e = p->engine;
    const struct kobj *record;
    bool is_ahead = false;
    json_t *object;

    if (!world_is_document(d))
        return false;
    record = record_of(p, d->kind, d->ns, d->name);
    object = docs_get(e->docs, d->kind, d->ns, d->name, record ? record->rv : "", env_now_ns(e->o.env), &is_ahead);
    if (object)
        world_give(&p->world, d, object);
    p->is_ahead = p->is_ahead || (object && !record);
    return object != NULL;
}

/* ---- the object of the pass ---- */

bool engine_pass_is_self(const struct pass *p, const struct kind *k, const char *ns, const char *name)
{
    return k == p->self->kind && str_same(ns, p->self->ns) && str_same(name, p->self->name);
}

void engine_pass_gone(struct pass *p, const struct kube_call *call)
{
    if (strcmp(call->reason, "NotFound") == 0)
        engine_gone_note(&p->engine->gone, p->self->uid, env_now_ns(p->engine->o.env));
}

/* ---- deciding ---- */

static int64_t catalog_until_s(const struct engine *e)
{
    uint64_t now = env_now_ns(e->o.env), until = e->catalog_until_ns;

    return now < until ? env_wall_ms(e->o.env) / 1000 + (int64_t)((until - now) / 1000000000) + 1 : 0;
}

void engine_pass_start(struct engine *e, struct queue_key *key)
{
    const struct kobj *self = cache_find(e->o.cache, kind_get(key->controller->kind), key->ns, key->name);
    struct pass *p;

    /* Gone meanwhile, and what we remembered with it. */
    if (!self || engine_gone_has(&e->gone, self->uid, env_now_ns(e->o.env))) {
        queue_drop(e->queue, key->controller, key->ns, key->name);
        queue_done(e->queue, key, UINT64_MAX, 0);
        return;
    }
    unseen_jobs_expire(&e->unseen, env_now_ns(e->o.env));
    p = mem_zalloc(sizeof(*p));
    p->engine = e;
    p->key = key;
    p->controller = key->controller;
    p->self = kobj_ref(self);
    p->started_ns = env_now_ns(e->o.env);
    list_init(&p->fetches);
    list_init(&p->call.link);
    list_init(&p->behind);
    list_init(&p->followers);
    arena_init(&p->arena);
    world_init(&p->world, e->o.settings, e->o.cache, &p->arena, env_wall_ms(e->o.env), key->asked_ms);
    p->world.refusals = &key->refusals;
    p->world.unseen = &e->unseen;
    p->world.failures = key->failures;
    p->world.catalog_until_s = catalog_until_s(e);
    p->world.at_hand = take_kept;
    p->world.ctx = p;
    list_add_tail(&e->passes, &p->link);
    e->n_passes++;
    decide(p);
}

/* Only of kinds that the cache follows: nobody would tell us that another has changed. */
void engine_pass_keep(struct pass *p, const struct kind *k, const char *ns, const char *name, const char *rv,
                      struct str text, bool made)
{
    struct engine *e = p->engine;

    if (record_of(p, k, ns, name) || (made && cache_complete(e->o.cache, k)))
        docs_put(e->docs, k, ns, name, rv, text, env_now_ns(e->o.env));
}

struct came {
    struct pass *pass;
    const struct world_doc *doc;
    json_t *object;
};

static void document_came(void *ctx, const struct kobj *o, struct str text)
{
    struct came *came = ctx;
    const struct world_doc *d = came->doc;

    came->object = json_read(text);
    if (came->object)
        engine_pass_keep(came->pass, d->kind, d->ns, d->name, o->rv, text, false);
}

/* One reference; NULL with ERR_NET: that is no document. A review and a list are answered by a tree. */
static int read_answer(struct pass *p, const struct kube_call *call, const struct world_doc *d, const json_t *object,
                       json_t **ret, struct error *e)
{
    struct came came = {.pass = p, .doc = d};

    if (d->query && !json_is_array(json_at(object, "items")))
        return error_set(e, ERR_NET, "the API server's list is broken");
    if (!world_is_document(d)) {
        *ret = json_incref((json_t *)(uintptr_t)object);
        return 0;
    }
    (void)scan_one(p->engine->scans, d->kind, call->text, document_came, &came); /* came.object tells */
    *ret = came.object;
    return came.object ? 0 : error_set(e, ERR_NET, "the API server's answer is broken");
}

static void fetch_done(struct kube_call *call, int rc, const json_t *object, const struct error *e)
{
    struct engine_call *c = call->data;
    struct pass *p = c->pass;
    json_t *answer = NULL;
    struct error broken;

    list_del(&c->link);
    p->fetching--;
    if (rc == 0) {
        rc = read_answer(p, call, c->doc, object, &answer, &broken);
        e = rc < 0 ? &broken : NULL;
    }
    if (rc == ERR_NOTFOUND && world_is_document(c->doc) &&
        engine_pass_is_self(p, c->doc->kind, c->doc->ns, c->doc->name))
        engine_pass_gone(p, call);
    if (rc == 0 || rc == ERR_NOTFOUND || (c->doc->query && (rc == ERR_TOOBIG || rc == ERR_INVALID)))
        world_give(&p->world, c->doc, answer);
    else
        engine_pass_fail(p, rc, e, arena_printf(&p->arena, "get %s %s", c->doc->kind->name, c->doc->name));
    if (p->fetching)
        return;
    engine_pass_release(p);
    if (p->result == PASS_OK)
        decide(p);
    else
        engine_pass_end(p);
}

static void fetch(struct pass *p, struct world_doc *d)
{
    struct engine_call *c = arena_alloc(&p->arena, sizeof(*c));

    c->pass = p;
    c->doc = d;
    c->call = (struct kube_call){.verb = d->body ? KUBE_CREATE : d->query ? KUBE_LIST : KUBE_GET, .kind = d->kind,
                                 .ns = d->ns, .name = d->query ? NULL : d->name, .query = d->query, .body = d->body,
                                 .on_done = fetch_done, .as_text = world_is_document(d), .data = c};
    p->fetching++;
    list_init(&c->link);
    engine_send(p->engine, c);
}

/* ---- what another pass is about to know ---- */

static bool fetches(const struct pass *p, const struct world_doc *d)
{
    LIST_EACH (it, &p->fetches) {
        const struct world_doc *own = LIST_ENTRY(it, struct engine_call, link)->doc;

        if (world_is_document(own) && own->kind == d->kind && str_same(own->ns, d->ns) && str_same(own->name, d->name))
            return true;
    }
    return false;
}

/* A write whose event was faster than its answer: the answer has the document. */
static bool writes(const struct pass *p, const struct world_doc *d)
{
    const struct effect *f = p->effect;

    return f && list_empty(&p->behind) && (f->type == EFFECT_STATUS || f->type == EFFECT_PATCH) &&
           f->kind == d->kind && str_same(f->ns, d->ns) && str_same(f->name, d->name);
}

/* NULL: nobody; or nothing would be kept of the answer. */
static struct pass *asked_by_another(const struct pass *p, const struct world_doc *d)
{
    if (!world_is_document(d) || !record_of(p, d->kind, d->ns, d->name))
        return NULL;
    LIST_EACH (it, &p->engine->passes) {
        struct pass *other = LIST_ENTRY(it, struct pass, link);

        if (other != p && (fetches(other, d) || writes(other, d)))
            return other;
    }
    return NULL;
}

void engine_pass_release(struct pass *p)
{
    struct list followers, *l;

    p->effect = NULL;
    list_init(&followers);
    list_move_all(&followers, &p->followers);
    while ((l = list_pop(&followers))) {
        struct pass *next = LIST_ENTRY(l, struct pass, behind);

        if (next->effect)
            engine_effects_resume(next);
        else
            engine_pass_resume(next);
    }
}

/* ---- documents ---- */

void engine_pass_resume(struct pass *p)
{
    struct pass *other = NULL;

    LIST_EACH (it, &p->world.docs) {
        struct world_doc *d = LIST_ENTRY(it, struct world_doc, link);
        struct pass *who;

        if (d->known || take_kept(p, d))
            continue;
        who = asked_by_another(p, d);
        if (!who)
            fetch(p, d);
        else
            other = who;
    }
    if (p->fetching) /* they bring it forward too; what is missing then is looked for again */
        return;
    if (other)
        list_add_tail(&other->followers, &p->behind);
    else
        decide(p);
}

static void fetch_all(struct pass *p)
{
    if (p->reruns++ < RERUNS_MAX) {
        engine_pass_resume(p);
        return;
    }
    engine_pass_fail(p, ERR_BUG, NULL, "asks for documents without end");
    engine_pass_end(p);
}

static void decide(struct pass *p)
{
    world_rerun(&p->world);
    plan_init(&p->plan, &p->arena, p->self, world_now_s(&p->world));
    p->rule = controller_decide(p->controller, &p->world, p->self, &p->plan);
    if (p->world.waiting) {
        fetch_all(p);
        return;
    }
    if (p->is_ahead) /* if it is gone again, no event may tell: then the server has to be asked */
        plan_wake_at(&p->plan, world_now_s(&p->world) + DOCS_AHEAD_MS / 1000 + 1);
    plan_settle(&p->plan, world_peek(&p->world, p->self->kind, p->self->ns, p->self->name));
    engine_effects_run(p);
}

/* ---- canceling ---- */

static void cancel_call(struct engine_call *c)
{
    if (c->started)
        kube_cancel(&c->call);
}

/* Calls that still wait for the rate limit never start. */
static unsigned drop_starved(struct pass *p)
{
    unsigned n = 0;

    LIST_EACH_SAFE (it, &p->engine->starved) {
        struct engine_call *c = LIST_ENTRY(it, struct engine_call, link);

        if (c->pass != p)
            continue;
        list_del(&c->link);
        n++;
    }
    return n;
}

void engine_pass_cancel(struct pass *p)
{
    unsigned dropped = drop_starved(p);

    engine_pass_fail(p, ERR_CANCELED, NULL, "stopped");
    if (p->fetching) {
        p->fetching -= dropped;
        LIST_EACH_SAFE (it, &p->fetches)
            cancel_call(LIST_ENTRY(it, struct engine_call, link));
        if (!p->fetching)
            engine_pass_end(p);
        return;
    }
    if (dropped || !list_empty(&p->behind)) {
        list_del(&p->behind);
        engine_pass_end(p);
    } else {
        cancel_call(&p->call);
    }
}
