/*
 * trigger: see trigger.h.
 *
 * Switching. Both ways of triggering name a session after the second that it was due (sessionspec_name), so for one due
 * time there is one session, whoever makes it and however often: that is the safety net. That none is lost, and none is
 * made again after it is gone, rests on two facts that the API server keeps:
 *
 *     L  annotation last-schedule-time of the invoker: due times up to it are handled (schedule.c);
 *     C  the CronJob's creation: Kubernetes gives it the due times after C, never C itself or an earlier one.
 *
 *  - to a CronJob: the operator goes on with what is due in (L, C], the CronJob has the rest. While there is no CronJob
 *    (it could not be made, somebody deleted it) the operator has all of it. No clock is compared with another.
 *  - in CronJob mode a Job that succeeded has made the session of its time T: L := T, then the Job is deleted
 *    (cronjob.c). So L is behind by what is under way only.
 *  - to the operator: what succeeded goes into L, then the CronJob is deleted and its Jobs with it, and what is due
 *    after L is the operator's: also what a Job was about to do, under the same name.
 *  - killed in between: the CronJob is deleted last, so as long as it is there all steps are taken again. Its successor
 *    (somebody deleted it, the name changed) has a later C, and what lies between is the operator's by the first rule.
 *  - paused, or not valid: neither triggers; afterwards each has the latest due time if that is less than 600 s ago
 *    (startingDeadlineSeconds).
 */
#include "controllers/trigger.h"

#include "controllers/condition.h"
#include "controllers/cronjobspec.h"
#include "controllers/identity.h"
#include "controllers/schedule.h"
#include "core/base/json.h"

enum { CONFLICT_RETRY_S = 600 };

static enum trigger trigger_named(const struct operator_settings *s, const char *annotation)
{
    if (!annotation)
        return s->by_cronjobs ? TRIGGER_CRONJOB : TRIGGER_OPERATOR;
    if (strcmp(annotation, "operator") == 0)
        return TRIGGER_OPERATOR;
    return strcmp(annotation, "cronjob") == 0 ? TRIGGER_CRONJOB : TRIGGER_UNKNOWN;
}

enum trigger trigger_of(const struct operator_settings *s, const struct kobj *invoker)
{
    return trigger_named(s, invoker->kind->id == KIND_BACKUPCONFIGURATION
                                ? kobj_get(invoker, "annotation:" TRIGGER_ANNOTATION)
                                : NULL);
}

void trigger_check(const struct operator_settings *s, const json_t *doc, struct problems *out)
{
    const char *own = json_string_value(json_object_get(json_at(doc, "metadata.annotations"), TRIGGER_ANNOTATION));
    const char *why;

    switch (trigger_named(s, own)) {
    case TRIGGER_OPERATOR:
        return;
    case TRIGGER_UNKNOWN:
        problems_add(out, "metadata.annotations",
                     "annotation " TRIGGER_ANNOTATION " is \"%.63s\": operator or cronjob is wanted", own);
        return;
    case TRIGGER_CRONJOB:
        why = cronjobspec_refuses(out->arena, json_text(doc, "spec.schedule"));
        if (why)
            problems_add(out, "spec.schedule",
                         "spec.schedule %s; change it or set annotation " TRIGGER_ANNOTATION " to operator", why);
        return;
    }
}

/* ---- what there is ---- */

const struct kobj *trigger_cronjob(const struct cache *c, const struct kobj *invoker)
{
    const struct kobj *found;
    struct arena a;

    arena_init(&a);
    found = cache_find(c, kind_get(KIND_CRONJOB), invoker->ns, cronjobspec_name(&a, invoker));
    arena_done(&a);
    return found && !found->deleting && strcmp(found->owner_uid, invoker->uid) == 0 ? found : NULL;
}

/* Older control planes don't write the time down; the session has the Job's creation in its name then. */
int64_t trigger_due_of(const struct kobj *job)
{
    int64_t s;

    return str_parse_time(str_of(kobj_get(job, "annotation:" SCHEDULED_ANNOTATION)), &s) == 0 ? s : job->created_s;
}

