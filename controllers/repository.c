/*
 * repository: a Repository from its creation to the wiping of its data. Alive, two things are kept up: the list of who
 * refers to it, and condition StorageSecretVerified, the answer of a small Job that mounts the Secret (the operator may
 * not read it). Deleted, only a Repository with wipeOut holds a finalizer, until its wipe Job has succeeded.
 */
#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/json.h"

enum { REFERENCES_MAX = 1000 };

enum phase { LIVE, DELETING };
static const char *const phases[] = {"", "Deleting", NULL};

static bool has_finalizer(const json_t *doc, const char *name)
{
    const json_t *f;
    size_t i;

    json_array_foreach (json_at(doc, "metadata.finalizers"), i, f) {
        if (str_same(json_string_value(f), name))
            return true;
    }
    return false;
}

static int observe(struct world *w, const struct kobj *self, void *view)
{
    struct repository_view *v = view;
    const struct kobj *ns = cache_find(world_cache(w), kind_get(KIND_NAMESPACE), NULL, self->ns);
    const char *job = repository_job_name(world_arena(w), self->deleting ? "wipe" : "probe", self->name);

    v->self = self;
    v->now_s = world_now_s(w);
    v->doc = world_doc(w, self->kind, self->ns, self->name);
    repository_job_look(w, self, job, &v->job);
    if (world_waiting(w) || !v->doc)
        return PHASE_REST;
    v->conditions = json_at(v->doc, "status.conditions");
    v->has_finalizer = has_finalizer(v->doc, "stash");
    v->wants_wipe = json_flag(v->doc, "spec.wipeOut", false);
    v->namespace_goes = ns && ns->deleting;
    v->refusal = world_refusal(w, kind_get(KIND_JOB), self->ns, job);
    if (self->deleting)
        return DELETING;
    repository_secret_look(w, v);
    repository_maintain_look(w, v);
    repository_verify_look(w, v);
    return world_waiting(w) ? PHASE_REST : LIVE;
}

/* ---- status ---- */

struct references {
    const struct repository_view *v;
    json_t *list;
};

/* Permitted users only: an invoker of another namespace counts when its own controller found no fault with it. */
static bool add_reference(void *ctx, const struct kobj *o)
{
    struct references *r = ctx;
    const char *ns = kobj_text(o, "spec.repository.namespace");
    bool foreign = strcmp(o->ns, r->v->self->ns) != 0;

    if (!str_same(ns[0] ? ns : o->ns, r->v->self->ns) || o->deleting)
        return true;
    if (foreign && !condition_record_is(kobj_get(o, "status.conditions"), "ValidationPassed", "True"))
        return true;
    json_array_append_new(r->list, json_pack("{s:s, s:s, s:s, s:s}", "apiGroup", STASH_GROUP, "kind", o->kind->name,
                                             "namespace", o->ns, "name", o->name));
    return json_array_size(r->list) < REFERENCES_MAX;
}

json_t *repository_references(const struct repository_view *v, const struct world *w)
{
    static const enum kind_id kinds[] = {KIND_BACKUPCONFIGURATION, KIND_BACKUPBATCH, KIND_RESTORESESSION,
                                         KIND_RESTOREBATCH};
    struct references r = {v, json_array()};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        cache_each_ref(world_cache(w), kind_get(kinds[i]), "spec.repository.name", v->self->ns, v->self->name,
                       add_reference, &r);
    return r.list;
}

/* A condition of ours with the generation it speaks of. */
void repository_set_condition(const struct repository_view *v, json_t *list, const char *type, const char *status,
                              const char *reason, const char *message)
{
    json_t *c;
    size_t i;

    condition_set(list, v->now_s, type, status, reason, "%s", message);
    json_array_foreach (list, i, c) {
        if (strcmp(json_text(c, "type"), type) == 0)
            json_object_set_new(c, "observedGeneration", json_integer(v->self->generation));
    }
}

