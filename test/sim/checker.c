/* checker: see checker.h. Sessions and Jobs are here, schedules in checker_schedule.c, why a session ended as it did in
 * checker_cause.c, who may write in checker_lead.c. */
#include "checker_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

struct checker *checker_new(struct env *env, uint64_t seed, void (*on_violation)(void *ctx), void *ctx)
{
    struct checker *c = mem_zalloc(sizeof(*c));

    c->env = env;
    c->calm_ns = UINT64_MAX;
    c->on_violation = on_violation;
    c->ctx = ctx;
    map_init(&c->sessions, seed);
    map_init(&c->by_uid, seed);
    map_init(&c->by_name, seed);
    map_init(&c->invokers, seed);
    map_init(&c->holders, seed);
    map_init(&c->excuses, seed);
    return c;
}

void checker_free(struct checker *c)
{
    size_t it = 0;
    struct str key;
    void *value;

    while (map_next(&c->sessions, &it, &key, &value))
        mem_free(value);
    it = 0;
    while (map_next(&c->invokers, &it, &key, &value))
        mem_free(value);
    map_done(&c->sessions);
    map_done(&c->by_uid);
    map_done(&c->by_name);
    map_done(&c->invokers);
    checker_target_done(c);
    checker_excuses_free(c);
    mem_free(c);
}