static bool take_latest(void *ctx, const struct kobj *job)
{
    int64_t *latest_s = ctx;

    if (condition_record_is(kobj_get(job, "status.conditions"), "Complete", "True") && trigger_due_of(job) > *latest_s)
        *latest_s = trigger_due_of(job);
    return true;
}

int64_t trigger_made_until(const struct cache *c, const struct kobj *cronjob)
{
    int64_t latest_s = INT64_MIN;

    cache_each_owned(c, kind_get(KIND_JOB), cronjob->uid, take_latest, &latest_s);
    return latest_s;
}

struct owned {
    const char *name; /* the one that is wanted; NULL: none is */
    const struct kobj *wanted, *other;
    int64_t made_until_s;
    const struct cache *cache;
    struct plan *plan; /* delete the others; NULL: only look */
};

static bool look_at_owned(void *ctx, const struct kobj *cronjob)
{
    struct owned *o = ctx;
    int64_t until_s;

    if (cronjob->deleting)
        return true;
    if (o->name && strcmp(cronjob->name, o->name) == 0) {
        o->wanted = cronjob;
        return true;
    }
    o->other = cronjob;
    until_s = trigger_made_until(o->cache, cronjob);
    o->made_until_s = until_s > o->made_until_s ? until_s : o->made_until_s;
    if (o->plan)
        plan_delete(o->plan, cronjob->kind, cronjob->ns, cronjob->name, cronjob->uid, "Background");
    return true;
}

static void find_owned(const struct cache *c, const struct kobj *self, struct owned *o)
{
    o->cache = c;
    o->made_until_s = INT64_MIN;
    cache_each_owned(c, kind_get(KIND_CRONJOB), self->uid, look_at_owned, o);
}

/* ---- at rest ---- */

static bool is_current(const struct kobj *cronjob, const struct kobj *self, const char *made_from, struct arena *a)
{
    return str_same(kobj_get(cronjob, "annotation:" CRONJOBSPEC_MADE_FROM), made_from) &&
           strcmp(kobj_text(cronjob, "spec.schedule"),
                  cronjobspec_schedule(a, kobj_text(self, "spec.schedule"))) == 0 &&
           (strcmp(kobj_text(cronjob, "spec.suspend"), "true") == 0) ==
               (strcmp(kobj_text(self, "spec.paused"), "true") == 0);
}

static const char account[] = "stash-trigger";

/* Of the shared account, or of one of the user's own: then its binding is named like the CronJob. */
static bool has_rights(const struct cache *c, const char *ns, const char *name)
{
    return cache_find(c, kind_get(KIND_ROLEBINDING), ns, name) ||
           (cache_find(c, kind_get(KIND_SERVICEACCOUNT), ns, account) &&
            cache_find(c, kind_get(KIND_ROLEBINDING), ns, account));
}

bool trigger_at_rest(struct world *w, const struct kobj *self)
{
    enum trigger t = trigger_of(world_settings(w), self);
    struct arena *a = world_arena(w);
    struct owned o = {0};

    if (t == TRIGGER_CRONJOB && kobj_text(self, "spec.schedule")[0])
        o.name = cronjobspec_name(a, self);
    find_owned(world_cache(w), self, &o);
    if (t == TRIGGER_UNKNOWN || o.other)
        return false;
    if (!o.name)
        return true;
    return o.wanted && is_current(o.wanted, self, cronjobspec_made_from(w, self), a) &&
           has_rights(world_cache(w), self->ns, o.name);
}

/* ---- the look ---- */

