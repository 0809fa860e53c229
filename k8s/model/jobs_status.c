/*
 * jobs_status: what a Job's status says.
 *
 * A pod that ended is counted exactly once, also when we are killed in between: its UID is noted in
 * uncountedTerminatedPods (first write), then the pod loses its tracking finalizer (second write) and may vanish, then
 * the note becomes a number (third write, with all else that changed).
 */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/jobs.h"

static const char *const ends[] = {"succeeded", "failed"};

const json_t *jobs_condition(const struct job_pass *p, const char *type)
{
    const json_t *list = json_object_get(p->status, "conditions"), *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (strcmp(json_text(one, "type"), type) == 0 && strcmp(json_text(one, "status"), "True") == 0)
            return one;
    return NULL;
}

void jobs_set_condition(struct job_pass *p, const char *type, bool is_true, const char *reason, const char *message)
{
    json_t *list = json_object_get(p->status, "conditions"), *one, *fresh;
    const char *status = is_true ? "True" : "False";
    char now[32];
    size_t i;

    if (!list) {
        list = json_array();
        json_object_set_new(p->status, "conditions", list);
    }
    model_now(p->c->m, now);
    fresh = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "lastProbeTime", now,
                      "lastTransitionTime", now, "reason", reason, "message", message);
    json_array_foreach (list, i, one) {
        if (strcmp(json_text(one, "type"), type) != 0)
            continue;
        if (strcmp(json_text(one, "status"), status) == 0)
            json_decref(fresh);
        else
            json_array_set_new(list, i, fresh);
        return;
    }
    json_array_append_new(list, fresh);
}

static void set_count(json_t *status, const char *key, size_t n, bool also_zero)
{
    if (n > 0 || also_zero)
        json_object_set_new(status, key, json_integer((json_int_t)n));
    else
        json_object_del(status, key);
}

bool jobs_status_write(struct job_pass *p)
{
    struct stored *o = store_get(p->jobs->table, p->ns, p->name);
    int status;

    set_count(p->status, "active", p->active, false);
    set_count(p->status, "ready", p->ready, true);
    set_count(p->status, "terminating", p->terminating, true);
    if (!o || json_equal(json_object_get(o->json, "status"), p->status))
        return true;
    status = controllers_do(p->c, "PUT", p->jobs, p->ns, p->name, "status", json_incref(p->job), NULL);
    o = store_get(p->jobs->table, p->ns, p->name);
    if (status < 300 && o) /* for the next write of this pass */
        json_object_set(json_object_get(p->job, "metadata"), "resourceVersion",
                        json_at(o->json, "metadata.resourceVersion"));
    return status < 300;
}

/* ---- counting ---- */

static json_t *notes(struct job_pass *p, const char *end)
{
    json_t *all = json_object_get(p->status, "uncountedTerminatedPods"), *list;

    if (!all) {
        all = json_object();
        json_object_set_new(p->status, "uncountedTerminatedPods", all);
    }
    list = json_object_get(all, end);
    if (!list) {
        list = json_array();
        json_object_set_new(all, end, list);
    }
    return list;
}

/* "succeeded", "failed", or NULL: it goes on. */
static const char *end_of(const struct job_pass *p, const json_t *pod)
{
    if (strcmp(json_text(pod, "status.phase"), "Succeeded") == 0)
        return ends[0];
    return jobs_pod_has_failed(p, pod) ? ends[1] : NULL;
}

static size_t note_ended(struct job_pass *p)
{
    size_t noted = 0;

    for (size_t i = 0; i < p->n; i++) {
        const json_t *pod = p->items[i]->json;
        const char *end = end_of(p, pod);

        if (!end || !controllers_has_finalizer(pod, JOB_TRACKING) ||
            json_has_text(notes(p, ends[0]), p->items[i]->uid) || json_has_text(notes(p, ends[1]), p->items[i]->uid))
            continue;
        jobs_record_end(p, pod, end == ends[0]);
        if (end == ends[1] && jobs_policy_ignores(p, pod))
            continue;
        json_array_append_new(notes(p, end), json_string(p->items[i]->uid));
        noted++;
    }
    return noted;
}

static bool still_tracked(const struct job_pass *p, const char *uid)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->items[i]->uid, uid) == 0)
            return controllers_has_finalizer(p->items[i]->json, JOB_TRACKING);
    return false;
}

static void turn_notes_into_numbers(struct job_pass *p)
{
    json_t *all = json_object_get(p->status, "uncountedTerminatedPods");

    for (size_t e = 0; e < 2; e++) {
        json_t *list = notes(p, ends[e]);
        size_t counted = 0;

        for (size_t i = json_array_size(list); i-- > 0;) {
            if (still_tracked(p, json_string_value(json_array_get(list, i))))
                continue;
            json_array_remove(list, i);
            counted++;
        }
        set_count(p->status, ends[e], (size_t)json_int(p->status, ends[e], 0) + counted, false);
        all = json_object_get(p->status, "uncountedTerminatedPods");
        if (json_array_size(list) == 0)
            json_object_del(all, ends[e]);
    }
}

bool jobs_count_ended(struct job_pass *p)
{
    bool done = true;

    if (note_ended(p) > 0) {
        if (!jobs_status_write(p))
            return false;
    }
    for (size_t i = 0; i < p->n; i++)
        if (end_of(p, p->items[i]->json) && controllers_has_finalizer(p->items[i]->json, JOB_TRACKING))
            done = jobs_pod_release(p->c, p->items[i]) && done;
    jobs_pods_read(p);
    turn_notes_into_numbers(p);
    return done;
}
