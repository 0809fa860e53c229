/*
 * session: see session.h. The operator writes a target's actions into the status before it creates the Job, but what we
 * read may be older than that: so the actions are read again with each look at the session.
 */
#include "controllers/job/session.h"

#include <stdio.h>

#include "controllers/job/claim.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum { POLL_MS = 5000 };

#define INITIALIZED "BackendRepositoryInitialized"
#define ACTION "InitializeBackendRepository"

static json_t *find_condition(const json_t *session, const char *type)
{
    json_t *c;
    size_t i;

    json_array_foreach (json_at(session, "status.conditions"), i, c)
        if (str_same(json_text(c, "type"), type))
            return c;
    return NULL;
}

/* Does our target have to make the repository? An action that we do not know is an error: skipping it would be
 * silent. */
static int has_action(const struct session *s, const json_t *session, bool *ret, struct error *e)
{
    const json_t *entry = status_patch_find_entry(json_at(session, "status.targets"), &s->target, s->ns);
    const json_t *actions = json_object_get(entry, "preBackupActions"), *a;
    size_t i;

    *ret = false;
    json_array_foreach (actions, i, a) {
        if (!str_is(json_str(a), ACTION))
            return error_set(e, ERR_INVALID, "unknown pre-backup action '%.64s'",
                             json_is_string(a) ? json_string_value(a) : "");
        *ret = true;
    }
    return 0;
}

struct outcome {
    struct session *s;
    int rc;
    bool created;
    const struct error *why;
};

static json_t *make_condition(struct session *s, const struct outcome *o)
{
    char now[32], text[LIMIT_MESSAGE + 1];
    int64_t now_s = env_wall_ms(s->job->env) / 1000;

    (void)snprintf(text, sizeof(text), "%s",
                   o->rc < 0 ? o->why->msg : o->created ? "Repository was created." : "Repository exists.");
    redact_message(&s->job->redact, text, sizeof(text));
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", INITIALIZED, "status", o->rc < 0 ? "False" : "True", "reason",
                     o->rc < 0 ? "FailedToInitializeBackendRepository" : "BackendRepositoryFound", "message", text,
                     "lastTransitionTime", str_format_time(now_s, now));
}

static json_t *add_condition(void *ctx, const json_t *session, struct error *e)
{
    struct outcome *o = ctx;
    json_t *list;

    (void)e;
    if (find_condition(session, INITIALIZED))
        return NULL; /* a second worker of this target was faster */
    list = json_is_array(json_at(session, "status.conditions")) ? json_copy(json_at(session, "status.conditions"))
                                                                : json_array();
    json_array_append_new(list, make_condition(o->s, o));
    return json_pack("{s:{s:o}}", "status", "conditions", list);
}

static int initialise(struct session *s, struct repo *repo, struct error *e)
{
    struct outcome o = {.s = s, .why = e};
    struct error patch;
    int rc;

    o.rc = claim_ensure(s, repo, &o.created, e);
    if (o.rc == ERR_CANCELED)
        return o.rc;
    rc = apiserver_patch(s->api, kind_get(KIND_BACKUPSESSION), s->ns, s->name, "status", add_condition, &o, NULL,
                         &patch);
    if (o.rc < 0)
        return o.rc;
    if (rc < 0) {
        *e = patch;
        return error_wrap(e, rc, "condition " INITIALIZED);
    }
    log_info(&s->job->log, o.created ? "repository created" : "repository found");
    return 0;
}

static void take_invoker(struct session *s, const json_t *session)
{
    if (s->invoker_kind)
        return;
    s->invoker_kind = mem_strdup(json_text(session, "spec.invoker.kind"));
    s->invoker_name = mem_strdup(json_text(session, "spec.invoker.name"));
}

/* One look. *ret_done: the repository is there. */
static int look(struct session *s, struct repo *repo, bool *ret_done, struct error *e)
{
    json_t *session = NULL;
    const json_t *condition;
    bool ours = false;
    int rc = apiserver_get(s->api, kind_get(KIND_BACKUPSESSION), s->ns, s->name, &session, e);

    if (rc < 0)
        return error_wrap(e, rc, "BackupSession %s/%s", s->ns, s->name);
    take_invoker(s, session);
    condition = find_condition(session, INITIALIZED);
    if (condition && str_same(json_text(condition, "status"), "True"))
        *ret_done = true;
    else if (condition)
        rc = error_set(e, ERR_INVALID, "the repository could not be initialised: %s", json_text(condition, "message"));
    else if ((rc = has_action(s, session, &ours, e)) == 0 && ours)
        *ret_done = (rc = initialise(s, repo, e)) == 0;
    json_decref(session);
    return rc;
}

