/* restoresession: see restoresession.h. The table, and what its rows do. */
#include "controllers/restoresession.h"

#include "controllers/access.h"
#include "controllers/condition.h"
#include "controllers/identity.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"

#define EXECUTOR RESTORESESSION_EXECUTOR

enum { CLAIM_RETRY_S = 30, LOOK_AGAIN_S = 60, LINE_S = 2 };

/* ---- the older operator's finalizer ---- */

static bool has_upstream_finalizer(const void *view)
{
    const struct restoresession_view *v = view;

    return v->has_finalizer;
}

static void drop_finalizer(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    json_t *list = json_array(), *it;
    size_t i;

    (void)w;
    json_array_foreach (json_at(v->doc, "metadata.finalizers"), i, it)
        if (!str_is(json_str(it), STASH_GROUP))
            json_array_append(list, it);
    plan_patch(p, v->self->kind, v->self->ns, v->self->name, NULL, json_text(v->doc, "metadata.resourceVersion"),
               json_pack("{s:{s:o}}", "metadata", "finalizers", list));
}

/* ---- Jobs that are stopped ---- */

static void delete_jobs(const struct restoresession_view *v, struct plan *p)
{
    for (size_t i = 0; i < v->n_hosts; i++) {
        const struct outcome *o = &v->hosts[i].outcome;

        if (o->state != OUTCOME_ABSENT && !o->deleting)
            plan_delete(p, kind_get(KIND_JOB), v->self->ns, v->hosts[i].job_name, o->uid, "Foreground");
        if (o->lost_at_s)
            plan_wake_at(p, o->lost_at_s);
    }
}

static void stop_jobs(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    bool is_new = !condition_is(v->conditions, "DeadlineExceeded", "True");

    (void)w;
    if (is_new)
        restoresession_set_deadline_exceeded(v, "; its Jobs are stopped");
    restoresession_write_status(v, p, RESTORESESSION_RUNNING);
    plan_status(p, json_pack("{s:I}", "totalHosts", (json_int_t)v->n_hosts));
    if (is_new)
        restoresession_tell_deadline(v, p, "; its Jobs are stopped");
    delete_jobs(v, p);
}

static bool is_open(const struct restoresession_host *h)
{
    return !*h->phase || strcmp(h->phase, "Running") == 0;
}

/* ---- before the start ---- */

static void write_started(const struct restoresession_view *v, struct plan *p, const char *status, const char *reason,
                          const char *message)
{
    restoresession_set_found_conditions(v);
    restoresession_set_condition(v, EXECUTOR, status, reason, message);
    restoresession_set_condition(v, RESTORESESSION_ADMITTED, "True", "Admitted", "the session has started");
    restoresession_write_status(v, p, RESTORESESSION_RUNNING);
    plan_status(p, json_pack("{s:I}", "totalHosts", (json_int_t)v->n_hosts));
}

/* Also of Jobs that are there already: a crash, or a refusal, came before the status. */
static void note_made(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    write_started(v, p, "True", "SuccessfullyEnsuredRestoreExecutor",
                  arena_printf(world_arena(w), "made %zu restore Job%s", v->n_hosts, v->n_hosts == 1 ? "" : "s"));
}

static bool has_begun(const void *view)
{
    const struct restoresession_view *v = view;

    return v->has_begun;
}

static bool may_have_run(const void *view)
{
    const struct restoresession_view *v = view;

    return v->may_have_run;
}

/* What is restored twice may undo what was done between. The rows of Running say what became of each host. */
static void note_unknown(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    char since[32];

    write_started(v, p, "Unknown", "JobsMayHaveRun",
                  arena_printf(world_arena(w), "its Jobs may have been made since %s, and have gone by now: none is "
                               "made again", str_format_time(condition_since(v->conditions, RESTORESESSION_ADMITTED),
                                                             since)));
}

static bool is_late(const void *view)
{
    const struct restoresession_view *v = view;

    return v->is_late;
}

static bool is_late_begun(const void *view)
{
    const struct restoresession_view *v = view;

    return v->is_late && v->n_begun;
}

static void end_unstarted(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    (void)w;
    restoresession_set_found_conditions(v);
    restoresession_set_deadline_exceeded(v, ": never started");
    restoresession_finish(v, w, p, RESTORESESSION_FAILED);
    restoresession_tell_deadline(v, p, ": never started");
}

