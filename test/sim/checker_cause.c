/*
 * checker_cause: why a session may fail or be skipped. What the operator knows, and may be wrong about, is not asked:
 * only what became of the Job and its pods, the clock, the invoker and its other sessions. Where users or the world
 * have broken something that a session needs, its namespace is excused for a while.
 */
#include "checker_parts.h"

#include <string.h>

#include "core/base/mem.h"

enum { START_S = 900, RUN_S = 3600 }; /* replica.c's settings */
#define LATE_NS (CHECKED_LATE_S * 1000000000ull)

/* ---- excuses ---- */

void checker_excuse(struct checker *c, const char *ns, uint64_t until_ns)
{
    struct str key = str_of(ns ? ns : "");
    uint64_t *have = map_get(&c->excuses, key);

    if (!have) {
        have = mem_zalloc(sizeof(*have));
        map_put(&c->excuses, key, have);
    }
    if (until_ns > *have)
        *have = until_ns;
}

void checker_excuses_free(struct checker *c)
{
    size_t it = 0;
    struct str key;
    void *value;

    while (map_next(&c->excuses, &it, &key, &value))
        mem_free(value);
    map_done(&c->excuses);
}

/* Something was broken while the session lived. */
static bool is_excused(const struct checker *c, const struct checked_session *s, const char *ns)
{
    const uint64_t *here = map_get(&c->excuses, str_of(ns)), *all = map_get(&c->excuses, str_of(""));

    return (here && s->made_ns <= *here) || (all && s->made_ns <= *all);
}

void checker_calm(struct checker *c, bool calm)
{
    c->calm_ns = calm ? checker_now_ns(c) : UINT64_MAX;
}

/* ---- workers ---- */

static bool is_going(const char *type, const json_t *o)
{
    return strcmp(type, "DELETED") == 0 || json_text(o, "metadata.deletionTimestamp")[0];
}

void checker_job_of(struct checked_session *s, const char *type, const json_t *job)
{
    const json_t *condition;
    size_t i;

    s->worker_over = s->worker_over || is_going(type, job);
    json_array_foreach (json_at(job, "status.conditions"), i, condition)
        s->worker_over = s->worker_over || strcmp(json_text(condition, "status"), "True") == 0;
}

void checker_pod_changed(struct checker *c, const char *type, const json_t *pod)
{
    AUTO_FREE char *key = mem_printf("%s/%s", json_text(pod, "metadata.namespace"),
                                     json_meta(pod, "labels", "stash.appscode.com/session"));
    struct checked_session *s = map_get(&c->by_name, str_of(key));
    const char *phase = json_text(pod, "status.phase");

    if (!s)
        return;
    s->pod_runs = s->pod_runs || strcmp(phase, "Running") == 0;
    s->worker_over = s->worker_over || is_going(type, pod) || strcmp(phase, "Failed") == 0 ||
                     strcmp(phase, "Succeeded") == 0;
}

static bool has_bad_host(const json_t *session)
{
    const json_t *target, *host;
    size_t i, k;

    json_array_foreach (json_at(session, "status.targets"), i, target)
        json_array_foreach (json_object_get(target, "stats"), k, host)
            if (strcmp(json_text(host, "phase"), "Failed") == 0)
                return true;
    return false;
}

/* ---- the end ---- */

static bool is_over(const struct checker *c, const struct checked_session *s, const json_t *session)
{
    int64_t now_s = checker_now_s(c) + CHECKED_AHEAD_S, age_s, deadline_s;

    age_s = (int64_t)((checker_now_ns(c) - s->made_ns) / 1000000000) + CHECKED_AHEAD_S;
    if (str_parse_time(str_of(json_text(session, "status.sessionDeadline")), &deadline_s) == 0 && now_s >= deadline_s)
        return true;
    return age_s >= RUN_S || (!s->pod_runs && age_s >= START_S);
}

static bool may_fail(const struct checker *c, const struct checked_session *s, const json_t *session)
{
    return s->worker_over || has_bad_host(session) || is_over(c, s, session);
}

static bool may_be_skipped(const struct checker *c, const struct checked_session *s)
{
    const struct checked_invoker *i = s->invoker;

    return !i || i->off_ns || i->n_open > 1 || checker_now_ns(c) < i->steady_ns + LATE_NS ||
           (i->closed_ns && checker_now_ns(c) < i->closed_ns + LATE_NS);
}

void checker_judge_end(struct checker *c, const struct checked_session *s, const json_t *session)
{
    const char *phase = json_text(session, "status.phase"), *name = json_text(session, "metadata.name");

    if (is_excused(c, s, json_text(session, "metadata.namespace")))
        return;
    if (strcmp(phase, "Failed") == 0 && !may_fail(c, s, session))
        checker_violation(c, "session %s failed though nothing of it has", name);
    if (strcmp(phase, "Skipped") == 0 && !may_be_skipped(c, s))
        checker_violation(c, "session %s was skipped though nothing stood in its way", name);
}
