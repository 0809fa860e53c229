/* backupsession: see backupsession.h. The table, and what its rows do. */
#include "controllers/backupsession.h"

#include "controllers/condition.h"
#include "controllers/identity.h"
#include "controllers/sessionspec.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"

#define EXECUTOR BACKUPSESSION_EXECUTOR
#define ADMITTED BACKUPSESSION_ADMITTED

/* Waiting for what wakes us; this is for what no event tells. */
enum { LOOK_AGAIN_S = 60, EARLY_S = 5, LINE_S = 2, CATALOG_LOOK_S = 2 };

/* ---- before the start ---- */

static bool is_early(const void *view)
{
    const struct backupsession_view *v = view;

    return v->is_early;
}

/* A verdict comes within two minutes, whatever the probe does (repository.c); a new phase wakes us at once. */
static void wait_for_invoker(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    plan_wake_at(p, v->now_s + EARLY_S);
}

static bool may_not_start(const void *view)
{
    const struct backupsession_view *v = view;

    return v->skip != NULL;
}

static void skip(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    json_t *status = json_pack("{s:s}", "phase", backupsession_phases[BACKUPSESSION_SKIPPED]);

    (void)w;
    backupsession_set_condition(v, "BackupSkipped", "True", "SkippedTakingNewBackup", v->skip);
    json_object_set_new(status, "conditions", json_clone(v->conditions));
    plan_status(p, status);
    plan_event(p, "Normal", "BackupSession Skipped", "%s", v->skip);
}

/* What a trigger has put there already needs no write. */
static void put_metadata(const struct backupsession_view *v, struct arena *a, struct plan *p)
{
    const char *hash = sessionspec_invoker_hash(a, v->invoker);
    bool owned = json_array_size(json_at(v->doc, "metadata.ownerReferences")) > 0;
    json_t *meta;

    if (owned && strcmp(json_meta(v->doc, "annotations", SESSIONSPEC_HASH), hash) == 0)
        return;
    meta = json_pack("{s:{s:s}}", "annotations", SESSIONSPEC_HASH, hash);
    if (!owned) /* made by hand: it too goes with its invoker */
        json_object_set_new(meta, "ownerReferences", sessionspec_owners(v->invoker));
    plan_patch(p, v->self->kind, v->self->ns, v->self->name, NULL, json_text(v->doc, "metadata.resourceVersion"),
               json_pack("{s:o}", "metadata", meta));
}

/* The worker finds its actions and the deadline when it starts; the Job is made in a later pass. */
static void accept(const void *view, struct world *w, struct plan *p)
{
    struct backupsession_view v = *(const struct backupsession_view *)view;
    int64_t timeout_ns;

    if (str_parse_duration_ns(str_of(json_text(v.in.unit, "timeOut")), &timeout_ns, NULL) == 0 && timeout_ns > 0)
        v.deadline_s = v.self->created_s + timeout_ns / 1000000000;
    if (!strcmp(json_text(v.in.unit, "driver"), "") || !strcmp(json_text(v.in.unit, "driver"), "Restic")) {
        json_object_set_new(v.entry, "preBackupActions", json_pack("[s]", "InitializeBackendRepository"));
        json_object_set_new(v.entry, "postBackupActions",
                            world_settings(w)->check_every_s > 0 /* the Repository has a Job for it */
                                ? json_pack("[s, s]", "ApplyRetentionPolicy", "SendRepositoryMetrics")
                                : json_pack("[s, s, s]", "ApplyRetentionPolicy", "VerifyRepositoryIntegrity",
                                            "SendRepositoryMetrics"));
    }
    put_metadata(&v, world_arena(w), p); /* first: an accepted session does not come here again */
    backupsession_write_status(&v, p, BACKUPSESSION_PENDING);
}

static bool is_past_deadline(const void *view)
{
    const struct backupsession_view *v = view;

    return v->deadline_s && v->now_s >= v->deadline_s;
}

static void end_unstarted(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    const char *why = condition_message(json_at(v->entry, "conditions"), EXECUTOR);

    why = arena_printf(world_arena(w), ": never started%s%s", *why ? ": " : "", why);
    backupsession_set_deadline_exceeded(v, why);
    backupsession_finish(v, p, BACKUPSESSION_FAILED);
    backupsession_tell_deadline(v, p, why);
}

static bool is_target_taken(const void *view)
{
    const struct backupsession_view *v = view;

    return v->waits_for != NULL;
}

static void wake_waiting(const struct backupsession_view *v, struct plan *p, int64_t at_s)
{
    plan_wake_at(p, at_s);
    if (v->deadline_s)
        plan_wake_at(p, v->deadline_s);
}