static bool is_repository_absent(const void *view)
{
    const struct restoresession_view *v = view;

    return *v->repository.name && !v->repository.record;
}

static void wait_on(const struct restoresession_view *v, struct plan *p, enum restoresession_phase phase)
{
    restoresession_write_status(v, p, phase);
    if (v->deadline_s)
        plan_wake_at(p, v->deadline_s);
}

/* Of a host that runs by the status none is made again, however long ago its Job came and went. */
static void note_begun(const struct restoresession_view *v)
{
    for (size_t i = 0; i < v->n_hosts; i++)
        if (v->hosts[i].outcome.state != OUTCOME_ABSENT && !*v->hosts[i].phase)
            restoresession_put_stat(v, v->hosts[i].name, "Running", NULL);
}

/* For now nothing more is made, and what was made is written down: so it may wait for as long as it has to. */
static void withdraw(const struct restoresession_view *v)
{
    note_begun(v);
    if (v->n_hosts) /* else an edit has hidden which they are */
        condition_drop(v->conditions, RESTORESESSION_ADMITTED);
}

static void stand_by(const struct restoresession_view *v, const char *reason, const char *message)
{
    restoresession_set_found_conditions(v);
    withdraw(v);
    restoresession_set_condition(v, EXECUTOR, "Unknown", reason, message);
}

/* What it lacks may be long in coming: meanwhile it stands in nobody's way. */
static void leave_line(const struct restoresession_view *v)
{
    condition_drop(v->conditions, EXECUTOR);
    withdraw(v);
    restoresession_set_found_conditions(v);
}

static void wait_for_others(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    const json_t *old = json_at(v->doc, "status.conditions");

    (void)w;
    leave_line(v);
    wait_on(v, p, RESTORESESSION_PENDING);
    repository_warn(p, old, v->conditions);
    if (condition_fails_anew(old, v->conditions, RESTORESESSION_TARGET))
        plan_event(p, "Warning", "Target Not Found", "%s", v->target_text);
    if (v->is_target_absent && strcmp(v->ref.kind, "PersistentVolumeClaim") == 0)
        plan_wake_at(p, v->now_s + CLAIM_RETRY_S); /* claims of users are not watched */
    if (v->is_target_denied)
        plan_wake_at(p, v->now_s + ACCESS_RETRY_S);
}

static bool is_invalid(const void *view)
{
    const struct restoresession_view *v = view;

    return *v->problems;
}

static void refuse(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    const json_t *old = json_at(v->doc, "status.conditions");

    (void)w;
    leave_line(v);
    restoresession_write_status(v, p, RESTORESESSION_INVALID);
    if (!str_same(condition_message(old, "ValidationPassed"), v->problems))
        plan_event(p, "Warning", "Validation Failed", "%s", v->problems);
}

static bool is_secret_missing(const void *view)
{
    const struct restoresession_view *v = view;

    return strcmp(v->repository.secret_status, "True") != 0;
}

static bool is_target_missing(const void *view)
{
    const struct restoresession_view *v = view;

    return v->is_target_absent;
}

static void fail_executor(const struct restoresession_view *v, struct world *w, struct plan *p, const char *reason,
                          const char *message)
{
    restoresession_set_found_conditions(v);
    restoresession_set_condition(v, EXECUTOR, "False", reason, message);
    for (size_t i = 0; i < v->n_hosts && v->n_begun; i++)
        if (is_open(&v->hosts[i]))
            restoresession_put_stat(v, v->hosts[i].name, "Failed", message);
    restoresession_finish(v, w, p, RESTORESESSION_FAILED);
    plan_event(p, "Warning", "Restore Job Failed", "%s", message);
}

static bool awaits_catalog(const void *view)
{
    const struct restoresession_view *v = view;

    return v->impossible && v->catalog_until_s;
}

/* What comes wakes it. */
static void wait_for_catalog(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    (void)w;
    stand_by(v, "WaitingForCatalog", v->impossible);
    wait_on(v, p, RESTORESESSION_PENDING);
    plan_wake_at(p, v->catalog_until_s);
}

static bool is_impossible(const void *view)
{
    const struct restoresession_view *v = view;

    return v->impossible != NULL;
}

static void give_up_job(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    fail_executor(v, w, p, "FailedToEnsureRestoreExecutor",
                  arena_printf(world_arena(w), "failed to make the restore Job. Reason: %s", v->impossible));
}

