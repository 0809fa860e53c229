/*
 * repository_secret: is the storage Secret there? The operator may not read it (multitenancy.md 2.3), so a small Job
 * that mounts it answers, and its verdict is condition StorageSecretVerified. The story, all in status and Jobs, so
 * that a restart goes on where it was:
 *
 *   no verdict of this generation -> condition Unknown, Job stash-probe-<repo>
 *   Job done -> True, or False naming what is missing; a failed Job stays as the note of when the last try was
 *   still False -> the Job is deleted and made again after 15 s … 5 min
 *   no verdict 2 min after it was due -> True, "not verified: <cause>": a probe never stops a backup, and the first
 *     backup is what verifies it
 *   a backup of the Repository's own namespace, made since the verdict, failed for want of the Secret -> False in the
 *     worker's words, and probed again
 */
#include "controllers/condition.h"
#include "controllers/repository_view.h"
#include "core/base/buf.h"
#include "core/base/json.h"

enum { PROBE_LIMIT_S = 120 };

/* ---- what workers say ---- */

struct failed {
    const struct kobj *newest; /* session that failed after `since_s` */
    const struct world *w;
    const struct repository_view *v;
    int64_t since_s;
};

static bool take_failed(void *ctx, const struct kobj *session)
{
    struct failed *f = ctx;

    if (strcmp(kobj_text(session, "status.phase"), "Failed") == 0 && session->created_s > f->since_s &&
        (!f->newest || session->created_s > f->newest->created_s))
        f->newest = session;
    return true;
}

/* Of the Repository's own namespace only: elsewhere somebody whom it does not concern may make a session say what he
 * likes, and a verdict stops all who use the Repository. */
static bool look_at_invoker(void *ctx, const struct kobj *invoker)
{
    struct failed *f = ctx;
    const char *ns = kobj_text(invoker, "spec.repository.namespace");
    struct buf key;

    if (!str_same(invoker->ns, f->v->self->ns) || (ns[0] && !str_same(ns, f->v->self->ns)))
        return true;
    buf_init(&key, 1024);
    buf_printf(&key, "%s/%s", invoker->ns, invoker->name);
    cache_each_by(world_cache(f->w), kind_get(KIND_BACKUPSESSION), "spec.invoker.name", key.data, take_failed, f);
    buf_done(&key);
    return true;
}

/* The newest backup that failed since the verdict, if its worker missed our Secret. */
static const char *worker_text(struct world *w, const struct repository_view *v)
{
    struct failed f = {NULL, w, v, v->now_s - v->verdict_age_s};
    const char *name = arena_printf(world_arena(w), "Secret %s/%s", v->self->ns, v->secret);
    const json_t *doc, *target, *host;
    size_t i, j;

    cache_each_ref(world_cache(w), kind_get(KIND_BACKUPCONFIGURATION), "spec.repository.name", v->self->ns,
                   v->self->name, look_at_invoker, &f);
    doc = f.newest ? world_doc(w, f.newest->kind, f.newest->ns, f.newest->name) : NULL;
    json_array_foreach (json_at(doc, "status.targets"), i, target) {
        json_array_foreach (json_at(target, "stats"), j, host) {
            const char *error = json_text(host, "error");

            if (strstr(error, name) && strstr(error, "not found"))
                return error;
        }
    }
    return NULL;
}

static bool is_guess(const char *message)
{
    return strncmp(message, "not verified: ", 14) == 0;
}

void repository_secret_look(struct world *w, struct repository_view *v)
{
    const json_t *c;
    size_t i;

    v->secret = json_text(v->doc, "spec.backend.storageSecretName");
    v->verdict = "";
    json_array_foreach ((json_t *)v->conditions, i, c) {
        if (strcmp(json_text(c, "type"), "StorageSecretVerified") == 0 &&
            json_int(c, "observedGeneration", -1) == v->self->generation)
            v->verdict = json_text(c, "status");
    }
    v->verdict_age_s = v->now_s - condition_since(v->conditions, "StorageSecretVerified");
    v->verified = strcmp(v->verdict, "True") == 0 &&
                  !is_guess(condition_message(v->conditions, "StorageSecretVerified"));
    if (strcmp(v->verdict, "True") == 0)
        v->worker_missed = worker_text(w, v);
}

static void write_secret(const struct repository_view *v, struct world *w, struct plan *p, const char *status,
                         const char *message)
{
    const char *reason = strcmp(status, "True") == 0    ? "BackendSecretAvailable"
                         : strcmp(status, "False") == 0 ? "BackendSecretNotAvailable"
                                                        : "UnableToCheckBackendSecretAvailability";

    repository_write_status(v, w, p, "StorageSecretVerified", status, reason, message);
}

/* ---- rows ---- */

bool repository_secret_none_named(const void *view)
{
    const struct repository_view *v = view;

    return v->secret[0] == '\0';
}

void repository_secret_report_none(const void *view, struct world *w, struct plan *p)
{
    write_secret(view, w, p, "False", "spec.backend.storageSecretName is not set");
}

bool repository_secret_missed_by_worker(const void *view)
{
    const struct repository_view *v = view;

    return v->worker_missed != NULL;
}

