/*
 * engine_pass: see engine_pass.h.
 *
 *   decide --asked for documents--> fetch (all at once) --> decide again
 *     |                                 |
 *     | plan                            +-- a fetch failed: the pass fails
 *     v
 *   effects, one after the other --failed: the rest is not run, the key comes back later--> end
 *
 * What is done to the plan here and nowhere else: a name that is taken by our own object is success; a missing object is
 * success for deletes and patches; nothing is made in a namespace that is going away.
 */
#include "controllers/engine_pass.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { RERUNS_MAX = 16, BACKOFF_MAX_S = 300 };

static const char *const result_names[N_PASS_RESULTS] = {"ok", "refused", "conflict", "error", "canceled"};

static void decide(struct pass *p);
static void next_effect(struct pass *p);

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

/* The pass's fields on each of its lines. */
#define PASS_LOG(var, p)                                                                                               \
    const struct log_field var##_fields[]  = {F_STR("controller", (p)->controller->name),                             \
                                              F_STR("namespace", (p)->key->ns), F_STR("name", (p)->key->name)};       \
    const struct log var = {.parent = (p)->engine->o.log, .fields = var##_fields, .n_fields = 3,                     \
                             .min = (p)->engine->o.log->min}

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

static void end(struct pass *p)
{
    struct engine *e = p->engine;
    struct queue_key *key = p->key;
    uint64_t now = env_now_ns(e->o.env), again = UINT64_MAX;
    int64_t asked_ms = env_wall_ms(e->o.env);

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
    log_end(p);
    if (e->o.on_pass)
        e->o.on_pass(e->o.ctx, p->controller, p->rule ? p->rule->reason : "", result_names[p->result],
                     now - p->started_ns);
    queue_done(e->queue, key, again, asked_ms);
    engine_pass_ended(p);
}

static void fail(struct pass *p, int rc, const struct error *e, const char *what)
{
    if (p->result != PASS_OK)
        return; /* the first failure tells */
    p->result = rc == ERR_CANCELED ? PASS_CANCELED : rc == ERR_CONFLICT ? PASS_CONFLICT : PASS_ERROR;
    p->error.code = rc;
    (void)snprintf(p->error.msg, sizeof(p->error.msg), "%s: %.400s", what, e ? e->msg : error_name(rc));
    if (rc == ERR_THROTTLED)
        engine_throttled(p->engine, e ? e->retry_after_ms : 0);
}

/* ---- deciding ---- */

void engine_pass_start(struct engine *e, struct queue_key *key)
{
    const struct kobj *self = cache_find(e->o.cache, kind_get(key->controller->kind), key->ns, key->name);
    struct pass *p;

    if (!self) { /* gone meanwhile, and what we remembered with it */
        queue_drop(e->queue, key->controller, key->ns, key->name);
        queue_done(e->queue, key, UINT64_MAX, 0);
        return;
    }
    p = mem_zalloc(sizeof(*p));
    p->engine = e;
    p->key = key;
    p->controller = key->controller;
    p->self = kobj_ref(self);
    p->started_ns = env_now_ns(e->o.env);
    list_init(&p->fetches);
    list_init(&p->call.link);
    arena_init(&p->arena);
    world_init(&p->world, e->o.settings, e->o.cache, &p->arena, env_wall_ms(e->o.env), key->asked_ms);
    p->world.refusals = &key->refusals;
    list_add_tail(&e->passes, &p->link);
    e->n_passes++;
    decide(p);
}

static void fetch_done(struct kube_call *call, int rc, const json_t *object, const struct error *e)
{
    struct engine_call *c = call->data;
    struct pass *p = c->pass;

    list_del(&c->link);
    p->fetching--;
    if (rc == 0 || rc == ERR_NOTFOUND)
        world_give(&p->world, c->doc, rc == 0 ? json_incref((json_t *)object) : NULL);
    else
        fail(p, rc, e, arena_printf(&p->arena, "get %s %s", c->doc->kind->name, c->doc->name));
    if (p->fetching)
        return;
    if (p->result == PASS_OK)
        decide(p);
    else
        end(p);
}