static bool has_foreign_claim(const void *view)
{
    const struct restoresession_view *v = view;

    return v->conflict ||
           (v->refusal && v->refusal->why == REFUSAL_NAME && str_starts(str_of(v->refused), STR("Persistent")));
}

static void give_up_claim(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    const char *claim = v->conflict ? arena_printf(world_arena(w), "PersistentVolumeClaim \"%s\"", v->conflict)
                                    : v->refused;

    fail_executor(v, w, p, REASON_NAME_CONFLICT,
                  arena_printf(world_arena(w), "%s exists and was not created by this RestoreSession", claim));
}

static bool is_refused_for_good(const void *view)
{
    const struct restoresession_view *v = view;

    return refusal_is_for_good(v->refusal, v->is_name_passing);
}

static void give_up_refused(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    fail_executor(v, w, p, *v->refusal->reason ? v->refusal->reason : "FailedToEnsureRestoreExecutor",
                  arena_printf(world_arena(w), "%s was refused. Reason: %s", v->refused, v->refusal->message));
}

static bool is_vain(const void *view)
{
    const struct restoresession_view *v = view;

    return v->n_jobs && (is_impossible(v) || has_foreign_claim(v) || is_refused_for_good(v));
}

/* It is given up when nothing of it writes any more. */
static void stop_begun(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    (void)w;
    restoresession_set_found_conditions(v);
    note_begun(v);
    restoresession_set_condition(v, EXECUTOR, "Unknown", "StoppingJobs",
                                 "not all of its Jobs can be made: those that were are stopped");
    wait_on(v, p, RESTORESESSION_PENDING);
    delete_jobs(v, p);
}

static bool is_refused_for_now(const void *view)
{
    const struct restoresession_view *v = view;

    return v->refusal && v->now_s < v->refusal->retry_s;
}

static void wait_refused(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    stand_by(v, v->refusal->reason, arena_printf(world_arena(w), "%s: %s", v->refused, v->refusal->message));
    wait_on(v, p, RESTORESESSION_PENDING);
    plan_wake_at(p, v->refusal->retry_s);
    if (v->refusal->why == REFUSAL_QUOTA)
        plan_event(p, "Warning", "Quota Exceeded", "%s", v->refusal->message);
}

/* ---- the lock of the target ---- */

static bool is_target_taken(const void *view)
{
    const struct restoresession_view *v = view;

    return v->waits_for != NULL;
}

static void wait_for_target(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    stand_by(v, RESTORESESSION_WAITS, arena_printf(world_arena(w), "%s has the same target", v->waits_for));
    wait_on(v, p, RESTORESESSION_PENDING);
    plan_wake_at(p, v->now_s + LOOK_AGAIN_S);
}

static bool is_out_of_line(const void *view)
{
    const struct restoresession_view *v = view;

    return v->is_out_of_line;
}

/* Each is seen by the others before it starts: of two made in one second, the one that has just started may not be seen
 * by the other yet. And what is made from now on is known of when it has gone. */
static void join_line(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    (void)w;
    stand_by(v, RESTORESESSION_WAITS, "nobody else has the target"); /* and Admitted's time is now, whatever it was */
    restoresession_set_condition(v, RESTORESESSION_ADMITTED, "Unknown", "AboutToStart",
                                 "its Jobs are about to be made");
    wait_on(v, p, RESTORESESSION_PENDING);
    plan_wake_at(p, v->now_s + LINE_S);
}

static bool is_new_in_line(const void *view)
{
    const struct restoresession_view *v = view;

    return v->line_s && v->now_s < v->line_s + LINE_S;
}

static void stay_in_line(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    (void)w;
    plan_wake_at(p, v->line_s + LINE_S);
}

/* First all claims, then the Jobs: a full quota is met before any data moves. */
static void create_all(const struct restoresession_view *v, struct plan *p, const char *account)
{
    const json_t *claim;
    size_t k;

    for (size_t i = 0; i < v->n_hosts; i++) {
        json_array_foreach (v->hosts[i].claims, k, claim)
            plan_create(p, kind_get(KIND_PVC), v->self->ns, json_clone(claim));
        if (v->hosts[i].interim)
            plan_create(p, kind_get(KIND_PVC), v->self->ns, json_clone(v->hosts[i].interim));
    }
    for (size_t i = 0; i < v->n_hosts; i++) {
        json_t *job = v->hosts[i].job ? json_clone(v->hosts[i].job) : NULL;

        if (!job)
            continue;
        json_object_set_new(json_at(job, "spec.template.spec"), "serviceAccountName", json_string(account));
        plan_create(p, kind_get(KIND_JOB), v->self->ns, job);
    }
}