/* The first that the API server refused, and is to be waited for. */
static void find_refusal(struct world *w, const char *user_account, struct trigger_look *t)
{
    const struct {
        enum kind_id kind;
        const char *name;
    } effects[] = {{KIND_SERVICEACCOUNT, account},
                   {KIND_ROLEBINDING, user_account[0] ? t->name : account},
                   {KIND_CRONJOB, t->name}};

    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]) && !t->refused; i++) {
        const struct kind *k = kind_get(effects[i].kind);
        const struct refusal *r = world_refusal(w, k, t->self->ns, effects[i].name);

        if (!r || r->retry_s <= world_now_s(w))
            continue;
        t->refused = r;
        t->refused_what = arena_printf(world_arena(w), "%s %s/%s", k->name, t->self->ns, effects[i].name);
    }
}

/* Server-side apply would take over what others made, so it is looked at first, by its document: without our label the
 * cache does not have it. */
static void find_conflict(struct world *w, struct trigger_look *t)
{
    const json_t *have = world_doc(w, kind_get(KIND_CRONJOB), t->self->ns, t->name);

    if (have && strcmp(kobj_owner_uid_in(have), t->self->uid) != 0)
        t->conflict = arena_printf(world_arena(w), "CronJob %s/%s exists and does not belong to %s %s/%s", t->self->ns,
                                   t->name, t->self->kind->name, t->self->ns, t->self->name);
}

void trigger_look(struct world *w, const struct kobj *self, const json_t *doc, struct trigger_look *t)
{
    struct owned o = {0};
    struct schedule s;

    *t = (struct trigger_look){.self = self, .doc = doc, .made_until_s = INT64_MIN};
    t->trigger = trigger_of(world_settings(w), self);
    t->scheduled = json_text(doc, "spec.schedule")[0] != '\0';
    t->name = cronjobspec_name(world_arena(w), self);
    if (t->trigger != TRIGGER_OPERATOR && t->scheduled)
        o.name = t->name;
    find_owned(world_cache(w), self, &o);
    t->cronjob = o.wanted;
    schedule_last(self, world_now_s(w), &s);
    if (o.made_until_s > s.last_s && o.made_until_s <= world_now_s(w) + SCHEDULE_AHEAD_MAX_S)
        t->made_until_s = o.made_until_s;
    if (t->trigger != TRIGGER_CRONJOB || !t->scheduled)
        return;
    find_refusal(w, json_text(doc, "spec.runtimeSettings.pod.serviceAccountName"), t);
    if (!t->cronjob)
        find_conflict(w, t);
}

/* ---- what is said and done ---- */

bool trigger_set_condition(const struct trigger_look *t, json_t *conditions, int64_t now_s)
{
    static const char type[] = "CronJobCreated", yes[] = "CronJobCreationSucceeded", no[] = "CronJobCreationFailed";

    if (!t->scheduled)
        condition_set(conditions, now_s, type, "True", yes, "no schedule: sessions are made by hand only");
    else if (t->trigger == TRIGGER_OPERATOR)
        condition_set(conditions, now_s, type, "True", yes,
                      "the operator itself triggers the sessions, there is no CronJob");
    else if (t->conflict)
        condition_set(conditions, now_s, type, "False", REASON_NAME_CONFLICT, "%s", t->conflict);
    else if (t->refused)
        condition_set(conditions, now_s, type, "False", t->refused->reason[0] ? t->refused->reason : no,
                      "%s could not be made. Reason: %s", t->refused_what, t->refused->message);
    else
        condition_set(conditions, now_s, type, "True", yes, "CronJob %s/%s triggers the sessions", t->self->ns,
                      t->name);
    return condition_is(conditions, type, "True");
}

bool trigger_must_record(const struct trigger_look *t)
{
    return t->made_until_s != INT64_MIN;
}

void trigger_record(const struct trigger_look *t, struct world *w, struct plan *p)
{
    schedule_record_made(w, t->self, t->made_until_s, p);
}

static bool wants_cronjob(const struct trigger_look *t)
{
    return t->trigger == TRIGGER_CRONJOB && t->scheduled;
}

