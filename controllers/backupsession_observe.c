/* backupsession_observe: what a pass over a BackupSession looks at, phase by phase. It reads, it decides nothing. */
#include <stdlib.h>

#include "controllers/access.h"
#include "controllers/backupsession.h"
#include "controllers/condition.h"
#include "controllers/identity.h"
#include "controllers/repository.h"
#include "core/base/json.h"

static int64_t time_of(const json_t *doc, const char *path)
{
    int64_t s;

    return str_parse_time(str_of(json_text(doc, path)), &s) < 0 ? 0 : s;
}

/*
 * The target's entry in status.targets, in copies that the pass may change. What the session has started with stays its
 * target, whatever becomes of the invoker; until then an edited one counts.
 */
static void take_status(struct world *w, struct backupsession_view *v, bool has_started)
{
    const json_t *targets = json_at(v->doc, "status.targets");
    json_t *it;
    size_t i;

    v->conditions = arena_json(world_arena(w), condition_copy(v->doc));
    v->targets = arena_json(world_arena(w), json_is_array(targets) ? json_clone(targets) : json_array());
    json_array_foreach (v->targets, i, it)
        if (target_ref_equal(&v->ref, json_at(it, "ref")))
            v->entry = it;
    if (!v->entry)
        v->entry = json_array_get(v->targets, 0);
    if (!v->entry) {
        v->entry = json_object();
        json_array_append_new(v->targets, v->entry);
    }
    if (!has_started || !json_at(v->entry, "ref"))
        json_object_set_new(v->entry, "ref", target_ref_json(&v->ref));
    v->deadline_s = time_of(v->doc, "status.sessionDeadline");
}

/* ---- before the start ---- */

/* No phase yet, or the Secret is still being looked for and nothing else is wrong. */
static bool is_undecided(const json_t *invoker)
{
    const char *phase = json_text(invoker, "status.phase");
    const json_t *c;
    size_t i;

    if (!*phase || strcmp(phase, "NotReady") != 0)
        return invoker && !*phase;
    json_array_foreach (json_at(invoker, "status.conditions"), i, c)
        if (strcmp(json_text(c, "status"), "False") == 0)
            return false;
    return condition_is(json_at(invoker, "status.conditions"), "BackendSecretFound", "Unknown");
}

static const char *why_skip(struct world *w, const struct backupsession_view *v)
{
    const char *kind = kobj_text(v->self, "spec.invoker.kind"), *name = kobj_text(v->self, "spec.invoker.name");
    const struct kobj *sibling;

    if (strcmp(kind, "BackupConfiguration") != 0)
        return arena_printf(world_arena(w),
                            "backup skipped because spec.invoker.kind is \"%s\", and this operator runs "
                            "BackupConfigurations only: make one of what it is to back up", kind);
    if (!v->invoker)
        return arena_printf(world_arena(w), "backup skipped because %s %s/%s is not there", kind, v->self->ns, name);
    if (strcmp(json_text(v->invoker, "status.phase"), "Ready") != 0)
        return arena_printf(world_arena(w), "backup skipped because %s %s/%s is not ready", kind, v->self->ns, name);
    sibling = backupsession_sibling(world_cache(w), v->self);
    if (sibling)
        return arena_printf(world_arena(w), "new backup skipped: previous BackupSession %s is %s", sibling->name,
                            *kobj_text(sibling, "status.phase") ? kobj_text(sibling, "status.phase") : "Pending");
    return NULL;
}

static const char *look_at_app(struct world *w, struct backupsession_view *v)
{
    const char *why;

    if (!target_is_app(&v->ref))
        return NULL;
    if (!access_may_get_app(w, v->self->ns, v->in.unit, v->ref.ns, v->ref.name, &why))
        return why; /* withdrawn since the invoker became ready */
    v->in.app = world_doc(w, kind_get(KIND_APPBINDING), v->ref.ns, v->ref.name);
    if (!v->in.app)
        return arena_printf(world_arena(w), "AppBinding %s/%s not found", v->ref.ns, v->ref.name);
    return NULL;
}

static const char *look_at_task(struct world *w, struct backupsession_view *v, const json_t **ret)
{
    struct effective_task task;
    struct error e;

    if (resolve_effective_task(v->in.direction, v->in.unit, v->in.app, world_arena(w), &task, &e) < 0)
        return arena_strdup(world_arena(w), e.msg);
    if (!*task.name)
        return "no Task given and the AppBinding names none";
    *ret = world_doc(w, kind_get(KIND_TASK), NULL, task.name);
    if (*ret)
        return NULL;
    v->catalog_until_s = world_catalog_until_s(w);
    return arena_printf(world_arena(w), "Task \"%s\" not found", task.name);
}