static void start(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    const json_t *pod = json_at(v->in.unit, "runtimeSettings.pod");
    const json_t *annotations = json_at(pod, "serviceAccountAnnotations");
    struct identity_want want = {
        .role = IDENTITY_RESTORE,
        .invoker = v->self,
        .user_account = json_text(pod, "serviceAccountName"),
        .annotations = json_object_size(annotations) ? annotations : NULL,
        .own = strcmp(json_text(v->in.repository, "metadata.namespace"), v->self->ns) != 0,
    };

    create_all(v, p, identity_ensure(w, p, &want));
    note_made(v, w, p);
    if (v->deadline_s)
        plan_wake_at(p, v->deadline_s);
    plan_wake_at(p, v->now_s + v->in.settings->pod_start_timeout_s);
}

/* ---- while it runs ---- */

static bool is_late_with_jobs(const void *view)
{
    const struct restoresession_view *v = view;

    return v->is_late && v->n_jobs;
}

static void end_late(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    bool is_new = !condition_is(v->conditions, "DeadlineExceeded", "True");

    if (is_new)
        restoresession_set_deadline_exceeded(v, "");
    for (size_t i = 0; i < v->n_hosts; i++)
        if (is_open(&v->hosts[i]))
            restoresession_put_stat(v, v->hosts[i].name, "Failed",
                                    v->hosts[i].outcome.is_lost ? v->hosts[i].outcome.message
                                                                : "stopped at the session's deadline");
    restoresession_finish(v, w, p, RESTORESESSION_FAILED);
    if (is_new)
        restoresession_tell_deadline(v, p, "");
}

static bool has_unknown(const void *view)
{
    const struct restoresession_view *v = view;

    return v->n_done == v->n_hosts && v->n_unknown;
}

static void end_unknown(const void *view, struct world *w, struct plan *p)
{
    restoresession_finish(view, w, p, RESTORESESSION_UNKNOWN);
}

static bool has_failed(const void *view)
{
    const struct restoresession_view *v = view;

    return v->n_done == v->n_hosts && v->n_failed;
}

static void end_failed(const void *view, struct world *w, struct plan *p)
{
    restoresession_finish(view, w, p, RESTORESESSION_FAILED);
}

static bool is_done(const void *view)
{
    const struct restoresession_view *v = view;

    return v->n_done == v->n_hosts;
}

static void end_good(const void *view, struct world *w, struct plan *p)
{
    restoresession_finish(view, w, p, RESTORESESSION_SUCCEEDED);
}

static bool is_overdue(const struct restoresession_view *v, const struct restoresession_host *h)
{
    int64_t limit = v->in.settings->pod_start_timeout_s;

    return h->outcome.state == OUTCOME_ACTIVE && !h->outcome.has_started && limit > 0 &&
           v->now_s >= h->outcome.created_s + limit;
}

/* A host whose Job has ended without its report, or does not start. */
static bool is_lost(const struct restoresession_view *v, const struct restoresession_host *h)
{
    return is_open(h) && (h->outcome.state != OUTCOME_ACTIVE || is_overdue(v, h));
}

static bool has_lost(const void *view)
{
    const struct restoresession_view *v = view;

    for (size_t i = 0; i < v->n_hosts; i++)
        if (is_lost(v, &v->hosts[i]))
            return true;
    return false;
}

/* Why a lost host has no report, and its phase. */
static const char *why_lost(const struct restoresession_view *v, struct world *w, const struct restoresession_host *h,
                            const char **ret_phase)
{
    struct arena *a = world_arena(w);
    char text[32];

    *ret_phase = "Failed";
    if (h->outcome.state == OUTCOME_FAILED)
        return h->outcome.message;
    if (h->outcome.state == OUTCOME_ACTIVE)
        return arena_printf(a, "no container of Job %s has started within %s: %s", h->job_name,
                            str_format_duration(v->in.settings->pod_start_timeout_s * 1000000000, text),
                            h->outcome.stuck ? h->outcome.stuck : "it has no pod, or its pod waits for a volume");
    *ret_phase = "Unknown";
    return arena_printf(a, "Job %s %s and has reported nothing", h->job_name,
                        h->outcome.state == OUTCOME_ABSENT ? "is gone" : "has ended");
}