int session_prepare(struct session *s, struct repo *repo, struct error *e)
{
    uint64_t end = env_now_ns(s->job->env) + s->wait_s * 1000000000u;
    bool done = false;
    int rc;

    for (;;) {
        if ((rc = look(s, repo, &done, e)) < 0 || done)
            return rc;
        if (env_now_ns(s->job->env) >= end)
            return error_set(e, ERR_TIMEOUT, "nobody initialised the repository within %llu s",
                             (unsigned long long)s->wait_s);
        if ((rc = job_sleep(s->job, POLL_MS, e)) < 0)
            return rc;
    }
}

void session_done(struct session *s)
{
    mem_free(s->invoker_kind);
    mem_free(s->invoker_name);
    s->invoker_kind = s->invoker_name = NULL;
}

/* ---- progress ---- */

struct telling {
    const struct session *s;
    const struct pipeline_progress *now;
};

static json_t *put_progress(void *ctx, const json_t *session, struct error *e)
{
    const struct telling *t = ctx;
    json_t *targets = json_deep_copy(json_at(session, "status.targets")), *entry, *progress;

    (void)e;
    entry = status_patch_find_entry(targets, &t->s->target, t->s->ns);
    if (!entry) {
        json_decref(targets);
        return NULL;
    }
    progress = json_pack("{s:I, s:I}", "bytes", (json_int_t)t->now->bytes, "bytesPerSecond",
                         (json_int_t)t->now->bytes_per_second);
    if (t->now->percent >= 0)
        json_object_set_new(progress, "percent", json_integer(t->now->percent));
    json_object_set_new(entry, "progress", progress);
    return json_pack("{s:{s:o}}", "status", "targets", targets);
}

void session_progress(struct session *s, const struct pipeline_progress *now)
{
    struct telling t = {s, now};
    struct error e;

    if (apiserver_patch(s->api, kind_get(KIND_BACKUPSESSION), s->ns, s->name, "status", put_progress, &t, NULL, &e) < 0)
        log_warn(&s->job->log, "progress could not be told", F_ERR(&e));
}

/* ---- holders of locks ---- */

void session_tell_lock(struct apiserver *api, const json_t *object, const char *host)
{
    const char *ns = apiserver_namespace(api);
    struct error e;
    json_t *pod = NULL;
    int rc = apiserver_get(api, kind_get(KIND_POD), ns, host, &pod, &e);
    AUTO_FREE char *text =
        rc == 0 ? mem_printf("waits for the repository, which pod %s/%s works in", ns, host)
                : mem_printf("waits for the repository, which %s works in: no pod of namespace %s, but of another one, "
                             "of another cluster, or no pod at all", host, ns);

    json_decref(pod);
    apiserver_event(api, object, "Stash Worker", "Normal", "Repository Locked", text);
}

void session_waits(void *ctx, const char *host)
{
    struct session *s = ctx;
    json_t *object = NULL;
    struct error e;

    if (apiserver_get(s->api, kind_get(KIND_BACKUPSESSION), s->ns, s->name, &object, &e) == 0)
        session_tell_lock(s->api, object, host);
    json_decref(object);
}

bool session_pod_ended(struct apiserver *api, const char *host)
{
    json_t *pod = NULL;
    const char *phase;
    struct error e;
    bool ended;

    if (apiserver_get(api, kind_get(KIND_POD), apiserver_namespace(api), host, &pod, &e) < 0)
        return false;
    phase = json_text(pod, "status.phase");
    ended = str_same(phase, "Succeeded") || str_same(phase, "Failed");
    json_decref(pod);
    return ended;
}

bool session_holder_gone(void *ctx, const char *host)
{
    struct session *s = ctx;

    return session_pod_ended(s->api, host);
}
