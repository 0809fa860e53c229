/*
 * repository_wipe: the end of a Repository. Only one with wipeOut holds a finalizer, until the Job that deletes its
 * data has succeeded, or wipeOut is taken back, or the namespace goes (multitenancy.md 10).
 */
#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/json.h"

enum { WIPE_RETRY_MIN_S = 30, WIPE_RETRY_MAX_S = 3600 };

bool repository_wipe_no_finalizer(const void *view)
{
    const struct repository_view *v = view;

    return !v->has_finalizer;
}

bool repository_wipe_data_stays(const void *view)
{
    const struct repository_view *v = view;

    return !v->wants_wipe;
}

bool repository_wipe_namespace_goes(const void *view)
{
    const struct repository_view *v = view;

    return v->namespace_goes;
}

bool repository_wipe_of_another(const void *view)
{
    const struct repository_view *v = view;

    return v->job.of_another;
}

/* Its end wakes us; then our own is made. */
void repository_wipe_drop_job(const void *view, struct world *w, struct plan *p)
{
    (void)w;
    repository_drop_job(view, p);
}

bool repository_wipe_succeeded(const void *view)
{
    const struct repository_view *v = view;

    return v->job.succeeded;
}

void repository_wipe_release(const void *view, struct world *w, struct plan *p)
{
    (void)w;
    repository_patch_finalizer(view, p, false);
}

static const char give_up[] = "set spec.wipeOut to false to delete the object without the data";

static void write_wipe(const struct repository_view *v, struct world *w, struct plan *p, const char *reason,
                       const char *cause)
{
    json_t *conditions = condition_copy(v->doc);

    repository_set_condition(v, conditions, "WipedOut", "False", reason,
                             arena_printf(world_arena(w), "%.600s; %s", cause, give_up));
    plan_status(p, json_pack("{s:o}", "conditions", conditions));
}

bool repository_wipe_failed(const void *view)
{
    const struct repository_view *v = view;

    return v->job.failed || (v->refusal && v->now_s < v->refusal->retry_s);
}

/* Again after 30 s, then after as long as it has failed, up to an hour. */
void repository_wipe_report_failed(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    const char *reason = condition_reason(v->conditions, "WipedOut");
    bool failing = strcmp(reason, "WipeOutFailed") == 0 || strcmp(reason, "StorageSecretMissing") == 0;
    int64_t since = failing ? condition_since(v->conditions, "WipedOut") : v->now_s;
    int64_t at = v->job.failed ? v->job.finished_s : v->now_s, delay = at - since, next;
    const char *cause = v->job.failed ? v->job.message : v->refusal->message;
    bool missing = v->job.failed && v->job.exit_code == REPOSITORY_PROBE_MISSING;

    delay = delay < WIPE_RETRY_MIN_S ? WIPE_RETRY_MIN_S : delay > WIPE_RETRY_MAX_S ? WIPE_RETRY_MAX_S : delay;
    next = v->job.failed ? at + delay : v->refusal->retry_s;
    write_wipe(v, w, p, missing ? "StorageSecretMissing" : "WipeOutFailed", cause[0] ? cause : "the wipe Job failed");
    if (!failing)
        plan_event(p, "Warning", "WipeOut Failed", "%.600s", cause[0] ? cause : "the wipe Job failed");
    if (v->now_s < next)
        plan_wake_at(p, next);
    else
        repository_drop_job(v, p);
}

bool repository_wipe_runs(const void *view)
{
    const struct repository_view *v = view;

    return v->job.record != NULL;
}

/* The first five invokers that still refer to it. */
static const char *users(const struct repository_view *v, struct world *w)
{
    const json_t *list = arena_json(world_arena(w), repository_references(v, w)), *r;
    const char *text = "";
    size_t i;

    json_array_foreach ((json_t *)list, i, r) {
        if (i < 5)
            text = arena_printf(world_arena(w), "%s%s%s %s/%s", text, i ? ", " : "", json_text(r, "kind"),
                                json_text(r, "namespace"), json_text(r, "name"));
    }
    return text;
}

/* Nothing has to be freed any more, and the wipe would wait for its lock. */
static void drop_prune(const struct repository_view *v, struct world *w, struct plan *p)
{
    const struct kobj *job = cache_find(world_cache(w), kind_get(KIND_JOB), v->self->ns,
                                        repository_job_name(world_arena(w), "prune", v->self->name));

    if (job && !job->deleting && *kobj_text(job, "label:stash.appscode.com/repository-job"))
        plan_delete(p, job->kind, job->ns, job->name, job->uid, "Background");
}

void repository_wipe_start(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    const char *still_used = users(v, w);

    drop_prune(v, w, p);
    write_wipe(v, w, p, "WipeOutRunning", "the data is being deleted");
    plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_wipe_job(w, v->self, v->doc));
    if (still_used[0])
        plan_event(p, "Warning", "WipeOut Started", "the data is deleted although it is used by %s", still_used);
}
