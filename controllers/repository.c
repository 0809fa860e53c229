/*
 * repository: a Repository from its creation to the wiping of its data. Alive, two things are kept up: the list of who
 * refers to it, and condition StorageSecretVerified, the answer of a small Job that mounts the Secret (the operator may
 * not read it). Deleted, only a Repository with wipeOut holds a finalizer, until its wipe Job has succeeded.
 *
 * The probe's story, all in status and Jobs, so that a restart goes on where it was:
 *   no verdict of this generation -> condition Unknown, Job stash-probe-<repo>
 *   Job done -> True, or False naming what is missing; a failed Job stays as the note of when the last try was
 *   still False -> the Job is deleted and made again after 15 s … 5 min
 *   no verdict 2 min after it was due -> True, "not verified: <cause>": a probe never stops a backup
 *   a backup made since the verdict failed for want of the Secret -> False in the worker's words, and probed again
 */
#include "controllers/repository.h"

#include <stdio.h>

#include "controllers/condition.h"
#include "controllers/repository_jobs.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"

enum { REFERENCES_MAX = 1000, PROBE_LIMIT_S = 120, WIPE_RETRY_MIN_S = 30, WIPE_RETRY_MAX_S = 3600 };

enum phase { LIVE, DELETING };
static const char *const phases[] = {"", "Deleting", NULL};

struct view {
    const struct kobj *self;
    const json_t *doc;
    const json_t *conditions;
    bool has_finalizer, wants_wipe, namespace_goes;
    struct repository_job job;     /* the probe's or the wipe's */
    const struct refusal *refusal; /* of making it */
    int64_t now_s;
    /* Alive. */
    const char *secret;   /* name; "" */
    const char *verdict;  /* status of StorageSecretVerified of this generation; "" */
    bool verified;        /* True, and no guess */
    int64_t verdict_age_s;
    const char *worker_missed; /* what a worker said of a missing Secret after the verdict; NULL */
};

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

static bool is_guess(const char *message)
{
    return strncmp(message, "not verified: ", 14) == 0;
}

/* ---- what workers say ---- */

struct failed {
    const struct kobj *newest; /* session that failed after `since_s` */
    const struct world *w;
    const struct view *v;
    int64_t since_s;
};

static bool take_failed(void *ctx, const struct kobj *session)
{
    struct failed *f = ctx;

    if (strcmp(kobj_text(session, "status.phase"), "Failed") == 0 && session->created_s > f->since_s &&
        (!f->newest || session->created_s > f->newest->created_s))
        f->newest = session;
    return true;
}

static bool look_at_invoker(void *ctx, const struct kobj *invoker)
{
    struct failed *f = ctx;
    const char *ns = kobj_text(invoker, "spec.repository.namespace");
    struct buf key;

    if (!str_same(ns[0] ? ns : invoker->ns, f->v->self->ns))
        return true;
    buf_init(&key, 1024);
    buf_printf(&key, "%s/%s", invoker->ns, invoker->name);
    cache_each_by(world_cache(f->w), kind_get(KIND_BACKUPSESSION), "spec.invoker.name", key.data, take_failed, f);
    buf_done(&key);
    return true;
}

/* The newest backup that failed since the verdict, if its worker missed our Secret. */
static const char *missed_by_worker(struct world *w, const struct view *v)
{
    struct failed f = {NULL, w, v, v->now_s - v->verdict_age_s};
    const char *name = arena_printf(world_arena(w), "Secret %s/%s", v->self->ns, v->secret);
    const json_t *doc, *target, *host;
    size_t i, j;

    cache_each_by(world_cache(w), kind_get(KIND_BACKUPCONFIGURATION), "spec.repository.name", v->self->name,
                  look_at_invoker, &f);
    doc = f.newest ? world_doc(w, f.newest->kind, f.newest->ns, f.newest->name) : NULL;
    json_array_foreach (json_at(doc, "status.targets"), i, target) {
        json_array_foreach (json_at(target, "stats"), j, host) {
            const char *error = json_text(host, "error");

            if (strstr(error, name) && strstr(error, "not found"))
                return error;
        }
    }
    return NULL;
}

static void observe_live(struct view *v)
{
    const json_t *c;
    size_t i;

    v->secret = json_text(v->doc, "spec.backend.storageSecretName");
    v->verdict = "";
    json_array_foreach ((json_t *)v->conditions, i, c) {
        if (strcmp(json_text(c, "type"), "StorageSecretVerified") == 0 &&
            json_int(c, "observedGeneration", -1) == v->self->generation)
            v->verdict = json_text(c, "status");
    }
    v->verdict_age_s = v->now_s - condition_since(v->conditions, "StorageSecretVerified");
    v->verified = strcmp(v->verdict, "True") == 0 &&
                  !is_guess(condition_message(v->conditions, "StorageSecretVerified"));
}

