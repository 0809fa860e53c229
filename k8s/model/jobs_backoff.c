/*
 * jobs_backoff: how long a Job waits before it replaces a failed pod: 10 s after the first failure in a row, doubled
 * with each further one, at most 10 minutes, counted from the last failure. A pod that the API server refuses is tried
 * again after 1 s, doubled up to a minute.
 */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/jobs.h"

enum {
    BACKOFF_FIRST_MS = 10 * 1000,
    BACKOFF_MAX_MS = 10 * 60 * 1000,
    REFUSED_FIRST_MS = 1000,
    REFUSED_MAX_MS = 60 * 1000,
};

static int64_t latest_finish(const json_t *statuses, int64_t latest)
{
    const json_t *one;
    size_t i;

    json_array_foreach (statuses, i, one) {
        int64_t at = controllers_time_ms(json_text(one, "state.terminated.finishedAt"));

        latest = at > latest ? at : latest;
    }
    return latest;
}

static int64_t finished_ms(const struct job_pass *p, const json_t *pod)
{
    int64_t at = latest_finish(json_at(pod, "status.containerStatuses"), -1);

    return at >= 0 ? at : p->now_ms;
}

void jobs_record_end(struct job_pass *p, const json_t *pod, bool succeeded)
{
    int64_t at = finished_ms(p, pod);

    if (succeeded) {
        p->record->failures = 0;
        return;
    }
    p->record->failures++;
    p->record->last_failure_ms = at > p->record->last_failure_ms ? at : p->record->last_failure_ms;
}

struct job_record *jobs_record(struct job_pass *p)
{
    struct job_record *r = map_get(&p->c->job_records, str_of(p->uid));

    if (r)
        return r;
    r = p->record = mem_zalloc(sizeof(*r));
    map_put(&p->c->job_records, str_of(p->uid), r);
    for (size_t i = 0; i < p->n; i++) {
        const char *phase = json_text(p->items[i]->json, "status.phase");
        bool counted = !controllers_has_finalizer(p->items[i]->json, JOB_TRACKING);

        if (counted && (strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0))
            jobs_record_end(p, p->items[i]->json, phase[0] == 'S');
    }
    return r;
}

void jobs_record_drop(struct model_controllers *c, const char *uid)
{
    mem_free(map_del(&c->job_records, str_of(uid)));
}

void jobs_done(struct model_controllers *c)
{
    struct str uid;
    void *record;

    for (size_t it = 0; map_next(&c->job_records, &it, &uid, &record);)
        mem_free(record);
    map_done(&c->job_records);
}

void jobs_record_refusal(struct job_pass *p)
{
    int64_t wait = (int64_t)REFUSED_FIRST_MS << p->record->refusals;

    if (wait < REFUSED_MAX_MS)
        p->record->refusals++;
    p->record->refused_until_ms = p->now_ms + (wait < REFUSED_MAX_MS ? wait : REFUSED_MAX_MS);
}

uint64_t jobs_backoff_ms(const struct job_pass *p)
{
    int64_t wait = BACKOFF_FIRST_MS, until = p->record->refused_until_ms;
    unsigned n = p->record->failures;

    if (n > 0) {
        while (--n > 0 && wait < BACKOFF_MAX_MS)
            wait *= 2;
        wait = p->record->last_failure_ms + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
        until = wait > until ? wait : until;
    }
    return until > p->now_ms ? (uint64_t)(until - p->now_ms) : 0;
}