static void wait_for_target(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    backupsession_set_entry(v, EXECUTOR, "Unknown", "WaitingForOtherSession",
              arena_printf(world_arena(w), "%s has the same target", v->waits_for));
    backupsession_write_status(v, p, BACKUPSESSION_PENDING);
    wake_waiting(v, p, v->now_s + LOOK_AGAIN_S);
}

static bool awaits_catalog(const void *view)
{
    const struct backupsession_view *v = view;

    return v->impossible && v->catalog_until_s;
}

static void wait_for_catalog(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    backupsession_set_entry(v, EXECUTOR, "Unknown", "WaitingForCatalog", v->impossible);
    backupsession_write_status(v, p, BACKUPSESSION_PENDING);
    wake_waiting(v, p, v->now_s + CATALOG_LOOK_S < v->catalog_until_s ? v->now_s + CATALOG_LOOK_S : v->catalog_until_s);
}

static bool is_impossible(const void *view)
{
    const struct backupsession_view *v = view;

    return v->impossible != NULL;
}

static void fail_executor(const struct backupsession_view *v, struct world *w, struct plan *p, const char *reason,
                          const char *why)
{
    const char *message = arena_printf(world_arena(w), "failed to make the backup Job %s/%s. Reason: %s", v->self->ns,
                                       v->job_name, why);

    backupsession_set_entry(v, EXECUTOR, "False", reason, message);
    backupsession_finish(v, p, BACKUPSESSION_FAILED);
    plan_event(p, "Warning", "Backup Job Failed", "%s", message);
}

static void give_up_job(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    fail_executor(v, w, p, "FailedToEnsureBackupExecutor", v->impossible);
}

static bool is_refused_for_good(const void *view)
{
    const struct backupsession_view *v = view;

    return refusal_is_for_good(v->refusal, v->is_name_passing);
}

static void give_up_refused(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    fail_executor(v, w, p, *v->refusal->reason ? v->refusal->reason : "FailedToEnsureBackupExecutor",
                  v->refusal->message);
}

static bool is_refused_for_now(const void *view)
{
    const struct backupsession_view *v = view;

    return v->refusal && v->now_s < v->refusal->retry_s;
}

static void wait_refused(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    backupsession_set_condition(v, ADMITTED, "False", v->refusal->reason, v->refusal->message);
    backupsession_set_entry(v, EXECUTOR, "Unknown", v->refusal->reason, v->refusal->message);
    backupsession_write_status(v, p, BACKUPSESSION_PENDING);
    wake_waiting(v, p, v->refusal->retry_s);
    if (v->refusal->why == REFUSAL_QUOTA)
        plan_event(p, "Warning", "Quota Exceeded", "%s", v->refusal->message);
}

static bool was_refused(const void *view)
{
    const struct backupsession_view *v = view;

    return condition_is(v->conditions, ADMITTED, "False");
}

/* Others went past it meanwhile: they see it in line before it tries again, and it sees the one that has just
 * started. */
static void join_line(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    backupsession_set_condition(v, ADMITTED, "Unknown", "WaitingForOtherSession", "it is about to be tried again");
    backupsession_write_status(v, p, BACKUPSESSION_PENDING);
    wake_waiting(v, p, v->now_s + LINE_S);
}

static int64_t line_end_s(const struct backupsession_view *v)
{
    return condition_is(v->conditions, ADMITTED, "Unknown") ? condition_since(v->conditions, ADMITTED) + LINE_S : 0;
}

static bool is_new_in_line(const void *view)
{
    const struct backupsession_view *v = view;

    return v->now_s < line_end_s(v);
}

static void stay_in_line(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    wake_waiting(v, p, line_end_s(v));
}

static void write_started(const struct backupsession_view *v, struct world *w, struct plan *p)
{
    backupsession_set_entry(v, EXECUTOR, "True", "SuccessfullyEnsuredBackupExecutor",
              arena_printf(world_arena(w), "made the backup Job %s/%s", v->self->ns, v->job_name));
    json_object_set_new(v->entry, "totalHosts", json_integer(1));
    backupsession_set_condition(v, ADMITTED, "True", "Admitted", "the session has started");
    backupsession_write_status(v, p, BACKUPSESSION_RUNNING);
}