static int observe(struct world *w, const struct kobj *self, void *view)
{
    struct view *v = view;
    const struct kobj *ns = cache_find(world_cache(w), kind_get(KIND_NAMESPACE), NULL, self->ns);
    const char *job = repository_job_name(world_arena(w), self->deleting ? "wipe" : "probe", self->name);

    v->self = self;
    v->now_s = world_now_s(w);
    v->doc = world_doc(w, self->kind, self->ns, self->name);
    repository_job_look(w, self->ns, job, &v->job);
    if (world_waiting(w) || !v->doc)
        return PHASE_REST;
    v->conditions = json_at(v->doc, "status.conditions");
    v->has_finalizer = has_finalizer(v->doc, "stash");
    v->wants_wipe = json_flag(v->doc, "spec.wipeOut", false);
    v->namespace_goes = ns && ns->deleting;
    v->refusal = world_refusal(w, kind_get(KIND_JOB), self->ns, job);
    if (self->deleting)
        return DELETING;
    observe_live(v);
    if (strcmp(v->verdict, "True") == 0)
        v->worker_missed = missed_by_worker(w, v);
    return world_waiting(w) ? PHASE_REST : LIVE;
}

/* ---- status ---- */

/* A condition of ours with the generation it speaks of. */
static void set_condition(const struct view *v, json_t *list, const char *type, const char *status, const char *reason,
                          const char *message)
{
    json_t *c;
    size_t i;

    condition_set(list, v->now_s, type, status, reason, "%s", message);
    json_array_foreach (list, i, c) {
        if (strcmp(json_text(c, "type"), type) == 0)
            json_object_set_new(c, "observedGeneration", json_integer(v->self->generation));
    }
}

