/*
 * cronjob: see cronjob.h. First the invoker's annotation, then the Job: killed in between, the Job is still there and
 * both are done again, which changes nothing.
 *
 * A Job stays until Kubernetes' own controller has seen its success (status.lastSuccessfulTime): else it would miss it
 * and warn of it.
 */
#include "controllers/cronjob.h"

#include "controllers/condition.h"
#include "controllers/cronjobspec.h"
#include "controllers/outcome.h"
#include "controllers/schedule.h"
#include "controllers/trigger.h"

struct view {
    const struct kobj *self;
    const struct kobj *invoker;
    int64_t made_until_s; /* not yet in the invoker's annotation; INT64_MIN: nothing */
    bool has_done;        /* Jobs to be deleted */
    struct plan *plan;
};

static bool is_done(const struct view *v, const struct kobj *job)
{
    int64_t ended_s, seen_s;

    return !job->deleting && strcmp(kobj_text(job, "label:" CRONJOBSPEC_DELETE_LABEL), "true") == 0 &&
           condition_record_is(kobj_get(job, "status.conditions"), "Complete", "True") &&
           str_parse_time(str_of(kobj_get(job, "status.completionTime")), &ended_s) == 0 &&
           str_parse_time(str_of(kobj_get(v->self, "status.lastSuccessfulTime")), &seen_s) == 0 && seen_s >= ended_s;
}

static bool look_at_job(void *ctx, const struct kobj *job)
{
    struct view *v = ctx;

    v->has_done |= is_done(v, job);
    return true;
}

static int observe(struct world *w, const struct kobj *self, void *view)
{
    const struct cache *c = world_cache(w);
    struct view *v = view;
    struct schedule s;
    int64_t until_s;

    v->self = self;
    v->made_until_s = INT64_MIN;
    v->invoker = cache_find(c, kind_get(KIND_BACKUPCONFIGURATION), self->ns, self->owner_name);
    if (strcmp(self->owner_kind, kind_get(KIND_BACKUPCONFIGURATION)->name) != 0 || !v->invoker ||
        v->invoker->deleting || strcmp(v->invoker->uid, self->owner_uid) != 0)
        return PHASE_REST; /* garbage collection has it */
    cache_each_owned(c, kind_get(KIND_JOB), self->uid, look_at_job, v);
    until_s = trigger_made_until(c, self);
    schedule_last(v->invoker, world_now_s(w), &s);
    if (until_s > s.last_s && until_s <= world_now_s(w) + SCHEDULE_AHEAD_MAX_S)
        v->made_until_s = until_s;
    return 0;
}

static bool job_succeeded(const void *view)
{
    const struct view *v = view;

    return v->made_until_s != INT64_MIN || v->has_done;
}

static bool delete_if_done(void *ctx, const struct kobj *job)
{
    const struct view *v = ctx;

    if (is_done(v, job))
        plan_delete(v->plan, job->kind, job->ns, job->name, job->uid, "Background");
    return true;
}

static void record_and_delete(const void *view, struct world *w, struct plan *p)
{
    struct view v = *(const struct view *)view;

    if (v.made_until_s != INT64_MIN)
        schedule_record_made(w, v.invoker, v.made_until_s, p);
    v.plan = p;
    cache_each_owned(world_cache(w), kind_get(KIND_JOB), v.self->uid, delete_if_done, &v);
}

static const char *const phases[] = {"", NULL};

static const struct rule rules[] = {
    {0, job_succeeded, record_and_delete, 0, "JobSucceeded"},
    {0, NULL, NULL, 0, "NothingDone"},
};

static void wake_cronjob(const struct cache *c, const struct kobj *job, wake_fn *wake, void *ctx)
{
    outcome_wake_owner(c, job, kind_get(KIND_CRONJOB)->name, wake, ctx);
}

static bool job_changed(const struct kobj *old, const struct kobj *now)
{
    return !str_same(kobj_get(old, "status.conditions"), kobj_get(now, "status.conditions"));
}

static const struct watched watches[] = {
    {KIND_JOB, wake_cronjob, job_changed},
};

const struct controller cronjob_controller = {
    .name = "cronjob",
    .kind = KIND_CRONJOB,
    .component = "BackupConfiguration Controller",
    .phases = phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct view),
    .observe = observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
};
