/*
 * engine_effect: the effects of a plan, one after the other, as requests; a failure ends the pass and the rest is not
 * run.
 *
 * What is done to the plan here and nowhere else: a name that is taken by our own object is success; a missing object
 * is success for deletes and patches; nothing is made in a namespace that is going away; what several passes apply at
 * once is sent by the first of them.
 */
#include "controllers/engine_pass.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/str.h"

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

/* Ours: same owner; without one, all our own labels (controller.h). */
static bool is_same_object(const json_t *want, const json_t *have)
{
    const json_t *labels = json_at(want, "metadata.labels");
    const char *key, *owner = kobj_owner_uid_in(want);
    bool any = false;
    json_t *value;

    if (owner[0])
        return strcmp(owner, kobj_owner_uid_in(have)) == 0;
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
    case EFFECT_PUSH:
    case EFFECT_WAKE:
        break;
    }
    return "";
}

/* ---- Jobs that the cache does not have yet (unseen_jobs.h) ---- */

static bool makes_job(const struct pass *p)
{
    return p->effect && p->effect->type == EFFECT_CREATE && p->effect->kind->id == KIND_JOB && !p->looking &&
           !p->checking;
}

void engine_effect_goes(struct pass *p)
{
    struct engine *e = p->engine;

    if (makes_job(p))
        unseen_jobs_sent(&e->unseen, e->o.cache, p->effect->ns, p->effect->body, env_now_ns(e->o.env));
}

static void answered(struct pass *p, enum unseen_answer answer)
{
    if (makes_job(p))
        unseen_jobs_answered(&p->engine->unseen, p->effect->ns, p->effect->body, answer,
                             env_now_ns(p->engine->o.env));
}

void engine_effect_ends(struct pass *p)
{
    answered(p, UNSEEN_UNKNOWN);
}

/* ---- how it ended ---- */

static void effect_failed(struct pass *p, int rc, const struct error *error)
{
    struct engine *e = p->engine;
    const struct effect *f = p->effect;
    const struct kube_call *call = &p->call.call;
    enum refusal_kind why =
        rc == ERR_EXISTS ? REFUSAL_NAME
                         : refusal_classify(rc, call->status, call->reason, call->cause, error ? error->msg : "");
    const char *what = arena_printf(&p->arena, "%s %s %s", effect_verb(f), f->kind->name, f->name ? f->name : "");
    bool ignored = false;

    if (call->status >= 400 && call->status < 500)
        answered(p, UNSEEN_REFUSED);
    engine_pass_fail(p, rc, error, what);
    if (why != N_REFUSALS) {
        const struct refusal *old = world_refusal(&p->world, f->kind, f->ns, f->name);

        /* A controller that plans an effect before its time does not look at refusals: then this is a plain failure. */
        ignored = old && old->retry_s > world_now_s(&p->world);
        refusals_note(&p->key->refusals, f->kind, f->ns, f->name, why, error ? error->msg : "", world_now_s(&p->world),
                      env_random(e->o.env));
        p->result = ignored ? PASS_ERROR : PASS_REFUSED;
    }
    engine_pass_end(p);
}

static void answer_came(void *ctx, const struct kobj *o, struct str text)
{
    struct pass *p = ctx;
    const struct effect *f = p->effect;
    bool is_self = engine_pass_is_self(p, f->kind, f->ns, f->name);

    engine_pass_keep(p, f->kind, f->ns, f->name, o->rv, text, true);
    if (is_self)
        (void)snprintf(p->own_rv, sizeof(p->own_rv), "%s", o->rv);
    if (f->type == EFFECT_STATUS || (is_self && f->rv)) /* what it was computed from is still all there is */
        (void)snprintf(p->rv, sizeof(p->rv), "%s", o->rv);
}

/* answer: the object after the write; STR_NONE: none came. */
static void effect_succeeded(struct pass *p, struct str answer)
{
    const struct effect *f = p->effect;

    answered(p, UNSEEN_MADE);
    refusals_clear(&p->key->refusals, f->kind, f->ns, f->name);
    if (f->type == EFFECT_DELETE)
        docs_drop(p->engine->docs, f->kind, f->ns, f->name);
    else if (answer.n)
        (void)scan_one(p->engine->scans, f->kind, answer, answer_came, p); /* what can't be read is not kept */
    if (f->type == EFFECT_STATUS && answer.n) {
        const char *phase = json_text(f->body, "status.phase");
        PASS_LOG(log, p);

        if (phase[0])
            log_info(&log, "phase changed", F_STR("phase", phase), F_STR("reason", p->rule->reason));
    }
    engine_effects_run(p);
}