/* What the worker could not report, said in its place; the next pass counts it. */
static void report_lost(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;
    const char *phase, *why;

    for (size_t i = 0; i < v->n_hosts; i++) {
        const struct restoresession_host *h = &v->hosts[i];

        if (!is_lost(v, h))
            continue;
        why = why_lost(v, w, h, &phase);
        restoresession_put_stat(v, h->name, phase, why);
        /* First of all: it must not start after it was given up. */
        if (h->outcome.state == OUTCOME_ACTIVE || h->outcome.hangs)
            plan_delete(p, kind_get(KIND_JOB), v->self->ns, h->job_name, h->outcome.uid, "Background");
    }
    restoresession_write_status(v, p, RESTORESESSION_RUNNING);
    for (size_t i = 0; i < v->n_hosts; i++)
        if (is_lost(v, &v->hosts[i]))
            plan_event(p, "Warning", "Restore Job Failed", "%s", why_lost(v, w, &v->hosts[i], &phase));
}

static void watch_on(const void *view, struct world *w, struct plan *p)
{
    const struct restoresession_view *v = view;

    (void)w;
    if (v->deadline_s)
        plan_wake_at(p, v->deadline_s);
    for (size_t i = 0; i < v->n_hosts; i++) {
        const struct restoresession_host *h = &v->hosts[i];

        if (is_open(h) && h->outcome.lost_at_s)
            plan_wake_at(p, h->outcome.lost_at_s);
        if (!is_open(h) || h->outcome.has_started)
            continue;
        plan_wake_at(p, h->outcome.created_s + v->in.settings->pod_start_timeout_s);
        if (h->outcome.stuck)
            plan_event(p, "Warning", "Restore Job Failed", "Job %s does not start: %s", h->job_name, h->outcome.stuck);
    }
}

/* ---- the table ---- */

enum { /* short, for the table */
    NEW = RESTORESESSION_NEW,
    PENDING = RESTORESESSION_PENDING,
    INVALID = RESTORESESSION_INVALID,
    RUNNING = RESTORESESSION_RUNNING,
    SUCCEEDED = RESTORESESSION_SUCCEEDED,
    FAILED = RESTORESESSION_FAILED,
    UNKNOWN = RESTORESESSION_UNKNOWN,
};

/* The rows before the start are the same in three phases. */
#define BEFORE(in)                                                                                                     \
    {in, has_begun, note_made, RUNNING, "JobsFound"},                                                                  \
    {in, may_have_run, note_unknown, RUNNING, "JobsMayHaveRun"},                                                       \
    {in, is_late_begun, stop_jobs, RUNNING, "DeadlineExceeded"},                                                       \
    {in, is_late, end_unstarted, FAILED, "DeadlineExceededUnstarted"},                                                 \
    {in, is_repository_absent, wait_for_others, PENDING, "RepositoryMissing"},                                         \
    {in, is_invalid, refuse, INVALID, "ValidationFailed"},                                                             \
    {in, is_secret_missing, wait_for_others, PENDING, "StorageSecretMissing"},                                         \
    {in, is_target_missing, wait_for_others, PENDING, "TargetMissing"},                                                \
    {in, awaits_catalog, wait_for_catalog, PENDING, "WaitingForCatalog"},                                              \
    {in, is_vain, stop_begun, PENDING, "JobsStopped"},                                                                 \
    {in, is_impossible, give_up_job, FAILED, "FailedToEnsureRestoreExecutor"},                                         \
    {in, has_foreign_claim, give_up_claim, FAILED, "ClaimExists"},                                                     \
    {in, is_refused_for_good, give_up_refused, FAILED, "JobRefused"},                                                  \
    {in, is_target_taken, wait_for_target, PENDING, "WaitingForOtherSession"},                                         \
    {in, is_refused_for_now, wait_refused, PENDING, "JobRefusedForNow"},                                               \
    {in, is_out_of_line, join_line, PENDING, "JoinedLine"},                                                            \
    {in, is_new_in_line, stay_in_line, PENDING, "NewInLine"},                                                          \
    {in, NULL, start, RUNNING, "SuccessfullyEnsuredRestoreExecutor"}