static void start(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    const json_t *pod = json_at(v->in.unit, "runtimeSettings.pod");
    struct identity_want want = {
        .invoker = cache_find(world_cache(w), kind_get(KIND_BACKUPCONFIGURATION), v->self->ns,
                              json_text(v->invoker, "metadata.name")),
        .user_account = json_text(pod, "serviceAccountName"),
        .annotations = json_object_size(json_at(pod, "serviceAccountAnnotations"))
                           ? json_at(pod, "serviceAccountAnnotations")
                           : NULL,
        .own = v->in.repository && strcmp(json_text(v->in.repository, "metadata.namespace"), v->self->ns) != 0,
    };
    json_t *job = v->job ? json_clone(v->job) : NULL;

    if (!want.invoker || !job) { /* cache and API server differ, over the Repository too: an event is on its way */
        json_decref(job);
        plan_wake_at(p, v->now_s + 1);
        return;
    }
    json_object_set_new(json_at(job, "spec.template.spec"), "serviceAccountName",
                        json_string(identity_ensure(w, p, &want)));
    if (v->interim)
        plan_create(p, kind_get(KIND_PVC), v->self->ns, json_clone(v->interim));
    plan_create(p, kind_get(KIND_JOB), v->self->ns, job);
    write_started(v, w, p);
    wake_waiting(v, p, v->now_s + v->in.settings->pod_start_timeout_s);
}

static void note_started(const void *view, struct world *w, struct plan *p)
{
    write_started(view, w, p);
}

/* ---- while it runs ---- */

static bool is_late_with_job(const void *view)
{
    const struct backupsession_view *v = view;

    return v->is_late && v->outcome.state != OUTCOME_ABSENT && !v->outcome.is_lost;
}

/* Foreground: the Job is there until its pods are gone, and with them the last writer to the repository. */
static void stop_job(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    bool is_new = !condition_is(v->conditions, "DeadlineExceeded", "True");

    (void)w;
    if (is_new)
        backupsession_set_deadline_exceeded(v, "; its Job is stopped");
    backupsession_write_status(v, p, BACKUPSESSION_RUNNING);
    if (is_new)
        backupsession_tell_deadline(v, p, "; its Job is stopped");
    if (!v->outcome.deleting)
        plan_delete(p, kind_get(KIND_JOB), v->self->ns, v->job_name, v->outcome.uid, "Foreground");
    if (v->outcome.lost_at_s)
        plan_wake_at(p, v->outcome.lost_at_s);
}

static bool is_late(const void *view)
{
    const struct backupsession_view *v = view;

    return v->is_late;
}

static void end_late(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    bool is_new = !condition_is(v->conditions, "DeadlineExceeded", "True");

    (void)w;
    if (is_new)
        backupsession_set_deadline_exceeded(v, "");
    if (!v->has_result)
        backupsession_set_entry(v, "BackupDisrupted", "True", "FailedToCompleteDueToDisruption",
                                v->outcome.is_lost ? v->outcome.message : "stopped at the session's deadline");
    backupsession_finish(v, p, BACKUPSESSION_FAILED);
    if (is_new)
        backupsession_tell_deadline(v, p, "");
}

static bool is_bad(const void *view)
{
    const struct backupsession_view *v = view;

    return v->has_result &&
           (v->has_bad_host || strcmp(backupsession_entry_phase(v), "Failed") == 0 ||
            condition_is(v->conditions, "RetentionPolicyApplied", "False") ||
            condition_is(v->conditions, "RepositoryIntegrityVerified", "False"));
}

static void end_bad(const void *view, struct world *w, struct plan *p)
{
    (void)w;
    backupsession_finish(view, p, BACKUPSESSION_FAILED);
}

static bool is_good(const void *view)
{
    const struct backupsession_view *v = view;

    return v->has_result;
}

static bool is_disrupted(const void *view)
{
    const struct backupsession_view *v = view;

    return v->outcome.state != OUTCOME_ACTIVE;
}

static void end_disrupted_because(const struct backupsession_view *v, struct plan *p, const char *why)
{
    backupsession_set_entry(v, "BackupDisrupted", "True", "FailedToCompleteDueToDisruption", why);
    backupsession_finish(v, p, BACKUPSESSION_FAILED);
    plan_event(p, "Warning", "Backup Job Failed", "%s", why);
}

static void end_disrupted(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    const char *why = v->outcome.message;

    if (v->outcome.state == OUTCOME_ABSENT)
        why = arena_printf(world_arena(w), "Job %s is gone and has reported nothing", v->job_name);
    else if (v->outcome.state == OUTCOME_SUCCEEDED)
        why = arena_printf(world_arena(w),
                           "Job %s has ended and has reported nothing; is update-status the last step of its Task?",
                           v->job_name);
    if (v->outcome.hangs)
        plan_delete(p, kind_get(KIND_JOB), v->self->ns, v->job_name, v->outcome.uid, "Background");
    end_disrupted_because(v, p, why);
}