static void fetch(struct pass *p, struct world_doc *d)
{
    struct engine_call *c = arena_alloc(&p->arena, sizeof(*c));

    c->pass = p;
    c->doc = d;
    c->call = (struct kube_call){.verb = KUBE_GET, .kind = d->kind, .ns = d->ns, .name = d->name,
                                 .on_done = fetch_done, .data = c};
    p->fetching++;
    list_init(&c->link);
    engine_send(p->engine, c);
}

static void fetch_all(struct pass *p)
{
    if (p->reruns++ == RERUNS_MAX) {
        fail(p, ERR_BUG, NULL, "asks for documents without end");
        end(p);
        return;
    }
    LIST_EACH (it, &p->world.docs) {
        struct world_doc *d = LIST_ENTRY(it, struct world_doc, link);

        if (!d->known)
            fetch(p, d);
    }
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
    plan_settle(&p->plan, world_peek(&p->world, p->self->kind, p->self->ns, p->self->name));
    next_effect(p);
}

/* ---- effects ---- */

/* No create, event or status write in a namespace that is going away (multitenancy.md 10). */
static bool is_pointless(const struct pass *p, const struct effect *e)
{
    const char *ns = e->type == EFFECT_EVENT ? p->self->ns : e->ns;
    const struct kobj *n = ns && ns[0] ? cache_find(p->engine->o.cache, kind_get(KIND_NAMESPACE), NULL, ns) : NULL;

    if (!n || !n->deleting)
        return false;
    return e->type == EFFECT_CREATE || e->type == EFFECT_APPLY || e->type == EFFECT_STATUS || e->type == EFFECT_EVENT;
}

static void send_event(struct pass *p, const struct effect *e)
{
    char version[128];
    struct kube_event event = {
        .component = p->controller->component,
        .type = e->event_type,
        .reason = e->reason,
        .message = e->message,
        .api_version = kind_api_version(p->self->kind, version),
        .kind = p->self->kind->name,
        .ns = p->self->ns,
        .name = p->self->name,
        .uid = p->self->uid,
    };

    /* What a user is warned of, the log tells too. */
    if (strcmp(e->event_type, "Warning") == 0) {
        PASS_LOG(log, p);

        log_warn(&log, e->reason, F_STR("message", e->message));
    }
    if (p->engine->o.events)
        kube_event_send(p->engine->o.events, &event);
}

static void wake_other(struct pass *p, const struct effect *e)
{
    for (size_t i = 0; i < p->engine->o.n_controllers; i++) {
        const struct controller *c = p->engine->o.controllers[i];

        if (kind_get(c->kind) == e->kind) {
            engine_wake(p->engine, c, e->ns, e->name);
            return;
        }
    }
}

/* The controller owner of an object, else its first owner. */
static const char *owner_uid(const json_t *object)
{
    const json_t *owners = json_at(object, "metadata.ownerReferences"), *o;
    size_t i;

    json_array_foreach ((json_t *)owners, i, o) {
        if (json_flag(o, "controller", false))
            return json_text(o, "uid");
    }
    return json_text(json_array_get(owners, 0), "uid");
}

/* Ours: same owner; without one, all our own labels (controller.h). */
static bool is_same_object(const json_t *want, const json_t *have)
{
    const json_t *labels = json_at(want, "metadata.labels");
    const char *key, *owner = owner_uid(want);
    bool any = false;
    json_t *value;

    if (owner[0])
        return strcmp(owner, owner_uid(have)) == 0;
    json_object_foreach ((json_t *)labels, key, value) {
        if (strncmp(key, STASH_GROUP "/", sizeof(STASH_GROUP)) != 0)
            continue;
        any = true;
        if (strcmp(json_meta(have, "labels", key), json_string_value(value)) != 0)
            return false;
    }
    return any;
}