/* The Job as it will be made, or why it can't be. */
static void make_job(struct world *w, struct backupsession_view *v)
{
    struct jobspec_options o = {.name = v->job_name, .pod.account = ""};
    json_t *job;
    struct error e;
    int64_t timeout = v->in.settings->job_default_timeout_s;
    int rc;

    v->impossible = look_at_app(w, v);
    if (!v->impossible)
        v->impossible = look_at_task(w, v, &o.task);
    if (v->impossible)
        return;
    if (!v->deadline_s && timeout > 0)
        v->deadline_s = v->now_s + timeout;
    o.left_s = v->deadline_s ? v->deadline_s - v->now_s : 0;
    o.pod.interim_claim = jobspec_interim_name(&v->in, world_arena(w));
    rc = jobspec_make(w, &v->in, &o, &job, &e);
    if (rc < 0) {
        v->impossible = arena_strdup(world_arena(w), e.msg);
        v->catalog_until_s = rc == ERR_NOTFOUND ? world_catalog_until_s(w) : 0;
        return;
    }
    v->job = arena_json(world_arena(w), job);
    if (o.pod.interim_claim)
        v->interim = arena_json(world_arena(w), jobspec_interim_claim(&v->in, o.pod.interim_claim));
}

/* A refusal of anything that the start has to make. */
static const struct refusal *find_refusal(struct world *w, struct backupsession_view *v)
{
    const struct kobj *invoker = cache_find(world_cache(w), kind_get(KIND_BACKUPCONFIGURATION), v->self->ns,
                                            json_text(v->invoker, "metadata.name"));
    const char *own = invoker ? identity_own_name(w, invoker, 0) : "";
    const struct {
        enum kind_id kind;
        const char *name;
    } made[] = {
        {KIND_JOB, v->job_name},
        {KIND_PVC, json_text(v->interim, "metadata.name")},
        {KIND_SERVICEACCOUNT, "stash-backup"},
        {KIND_ROLEBINDING, "stash-backup"},
        {KIND_SERVICEACCOUNT, own},
        {KIND_ROLEBINDING, own},
    };

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        const struct refusal *r =
            outcome_refusal(w, v->self, kind_get(made[i].kind), made[i].name, &v->is_name_passing);

        if (r)
            return r;
    }
    return NULL;
}

bool backupsession_has_begun(const void *view)
{
    const struct backupsession_view *v = view;

    return v->outcome.state != OUTCOME_ABSENT || v->has_report;
}

static void look_before_start(struct world *w, struct backupsession_view *v)
{
    struct repository_state repository;

    if (backupsession_has_begun(v))
        return; /* a Job made before a crash: it has started */
    v->skip = why_skip(w, v);
    if (v->skip)
        return;
    repository_look(w, v->self->ns, json_at(v->invoker, "spec.repository"), &repository);
    v->in.repository = repository.doc;
    if (!repository.record) {
        v->skip = arena_printf(world_arena(w), "backup skipped because Repository %s/%s is not there", repository.ns,
                               repository.name);
        return;
    }
    if (!repository.allowed) {
        v->skip = repository.refusal; /* withdrawn since the invoker became ready; NULL: there is no document */
        return;
    }
    v->waits_for = backupsession_rival(w, v->self, &v->ref);
    if (v->waits_for)
        return;
    make_job(w, v);
    v->refusal = find_refusal(w, v);
}

/* Making a Job meets one that the cache does not show yet, for its name is taken; anything else has to know first. */
static bool is_about_to_start(const struct backupsession_view *v)
{
    return v->job && !v->refusal && !(v->deadline_s && v->now_s >= v->deadline_s);
}

static void take_pending(struct world *w, struct backupsession_view *v)
{
    const struct kobj *self = v->self;

    outcome_glance(w, self->ns, v->job_name, self->uid, &v->outcome);
    take_status(w, v, v->outcome.state != OUTCOME_ABSENT);
    v->has_report = json_array_size(json_at(v->entry, "stats")) > 0; /* the Job's time to stay may be over already */
    look_before_start(w, v);
    if (v->outcome.state != OUTCOME_ABSENT || is_about_to_start(v) || world_waiting(w))
        return;
    outcome_look(w, self->ns, v->job_name, self->uid, &v->outcome);
    if (backupsession_has_begun(v))
        take_status(w, v, true);
}

/* ---- after the start ---- */

static void look_at_hosts(struct backupsession_view *v)
{
    const json_t *stats = json_at(v->entry, "stats"), *it;
    int64_t wanted = json_int(v->entry, "totalHosts", 1), done = 0;
    size_t i;

    json_array_foreach (stats, i, it) {
        bool is_bad = strcmp(json_text(it, "phase"), "Failed") == 0;

        v->has_bad_host |= is_bad;
        done += is_bad || strcmp(json_text(it, "phase"), "Succeeded") == 0;
    }
    v->has_result = done >= wanted;
}

static bool awaits_retry(const struct kobj *o, const json_t *invoker)
{
    return strcmp(kobj_text(o, "status.phase"), "Failed") == 0 && strcmp(kobj_text(o, "status.retried"), "true") != 0 &&
           strtoll(kobj_text(o, "spec.retryLeft"), NULL, 10) > 0 &&
           json_is_object(json_at(invoker, "spec.retryConfig"));
}

