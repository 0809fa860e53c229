/*
 * jobs: the Job controller. A key is "<namespace> <name> <uid>" (of a pod that lost its Job: without the UID); each
 * look reads the Job and its pods, counts pods that ended, then decides: finished, failing, suspended, or how many pods
 * there should be.
 *
 * A Job ends in two steps. FailureTarget or SuccessCriteriaMet says how it will end, and its pods are taken away;
 * Failed or Complete comes when none of them is left running.
 */
#include "k8s/model/jobs.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { RETRY_MS = 500, CREATE_MAX = 500 };

static void mark(struct model_controllers *c, const char *ns, const char *name, const char *uid, uint64_t in_ms)
{
    AUTO_FREE char *key = mem_printf("%s %s %s", ns, name, uid);

    workqueue_add(&c->jobs, key, in_ms);
}

static void pod_changed(struct model_controllers *c, const json_t *pod)
{
    const json_t *refs = json_at(pod, "metadata.ownerReferences"), *ref;
    const char *ns = json_text(pod, "metadata.namespace");
    bool owned = false;
    size_t i;

    json_array_foreach (refs, i, ref) {
        if (!json_flag(ref, "controller", false) || strcmp(json_text(ref, "kind"), "Job") != 0)
            continue;
        mark(c, ns, json_text(ref, "name"), json_text(ref, "uid"), 0);
        owned = true;
    }
    if (!owned && controllers_has_finalizer(pod, JOB_TRACKING)) /* an orphan; a key without a UID */
        mark(c, ns, json_text(pod, "metadata.name"), "", 0);
}

static void release_orphan(struct model_controllers *c, const char *ns, const char *name)
{
    struct stored *pod = store_get(controllers_resource(c, "", "pods")->table, ns, name);

    if (pod && !jobs_pod_release(c, pod))
        mark(c, ns, name, "", RETRY_MS);
}

void jobs_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now)
{
    const json_t *any = now ? now : old;
    const char *uid = json_text(any, "metadata.uid");

    if (controllers_is(r, "", "pods")) {
        pod_changed(c, any);
    } else if (controllers_is(r, "batch", "jobs")) {
        if (!now)
            jobs_record_drop(c, uid);
        mark(c, json_text(any, "metadata.namespace"), json_text(any, "metadata.name"), uid, 0);
    }
}

/* ---- decisions ---- */

static void again_in(struct job_pass *p, int64_t ms)
{
    uint64_t in = ms > 0 ? (uint64_t)ms : 0;

    p->again_ms = in < p->again_ms ? in : p->again_ms;
}

static void tell(struct job_pass *p, const char *type, const char *reason, const char *message)
{
    controllers_event(p->c, p->job, "job-controller", type, reason, message);
}

static int64_t count_restarts(const json_t *statuses)
{
    const json_t *one;
    int64_t n = 0;
    size_t i;

    json_array_foreach (statuses, i, one)
        n += json_int(one, "restartCount", 0);
    return n;
}

/* With restartPolicy OnFailure the kubelet starts containers again, and each start counts. */
static bool too_many_restarts(const struct job_pass *p, int64_t limit)
{
    int64_t n = 0;

    if (strcmp(json_text(p->spec, "template.spec.restartPolicy"), "OnFailure") != 0)
        return false;
    for (size_t i = 0; i < p->n; i++) {
        const char *phase = json_text(p->items[i]->json, "status.phase");

        if (strcmp(phase, "Running") != 0 && strcmp(phase, "Pending") != 0)
            continue;
        n += count_restarts(json_at(p->items[i]->json, "status.containerStatuses"));
        n += count_restarts(json_at(p->items[i]->json, "status.initContainerStatuses"));
    }
    return limit == 0 ? n > 0 : n >= limit;
}

static bool past_deadline(struct job_pass *p)
{
    int64_t seconds = json_int(p->spec, "activeDeadlineSeconds", -1);
    int64_t started = controllers_time_ms(json_text(p->status, "startTime")), left;

    if (seconds < 0 || started < 0)
        return false;
    left = started + seconds * 1000 - p->now_ms;
    if (left > 0)
        again_in(p, left);
    return left <= 0;
}