struct references {
    const struct view *v;
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

static json_t *references_of(const struct view *v, const struct world *w)
{
    static const enum kind_id kinds[] = {KIND_BACKUPCONFIGURATION, KIND_BACKUPBATCH, KIND_RESTORESESSION,
                                         KIND_RESTOREBATCH};
    struct references r = {v, json_array()};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        cache_each_by(world_cache(w), kind_get(kinds[i]), "spec.repository.name", v->self->name, add_reference, &r);
    return r.list;
}

/* The whole status that we keep, with one condition changed (type NULL: none). */
static void write_status(const struct view *v, struct world *w, struct plan *p, const char *type, const char *status,
                         const char *reason, const char *message)
{
    json_t *conditions = condition_copy(v->doc), *references = references_of(v, w);
    json_t *out = json_pack("{s:I}", "observedGeneration", (json_int_t)v->self->generation);

    if (type)
        set_condition(v, conditions, type, status, reason, message);
    json_object_set_new(out, "conditions", conditions);
    if (json_array_size(references) || json_at(v->doc, "status.references"))
        json_object_set(out, "references", references);
    json_decref(references);
    plan_status(p, out);
}

static void write_secret(const struct view *v, struct world *w, struct plan *p, const char *status, const char *message)
{
    const char *reason = strcmp(status, "True") == 0    ? "BackendSecretAvailable"
                         : strcmp(status, "False") == 0 ? "BackendSecretNotAvailable"
                                                        : "UnableToCheckBackendSecretAvailability";

    write_status(v, w, p, "StorageSecretVerified", status, reason, message);
}

/* ---- finalizer ---- */

/* A merge patch replaces the list whole, so it carries the resourceVersion it was made from. */
static void patch_finalizer(const struct view *v, struct world *w, struct plan *p, bool wanted)
{
    json_t *list = json_array(), *f;
    size_t i;

    (void)w;
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
    const struct view *v = view;

    return v->has_finalizer != v->wants_wipe;
}

static void fix_finalizer(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    patch_finalizer(v, w, p, v->wants_wipe);
}

/* ---- the storage Secret ---- */

static bool no_secret_named(const void *view)
{
    const struct view *v = view;

    return v->secret[0] == '\0';
}

static void report_no_secret(const void *view, struct world *w, struct plan *p)
{
    write_secret(view, w, p, "False", "spec.backend.storageSecretName is not set");
}

static bool worker_missed(const void *view)
{
    const struct view *v = view;

    return v->worker_missed != NULL;
}

static void report_worker(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    write_secret(v, w, p, "False", v->worker_missed);
    if (v->job.record && !v->job.record->deleting) /* of an earlier verdict: a new one will be made */
        plan_delete(p, v->job.record->kind, v->self->ns, v->job.record->name, v->job.record->uid, "Background");
}

static bool secret_verified(const void *view)
{
    const struct view *v = view;

    return v->verified;
}

/* Nothing to decide; references and the observed generation are kept up. The probe's Job has said what it had to. */
static void keep_up(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    write_status(v, w, p, NULL, NULL, NULL, NULL);
    if (v->job.record && v->job.finished && !v->job.record->deleting)
        plan_delete(p, v->job.record->kind, v->self->ns, v->job.record->name, v->job.record->uid, "Background");
}

/* A verdict newer than the one that the condition holds. */
static bool probe_said_yes(const void *view)
{
    const struct view *v = view;

    return v->job.succeeded && v->job.generation == v->self->generation;
}

static void report_found(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    write_secret(v, w, p, "True", arena_printf(world_arena(w), "Secret %s/%s is there", v->self->ns, v->secret));
    plan_delete(p, v->job.record->kind, v->self->ns, v->job.record->name, v->job.record->uid, "Background");
}

static bool probe_said_no(const void *view)
{
    const struct view *v = view;

    return v->job.failed && v->job.generation == v->self->generation && v->job.exit_code == REPOSITORY_PROBE_MISSING;
}

/* While it stays away: 15 s, then as long as it has been missing, up to 5 min. */
static int64_t next_probe_s(const struct view *v)
{
    int64_t missing_s = v->job.finished_s - condition_since(v->conditions, "StorageSecretVerified");
    int64_t delay = strcmp(v->verdict, "False") != 0 || missing_s < 15 ? 15 : missing_s > 300 ? 300 : missing_s;

    return v->job.finished_s + delay;
}

static void report_missing(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    int64_t next = next_probe_s(v);

    write_secret(v, w, p, "False",
                 v->job.message[0] ? v->job.message
                                   : arena_printf(world_arena(w), "Secret %s/%s not found", v->self->ns, v->secret));
    if (v->now_s < next)
        plan_wake_at(p, next);
    else if (!v->job.record->deleting) /* its deletion wakes us, and then it is made again */
        plan_delete(p, v->job.record->kind, v->self->ns, v->job.record->name, v->job.record->uid, "Background");
}

/* A backup has used it before this operator ever looked: migrated installations probe nothing. */
static bool was_used(const void *view)
{
    const struct view *v = view;

    return v->verdict[0] == '\0' && json_text(v->doc, "status.lastBackupTime")[0] != '\0';
}

static void report_used(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    write_secret(v, w, p, "True",
                 arena_printf(world_arena(w), "Secret %s/%s was used by the backup of %s", v->self->ns, v->secret,
                              json_text(v->doc, "status.lastBackupTime")));
}

static bool probe_of_older_spec(const void *view)
{
    const struct view *v = view;

    return v->job.record && v->job.generation != v->self->generation;
}

static void drop_probe(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    (void)w;
    if (!v->job.record->deleting)
        plan_delete(p, v->job.record->kind, v->self->ns, v->job.record->name, v->job.record->uid, "Background");
}

static bool verdict_unknown(const struct view *v)
{
    return v->verdict[0] == '\0' || strcmp(v->verdict, "Unknown") == 0;
}

static bool probe_overdue(const void *view)
{
    const struct view *v = view;
    bool waits = strcmp(v->verdict, "Unknown") == 0 && v->verdict_age_s >= PROBE_LIMIT_S;

    return waits || (verdict_unknown(v) && v->job.failed);
}

static const char *probe_trouble(const struct view *v)
{
    if (v->refusal)
        return v->refusal->message;
    if (v->job.failed)
        return v->job.message[0] ? v->job.message : "the probe Job failed";
    return v->job.record ? "the probe Job has not finished" : "the probe Job could not be made";
}

static void assume_found(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    write_secret(v, w, p, "True", arena_printf(world_arena(w), "not verified: %.400s", probe_trouble(v)));
}

static bool guess_stands(const void *view)
{
    const struct view *v = view;

    return strcmp(v->verdict, "True") == 0;
}

/* An edit asks anew, but what was found before the edit counts until the answer comes: no backup stops for it. */
static bool found_before_edit(const struct view *v)
{
    return v->verdict[0] == '\0' && condition_is(v->conditions, "StorageSecretVerified", "True");
}

static void start_probe(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    if (verdict_unknown(v) && !found_before_edit(v)) {
        write_secret(v, w, p, "Unknown", arena_printf(world_arena(w), "Secret %s/%s is being looked for", v->self->ns,
                                                      v->secret));
        plan_wake_at(p, v->now_s + PROBE_LIMIT_S - (v->verdict[0] ? v->verdict_age_s : 0));
    } else {
        write_status(v, w, p, NULL, NULL, NULL, NULL);
    }
    if (v->refusal && v->now_s < v->refusal->retry_s)
        plan_wake_at(p, v->refusal->retry_s);
    else if (!v->job.record)
        plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_probe_job(w, v->self, v->doc));
}

