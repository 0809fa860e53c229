/*
 * repository_maintain: what a Repository needs besides its backups, each in a Job of its own. Unlock has a file of its
 * own (repository_unlock.c).
 *
 * Prune: retention, which stays with the backup, only forgets snapshots and says in condition Pruned that their data
 * can be freed (update_status_post.c). That takes long, needs the repository for itself and much memory, so it waits
 * some minutes, for other backups' retention to come along, and is done once for all of them.
 */
#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/json.h"

void repository_maintain_look(struct world *w, struct repository_view *v)
{
    v->prune_reason = condition_is(v->conditions, REPOSITORY_PRUNED, "False")
                          ? condition_reason(v->conditions, REPOSITORY_PRUNED)
                          : "";
    repository_unlock_look(w, v);
    if (strcmp(v->prune_reason, REPOSITORY_PRUNE_NEEDED) != 0 && strcmp(v->prune_reason, REPOSITORY_PRUNE_RUNS) != 0)
        return;
    repository_job_look(w, v->self, repository_job_name(world_arena(w), "prune", v->self->name), &v->prune);
    v->prune_at_s = condition_since(v->conditions, REPOSITORY_PRUNED) + world_settings(w)->prune_delay_s;
    if (strcmp(v->prune_reason, REPOSITORY_PRUNE_RUNS) == 0)
        v->prune_at_s = 0;
    v->prune_refusal = world_refusal(w, kind_get(KIND_JOB), v->self->ns,
                                     repository_job_name(world_arena(w), "prune", v->self->name));
}

static bool is_due(const struct repository_view *v, const char *reason)
{
    return v->verified && strcmp(v->prune_reason, reason) == 0;
}

bool repository_prune_ended(const void *view)
{
    const struct repository_view *v = view;

    return is_due(v, REPOSITORY_PRUNE_RUNS) && v->prune.finished;
}

static void drop(const struct repository_view *v, struct plan *p)
{
    const struct kobj *job = v->prune.record;

    if (!job->deleting)
        plan_delete(p, job->kind, job->ns, job->name, job->uid, "Background");
}

void repository_prune_report(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    const char *cause = *v->prune.message ? v->prune.message : "the prune Job failed";

    if (v->prune.succeeded) {
        repository_write_status(v, w, p, REPOSITORY_PRUNED, "True", "PruneSucceeded",
                                "data that no snapshot needs was freed");
    } else {
        repository_write_status(v, w, p, REPOSITORY_PRUNED, "False", "PruneFailed",
                                arena_printf(world_arena(w), "%.600s; it is tried again after the next backup", cause));
        plan_event(p, "Warning", "Prune Failed", "%.600s", cause);
    }
    drop(v, p);
}

/* One that is at work began before the last retention: it ends first. */
bool repository_prune_in_the_way(const void *view)
{
    const struct repository_view *v = view;

    return (is_due(v, REPOSITORY_PRUNE_NEEDED) && v->prune.record) ||
           (is_due(v, REPOSITORY_PRUNE_RUNS) && v->prune.of_another);
}

void repository_prune_clear(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    repository_secret_keep_up(view, w, p);
    if (v->prune.finished || v->prune.of_another)
        drop(v, p);
}

static bool is_refused(const struct repository_view *v)
{
    return v->prune_refusal && v->now_s < v->prune_refusal->retry_s;
}

bool repository_prune_due(const void *view)
{
    const struct repository_view *v = view;

    return (is_due(v, REPOSITORY_PRUNE_NEEDED) || is_due(v, REPOSITORY_PRUNE_RUNS)) && !v->prune.record &&
           !is_refused(v) && v->now_s >= v->prune_at_s;
}

void repository_prune_start(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_prune_job(w, v->self, v->doc));
    repository_write_status(v, w, p, REPOSITORY_PRUNED, "False", REPOSITORY_PRUNE_RUNS,
                            "data that no snapshot needs is being freed");
}

/* What is to come wakes the Repository. */
void repository_maintain_wake(const struct repository_view *v, struct plan *p)
{
    if (is_due(v, REPOSITORY_PRUNE_NEEDED) && !v->prune.record && v->now_s < v->prune_at_s)
        plan_wake_at(p, v->prune_at_s);
    repository_verify_wake(v, p);
    if (is_refused(v))
        plan_wake_at(p, v->prune_refusal->retry_s);
    repository_unlock_wake(v, p);
}