static bool has_not_started_in_time(const void *view)
{
    const struct backupsession_view *v = view;

    return v->start_by_s && v->now_s >= v->start_by_s;
}

static void end_not_started(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;
    char text[32];
    const char *why = arena_printf(
        world_arena(w), "no container of Job %s has started within %s: %s", v->job_name,
        str_format_duration(v->in.settings->pod_start_timeout_s * 1000000000, text),
        v->outcome.stuck ? v->outcome.stuck : "it has no pod, or its pod waits for a volume");

    /* First of all: it must not start after it was given up. */
    plan_delete(p, kind_get(KIND_JOB), v->self->ns, v->job_name, v->outcome.uid, "Background");
    end_disrupted_because(v, p, why);
}

static void watch_on(const void *view, struct world *w, struct plan *p)
{
    const struct backupsession_view *v = view;

    (void)w;
    backupsession_write_status(v, p, BACKUPSESSION_RUNNING);
    if (v->deadline_s)
        plan_wake_at(p, v->deadline_s);
    if (v->start_by_s)
        plan_wake_at(p, v->start_by_s);
    if (v->outcome.lost_at_s)
        plan_wake_at(p, v->outcome.lost_at_s);
    if (v->outcome.stuck && !v->outcome.has_started)
        plan_event(p, "Warning", "Backup Job Failed", "Job %s does not start: %s", v->job_name, v->outcome.stuck);
}

/* ---- once final ---- */

static bool is_not_clean(const void *view)
{
    const struct backupsession_view *v = view;

    return !v->is_clean;
}

static bool was_retried(const void *view)
{
    const struct backupsession_view *v = view;

    return v->retry_exists;
}

static bool has_no_retry_time(const void *view)
{
    const struct backupsession_view *v = view;

    return v->wants_retry && !v->retry_at_s;
}

static bool is_retry_due(const void *view)
{
    const struct backupsession_view *v = view;

    return v->wants_retry && !v->retry_held && v->now_s >= v->retry_at_s;
}

static bool awaits_retry(const void *view)
{
    const struct backupsession_view *v = view;

    return v->wants_retry && !v->retry_held;
}

/* History has been tried: it is gone on with after the retry, whose time does not wait for it. */
static bool awaits_retry_unclean(const void *view)
{
    const struct backupsession_view *v = view;

    return awaits_retry(v) && !v->is_clean && v->is_drop_hard;
}

/* ---- the table ---- */

enum { /* short, for the table */
    NEW = BACKUPSESSION_NEW,
    PENDING = BACKUPSESSION_PENDING,
    RUNNING = BACKUPSESSION_RUNNING,
    SUCCEEDED = BACKUPSESSION_SUCCEEDED,
    FAILED = BACKUPSESSION_FAILED,
    SKIPPED = BACKUPSESSION_SKIPPED,
};

