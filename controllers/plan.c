/*
 * plan: see plan.h and controller.h. Effects are data until the engine runs them, so that a controller can be tested by
 * looking at what it wants, and so that no decision is mixed with waiting for an answer.
 */
#include "controllers/plan.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/limits.h"

void plan_init(struct plan *p, struct arena *a, const struct kobj *self, int64_t now_s)
{
    *p = (struct plan){.arena = a, .self = self, .now_s = now_s, .wake_at_s = INT64_MAX};
    list_init(&p->effects);
}

bool plan_is_empty(const struct plan *p)
{
    return list_empty(&p->effects);
}

static struct effect *add(struct plan *p, enum effect_type type, const struct kind *k, const char *ns, const char *name)
{
    struct effect *e = arena_alloc(p->arena, sizeof(*e));

    e->type = type;
    e->kind = k;
    e->ns = ns && k && k->namespaced ? arena_strdup(p->arena, ns) : NULL;
    e->name = name ? arena_strdup(p->arena, name) : NULL;
    list_add_tail(&p->effects, &e->link);
    return e;
}

static const char *keep(struct plan *p, const char *s)
{
    return s ? arena_strdup(p->arena, s) : NULL;
}

/* An object on its way out names its own type and place, whatever the caller wrote. */
static struct effect *add_object(struct plan *p, enum effect_type type, const struct kind *k, const char *ns,
                                 json_t *object)
{
    json_t *meta = json_object_get(object, "metadata");
    char version[128];
    struct effect *e;

    arena_json(p->arena, object);
    json_object_set_new(object, "apiVersion", json_string(kind_api_version(k, version)));
    json_object_set_new(object, "kind", json_string(k->name));
    if (k->namespaced && ns)
        json_object_set_new(meta, "namespace", json_string(ns));
    e = add(p, type, k, ns, json_string_value(json_object_get(meta, "name")));
    e->body = object;
    return e;
}

void plan_create(struct plan *p, const struct kind *k, const char *ns, json_t *object_take)
{
    (void)add_object(p, EFFECT_CREATE, k, ns, object_take);
}

void plan_apply(struct plan *p, const struct kind *k, const char *ns, json_t *object_take)
{
    (void)add_object(p, EFFECT_APPLY, k, ns, object_take);
}

void plan_status(struct plan *p, json_t *status_take)
{
    struct effect *last = LIST_ENTRY(p->effects.prev, struct effect, link);
    struct effect *e;

    if (!list_empty(&p->effects) && last->type == EFFECT_STATUS) {
        json_object_update(json_object_get(last->body, "status"), status_take);
        json_decref(status_take);
        return;
    }
    e = add(p, EFFECT_STATUS, p->self->kind, p->self->ns, p->self->name);
    e->body = arena_json(p->arena, json_object());
    json_object_set_new(e->body, "status", status_take);
}

void plan_patch(struct plan *p, const struct kind *k, const char *ns, const char *name, const char *subresource,
                const char *rv, json_t *patch_take)
{
    struct effect *e = add(p, EFFECT_PATCH, k, ns, name);

    e->subresource = keep(p, subresource);
    e->rv = keep(p, rv);
    e->body = arena_json(p->arena, patch_take);
}

void plan_delete(struct plan *p, const struct kind *k, const char *ns, const char *name, const char *uid,
                 const char *propagation)
{
    struct effect *e = add(p, EFFECT_DELETE, k, ns, name);

    e->uid = keep(p, uid);
    e->propagation = keep(p, propagation);
}

void plan_delete_beside(struct plan *p, const struct kobj *o, const struct kobj *stays)
{
    struct effect *e;

    plan_delete(p, o->kind, o->ns, o->name, o->uid, "Background");
    e = LIST_ENTRY(p->effects.prev, struct effect, link);
    e->stays = keep(p, stays ? stays->name : NULL);
    e->stays_uid = keep(p, stays ? stays->uid : NULL);
}

void plan_event(struct plan *p, const char *type, const char *reason, const char *fmt, ...)
{
    struct effect *e = add(p, EFFECT_EVENT, NULL, NULL, NULL);
    char text[LIMIT_MESSAGE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut text is still a text */
    va_end(ap);
    e->event_type = keep(p, type);
    e->reason = keep(p, reason);
    e->message = keep(p, text);
}

void plan_count(struct plan *p, const char *family, const char *label, double by)
{
    struct effect *e = add(p, EFFECT_COUNT, NULL, NULL, NULL);

    e->family = family;
    e->label = label;
    e->by = by;
}

void plan_push(struct plan *p, const char *ns, const char *job, const char *target, const char *text)
{
    struct effect *e = add(p, EFFECT_PUSH, NULL, NULL, NULL);

    e->ns = keep(p, ns);
    e->family = keep(p, job);
    e->label = keep(p, target);
    e->message = keep(p, text);
}

void plan_wake_at(struct plan *p, int64_t unix_s)
{
    if (unix_s < p->wake_at_s)
        p->wake_at_s = unix_s;
}

void plan_wake(struct plan *p, const struct kind *k, const char *ns, const char *name)
{
    (void)add(p, EFFECT_WAKE, k, ns, name);
}

/* ---- settling ---- */

bool plan_patch_is_empty(const json_t *target, const json_t *patch)
{
    const char *key;
    json_t *value;

    if (!json_is_object(patch))
        return target && json_equal((json_t *)target, (json_t *)patch);
    if (!json_is_object(target))
        return false;
    json_object_foreach ((json_t *)patch, key, value) {
        const json_t *now = json_object_get(target, key);

        if (json_is_null(value) ? now != NULL : !plan_patch_is_empty(now, value))
            return false;
    }
    return true;
}

/* Drops top-level keys that are already so; lists and objects go whole or not at all. */
static void take_out_known(json_t *status, const json_t *known)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (status, next, key, value) {
        const json_t *now = json_object_get(known, key);

        if (json_is_null(value) ? !now : now && plan_patch_is_empty(now, value))
            json_object_del(status, key);
    }
}

/* What the status will be after the patch, as far as its top level goes. */
static void merge_top(json_t *into, const json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)patch, key, value) {
        if (json_is_null(value))
            json_object_del(into, key);
        else
            json_object_set(into, key, value);
    }
}

void plan_settle(struct plan *p, const json_t *self_doc)
{
    const char *rv = json_string_value(json_object_get(json_object_get(self_doc, "metadata"), "resourceVersion"));
    json_t *known = NULL;

    if (self_doc) {
        const json_t *status = json_object_get(self_doc, "status");

        known = arena_json(p->arena, status ? json_copy((json_t *)status) : json_object());
    }
    LIST_EACH_SAFE (it, &p->effects) {
        struct effect *e = LIST_ENTRY(it, struct effect, link);
        json_t *status = json_object_get(e->body, "status");

        if (e->type != EFFECT_STATUS)
            continue;
        if (known) {
            take_out_known(status, known);
            merge_top(known, status);
        }
        if (json_object_size(status) == 0)
            list_del(&e->link);
        e->rv = keep(p, rv ? rv : p->self->rv);
    }
}
