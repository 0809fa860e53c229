/*
 * cronjobs: the CronJob controller. A key is "<namespace> <name>"; each look deletes finished Jobs over the history
 * limits, follows what became of the others, and starts the Job of the latest due time, if that is still wanted.
 *
 * A Job's name is made from its due time, so that one due time never gets two, whatever is forgotten in between: the
 * second creation is told that the name is taken.
 */
#include "k8s/model/cronjobs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum {
    CONFLICT_MS = 500,      /* somebody wrote in between */
    REFUSED_MS = 10 * 1000, /* the API server said no: quota, a namespace that ends */
};

void cronjobs_tell(struct cronjob_pass *p, const char *type, const char *reason, const char *fmt, ...)
{
    char message[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    controllers_event(p->c, p->cronjob, "cronjob-controller", type, reason, message);
}

static int64_t time_s(const char *text)
{
    int64_t ms = controllers_time_ms(text);

    return ms < 0 ? -1 : ms / 1000;
}

static int64_t last_s(const json_t *cronjob)
{
    int64_t last = time_s(json_text(cronjob, "status.lastScheduleTime"));

    return last >= 0 ? last : time_s(json_text(cronjob, "metadata.creationTimestamp"));
}

/* ---- what asks for a look ---- */

static void mark(struct model_controllers *c, const char *ns, const char *name, uint64_t in_ms)
{
    AUTO_FREE char *key = mem_printf("%s %s", ns, name);

    if (in_ms != UINT64_MAX)
        workqueue_add(&c->cronjobs, key, in_ms);
}

static void mark_owner(struct model_controllers *c, const json_t *job)
{
    const json_t *refs = json_at(job, "metadata.ownerReferences"), *ref;
    size_t i;

    json_array_foreach (refs, i, ref)
        if (json_flag(ref, "controller", false) && strcmp(json_text(ref, "kind"), "CronJob") == 0)
            mark(c, json_text(job, "metadata.namespace"), json_text(ref, "name"), 0);
}

/* A new schedule is not looked at now: what it would have had in the past is not to be made up for. */
static uint64_t wait_of_change(struct model_controllers *c, const json_t *old, const json_t *now)
{
    struct cron schedule;
    struct error e;

    if (!old || strcmp(json_text(old, "spec.schedule"), json_text(now, "spec.schedule")) == 0)
        return 0;
    if (cron_parse(&schedule, str_of(json_text(now, "spec.schedule")), &e) < 0)
        return 0;
    return cronjobs_wait(&schedule, last_s(now), env_wall_ms(c->m->env));
}

void cronjobs_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now)
{
    if (controllers_is(r, "batch", "jobs"))
        mark_owner(c, now ? now : old);
    else if (now && controllers_is(r, "batch", "cronjobs"))
        mark(c, json_text(now, "metadata.namespace"), json_text(now, "metadata.name"), wait_of_change(c, old, now));
}

/* ---- a Job for a due time ---- */

static void again_in(struct cronjob_pass *p, uint64_t ms)
{
    p->again_ms = ms < p->again_ms ? ms : p->again_ms;
}

static void job_name(const struct cronjob_pass *p, int64_t due_s, char out[320])
{
    (void)snprintf(out, 320, "%s-%" PRId64, p->name, due_s / 60);
}

