/*
 * restoresession_others: the lock of a target (controllers.md 6.4): two restores, or a restore and a backup, of one
 * database never run at once. Nothing is written down for it: it is held by whoever is Running or has a Job, so a
 * session that ends, or is deleted, gives it back however its process died; what of it runs on holds the target itself
 * (target_lock.h). Among those that wait the oldest goes first.
 *
 * A restore is in line while it is new, or Pending with RestoreExecutorEnsured Unknown, WaitingForOtherSession. One
 * that waits for its Repository, its Secret or a quota is in nobody's way; it joins the line when it has all it needs.
 */
#include "controllers/backupsession.h"
#include "controllers/condition.h"
#include "controllers/restoresession.h"
#include "controllers/target_lock.h"

static bool has_phase(const struct kobj *o, const char *phase)
{
    return strcmp(kobj_text(o, "status.phase"), phase) == 0;
}

static bool is_in_line(const struct kobj *o)
{
    const char *conditions = kobj_get(o, "status.conditions");

    return has_phase(o, "") ||
           (has_phase(o, "Pending") && condition_record_is(conditions, RESTORESESSION_EXECUTOR, "Unknown") &&
            str_is(condition_record_reason(conditions, RESTORESESSION_EXECUTOR), RESTORESESSION_WAITS));
}

struct search {
    const struct cache *cache;
    const struct kobj *self, *found;
    const struct target_ref *ref;
};

static bool take_holder(void *ctx, const struct kobj *o)
{
    struct search *s = ctx;

    if (o->uid && s->self->uid && strcmp(o->uid, s->self->uid) == 0)
        return true;
    if (o->deleting) /* nobody looks at it any more: a finalizer may keep it for ever */
        return true;
    if (!target_lock_is_claimed_by(o, s->ref, RESTORESESSION_TARGET))
        return true;
    if (has_phase(o, "Succeeded") || has_phase(o, "Failed") || has_phase(o, "Unknown"))
        return true;
    if (!has_phase(o, "Running") && !backupsession_has_job(s->cache, o) &&
        !(is_in_line(o) && target_lock_is_before(s->cache, o, s->self)))
        return true;
    s->found = o;
    return false;
}

const struct kobj *restoresession_rival(const struct cache *c, const struct kobj *self, const struct target_ref *ref)
{
    struct search s = {.cache = c, .self = self, .ref = ref};

    if (*ref->name)
        cache_each_by(c, kind_get(KIND_RESTORESESSION), "spec.target.ref.name", ref->name, take_holder, &s);
    return s.found;
}

/* ---- who is woken ---- */

struct waking {
    wake_fn *wake;
    void *ctx;
};

static bool wake_waiting(void *ctx, const struct kobj *o)
{
    const struct waking *k = ctx;

    if (is_in_line(o))
        k->wake(k->ctx, o->ns, o->name);
    return true;
}

static void wake_waiting_for(const struct cache *c, const char *target, wake_fn *wake, void *ctx)
{
    struct waking k = {wake, ctx};

    if (*target)
        cache_each_by(c, kind_get(KIND_RESTORESESSION), "spec.target.ref.name", target, wake_waiting, &k);
}

void restoresession_wake_rivals(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    const struct kobj *invoker = changed;

    if (changed->kind->id == KIND_BACKUPSESSION)
        invoker = cache_find(c, kind_get(KIND_BACKUPCONFIGURATION), changed->ns,
                             kobj_text(changed, "spec.invoker.name"));
    if (invoker)
        wake_waiting_for(c, kobj_text(invoker, "spec.target.ref.name"), wake, ctx);
}

void restoresession_wake_by_job(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct target_ref ref;
    struct arena a;

    arena_init(&a);
    if (target_lock_given_back(c, changed, &a, &ref))
        wake_waiting_for(c, ref.name, wake, ctx);
    arena_done(&a);
}