/* clang-format off */
static const struct rule rules[] = {
    /* in       when                    effects         to         reason */
    {PHASE_ANY, has_upstream_finalizer, drop_finalizer, PHASE_ANY, "FinalizerDropped"},
    BEFORE(NEW),
    BEFORE(PENDING),
    BEFORE(INVALID),
    {RUNNING,   is_late_with_jobs,      stop_jobs,      RUNNING,   "DeadlineExceeded"},
    {RUNNING,   is_late,                end_late,       FAILED,    "DeadlineExceededStopped"},
    {RUNNING,   has_unknown,            end_unknown,    UNKNOWN,   "RestoreUnknown"},
    {RUNNING,   has_failed,             end_failed,     FAILED,    "RestoreFailed"},
    {RUNNING,   is_done,                end_good,       SUCCEEDED, "RestoreSucceeded"},
    {RUNNING,   has_lost,               report_lost,    RUNNING,   "JobLost"},
    {RUNNING,   NULL,                   watch_on,       RUNNING,   "JobsRun"},
    {SUCCEEDED, NULL,                   NULL,           SUCCEEDED, "AtRest"},
    {FAILED,    NULL,                   NULL,           FAILED,    "AtRest"},
    {UNKNOWN,   NULL,                   NULL,           UNKNOWN,   "AtRest"},
};
/* clang-format on */

/* ---- whose events wake a session ---- */

static void wake_owner(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    outcome_wake_owner(c, changed, "RestoreSession", wake, ctx);
}

struct waking {
    const struct kobj *changed;
    wake_fn *wake;
    void *ctx;
};

static bool has_not_started(const struct kobj *o)
{
    const char *phase = kobj_text(o, "status.phase");

    return !*phase || strcmp(phase, "Pending") == 0 || strcmp(phase, "Invalid") == 0;
}

static bool wake_user(void *ctx, const struct kobj *o)
{
    const struct waking *k = ctx;
    const char *ns = kobj_text(o, "spec.repository.namespace");

    if (has_not_started(o) && strcmp(*ns ? ns : o->ns, k->changed->ns) == 0)
        k->wake(k->ctx, o->ns, o->name);
    return true;
}

static void wake_users(const struct cache *c, const struct kobj *repository, wake_fn *wake, void *ctx)
{
    struct waking k = {repository, wake, ctx};

    cache_each_ref(c, kind_get(KIND_RESTORESESSION), "spec.repository.name", repository->ns, repository->name,
                   wake_user, &k);
}

/* Something that any of those that wait may need: Tasks, Functions; in a namespace: AppBindings, its labels. */
static bool wake_waiting(void *ctx, const struct kobj *o)
{
    const struct waking *k = ctx;
    const char *ns = k->changed->kind->id == KIND_NAMESPACE ? k->changed->name
                     : k->changed->kind->namespaced         ? k->changed->ns
                                                            : NULL;

    if (has_not_started(o) && (!ns || strcmp(ns, o->ns) == 0))
        k->wake(k->ctx, o->ns, o->name);
    return true;
}

static void wake_all_waiting(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct waking k = {changed, wake, ctx};

    cache_each(c, kind_get(KIND_RESTORESESSION), wake_waiting, &k);
}

static bool phase_changed(const struct kobj *old, const struct kobj *now)
{
    return strcmp(kobj_text(old, "status.phase"), kobj_text(now, "status.phase")) != 0;
}

static const struct watched watches[] = {
    {KIND_JOB, wake_owner, NULL},
    {KIND_POD, wake_owner, NULL},
    {KIND_REPOSITORY, wake_users, NULL},
    {KIND_TASK, wake_all_waiting, NULL},
    {KIND_FUNCTION, wake_all_waiting, NULL},
    {KIND_APPBINDING, wake_all_waiting, NULL},
    {KIND_NAMESPACE, wake_all_waiting, NULL},
    {KIND_BACKUPSESSION, restoresession_wake_rivals, phase_changed},
    {KIND_RESTORESESSION, restoresession_wake_rivals, phase_changed},
    {KIND_JOB, restoresession_wake_by_job, target_lock_ends},
    {KIND_POD, restoresession_wake_by_job, target_lock_ends},
};

const struct controller restoresession_controller = {
    .name = "restoresession",
    .kind = KIND_RESTORESESSION,
    .component = "RestoreSession Controller",
    .phases = restoresession_phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct restoresession_view),
    .observe = restoresession_observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
};