/* The whole status that we keep, with one condition changed (type NULL: none). */
void repository_write_status(const struct repository_view *v, struct world *w, struct plan *p, const char *type,
                             const char *status, const char *reason, const char *message)
{
    json_t *conditions = condition_copy(v->doc), *references = repository_references(v, w);
    json_t *out = json_pack("{s:I}", "observedGeneration", (json_int_t)v->self->generation);

    if (type)
        repository_set_condition(v, conditions, type, status, reason, message);
    json_object_set_new(out, "conditions", conditions);
    if (json_array_size(references) || json_at(v->doc, "status.references"))
        json_object_set(out, "references", references);
    json_decref(references);
    plan_status(p, out);
}

/* ---- finalizer ---- */

/* A merge patch replaces the list whole, so it carries the resourceVersion it was made from. */
void repository_patch_finalizer(const struct repository_view *v, struct plan *p, bool wanted)
{
    json_t *list = json_array(), *f;
    size_t i;

    json_array_foreach (json_at(v->doc, "metadata.finalizers"), i, f) {
        if (!str_same(json_string_value(f), "stash"))
            json_array_append(list, f);
    }
    if (wanted)
        json_array_append_new(list, json_string("stash"));
    plan_patch(p, v->self->kind, v->self->ns, v->self->name, NULL, json_text(v->doc, "metadata.resourceVersion"),
               json_pack("{s:{s:o}}", "metadata", "finalizers", list));
}

static bool finalizer_wrong(const void *view)
{
    const struct repository_view *v = view;

    return v->has_finalizer != v->wants_wipe;
}

static void fix_finalizer(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    (void)w;
    repository_patch_finalizer(v, p, v->wants_wipe);
}

void repository_drop_job(const struct repository_view *v, struct plan *p)
{
    const struct kobj *job = v->job.record;

    if (job && !job->deleting)
        plan_delete(p, job->kind, job->ns, job->name, job->uid, "Background");
}

/* ---- the table ---- */

/* clang-format off */
static const struct rule rules[] = {
    {DELETING, repository_wipe_no_finalizer,       NULL,                             DELETING, "FinalizerGone"},
    {DELETING, repository_wipe_data_stays,         repository_wipe_release,          DELETING, "DataStays"},
    {DELETING, repository_wipe_namespace_goes,     repository_wipe_release,          DELETING, "NamespaceTerminating"},
    {DELETING, repository_wipe_of_another,         repository_wipe_drop_job,         DELETING, "JobOfAnother"},
    {DELETING, repository_wipe_succeeded,          repository_wipe_release,          DELETING, "WipedOut"},
    {DELETING, repository_wipe_failed,             repository_wipe_report_failed,    DELETING, "WipeOutFailed"},
    {DELETING, repository_wipe_runs,               NULL,                             DELETING, "WipeOutRunning"},
    {DELETING, NULL,                               repository_wipe_start,            DELETING, "WipeOutStarted"},
    {LIVE,     finalizer_wrong,                    fix_finalizer,                    LIVE,     "FinalizerSet"},
    {LIVE,     repository_secret_none_named,       repository_secret_report_none,    LIVE,     "NoSecretNamed"},
    {LIVE,     repository_secret_missed_by_worker, repository_secret_report_worker,  LIVE,     "WorkerMissedSecret"},
    {LIVE,     repository_unlock_has_ended,        repository_unlock_note,           LIVE,     "UnlockEnded"},
    {LIVE,     repository_unlock_due,              repository_unlock_start,          LIVE,     "UnlockStarted"},
    {LIVE,     repository_prune_ended,             repository_prune_report,          LIVE,     "PruneEnded"},
    {LIVE,     repository_prune_in_the_way,        repository_prune_clear,           LIVE,     "PruneInTheWay"},
    {LIVE,     repository_prune_due,               repository_prune_start,           LIVE,     "PruneStarted"},
    {LIVE,     repository_verify_ended,            repository_verify_report,         LIVE,     "CheckEnded"},
    {LIVE,     repository_verify_due,              repository_verify_start,          LIVE,     "CheckStarted"},
    {LIVE,     repository_secret_verified,         repository_secret_keep_up,        LIVE,     "SecretVerified"},
    {LIVE,     repository_secret_probed_yes,       repository_secret_report_found,   LIVE,     "ProbeFoundSecret"},
    {LIVE,     repository_secret_probed_no,        repository_secret_report_missing, LIVE,     "ProbeMissedSecret"},
    {LIVE,     repository_secret_was_used,         repository_secret_report_used,    LIVE,     "SecretWasUsed"},
    {LIVE,     repository_secret_probed_before,    repository_secret_drop_probe,     LIVE,     "ProbeOfOlderSpec"},
    {LIVE,     repository_secret_overdue,          repository_secret_assume,         LIVE,     "ProbeOverdue"},
    {LIVE,     repository_secret_guessed,          repository_secret_keep_up,        LIVE,     "SecretNotVerified"},
    {LIVE,     NULL,                               repository_secret_probe,          LIVE,     "ProbeStarted"},
};
/* clang-format on */