static bool is_complete(const struct job_pass *p)
{
    int64_t succeeded = json_int(p->status, "succeeded", 0), wanted = json_int(p->spec, "completions", -1);

    return wanted < 0 ? succeeded > 0 && p->active == 0 : succeeded >= wanted;
}

/* Says how the Job will end, when that is clear. A suspended one's deadline does not run. */
static void decide_end(struct job_pass *p, bool suspended)
{
    int64_t limit = json_int(p->spec, "backoffLimit", 6);

    if (json_int(p->status, "failed", 0) > limit || too_many_restarts(p, limit))
        jobs_set_condition(p, "FailureTarget", true, "BackoffLimitExceeded",
                           "Job has reached the specified backoff limit");
    else if (!suspended && past_deadline(p))
        jobs_set_condition(p, "FailureTarget", true, "DeadlineExceeded",
                           "Job was active longer than specified deadline");
    else if (is_complete(p))
        jobs_set_condition(p, "SuccessCriteriaMet", true, "CompletionsReached",
                           "Reached expected number of succeeded pods");
}

/* The pods go first. What fails with the Job counts as failed; after a success it never was. */
static void finish(struct job_pass *p, const json_t *target, bool failed)
{
    char now[32], reason[128], message[256];

    if (p->active > 0)
        jobs_pods_delete(p, p->active, failed);
    if (p->active + p->terminating > 0)
        return;
    if (!jobs_count_ended(p)) {
        again_in(p, RETRY_MS);
        return;
    }
    (void)snprintf(reason, sizeof(reason), "%s", json_text(target, "reason"));
    (void)snprintf(message, sizeof(message), "%s", json_text(target, "message"));
    jobs_set_condition(p, failed ? "Failed" : "Complete", true, reason, message);
    if (!failed)
        json_object_set_new(p->status, "completionTime", json_string(model_now(p->c->m, now)));
    tell(p, failed ? "Warning" : "Normal", failed ? reason : "Completed", failed ? message : "Job completed");
}

static void suspend(struct job_pass *p)
{
    jobs_pods_delete(p, p->active, false);
    json_object_del(p->status, "startTime");
    if (!jobs_condition(p, "Suspended"))
        tell(p, "Normal", "Suspended", "Job suspended");
    jobs_set_condition(p, "Suspended", true, "JobSuspended", "Job suspended");
}

static void resume(struct job_pass *p)
{
    char now[32];

    if (jobs_condition(p, "Suspended")) {
        jobs_set_condition(p, "Suspended", false, "JobResumed", "Job resumed");
        tell(p, "Normal", "Resumed", "Job resumed");
    }
    if (json_text(p->status, "startTime")[0] == '\0')
        json_object_set_new(p->status, "startTime", json_string(model_now(p->c->m, now)));
}

static void create_pods(struct job_pass *p, size_t n)
{
    uint64_t wait = jobs_backoff_ms(p);

    for (size_t i = 0; i < n && i < CREATE_MAX && wait == 0; i++) {
        if (jobs_pod_create(p))
            p->record->refusals = 0;
        else
            jobs_record_refusal(p);
        wait = jobs_backoff_ms(p);
    }
    if (wait > 0)
        again_in(p, (int64_t)wait);
    jobs_pods_read(p);
}

static void set_pods(struct job_pass *p)
{
    int64_t parallelism = json_int(p->spec, "parallelism", 1), completions = json_int(p->spec, "completions", -1);
    int64_t succeeded = json_int(p->status, "succeeded", 0), wanted = parallelism;
    size_t there;

    if (completions < 0 && succeeded > 0)
        wanted = (int64_t)p->active < parallelism ? (int64_t)p->active : parallelism;
    else if (completions >= 0 && completions - succeeded < wanted)
        wanted = completions - succeeded;
    if (wanted < 0)
        wanted = 0;
    there = p->active + (jobs_replaces_only_failed(p) ? p->terminating : 0);
    if ((int64_t)p->active > wanted)
        jobs_pods_delete(p, p->active - (size_t)wanted, false);
    else if ((int64_t)there < wanted)
        create_pods(p, (size_t)wanted - there);
}