void checker_violation(struct checker *c, const char *fmt, ...)
{
    va_list ap;

    c->violations++;
    (void)fputs("VIOLATION: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    c->on_violation(c->ctx);
}

unsigned checker_violations(const struct checker *c)
{
    return c->violations;
}

void checker_user(struct checker *c, bool acts)
{
    c->user_acts = acts;
}

uint64_t checker_now_ns(const struct checker *c)
{
    return env_now_ns(c->env);
}

int64_t checker_now_s(const struct checker *c)
{
    return env_wall_ms(c->env) / 1000;
}

struct checked_session *checker_session(const struct checker *c, const char *owner_uid, const char *name)
{
    AUTO_FREE char *key = mem_printf("%s/%s", owner_uid, name);

    return map_get(&c->sessions, str_of(key));
}

bool checker_is_final(const char *phase)
{
    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 || strcmp(phase, "Skipped") == 0;
}

static void stop_running(struct checked_session *s)
{
    if (s->invoker && s->invoker->running == s)
        s->invoker->running = NULL;
}

/* Of an invoker's sessions that are there one less is open. */
static void close_session(struct checker *c, struct checked_session *s)
{
    if (!s->exists || !s->invoker || checker_is_final(s->phase))
        return;
    s->invoker->n_open--;
    s->invoker->closed_ns = checker_now_ns(c);
}

static void phase_changed(struct checker *c, struct checked_session *s, const json_t *o)
{
    const char *name = json_text(o, "metadata.name"), *phase = json_text(o, "status.phase");
    bool goes = json_text(o, "metadata.deletionTimestamp")[0]; /* what of it runs holds the target: checker_target */
    struct checked_invoker *i = s->invoker;

    if (goes)
        stop_running(s);
    if (strcmp(s->phase, phase) == 0)
        return;
    if (!checker_is_final(s->phase))
        checker_judge_end(c, s, o);
    if (checker_is_final(phase))
        close_session(c, s);
    if (checker_is_final(s->phase))
        checker_violation(c, "session %s went from %s to %s", name, s->phase, phase);
    if (strcmp(phase, "Running") != 0) {
        stop_running(s);
    } else if (i && !goes) {
        if (i->running && i->running != s)
            checker_violation(c, "session %s runs beside another one of %s", name, i->name);
        i->running = s;
    }
    c->totals.succeeded += strcmp(phase, "Succeeded") == 0;
    c->totals.failed += strcmp(phase, "Failed") == 0;
    c->totals.skipped += strcmp(phase, "Skipped") == 0;
    (void)snprintf(s->phase, sizeof(s->phase), "%s", phase);
}

/* Its backup is there: it has succeeded, or will say so, for its worker has. */
static void judge_good(struct checked_session *s, const json_t *o)
{
    bool good = strcmp(s->phase, "Succeeded") == 0 ||
                (strcmp(s->phase, "Running") == 0 &&
                 strcmp(json_text(o, "status.targets.0.stats.0.phase"), "Succeeded") == 0);

    if (s->invoker && good != s->good)
        s->invoker->n_good += good ? 1 : -1;
    s->good = good;
}

static void session_gone(struct checker *c, struct checked_session *s, const char *name)
{
    struct checked_invoker *i = s->invoker;

    stop_running(s);
    close_session(c, s);
    s->exists = false;
    s->by_user = s->by_user || c->user_acts;
    if (!s->good || !i)
        return;
    s->good = false;
    i->n_good--;
    if (i->exists && !i->n_good && !s->by_user && !c->user_acts)
        checker_violation(c, "session %s, the last of %s that succeeded, was removed", name, i->name);
}

static void index_session(struct checker *c, const json_t *o, struct checked_session *s)
{
    AUTO_FREE char *key = mem_printf("%s/%s", json_text(o, "metadata.namespace"), json_text(o, "metadata.name"));

    map_put(&c->by_uid, str_of(json_text(o, "metadata.uid")), s);
    map_put(&c->by_name, str_of(key), s);
}

static struct checked_session *session_made(struct checker *c, const json_t *o, const char *uid, const char *name)
{
    struct checked_session *s = checker_session(c, uid, name);

    if (s && !s->by_user) {
        checker_violation(c, "session %s was made a second time", name);
        return s;
    }
    if (!s) {
        AUTO_FREE char *key = mem_printf("%s/%s", uid, name);

        s = mem_zalloc(sizeof(*s));
        map_put(&c->sessions, str_of(key), s);
        c->totals.sessions++;
    }
    *s = (struct checked_session){.invoker = checker_invoker(c, uid), .made_ns = checker_now_ns(c), .exists = true};
    s->is_retry = json_meta(o, "annotations", CHECKED_RETRY)[0];
    if (s->invoker)
        s->invoker->n_open++;
    index_session(c, o, s);
    checker_session_is_due(c, s->invoker, o);
    return s;
}

static void session_changed(struct checker *c, const char *type, const json_t *o)
{
    const char *name = json_text(o, "metadata.name"), *uid = json_text(o, "metadata.ownerReferences.0.uid");
    struct checked_session *s;

    if (strcmp(type, "ADDED") == 0)
        s = session_made(c, o, uid, name);
    else
        s = checker_session(c, uid, name);
    if (!s)
        return;
    if (strcmp(type, "DELETED") == 0) {
        session_gone(c, s, name);
        return;
    }
    if (json_text(o, "metadata.deletionTimestamp")[0] && c->user_acts)
        s->by_user = true;
    phase_changed(c, s, o);
    judge_good(s, o);
}

/* A Job that somebody else deleted may be made again under its name. */
static void job_changed(struct checker *c, const char *type, const json_t *o)
{
    const char *name = json_text(o, "metadata.ownerReferences.0.name");
    struct checked_session *s;

    if (strcmp(json_text(o, "metadata.ownerReferences.0.kind"), "BackupSession") != 0)
        return;
    c->totals.jobs += strcmp(type, "ADDED") == 0;
    s = map_get(&c->by_uid, str_of(json_text(o, "metadata.ownerReferences.0.uid")));
    if (!s)
        return;
    checker_job_of(s, type, o);
    if (strcmp(type, "DELETED") == 0) {
        s->jobs--;
        s->job_taken = s->job_taken || c->user_acts;
        return;
    }
    if (strcmp(type, "ADDED") != 0)
        return;
    if (++s->jobs > 1 || (++s->jobs_ever > 1 && !s->job_taken))
        checker_violation(c, "session %s got a second Job: %s", name, json_text(o, "metadata.name"));
    if (checker_is_final(s->phase))
        checker_violation(c, "session %s got a Job after it was %s", name, s->phase);
}

void checker_changed(void *checker, const char *type, const json_t *object)
{
    const char *kind = json_text(object, "kind");

    if (strcmp(kind, "BackupSession") == 0)
        session_changed(checker, type, object);
    else if (strcmp(kind, "Job") == 0)
        job_changed(checker, type, object);
    else if (strcmp(kind, "BackupConfiguration") == 0)
        checker_invoker_changed(checker, type, object);
    else if (strcmp(kind, "Pod") == 0)
        checker_pod_changed(checker, type, object);
    else if (strcmp(kind, "Lease") == 0)
        checker_lease_changed(checker, object);
    if (strcmp(kind, "Job") == 0 || strcmp(kind, "Pod") == 0)
        checker_target_changed(checker, type, object);
}

struct checker_totals checker_totals(const struct checker *c)
{
    struct checker_totals t = c->totals;
    size_t it = 0;
    struct str key;
    void *value;

    while (map_next(&c->sessions, &it, &key, &value)) {
        const struct checked_session *s = value;

        t.open += s->exists && !checker_is_final(s->phase);
    }
    return t;
}