static json_t *job_of(const struct cronjob_pass *p, int64_t due_s)
{
    const json_t *template = json_object_get(p->spec, "jobTemplate");
    json_t *meta = json_object(), *annotations = json_clone(json_at(template, "metadata.annotations"));
    char name[320], due[32];

    job_name(p, due_s, name);
    if (!json_is_object(annotations))
        annotations = json_object();
    json_object_set_new(annotations, "batch.kubernetes.io/cronjob-scheduled-timestamp",
                        json_string(str_format_time(due_s, due)));
    json_object_set_new(meta, "name", json_string(name));
    json_object_set_new(meta, "namespace", json_string(p->ns));
    json_object_set_new(meta, "annotations", annotations);
    if (json_at(template, "metadata.labels"))
        json_object_set_new(meta, "labels", json_clone(json_at(template, "metadata.labels")));
    json_object_set_new(meta, "ownerReferences",
                        json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion", "batch/v1", "kind", "CronJob",
                                  "name", p->name, "uid", p->uid, "controller", 1, "blockOwnerDeletion", 1));
    return json_pack("{s:s, s:s, s:o, s:o*}", "apiVersion", "batch/v1", "kind", "Job", "metadata", meta, "spec",
                     json_clone(json_object_get(template, "spec")));
}

static bool is_ours(const struct cronjob_pass *p, const char *job_uid)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->items[i]->uid, job_uid) == 0)
            return true;
    return false;
}

static void started(struct cronjob_pass *p, const json_t *job, int64_t due_s)
{
    char due[32];

    cronjobs_add_active(p, job);
    json_object_set_new(p->status, "lastScheduleTime", json_string(str_format_time(due_s, due)));
}

/* The name is taken: by our own Job, which a lost write of the status forgot, or by somebody else's, who wins. */
static void taken(struct cronjob_pass *p, int64_t due_s)
{
    char name[320];
    struct stored *job;

    job_name(p, due_s, name);
    job = store_get(p->jobs->table, p->ns, name);
    if (job && is_ours(p, job->uid) && !cronjobs_is_active(p, "uid", job->uid))
        started(p, job->json, due_s);
}

static void start(struct cronjob_pass *p, int64_t due_s)
{
    json_t *made = NULL;
    int status = controllers_do(p->c, "POST", p->jobs, p->ns, NULL, NULL, job_of(p, due_s), &made);

    if (status < 300) {
        cronjobs_tell(p, "Normal", "SuccessfulCreate", "Created job %s", json_text(made, "metadata.name"));
        started(p, made, due_s);
    } else if (status == 409) {
        taken(p, due_s);
    } else {
        if (strcmp(json_text(made, "details.causes.0.reason"), "NamespaceTerminating") != 0)
            cronjobs_tell(p, "Warning", "FailedCreate", "Error creating job: %s", json_text(made, "message"));
        again_in(p, REFUSED_MS);
    }
    json_decref(made);
}

/* With Replace, those that still run make way. */
static bool replace(struct cronjob_pass *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!cronjobs_is_active(p, "uid", p->items[i]->uid))
            continue;
        if (!cronjobs_job_delete(p, p->items[i])) {
            again_in(p, CONFLICT_MS);
            return false;
        }
    }
    return true;
}

/* Wed, 04 Mar 2026 05:06:07 +0000 */
static const char *long_time(int64_t at_s, char out[40])
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct str_date d = str_date_of(at_s / 86400);
    int s = (int)(at_s % 86400);

    (void)snprintf(out, 40, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[at_s / 86400 % 7], (int)d.day,
                   months[d.month - 1], (int)d.year, s / 3600, s / 60 % 60, s % 60);
    return out;
}

static bool is_wanted(struct cronjob_pass *p, int64_t due_s)
{
    int64_t deadline = json_int(p->spec, "startingDeadlineSeconds", -1);
    char name[320], text[40];

    if (deadline >= 0 && (due_s + deadline) * 1000 < p->now_ms) {
        cronjobs_tell(p, "Warning", "MissSchedule", "Missed scheduled time to start a job: %s",
                      long_time(due_s, text));
        return false;
    }
    job_name(p, due_s, name);
    if (cronjobs_is_active(p, "name", name) || time_s(json_text(p->status, "lastScheduleTime")) == due_s)
        return false;
    if (strcmp(json_text(p->spec, "concurrencyPolicy"), "Forbid") == 0 &&
        json_array_size(json_object_get(p->status, "active")) > 0) {
        cronjobs_tell(p, "Normal", "JobAlreadyActive",
                      "Not starting job because prior execution is running and concurrency policy is Forbid");
        return false;
    }
    return strcmp(json_text(p->spec, "concurrencyPolicy"), "Replace") != 0 || replace(p);
}