static const char *effect_verb(const struct effect *e)
{
    switch (e->type) {
    case EFFECT_CREATE:
        return "create";
    case EFFECT_STATUS:
    case EFFECT_PATCH:
        return "patch";
    case EFFECT_APPLY:
        return "apply";
    case EFFECT_DELETE:
        return "delete";
    case EFFECT_EVENT:
    case EFFECT_COUNT:
    case EFFECT_WAKE:
        break;
    }
    return "";
}

static void effect_failed(struct pass *p, int rc, const struct error *error)
{
    struct engine *e = p->engine;
    const struct effect *f = p->effect;
    const struct kube_call *call = &p->call.call;
    enum refusal_kind why = rc == ERR_EXISTS
                                ? REFUSAL_NAME
                                : refusal_classify(rc, call->status, call->reason, call->cause, error ? error->msg : "");
    const char *what = arena_printf(&p->arena, "%s %s %s", effect_verb(f), f->kind->name, f->name ? f->name : "");
    bool ignored = false;

    fail(p, rc, error, what);
    if (why != N_REFUSALS) {
        const struct refusal *old = world_refusal(&p->world, f->kind, f->ns, f->name);

        /* A controller that plans an effect before its time does not look at refusals: then this is a plain failure. */
        ignored = old && old->retry_s > world_now_s(&p->world);
        refusals_note(&p->key->refusals, f->kind, f->ns, f->name, why, error ? error->msg : "", world_now_s(&p->world),
                      env_random(e->o.env));
        p->result = ignored ? PASS_ERROR : PASS_REFUSED;
    }
    end(p);
}

static void effect_succeeded(struct pass *p, const json_t *object)
{
    const struct effect *f = p->effect;

    refusals_clear(&p->key->refusals, f->kind, f->ns, f->name);
    if (f->type == EFFECT_STATUS && object) {
        const char *phase = json_text(f->body, "status.phase");
        PASS_LOG(log, p);

        (void)snprintf(p->rv, sizeof(p->rv), "%s", json_text(object, "metadata.resourceVersion"));
        if (phase[0])
            log_info(&log, "phase changed", F_STR("phase", phase), F_STR("reason", p->rule->reason));
    }
    next_effect(p);
}

static void effect_done(struct kube_call *call, int rc, const json_t *object, const struct error *error);

/* Who has the name? */
static void check_owner(struct pass *p)
{
    const struct effect *f = p->effect;

    p->checking = true;
    p->call.call = (struct kube_call){.verb = KUBE_GET, .kind = f->kind, .ns = f->ns, .name = f->name,
                                      .on_done = effect_done, .data = &p->call};
    engine_send(p->engine, &p->call);
}

static void check_done(struct pass *p, int rc, const json_t *object, const struct error *error)
{
    struct error taken;

    p->checking = false;
    if (rc == ERR_NOTFOUND) { /* gone in between: make it in the next pass */
        fail(p, ERR_CONFLICT, error, "name was taken for a moment");
        end(p);
    } else if (rc < 0) {
        effect_failed(p, rc, error);
    } else if (is_same_object(p->effect->body, object)) {
        effect_succeeded(p, NULL);
    } else {
        effect_failed(p, error_set(&taken, ERR_EXISTS, "%s %s exists and is not ours", p->effect->kind->name,
                                   p->effect->name), &taken);
    }
}