static void apply(const struct trigger_look *t, struct world *w, struct plan *p)
{
    struct identity_want want = {
        .role = IDENTITY_TRIGGER,
        .invoker = t->self,
        .user_account = json_text(t->doc, "spec.runtimeSettings.pod.serviceAccountName"),
        .binding = t->name,
    };
    const char *runs_as = identity_ensure(w, p, &want);

    if (t->cronjob && is_current(t->cronjob, t->self, cronjobspec_made_from(w, t->self), world_arena(w)))
        return;
    plan_apply(p, kind_get(KIND_CRONJOB), t->self->ns, cronjobspec_make(w, t->self, t->doc, runs_as));
}

static void suspend(const struct trigger_look *t, struct plan *p)
{
    if (t->cronjob && strcmp(kobj_text(t->cronjob, "spec.suspend"), "true") != 0)
        plan_patch(p, t->cronjob->kind, t->cronjob->ns, t->cronjob->name, NULL, NULL,
                   json_pack("{s:{s:b}}", "spec", "suspend", 1));
}

/* A status that says so already may be written first: then no kill leaves an old text in it. */
static bool says_so(const struct trigger_look *t)
{
    return strcmp(kobj_text(t->self, "status.phase"), "Ready") == 0 &&
           condition_record_is(kobj_get(t->self, "status.conditions"), "CronJobCreated", "True");
}

void trigger_before_status(const struct trigger_look *t, struct world *w, struct plan *p, bool ready, bool invalid)
{
    if (invalid)
        suspend(t, p);
    else if (ready && wants_cronjob(t) && !says_so(t))
        apply(t, w, p);
}

void trigger_after_status(const struct trigger_look *t, struct world *w, struct plan *p, bool ready)
{
    struct owned o = {.plan = p, .name = t->trigger != TRIGGER_OPERATOR && t->scheduled ? t->name : NULL};

    if (ready && wants_cronjob(t) && says_so(t))
        apply(t, w, p);
    if (t->conflict)
        plan_wake_at(p, world_now_s(w) + CONFLICT_RETRY_S);
    else if (t->refused)
        plan_wake_at(p, t->refused->retry_s);
    find_owned(world_cache(w), t->self, &o);
    if (o.other && !o.name) { /* the binding of an account of the user's own */
        const struct kobj *b = cache_find(world_cache(w), kind_get(KIND_ROLEBINDING), t->self->ns, t->name);

        if (b && strcmp(b->owner_uid, t->self->uid) == 0)
            plan_delete(p, b->kind, b->ns, b->name, b->uid, "Background");
    }
}

/* ---- who wakes ---- */

void trigger_wake_invoker(const struct cache *c, const struct kobj *cronjob, wake_fn *wake, void *ctx)
{
    (void)c;
    if (strcmp(cronjob->owner_kind, kind_get(KIND_BACKUPCONFIGURATION)->name) == 0)
        wake(ctx, cronjob->ns, cronjob->owner_name);
}

bool trigger_cronjob_changed(const struct kobj *old, const struct kobj *now)
{
    return old->generation != now->generation || old->deleting != now->deleting ||
           !str_same(kobj_get(old, "annotation:" CRONJOBSPEC_MADE_FROM),
                     kobj_get(now, "annotation:" CRONJOBSPEC_MADE_FROM)) ||
           strcmp(old->owner_uid, now->owner_uid) != 0;
}

struct namespace_users {
    const char *ns;
    wake_fn *wake;
    void *ctx;
};

static bool wake_if_in(void *ctx, const struct kobj *o)
{
    struct namespace_users *u = ctx;

    if (strcmp(o->ns, u->ns) == 0)
        u->wake(u->ctx, o->ns, o->name);
    return true;
}

void trigger_wake_of_account(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct namespace_users u = {changed->ns, wake, ctx};

    if (strncmp(changed->name, account, sizeof(account) - 1) == 0 &&
        !cache_find(c, changed->kind, changed->ns, changed->name))
        cache_each(c, kind_get(KIND_BACKUPCONFIGURATION), wake_if_in, &u);
}
