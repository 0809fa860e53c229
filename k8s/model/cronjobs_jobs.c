/* cronjobs_jobs: the Jobs that a CronJob made: which there are, what became of them, and which are too many. */
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/cronjobs.h"

/* ---- which there are ---- */

static void read_job(void *ctx, const char *key)
{
    struct cronjob_pass *p = ctx;
    struct table *t;
    struct stored *o = owners_find(p->c->m->store, key, &t);
    const json_t *refs = o ? json_at(o->json, "metadata.ownerReferences") : NULL, *ref;
    size_t i;

    if (!o || t != p->jobs->table || strcmp(o->ns, p->ns) != 0)
        return;
    json_array_foreach (refs, i, ref) {
        if (!json_flag(ref, "controller", false) || strcmp(json_text(ref, "uid"), p->uid) != 0)
            continue;
        p->items = mem_realloc(p->items, (p->n + 1) * sizeof(struct stored *));
        p->items[p->n++] = stored_ref(o);
        return;
    }
}

void cronjobs_jobs_free(struct cronjob_pass *p)
{
    for (size_t i = 0; i < p->n; i++)
        stored_unref(p->items[i]);
    mem_free(p->items);
    p->items = NULL;
    p->n = 0;
}

void cronjobs_jobs_read(struct cronjob_pass *p)
{
    cronjobs_jobs_free(p);
    owners_each(&p->c->owners, p->uid, read_job, p);
}

const char *cronjobs_job_end(const json_t *job)
{
    static const char *const ends[] = {"Complete", "Failed"};
    const json_t *list = json_at(job, "status.conditions"), *one;
    size_t i;

    json_array_foreach (list, i, one)
        for (size_t e = 0; e < 2; e++)
            if (strcmp(json_text(one, "type"), ends[e]) == 0 && strcmp(json_text(one, "status"), "True") == 0)
                return ends[e];
    return NULL;
}

/* ---- status.active ---- */

static size_t find_active(const struct cronjob_pass *p, const char *key, const char *value)
{
    const json_t *list = json_object_get(p->status, "active"), *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (strcmp(json_text(one, key), value) == 0)
            return i;
    return SIZE_MAX;
}

bool cronjobs_is_active(const struct cronjob_pass *p, const char *key, const char *value)
{
    return find_active(p, key, value) != SIZE_MAX;
}

void cronjobs_add_active(struct cronjob_pass *p, const json_t *job)
{
    json_t *list = json_object_get(p->status, "active");

    if (!list) {
        list = json_array();
        json_object_set_new(p->status, "active", list);
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kind", "Job", "namespace", p->ns, "name",
                                          json_text(job, "metadata.name"), "uid", json_text(job, "metadata.uid"),
                                          "apiVersion", "batch/v1", "resourceVersion",
                                          json_text(job, "metadata.resourceVersion")));
}

static void drop_active(struct cronjob_pass *p, size_t at)
{
    json_t *list = json_object_get(p->status, "active");

    json_array_remove(list, at);
    if (json_array_size(list) == 0)
        json_object_del(p->status, "active");
}

bool cronjobs_job_delete(struct cronjob_pass *p, const struct stored *job)
{
    int status = controllers_delete(p->c, p->jobs, job, "Background");
    size_t at;

    if (status >= 300 && status != 404) {
        cronjobs_tell(p, "Warning", "FailedDelete", "Deleted job: the API server answered %d", status);
        return false;
    }
    at = find_active(p, "uid", job->uid);
    if (at != SIZE_MAX)
        drop_active(p, at);
    cronjobs_tell(p, "Normal", "SuccessfulDelete", "Deleted job %s", job->name);
    return true;
}

/* ---- history ---- */

/* By start; those that never started last; equal ones by name. */
static int older_first(const void *a, const void *b)
{
    const struct stored *const *x = a, *const *y = b;
    const char *at_x = json_text((*x)->json, "status.startTime"), *at_y = json_text((*y)->json, "status.startTime");

    if (!*at_x != !*at_y)
        return *at_x ? -1 : 1;
    return strcmp(at_x, at_y) ? strcmp(at_x, at_y) : strcmp((*x)->name, (*y)->name);
}

static void remove_oldest(struct cronjob_pass *p, const char *end, int64_t limit)
{
    int64_t over = -limit;

    if (limit < 0)
        return;
    for (size_t i = 0; i < p->n; i++)
        over += str_same(cronjobs_job_end(p->items[i]->json), end);
    for (size_t i = 0; i < p->n && over > 0; i++) {
        if (!str_same(cronjobs_job_end(p->items[i]->json), end))
            continue;
        over--;
        (void)cronjobs_job_delete(p, p->items[i]); /* a refused one is told by its event and tried at the next look */
    }
}

void cronjobs_clean_up(struct cronjob_pass *p)
{
    if (p->n > 1)
        qsort(p->items, p->n, sizeof(struct stored *), older_first);
    remove_oldest(p, "Complete", json_int(p->spec, "successfulJobsHistoryLimit", -1));
    remove_oldest(p, "Failed", json_int(p->spec, "failedJobsHistoryLimit", -1));
}

/* ---- what became of them ---- */

static void note_success(struct cronjob_pass *p, const json_t *job)
{
    const char *ended = json_text(job, "status.completionTime"), *last = json_text(p->status, "lastSuccessfulTime");

    if (*ended && controllers_time_ms(ended) > (*last ? controllers_time_ms(last) : -1))
        json_object_set_new(p->status, "lastSuccessfulTime", json_string(ended));
}

static void follow_one(struct cronjob_pass *p, const struct stored *job)
{
    const char *end = cronjobs_job_end(job->json);
    size_t at = find_active(p, "uid", job->uid);

    if (!end) {
        if (at == SIZE_MAX)
            cronjobs_tell(p, "Warning", "UnexpectedJob", "Saw a job that the controller did not create or forgot: %s",
                          job->name);
        return;
    }
    if (at != SIZE_MAX) {
        drop_active(p, at);
        cronjobs_tell(p, "Normal", "SawCompletedJob", "Saw completed job: %s, condition: %s", job->name, end);
    }
    if (end[0] == 'C')
        note_success(p, job->json);
}

static void forget_missing(struct cronjob_pass *p)
{
    json_t *list = json_object_get(p->status, "active");

    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *name = json_text(json_array_get(list, i), "name");

        if (store_get(p->jobs->table, p->ns, name))
            continue;
        cronjobs_tell(p, "Normal", "MissingJob", "Active job went missing: %s", name);
        drop_active(p, i);
    }
}

void cronjobs_follow(struct cronjob_pass *p)
{
    for (size_t i = 0; i < p->n; i++)
        follow_one(p, p->items[i]);
    forget_missing(p);
}