static void effect_done(struct kube_call *call, int rc, const json_t *object, const struct error *error)
{
    struct engine_call *c = call->data;
    struct pass *p = c->pass;
    enum effect_type type = p->effect->type;

    c->started = false;
    if (p->checking)
        check_done(p, rc, object, error);
    else if (rc == ERR_EXISTS && type == EFFECT_CREATE)
        check_owner(p);
    else if (rc == ERR_NOTFOUND && type == EFFECT_STATUS)
        end(p); /* the object of the pass is gone: nothing left to do */
    else if (rc == 0 || (rc == ERR_NOTFOUND && (type == EFFECT_DELETE || type == EFFECT_PATCH)) ||
             (rc == ERR_CONFLICT && type == EFFECT_DELETE)) /* another object has the name by now */
        effect_succeeded(p, rc == 0 ? object : NULL);
    else
        effect_failed(p, rc, error);
}

/* The resourceVersion that the patch was computed from goes into its metadata. */
static void put_precondition(struct pass *p, struct effect *f)
{
    const char *rv = f->type == EFFECT_STATUS && p->rv[0] ? p->rv : f->rv;
    json_t *meta;

    if (!rv)
        return;
    meta = json_object_get(f->body, "metadata");
    if (!meta) {
        meta = json_object();
        json_object_set_new(f->body, "metadata", meta);
    }
    json_object_set_new(meta, "resourceVersion", json_string(rv));
}

static const json_t *delete_options(struct pass *p, const struct effect *f)
{
    json_t *body = json_pack("{s:s}", "propagationPolicy", f->propagation ? f->propagation : "Background");

    if (f->uid)
        json_object_set_new(body, "preconditions", json_pack("{s:s}", "uid", f->uid));
    return arena_json(&p->arena, body);
}

static void send_effect(struct pass *p, struct effect *f)
{
    static const enum kube_verb verbs[] = {[EFFECT_CREATE] = KUBE_CREATE, [EFFECT_STATUS] = KUBE_PATCH,
                                           [EFFECT_PATCH] = KUBE_PATCH,   [EFFECT_APPLY] = KUBE_APPLY,
                                           [EFFECT_DELETE] = KUBE_DELETE};

    p->call.pass = p;
    p->call.call = (struct kube_call){
        .verb = verbs[f->type],
        .kind = f->kind,
        .ns = f->ns,
        .name = f->type == EFFECT_CREATE ? NULL : f->name,
        .subresource = f->type == EFFECT_STATUS ? "status" : f->subresource,
        .body = f->type == EFFECT_DELETE ? delete_options(p, f) : f->body,
        .on_done = effect_done,
        .data = &p->call,
    };
    if (f->type == EFFECT_STATUS || f->type == EFFECT_PATCH)
        put_precondition(p, f);
    engine_send(p->engine, &p->call);
}

/* True when it is done at once. */
static bool run_here(struct pass *p, const struct effect *f)
{
    if (is_pointless(p, f))
        return true;
    switch (f->type) {
    case EFFECT_EVENT:
        send_event(p, f);
        return true;
    case EFFECT_COUNT:
        if (p->engine->o.on_count)
            p->engine->o.on_count(p->engine->o.ctx, f->family, f->label, f->by);
        return true;
    case EFFECT_WAKE:
        wake_other(p, f);
        return true;
    case EFFECT_CREATE:
    case EFFECT_STATUS:
    case EFFECT_PATCH:
    case EFFECT_APPLY:
    case EFFECT_DELETE:
        break;
    }
    return false;
}

static void next_effect(struct pass *p)
{
    for (;;) {
        struct list *l = list_pop(&p->plan.effects);

        if (!l)
            break;
        p->effect = LIST_ENTRY(l, struct effect, link);
        if (!run_here(p, p->effect)) {
            send_effect(p, p->effect);
            return;
        }
    }
    end(p);
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

    fail(p, ERR_CANCELED, NULL, "stopped");
    if (p->fetching) {
        p->fetching -= dropped;
        LIST_EACH_SAFE (it, &p->fetches)
            cancel_call(LIST_ENTRY(it, struct engine_call, link));
        if (!p->fetching)
            end(p);
        return;
    }
    if (dropped)
        end(p);
    else
        cancel_call(&p->call);
}
