/*
 * repository_maintain: what a Repository needs besides its backups, each in a Job of its own.
 *
 * Unlock: a worker that was killed leaves restic's lock behind, and the next one would wait half an hour for restic to
 * call it stale. We know that the pod has ended, so a Job with the pod's name as host name removes exactly its locks
 * (controllers/job/maintain.h). There is one Job a pod, named after it, so nothing has to be remembered.
 *
 * Prune: retention, which stays with the backup, only forgets snapshots and says in condition Pruned that their data
 * can be freed (update_status_post.c). That takes long, needs the repository for itself and much memory, so it waits
 * some minutes, for other backups' retention to come along, and is done once for all of them.
 */
#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/json.h"

enum { INVOKERS_MAX = 1000 };

/* ---- pods that ended by force ---- */

struct search {
    struct world *w;
    const struct repository_view *v;
    const char *kind; /* of the invokers being looked at */
    size_t n_invokers;
    const struct kobj *pod; /* found */
};

const char *repository_unlock_name(struct arena *a, const char *repository, const struct kobj *pod)
{
    return repository_job_name(a, "unlock", arena_printf(a, "%s-%.8s", repository, pod->uid));
}

static bool has_running(const json_t *statuses)
{
    const json_t *s;
    size_t i;

    json_array_foreach (statuses, i, s)
        if (json_at(s, "state.running"))
            return true;
    return false;
}

/* Its phase alone is no proof: for a pod whose node is out of reach others write Failed. */
static bool has_ended(struct world *w, const struct kobj *pod)
{
    const json_t *doc = world_doc(w, pod->kind, pod->ns, pod->name);

    return doc && !has_running(json_at(doc, "status.containerStatuses")) &&
           !has_running(json_at(doc, "status.initContainerStatuses"));
}

static bool take_pod(void *ctx, const struct kobj *pod)
{
    struct search *s = ctx;
    const char *name;

    if (strcmp(kobj_text(pod, "status.phase"), "Failed") != 0 || strlen(pod->name) > 63 || strchr(pod->name, '.'))
        return true; /* a name that is no host name: restic's own rule has to do */
    name = repository_unlock_name(world_arena(s->w), s->v->self->name, pod);
    if (cache_find(world_cache(s->w), kind_get(KIND_JOB), s->v->self->ns, name) || !has_ended(s->w, pod))
        return true;
    s->pod = pod;
    return false;
}

static bool take_job(void *ctx, const struct kobj *job)
{
    struct search *s = ctx;

    cache_each_owned(world_cache(s->w), kind_get(KIND_POD), job->uid, take_pod, s);
    return !s->pod;
}

static bool take_session(void *ctx, const struct kobj *session)
{
    struct search *s = ctx;

    if (strcmp(kobj_text(session, "spec.invoker.kind"), s->kind) == 0)
        cache_each_owned(world_cache(s->w), kind_get(KIND_JOB), session->uid, take_job, s);
    return !s->pod;
}

static bool take_invoker(void *ctx, const struct kobj *o)
{
    struct search *s = ctx;
    const char *ns = kobj_text(o, "spec.repository.namespace");

    if (strcmp(*ns ? ns : o->ns, s->v->self->ns) != 0)
        return true;
    s->kind = o->kind->name;
    if (o->kind->id == KIND_RESTORESESSION)
        cache_each_owned(world_cache(s->w), kind_get(KIND_JOB), o->uid, take_job, s);
    else
        cache_each_by(world_cache(s->w), kind_get(KIND_BACKUPSESSION), "spec.invoker.name",
                      arena_printf(world_arena(s->w), "%s/%s", o->ns, o->name), take_session, s);
    return !s->pod && ++s->n_invokers < INVOKERS_MAX;
}

static void look_for_ended(struct world *w, struct repository_view *v)
{
    struct search s = {.w = w, .v = v};

    cache_each_by(world_cache(w), kind_get(KIND_BACKUPCONFIGURATION), "spec.repository.name", v->self->name,
                  take_invoker, &s);
    if (!s.pod)
        cache_each_by(world_cache(w), kind_get(KIND_RESTORESESSION), "spec.repository.name", v->self->name,
                      take_invoker, &s);
    v->ended = s.pod;
    if (s.pod)
        v->maintain_refusal = world_refusal(w, kind_get(KIND_JOB), v->self->ns,
                                            repository_unlock_name(world_arena(w), v->self->name, s.pod));
}

static bool is_refused(const struct repository_view *v)
{
    return v->maintain_refusal && v->now_s < v->maintain_refusal->retry_s;
}

bool repository_unlock_due(const void *view)
{
    const struct repository_view *v = view;

    return v->verified && v->ended && !is_refused(v);
}

void repository_unlock_start(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_unlock_job(w, v->self, v->doc, v->ended));
    plan_event(p, "Normal", "Unlock Started", "pod %s/%s ended by force: a lock that it left is removed", v->ended->ns,
               v->ended->name);
}

/* ---- prune ---- */

void repository_maintain_look(struct world *w, struct repository_view *v)
{
    v->prune_reason = condition_is(v->conditions, REPOSITORY_PRUNED, "False")
                          ? condition_reason(v->conditions, REPOSITORY_PRUNED)
                          : "";
    look_for_ended(w, v);
    if (strcmp(v->prune_reason, REPOSITORY_PRUNE_NEEDED) != 0 && strcmp(v->prune_reason, REPOSITORY_PRUNE_RUNS) != 0)
        return;
    repository_job_look(w, v->self, repository_job_name(world_arena(w), "prune", v->self->name), &v->prune);
    v->prune_at_s = condition_since(v->conditions, REPOSITORY_PRUNED) + world_settings(w)->prune_delay_s;
    if (strcmp(v->prune_reason, REPOSITORY_PRUNE_RUNS) == 0)
        v->prune_at_s = 0;
    if (!v->maintain_refusal)
        v->maintain_refusal = world_refusal(w, kind_get(KIND_JOB), v->self->ns,
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
    if (is_refused(v))
        plan_wake_at(p, v->maintain_refusal->retry_s);
}

/* ---- whose end wakes a Repository ---- */

void repository_wake_by_pod(const struct cache *c, const struct kobj *pod, wake_fn *wake, void *ctx)
{
    const struct kobj *job, *invoker = NULL;

    if (strcmp(kobj_text(pod, "status.phase"), "Failed") != 0 || strcmp(pod->owner_kind, "Job") != 0)
        return;
    job = cache_find(c, kind_get(KIND_JOB), pod->ns, pod->owner_name);
    if (job && strcmp(job->owner_kind, "RestoreSession") == 0) {
        invoker = cache_find(c, kind_get(KIND_RESTORESESSION), job->ns, job->owner_name);
    } else if (job && strcmp(job->owner_kind, "BackupSession") == 0) {
        const struct kobj *session = cache_find(c, kind_get(KIND_BACKUPSESSION), job->ns, job->owner_name);

        if (session && strcmp(kobj_text(session, "spec.invoker.kind"), "BackupConfiguration") == 0)
            invoker = cache_find(c, kind_get(KIND_BACKUPCONFIGURATION), session->ns,
                                 kobj_text(session, "spec.invoker.name"));
    }
    if (invoker && *kobj_text(invoker, "spec.repository.name")) {
        const char *ns = kobj_text(invoker, "spec.repository.namespace");

        wake(ctx, *ns ? ns : invoker->ns, kobj_text(invoker, "spec.repository.name"));
    }
}