static void effect_done(struct kube_call *call, int rc, const json_t *object, const struct error *error);

static void get(struct pass *p, const struct kind *k, const char *ns, const char *name, bool as_text)
{
    p->call.pass = p;
    p->call.call = (struct kube_call){.verb = KUBE_GET, .kind = k, .ns = ns, .name = name, .on_done = effect_done,
                                      .as_text = as_text, .data = &p->call};
    engine_send(p->engine, &p->call);
}

/* Who has the name? */
static void check_owner(struct pass *p)
{
    answered(p, UNSEEN_MADE);
    p->checking = true;
    get(p, p->effect->kind, p->effect->ns, p->effect->name, false);
}

static void check_done(struct pass *p, int rc, const json_t *object, const struct error *error)
{
    struct error taken;

    p->checking = false;
    if (rc == ERR_NOTFOUND) { /* gone in between: make it in the next pass */
        engine_pass_fail(p, ERR_CONFLICT, error, "name was taken for a moment");
        engine_pass_end(p);
    } else if (rc < 0) {
        effect_failed(p, rc, error);
    } else if (is_same_object(p->effect->body, object)) {
        effect_succeeded(p, STR_NONE);
    } else {
        effect_failed(p, error_set(&taken, ERR_EXISTS, "%s %s exists and is not ours", p->effect->kind->name,
                                   p->effect->name), &taken);
    }
}

/* ---- whom a Job is made for, beside whom another goes ---- */

enum { YOUNG_S = 5, LOOK_GOOD_MS = 5000 };

/*
 * A Job is work, and the cache may be behind: the object may be gone, and its Job with it, or another process may have
 * gone on with it. So it is looked at once more, unless it has just been made and nothing has failed since. A session
 * is work, too: its invoker is looked at when something has failed, maybe the request for that very session. Who has
 * to stay when another is deleted is looked at each time: what is deleted by mistake does not come back.
 */
static bool needs_look(const struct pass *p, const struct effect *f)
{
    bool has_failed = p->key->failures > 0;

    if (f->type == EFFECT_DELETE)
        return f->stays != NULL;
    if (f->type != EFFECT_CREATE || p->looked || strcmp(kobj_owner_uid_in(f->body), p->self->uid) != 0)
        return false;
    if (f->kind->id == KIND_JOB)
        return has_failed || world_now_s(&p->world) - p->self->created_s > YOUNG_S;
    return f->kind->id == KIND_BACKUPSESSION && has_failed;
}

static const char *looks_at(const struct pass *p)
{
    return p->effect->stays ? p->effect->stays : p->self->name;
}

static void look(struct pass *p)
{
    p->looking = true;
    p->looked = false;
    get(p, p->self->kind, p->self->ns, looks_at(p), true);
}

static void compare(void *ctx, const struct kobj *o, struct str text)
{
    struct pass *p = ctx;
    const json_t *doc = world_peek(&p->world, p->self->kind, p->self->ns, p->self->name);
    const char *rv = p->own_rv[0] ? p->own_rv : doc ? json_text(doc, "metadata.resourceVersion") : p->self->rv;

    (void)text;
    if (strcmp(looks_at(p), p->self->name) == 0)
        p->looked = strcmp(o->uid, p->self->uid) == 0 && strcmp(o->rv, rv) == 0;
    else
        p->looked = strcmp(o->uid, p->effect->stays_uid) == 0;
    p->looked = p->looked && !(p->effect->stays && o->deleting);
}

/* Nothing fences a DELETE: the nearer it is to the look the better. */
bool engine_effect_is_late(const struct pass *p)
{
    return p->effect && p->effect->stays &&
           env_now_ns(p->engine->o.env) - p->looked_ns > LOOK_GOOD_MS * 1000000ull;
}

static void send_effect(struct pass *p, struct effect *f);