static void wake_repository(const struct cache *c, const struct kobj *invoker, wake_fn *wake, void *ctx)
{
    const char *name = kobj_text(invoker, "spec.repository.name");
    const char *ns = kobj_text(invoker, "spec.repository.namespace");

    (void)c;
    if (name[0])
        wake(ctx, ns[0] ? ns : invoker->ns, name);
}

/* Only what the list of references is made from. */
static bool reference_changed(const struct kobj *old, const struct kobj *now)
{
    return old->deleting != now->deleting ||
           !str_same(kobj_get(old, "spec.repository.name"), kobj_get(now, "spec.repository.name")) ||
           !str_same(kobj_get(old, "spec.repository.namespace"), kobj_get(now, "spec.repository.namespace")) ||
           condition_record_is(kobj_get(old, "status.conditions"), "ValidationPassed", "True") !=
               condition_record_is(kobj_get(now, "status.conditions"), "ValidationPassed", "True");
}

static void wake_owner_of_job(const struct cache *c, const struct kobj *job, wake_fn *wake, void *ctx)
{
    bool owned = strcmp(job->owner_kind, "Repository") == 0;
    const char *repository = owned ? job->owner_name : kobj_text(job, "label:stash.appscode.com/repository-job");

    (void)c;
    if (repository[0])
        wake(ctx, job->ns, repository);
}

static void wake_repository_of_session(const struct cache *c, const struct kobj *session, wake_fn *wake, void *ctx)
{
    const struct kobj *invoker = NULL;

    if (strcmp(kobj_text(session, "spec.invoker.kind"), "BackupConfiguration") == 0)
        invoker = cache_find(c, kind_get(KIND_BACKUPCONFIGURATION), session->ns,
                             kobj_text(session, "spec.invoker.name"));
    if (invoker)
        wake_repository(c, invoker, wake, ctx);
}

static bool has_failed(const struct kobj *old, const struct kobj *now)
{
    return strcmp(kobj_text(now, "status.phase"), "Failed") == 0 &&
           strcmp(kobj_text(old, "status.phase"), "Failed") != 0;
}

static const struct watched watches[] = {
    {KIND_BACKUPCONFIGURATION, wake_repository, reference_changed},
    {KIND_BACKUPBATCH, wake_repository, reference_changed},
    {KIND_RESTORESESSION, wake_repository, reference_changed},
    {KIND_RESTOREBATCH, wake_repository, reference_changed},
    {KIND_JOB, wake_owner_of_job, NULL},
    {KIND_BACKUPSESSION, wake_repository_of_session, has_failed},
    {KIND_POD, repository_unlock_wake_by_pod, NULL},
};

const struct controller repository_controller = {
    .name = "repository",
    .kind = KIND_REPOSITORY,
    .component = "Repository Controller",
    .phases = phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct repository_view),
    .observe = observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
};