/* ---- a look ---- */

static void drive(struct cronjob_pass *p)
{
    const char *text = json_text(p->spec, "schedule");
    int64_t earliest = last_s(p->cronjob), deadline = json_int(p->spec, "startingDeadlineSeconds", -1);
    struct cron schedule;
    struct error e;
    struct due due;

    if (cron_parse(&schedule, str_of(text), &e) < 0) {
        cronjobs_tell(p, "Warning", "UnparseableSchedule", "unparseable schedule: \"%s\" : %s", text, e.msg);
        return;
    }
    /* What lies before the starting deadline will not be started, so it is not even counted as missed. */
    if (deadline >= 0 && p->now_ms / 1000 - deadline > earliest)
        earliest = p->now_ms / 1000 - deadline;
    due = cronjobs_due(&schedule, earliest, p->now_ms);
    if (due.never) {
        cronjobs_tell(p, "Warning", "InvalidSchedule",
                      "invalid schedule: %s : time difference between two schedules is less than 1 second", text);
        return;
    }
    if (due.missed == MISSED_MANY)
        cronjobs_tell(p, "Warning", "TooManyMissedTimes",
                      "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    if (due.at_s >= 0 && is_wanted(p, due.at_s))
        start(p, due.at_s);
    again_in(p, cronjobs_wait(&schedule, last_s(p->cronjob), p->now_ms));
}

static void look(struct cronjob_pass *p, const struct stored *o)
{
    cronjobs_jobs_read(p);
    cronjobs_clean_up(p);
    cronjobs_jobs_read(p); /* without those that are gone */
    cronjobs_follow(p);
    if (!controllers_is_deleting(p->cronjob) && !json_flag(p->spec, "suspend", false))
        drive(p);
    if (json_equal(json_object_get(o->json, "status"), p->status))
        return;
    if (controllers_do(p->c, "PUT", p->cronjobs, p->ns, p->name, "status", json_incref(p->cronjob), NULL) >= 300)
        again_in(p, CONFLICT_MS);
}

static void pass_init(struct cronjob_pass *p, struct model_controllers *c, const struct resource *cronjobs,
                      const struct stored *o)
{
    *p = (struct cronjob_pass){.c = c, .cronjobs = cronjobs, .again_ms = UINT64_MAX};
    p->jobs = controllers_resource(c, "batch", "jobs");
    p->now_ms = env_wall_ms(c->m->env);
    p->cronjob = json_clone(o->json);
    if (!json_is_object(json_object_get(p->cronjob, "status")))
        json_object_set_new(p->cronjob, "status", json_object());
    p->status = json_object_get(p->cronjob, "status");
    p->spec = json_object_get(p->cronjob, "spec");
    p->ns = json_text(p->cronjob, "metadata.namespace");
    p->name = json_text(p->cronjob, "metadata.name");
    p->uid = json_text(p->cronjob, "metadata.uid");
}

void cronjobs_run(void *ctx, const char *key)
{
    struct model_controllers *c = ctx;
    const struct resource *cronjobs = controllers_resource(c, "batch", "cronjobs");
    const char *name = strchr(key, ' ') + 1; /* our own text */
    AUTO_FREE char *ns = mem_strndup(key, (size_t)(name - 1 - key));
    struct stored *o = store_get(cronjobs->table, ns, name);
    struct cronjob_pass p;

    if (!o)
        return;
    stored_ref(o); /* our own writes replace it */
    pass_init(&p, c, cronjobs, o);
    look(&p, o);
    mark(c, p.ns, p.name, p.again_ms);
    cronjobs_jobs_free(&p);
    json_decref(p.cronjob);
    stored_unref(o);
}