/* Newest first, with what this session's phase will make of it. */
static void look_at_history(struct world *w, struct backupsession_view *v, enum retain_result own)
{
    v->history = backupsession_family(w, v->self, &v->n_history);
    for (size_t i = 0; i < v->n_history; i++)
        if (own != RETAIN_OPEN && strcmp(v->history[i].name, v->self->name) == 0)
            v->history[i].result = own;
    retain_mark(v->history, v->n_history, 0);
    if (v->n_history)
        v->history[0].is_awaited = awaits_retry(v->history[0].data, v->invoker);
    retain_mark(v->history, v->n_history, json_int(v->invoker, "spec.backupHistoryLimit", 1));
}

static void look_while_running(struct world *w, struct backupsession_view *v)
{
    int64_t limit = v->in.settings->pod_start_timeout_s;

    look_at_hosts(v);
    v->is_late = condition_is(v->conditions, "DeadlineExceeded", "True") ||
                 (!v->has_result && v->deadline_s && v->now_s >= v->deadline_s);
    if (v->outcome.state == OUTCOME_ACTIVE && !v->outcome.has_started && limit > 0)
        v->start_by_s = v->outcome.created_s + limit;
    if (v->has_result)
        look_at_history(w, v, RETAIN_SUCCEEDED); /* read only when it did succeed */
}

/* ---- once final ---- */

static void look_at_retry(struct backupsession_view *v)
{
    const struct kobj *newest = v->n_history ? v->history[0].data : NULL; /* retain_mark has sorted */

    if (strcmp(json_text(v->doc, "status.phase"), "Failed") != 0 || json_flag(v->doc, "status.retried", false) ||
        json_int(v->doc, "spec.retryLeft", 0) <= 0 || !json_is_object(json_at(v->invoker, "spec.retryConfig")))
        return;
    v->retry_at_s = time_of(v->doc, "status.nextRetry");
    /* Our own retry that was not noted before a crash, or another session, which makes ours needless for good: that one
     * may be deleted days later. */
    v->retry_exists = newest && strcmp(newest->name, v->self->name) != 0;
    if (v->retry_exists)
        return;
    v->wants_retry = true;
    v->retry_held = json_flag(v->invoker, "spec.paused", false);
}

static void look_back(struct world *w, struct backupsession_view *v)
{
    v->is_clean = condition_is(v->conditions, "BackupHistoryCleaned", "True");
    look_at_history(w, v, RETAIN_OPEN);
    v->is_drop_hard = backupsession_is_drop_hard(v, w);
    look_at_retry(v);
}

/* By the record alone, so that a restart reads no document of the many that are over. */
static bool is_at_rest(const struct kobj *self)
{
    const char *phase = kobj_text(self, "status.phase");
    bool is_final = !strcmp(phase, "Succeeded") || !strcmp(phase, "Skipped") ||
                    (!strcmp(phase, "Failed") && (!strcmp(kobj_text(self, "status.retried"), "true") ||
                                                  strtoll(kobj_text(self, "spec.retryLeft"), NULL, 10) <= 0));

    return is_final && condition_record_is(kobj_get(self, "status.conditions"), "BackupHistoryCleaned", "True");
}

int backupsession_observe(struct world *w, const struct kobj *self, void *view)
{
    struct backupsession_view *v = view;
    const char *kind = kobj_text(self, "spec.invoker.kind");
    int phase;

    if (self->deleting || is_at_rest(self))
        return PHASE_REST;
    v->self = self;
    v->now_s = world_now_s(w);
    v->doc = world_doc(w, self->kind, self->ns, self->name);
    if (!v->doc)
        return PHASE_REST;
    phase = controller_phase(&backupsession_controller, json_text(v->doc, "status.phase"));
    if (phase < 0)
        return PHASE_REST;
    if (strcmp(kind, "BackupConfiguration") == 0)
        v->invoker = world_doc(w, kind_get(KIND_BACKUPCONFIGURATION), self->ns, kobj_text(self, "spec.invoker.name"));
    v->in = (struct job_input){.direction = DIRECTION_BACKUP, .settings = world_settings(w), .invoker = v->invoker,
                               .unit = json_at(v->invoker, "spec"), .session = v->doc, .ordinal = -1};
    target_ref_of(json_at(v->in.unit, "target"), self->ns, &v->ref);
    v->job_name = jobspec_name(&v->in, world_arena(w));
    if (phase == BACKUPSESSION_RUNNING)
        outcome_look(w, self->ns, v->job_name, self->uid, &v->outcome);
    if (phase == BACKUPSESSION_PENDING)
        take_pending(w, v);
    else
        take_status(w, v, phase >= BACKUPSESSION_RUNNING);
    if (phase == BACKUPSESSION_NEW) {
        v->is_early = is_undecided(v->invoker);
        v->skip = why_skip(w, v);
    } else if (phase == BACKUPSESSION_RUNNING) {
        look_while_running(w, v);
    } else if (phase > BACKUPSESSION_RUNNING) {
        look_back(w, v);
    }
    if (phase > BACKUPSESSION_RUNNING && v->is_clean && !v->retry_exists && (!v->wants_retry || v->retry_held))
        return PHASE_REST;
    return phase;
}