/* clang-format off */
static const struct rule rules[] = {
    /* in       when                     effects                       to         reason */
    {NEW,       is_early,                wait_for_invoker,             NEW,       "InvokerNotJudged"},
    {NEW,       may_not_start,           skip,                         SKIPPED,   "SkippedTakingNewBackup"},
    {NEW,       NULL,                    accept,                       PENDING,   "Accepted"},
    {PENDING,   backupsession_has_begun, note_started,                 RUNNING,   "JobFound"},
    {PENDING,   is_past_deadline,        end_unstarted,                FAILED,    "DeadlineExceededUnstarted"},
    {PENDING,   may_not_start,           skip,                         SKIPPED,   "SkippedWhilePending"},
    {PENDING,   is_target_taken,         wait_for_target,              PENDING,   "WaitingForOtherSession"},
    {PENDING,   awaits_catalog,          wait_for_catalog,             PENDING,   "WaitingForCatalog"},
    {PENDING,   is_impossible,           give_up_job,                  FAILED,    "FailedToEnsureBackupExecutor"},
    {PENDING,   is_refused_for_good,     give_up_refused,              FAILED,    "JobRefused"},
    {PENDING,   is_refused_for_now,      wait_refused,                 PENDING,   "JobRefusedForNow"},
    {PENDING,   was_refused,             join_line,                    PENDING,   "JoinedLine"},
    {PENDING,   is_new_in_line,          stay_in_line,                 PENDING,   "NewInLine"},
    {PENDING,   NULL,                    start,                        RUNNING,   "SuccessfullyEnsuredBackupExecutor"},
    {RUNNING,   is_late_with_job,        stop_job,                     RUNNING,   "DeadlineExceeded"},
    {RUNNING,   is_late,                 end_late,                     FAILED,    "DeadlineExceededStopped"},
    {RUNNING,   is_bad,                  end_bad,                      FAILED,    "BackupFailed"},
    {RUNNING,   is_good,                 backupsession_succeed,        SUCCEEDED, "BackupSucceeded"},
    {RUNNING,   is_disrupted,            end_disrupted,                FAILED,    "BackupDisrupted"},
    {RUNNING,   has_not_started_in_time, end_not_started,              FAILED,    "PodNotStarted"},
    {RUNNING,   NULL,                    watch_on,                     RUNNING,   "JobRuns"},
    {SUCCEEDED, is_not_clean,            backupsession_clean_history,  SUCCEEDED, "HistoryCleanedAfterSuccess"},
    {SKIPPED,   is_not_clean,            backupsession_clean_history,  SKIPPED,   "HistoryCleanedAfterSkip"},
    {FAILED,    was_retried,             backupsession_note_retried,   FAILED,    "RetryFound"},
    {FAILED,    has_no_retry_time,       backupsession_schedule_retry, FAILED,    "RetryScheduled"},
    {FAILED,    is_retry_due,            backupsession_retry,          FAILED,    "Retried"},
    {FAILED,    awaits_retry_unclean,    backupsession_wake_for_retry, FAILED,    "RetryAwaitedUnclean"},
    {FAILED,    is_not_clean,            backupsession_clean_history,  FAILED,    "HistoryCleanedAfterFailure"},
    {FAILED,    awaits_retry,            backupsession_wake_for_retry, FAILED,    "RetryAwaited"},
    {SUCCEEDED, NULL,                    NULL,                         SUCCEEDED, "AtRest"},
    {SKIPPED,   NULL,                    NULL,                         SKIPPED,   "AtRest"},
    {FAILED,    NULL,                    NULL,                         FAILED,    "AtRest"},
};
/* clang-format on */

/* ---- whose events wake a session ---- */

static void wake_owner(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    outcome_wake_owner(c, changed, "BackupSession", wake, ctx);
}

struct waking {
    wake_fn *wake;
    void *ctx;
};

static bool wake_session(void *ctx, const struct kobj *o)
{
    const struct waking *k = ctx;
    const char *phase = kobj_text(o, "status.phase");

    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Skipped") != 0)
        k->wake(k->ctx, o->ns, o->name); /* open ones, and failed ones that may have a retry held back */
    return true;
}

static void wake_sessions_of(const struct cache *c, const struct kobj *invoker, wake_fn *wake, void *ctx)
{
    struct waking k = {wake, ctx};
    struct buf key;

    buf_init(&key, 1024);
    buf_printf(&key, "%s/%s", invoker->ns, invoker->name);
    cache_each_by(c, kind_get(KIND_BACKUPSESSION), "spec.invoker.name", key.data, wake_session, &k);
    buf_done(&key);
}

static bool phase_changed(const struct kobj *old, const struct kobj *now)
{
    return strcmp(kobj_text(old, "status.phase"), kobj_text(now, "status.phase")) != 0;
}

static bool phase_or_pause_changed(const struct kobj *old, const struct kobj *now)
{
    return phase_changed(old, now) || strcmp(kobj_text(old, "spec.paused"), kobj_text(now, "spec.paused")) != 0;
}

static const struct watched watches[] = {
    {KIND_JOB, wake_owner, NULL},
    {KIND_POD, wake_owner, NULL},
    {KIND_BACKUPCONFIGURATION, wake_sessions_of, phase_or_pause_changed},
    {KIND_BACKUPSESSION, backupsession_wake_rivals, phase_changed},
    {KIND_RESTORESESSION, backupsession_wake_rivals, phase_changed},
    {KIND_JOB, backupsession_wake_by_job, target_lock_ends},
    {KIND_POD, backupsession_wake_by_job, target_lock_ends},
};

/* Its Job is the next step. */
static bool is_begun(const struct kobj *self)
{
    return strcmp(kobj_text(self, "status.phase"), "Pending") == 0;
}

const struct controller backupsession_controller = {
    .name = "backupsession",
    .kind = KIND_BACKUPSESSION,
    .component = "BackupSession Controller",
    .phases = backupsession_phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct backupsession_view),
    .observe = backupsession_observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
    .is_begun = is_begun,
};