static void look_done(struct pass *p, int rc, const struct error *error)
{
    bool is_gone = rc == ERR_NOTFOUND;

    p->looking = false;
    if (rc == 0)
        /* What can't be read is not the same. */
        (void)scan_one(p->engine->scans, p->self->kind, p->call.call.text, compare, p);
    if (p->looked) {
        send_effect(p, p->effect);
        return;
    }
    if (is_gone && strcmp(looks_at(p), p->self->name) == 0)
        engine_pass_gone(p, &p->call.call);
    else
        engine_pass_fail(p, rc < 0 && !is_gone ? rc : ERR_CONFLICT, error,
                         arena_printf(&p->arena, "%s is not what it was", looks_at(p)));
    docs_drop(p->engine->docs, p->self->kind, p->self->ns, looks_at(p));
    engine_pass_end(p);
}

static void effect_done(struct kube_call *call, int rc, const json_t *object, const struct error *error)
{
    struct engine_call *c = call->data;
    struct pass *p = c->pass;
    enum effect_type type = p->effect->type;

    c->started = false;
    if (rc == ERR_NOTFOUND && (type == EFFECT_STATUS || type == EFFECT_PATCH) &&
        engine_pass_is_self(p, p->effect->kind, p->effect->ns, p->effect->name))
        engine_pass_gone(p, call);
    if (p->looking)
        look_done(p, rc, error);
    else if (p->checking)
        check_done(p, rc, object, error);
    else if (rc == ERR_EXISTS && type == EFFECT_CREATE)
        check_owner(p);
    else if (rc == ERR_NOTFOUND && type == EFFECT_STATUS)
        engine_pass_end(p); /* the object of the pass is gone: nothing left to do */
    else if (rc == 0 || (rc == ERR_NOTFOUND && (type == EFFECT_DELETE || type == EFFECT_PATCH)))
        effect_succeeded(p, rc == 0 ? call->text : STR_NONE);
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

/* ---- applies ---- */

/* Several passes of one namespace want the same account at once, before the cache shows it to any of them. */
static bool is_applied(struct pass *p, const struct effect *f)
{
    struct engine *e = p->engine;
    const struct kobj *record = cache_find(e->o.cache, f->kind, f->ns, f->name);
    json_t *have = docs_get(e->docs, f->kind, f->ns, f->name, record ? record->rv : "", env_now_ns(e->o.env), NULL);
    bool same = have && plan_patch_is_empty(have, f->body);

    json_decref(have);
    return same;
}

static bool is_same_place(const struct effect *a, const struct effect *b)
{
    return a->kind == b->kind && str_same(a->ns, b->ns) && str_same(a->name, b->name);
}

/* True: another pass applies it just now, and this one goes on when it has ended. */
static bool follow(struct pass *p, const struct effect *f)
{
    LIST_EACH (it, &p->engine->passes) {
        struct pass *other = LIST_ENTRY(it, struct pass, link);

        if (other == p || !other->effect || other->effect->type != EFFECT_APPLY || !list_empty(&other->behind) ||
            !is_same_place(other->effect, f))
            continue;
        list_add_tail(&other->followers, &p->behind);
        return true;
    }
    return false;
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
        .as_text = true,
        .timeout_ms = f->stays ? LOOK_GOOD_MS : 0, /* it is not sent later, once there is a connection again */
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
    case EFFECT_PUSH:
        if (p->engine->o.on_push)
            p->engine->o.on_push(p->engine->o.ctx, f->ns, f->family, f->label, f->message);
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

/* Runs p->effect; false: it was done at once. */
static bool start_effect(struct pass *p)
{
    struct effect *f = p->effect;

    if (run_here(p, f) || (f->type == EFFECT_APPLY && is_applied(p, f)))
        return false;
    if (!f->name) { /* whoever planned it had no object: nothing of the kind is sent */
        engine_pass_fail(p, ERR_BUG, NULL,
                         arena_printf(&p->arena, "%s %s without a name", effect_verb(f), f->kind->name));
        engine_pass_end(p);
        return true;
    }
    if (needs_look(p, f))
        look(p);
    else if (f->type != EFFECT_APPLY || !follow(p, f))
        send_effect(p, f);
    return true;
}

void engine_effects_resume(struct pass *p)
{
    if (!start_effect(p))
        engine_effects_run(p);
}

void engine_effects_run(struct pass *p)
{
    engine_pass_release(p);
    for (;;) {
        struct list *l = list_pop(&p->plan.effects);

        if (!l)
            break;
        p->effect = LIST_ENTRY(l, struct effect, link);
        if (start_effect(p))
            return;
    }
    engine_pass_end(p);
}