/* ---- deletion ---- */

static bool no_finalizer(const void *view)
{
    const struct view *v = view;

    return !v->has_finalizer;
}

static bool data_stays(const void *view)
{
    const struct view *v = view;

    return !v->wants_wipe;
}

static bool namespace_goes(const void *view)
{
    const struct view *v = view;

    return v->namespace_goes;
}

static bool wipe_succeeded(const void *view)
{
    const struct view *v = view;

    return v->job.succeeded;
}

static void release(const void *view, struct world *w, struct plan *p)
{
    patch_finalizer(view, w, p, false);
}

static const char give_up[] = "set spec.wipeOut to false to delete the object without the data";

static void write_wipe(const struct view *v, struct world *w, struct plan *p, const char *reason, const char *cause)
{
    json_t *conditions = condition_copy(v->doc);

    set_condition(v, conditions, "WipedOut", "False", reason,
                  arena_printf(world_arena(w), "%.600s; %s", cause, give_up));
    plan_status(p, json_pack("{s:o}", "conditions", conditions));
}

static bool wipe_failed(const void *view)
{
    const struct view *v = view;

    return v->job.failed || (v->refusal && v->now_s < v->refusal->retry_s);
}

/* Again after 30 s, then after as long as it has failed, up to an hour. */
static void report_wipe_failed(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    bool failing = str_same(condition_reason(v->conditions, "WipedOut"), "WipeOutFailed");
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
    else if (v->job.record && !v->job.record->deleting)
        plan_delete(p, v->job.record->kind, v->self->ns, v->job.record->name, v->job.record->uid, "Background");
}

static bool wipe_runs(const void *view)
{
    const struct view *v = view;

    return v->job.record != NULL;
}

/* The first five invokers that still refer to it. */
static const char *users(const struct view *v, struct world *w)
{
    const json_t *list = arena_json(world_arena(w), references_of(v, w)), *r;
    const char *text = "";
    size_t i;

    json_array_foreach ((json_t *)list, i, r) {
        if (i < 5)
            text = arena_printf(world_arena(w), "%s%s%s %s/%s", text, i ? ", " : "", json_text(r, "kind"),
                                json_text(r, "namespace"), json_text(r, "name"));
    }
    return text;
}

static void start_wipe(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    const char *still_used = users(v, w);

    write_wipe(v, w, p, "WipeOutRunning", "the data is being deleted");
    plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_wipe_job(w, v->self, v->doc));
    if (still_used[0])
        plan_event(p, "Warning", "WipeOut Started", "the data is deleted although it is used by %s", still_used);
}

/* ---- the table ---- */

static const struct rule rules[] = {
    {DELETING, no_finalizer,        NULL,               DELETING, "FinalizerGone"        },
    {DELETING, data_stays,          release,            DELETING, "DataStays"            },
    {DELETING, namespace_goes,      release,            DELETING, "NamespaceTerminating" },
    {DELETING, wipe_succeeded,      release,            DELETING, "WipedOut"             },
    {DELETING, wipe_failed,         report_wipe_failed, DELETING, "WipeOutFailed"        },
    {DELETING, wipe_runs,           NULL,               DELETING, "WipeOutRunning"       },
    {DELETING, NULL,                start_wipe,         DELETING, "WipeOutStarted"       },
    {LIVE,     finalizer_wrong,     fix_finalizer,      LIVE,     "FinalizerSet"         },
    {LIVE,     no_secret_named,     report_no_secret,   LIVE,     "NoSecretNamed"        },
    {LIVE,     worker_missed,       report_worker,      LIVE,     "WorkerMissedSecret"   },
    {LIVE,     secret_verified,     keep_up,            LIVE,     "SecretVerified"       },
    {LIVE,     probe_said_yes,      report_found,       LIVE,     "ProbeFoundSecret"     },
    {LIVE,     probe_said_no,       report_missing,     LIVE,     "ProbeMissedSecret"    },
    {LIVE,     was_used,            report_used,        LIVE,     "SecretWasUsed"        },
    {LIVE,     probe_of_older_spec, drop_probe,         LIVE,     "ProbeOfOlderSpec"     },
    {LIVE,     probe_overdue,       assume_found,       LIVE,     "ProbeOverdue"         },
    {LIVE,     guess_stands,        keep_up,            LIVE,     "SecretNotVerified"    },
    {LIVE,     NULL,                start_probe,        LIVE,     "ProbeStarted"         },
};

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
};

const struct controller repository_controller = {
    .name = "repository",
    .kind = KIND_REPOSITORY,
    .component = "Repository Controller",
    .phases = phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct view),
    .observe = observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
};