static void drive(struct job_pass *p)
{
    bool suspended = json_flag(p->spec, "suspend", false);
    const json_t *target;

    if (!jobs_condition(p, "FailureTarget") && !jobs_condition(p, "SuccessCriteriaMet")) {
        if (!suspended)
            resume(p);
        decide_end(p, suspended);
    }
    if ((target = jobs_condition(p, "FailureTarget")))
        finish(p, target, true);
    else if ((target = jobs_condition(p, "SuccessCriteriaMet")))
        finish(p, target, false);
    else if (suspended)
        suspend(p);
    else
        set_pods(p);
}

/* ---- a finished one ---- */

static const json_t *finished(const struct job_pass *p)
{
    const json_t *complete = jobs_condition(p, "Complete");

    return complete ? complete : jobs_condition(p, "Failed");
}

static void expire(struct job_pass *p, const json_t *end)
{
    int64_t ttl = json_int(p->spec, "ttlSecondsAfterFinished", -1), left;
    int64_t ended = controllers_time_ms(json_text(end, "lastTransitionTime"));
    struct stored *o = store_get(p->jobs->table, p->ns, p->name);

    if (ttl < 0 || ended < 0 || !o)
        return;
    left = ended + ttl * 1000 - p->now_ms;
    if (left > 0)
        again_in(p, left);
    else if (controllers_delete(p->c, p->jobs, o, "Foreground") >= 300)
        again_in(p, RETRY_MS);
}

/* ---- a look ---- */

static void look(struct job_pass *p)
{
    bool deleting = controllers_is_deleting(p->job);
    const json_t *end = finished(p);

    jobs_pods_read(p);
    p->record = jobs_record(p);
    if (end) {
        jobs_pods_release_all(p->c, p->uid); /* a pod that came in between */
        if (!deleting)
            expire(p, end);
        return;
    }
    if (!deleting)
        jobs_policy_decide(p);
    if (!jobs_count_ended(p)) {
        again_in(p, RETRY_MS);
        return;
    }
    if (!deleting)
        drive(p);
    if (!jobs_status_write(p))
        again_in(p, RETRY_MS);
    if (finished(p)) /* its time to live begins */
        again_in(p, 0);
}

static void pass_init(struct job_pass *p, struct model_controllers *c, const struct resource *jobs,
                      const struct stored *o)
{
    *p = (struct job_pass){.c = c, .jobs = jobs, .again_ms = UINT64_MAX};
    p->pods = controllers_resource(c, "", "pods");
    p->now_ms = env_wall_ms(c->m->env);
    p->job = json_copy(o->json); /* only these two are written to */
    json_object_set_new(p->job, "metadata", json_copy(json_object_get(o->json, "metadata")));
    if (json_is_object(json_object_get(o->json, "status")))
        json_object_set_new(p->job, "status", json_clone(json_object_get(o->json, "status")));
    else
        json_object_set_new(p->job, "status", json_object());
    p->status = json_object_get(p->job, "status");
    p->spec = json_object_get(p->job, "spec");
    p->ns = json_text(p->job, "metadata.namespace");
    p->name = json_text(p->job, "metadata.name");
    p->uid = json_text(p->job, "metadata.uid");
}

void jobs_run(void *ctx, const char *key)
{
    struct model_controllers *c = ctx;
    const struct resource *jobs = controllers_resource(c, "batch", "jobs");
    struct str rest = str_of(key), ns = STR_NONE, name = STR_NONE, uid = STR_NONE;
    char ns_text[256], name_text[256];
    struct job_pass p;
    struct stored *o;

    (void)(str_cut(&rest, ' ', &ns) && str_cut(&rest, ' ', &name) && str_cut(&rest, ' ', &uid)); /* our own text */
    (void)snprintf(ns_text, sizeof(ns_text), "%.*s", (int)ns.n, ns.p);
    (void)snprintf(name_text, sizeof(name_text), "%.*s", (int)name.n, name.p);
    if (!uid.n) {
        release_orphan(c, ns_text, name_text);
        return;
    }
    o = store_get(jobs->table, ns_text, name_text);
    if (!o || !str_is(uid, o->uid)) {
        jobs_pods_release_all(c, uid.p); /* the last part of the key: it ends where the key ends */
        return;
    }
    pass_init(&p, c, jobs, o);
    look(&p);
    if (p.again_ms != UINT64_MAX)
        mark(c, p.ns, p.name, p.uid, p.again_ms);
    jobs_pods_free(&p);
    json_decref(p.job);
}