void repository_secret_report_worker(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    write_secret(v, w, p, "False", v->worker_missed);
    repository_drop_job(v, p); /* of an earlier verdict: a new one will be made */
}

bool repository_secret_verified(const void *view)
{
    const struct repository_view *v = view;

    return v->verified;
}

/* Nothing to decide; references and the observed generation are kept up. The probe's Job has said what it had to. */
void repository_secret_keep_up(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    repository_write_status(v, w, p, NULL, NULL, NULL, NULL);
    repository_maintain_wake(v, p);
    if (v->job.finished)
        repository_drop_job(v, p);
}

/* A verdict newer than the one that the condition holds. */
bool repository_secret_probed_yes(const void *view)
{
    const struct repository_view *v = view;

    return v->job.succeeded && v->job.generation == v->self->generation;
}

void repository_secret_report_found(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    write_secret(v, w, p, "True", arena_printf(world_arena(w), "Secret %s/%s is there", v->self->ns, v->secret));
    repository_drop_job(v, p);
}

bool repository_secret_probed_no(const void *view)
{
    const struct repository_view *v = view;

    return v->job.failed && v->job.generation == v->self->generation && v->job.exit_code == REPOSITORY_PROBE_MISSING;
}

/* While it stays away: 15 s, then as long as it has been missing, up to 5 min. */
static int64_t next_probe_s(const struct repository_view *v)
{
    int64_t missing_s = v->job.finished_s - condition_since(v->conditions, "StorageSecretVerified");
    int64_t delay = strcmp(v->verdict, "False") != 0 || missing_s < 15 ? 15 : missing_s > 300 ? 300 : missing_s;

    return v->job.finished_s + delay;
}

void repository_secret_report_missing(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;
    int64_t next = next_probe_s(v);

    write_secret(v, w, p, "False",
                 v->job.message[0] ? v->job.message
                                   : arena_printf(world_arena(w), "Secret %s/%s not found", v->self->ns, v->secret));
    if (v->now_s < next)
        plan_wake_at(p, next);
    else /* its deletion wakes us, and then it is made again */
        repository_drop_job(v, p);
}

/* A backup has used it, before this operator ever looked (migrated installations probe nothing) or while no probe could
 * answer. Its time tells nothing: it is the session's creation, and that one may have waited for the verdict. */
bool repository_secret_was_used(const void *view)
{
    const struct repository_view *v = view;

    return !v->verified && strcmp(v->verdict, "False") != 0 &&
           json_text(v->doc, "status.lastBackupTime")[0] != '\0';
}

void repository_secret_report_used(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    write_secret(v, w, p, "True",
                 arena_printf(world_arena(w), "Secret %s/%s was used by the backup of %s", v->self->ns, v->secret,
                              json_text(v->doc, "status.lastBackupTime")));
}

bool repository_secret_probed_before(const void *view)
{
    const struct repository_view *v = view;

    return v->job.record && v->job.generation != v->self->generation;
}

void repository_secret_drop_probe(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    (void)w;
    repository_drop_job(v, p);
}

static bool verdict_unknown(const struct repository_view *v)
{
    return v->verdict[0] == '\0' || strcmp(v->verdict, "Unknown") == 0;
}

bool repository_secret_overdue(const void *view)
{
    const struct repository_view *v = view;
    bool waits = strcmp(v->verdict, "Unknown") == 0 && v->verdict_age_s >= PROBE_LIMIT_S;

    return waits || (verdict_unknown(v) && v->job.failed);
}

static const char *probe_trouble(const struct repository_view *v)
{
    if (v->refusal)
        return v->refusal->message;
    if (v->job.failed)
        return v->job.message[0] ? v->job.message : "the probe Job failed";
    return v->job.record ? "the probe Job has not finished" : "the probe Job could not be made";
}

void repository_secret_assume(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    write_secret(v, w, p, "True", arena_printf(world_arena(w), "not verified: %.400s", probe_trouble(v)));
}

bool repository_secret_guessed(const void *view)
{
    const struct repository_view *v = view;

    return strcmp(v->verdict, "True") == 0;
}

/* An edit asks anew, but what was found before the edit counts until the answer comes: no backup stops for it. */
static bool found_before_edit(const struct repository_view *v)
{
    return v->verdict[0] == '\0' && condition_is(v->conditions, "StorageSecretVerified", "True");
}

void repository_secret_probe(const void *view, struct world *w, struct plan *p)
{
    const struct repository_view *v = view;

    if (verdict_unknown(v) && !found_before_edit(v)) {
        write_secret(v, w, p, "Unknown", arena_printf(world_arena(w), "Secret %s/%s is being looked for", v->self->ns,
                                                      v->secret));
        plan_wake_at(p, v->now_s + PROBE_LIMIT_S - (v->verdict[0] ? v->verdict_age_s : 0));
    } else {
        repository_write_status(v, w, p, NULL, NULL, NULL, NULL);
    }
    if (v->refusal && v->now_s < v->refusal->retry_s)
        plan_wake_at(p, v->refusal->retry_s);
    else if (!v->job.record)
        plan_create(p, kind_get(KIND_JOB), v->self->ns, repository_probe_job(w, v->self, v->doc));
}
