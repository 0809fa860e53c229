/* restoresession_observe: what a pass over a RestoreSession looks at. It reads, it decides nothing. */
#include "controllers/access.h"
#include "controllers/backupsession.h"
#include "controllers/restoresession.h"

#include "controllers/condition.h"
#include "controllers/identity.h"
#include "controllers/target_lock.h"
#include "core/base/json.h"
#include "core/base/limits.h"

static int64_t time_of(const json_t *doc, const char *path)
{
    int64_t s;

    return str_parse_time(str_of(json_text(doc, path)), &s) < 0 ? 0 : s;
}

static bool has_finalizer(const json_t *doc)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(doc, "metadata.finalizers"), i, it)
        if (str_is(json_str(it), STASH_GROUP))
            return true;
    return false;
}

/* ---- what it refers to ---- */

/* Only kinds that the operator knows, and only where the tenant may look: else it would tell him what there is
 * elsewhere (multitenancy.md 3.2, 3.3). */
static void look_at_target(struct world *w, struct restoresession_view *v)
{
    bool is_own = strcmp(v->ref.ns, v->self->ns) == 0, is_app = target_is_app(&v->ref);
    bool is_claim = strcmp(v->ref.kind, "PersistentVolumeClaim") == 0;
    const struct kind *k = kind_get(is_app ? KIND_APPBINDING : KIND_PVC);
    const json_t *doc = NULL;
    const char *state = "not checked", *why = "";

    v->is_target_denied = is_app && !access_may_get_app(w, v->self->ns, v->in.unit, v->ref.ns, v->ref.name, &why);
    if (!v->is_target_denied && (is_app || (is_own && is_claim))) {
        doc = *v->ref.name ? world_doc(w, k, v->ref.ns, v->ref.name) : NULL;
        state = doc ? "exists" : "does not exist";
    }
    if (is_app)
        v->in.app = doc;
    v->is_target_absent = !doc && (is_app || (is_own && is_claim));
    if (target_has_templates(json_at(v->in.unit, "target"))) { /* the database may come after its volumes */
        v->is_target_absent = v->is_target_denied = false;
        state = "is not needed: the data goes into claims of its own";
    }
    v->target_text = v->is_target_denied
                         ? why
                         : arena_printf(world_arena(w), "%s %s/%s %s", v->ref.kind, v->ref.ns, v->ref.name, state);
}

static const json_t *look_at_task(struct world *w, struct restoresession_view *v, struct problems *out)
{
    struct effective_task task;
    const json_t *doc;
    struct error e;

    if (resolve_effective_task(DIRECTION_RESTORE, v->in.unit, v->in.app, world_arena(w), &task, &e) < 0) {
        problems_add(out, "spec.task", "%s", e.msg);
        return NULL;
    }
    if (!*task.name) {
        if (!v->is_target_absent) /* the AppBinding that should name it is waited for */
            problems_add(out, "spec.task.name", "no Task given and the AppBinding names none");
        return NULL;
    }
    doc = world_doc(w, kind_get(KIND_TASK), NULL, task.name);
    if (doc)
        return doc;
    v->catalog_until_s = world_catalog_until_s(w);
    if (v->catalog_until_s)
        v->impossible = arena_printf(world_arena(w), "Task \"%s\" not found", task.name);
    else
        problems_add(out, "spec.task.name", "Task \"%s\" not found", task.name);
    return NULL;
}

/* ---- hosts ---- */

static const char *stat_phase(const struct restoresession_view *v, const char *host)
{
    const json_t *it;
    size_t i;

    json_array_foreach (v->stats, i, it)
        if (strcmp(json_text(it, "hostname"), host) == 0)
            return json_text(it, "phase");
    return "";
}

static void make_hosts(struct world *w, struct restoresession_view *v)
{
    const json_t *target = json_at(v->in.unit, "target");
    bool is_by_ordinal = target_has_templates(target);

    v->n_hosts = is_by_ordinal ? (size_t)target_replicas(target) : 1;
    v->hosts = arena_alloc(world_arena(w), v->n_hosts * sizeof(*v->hosts));
    for (size_t i = 0; i < v->n_hosts; i++) {
        struct restoresession_host *h = &v->hosts[i];

        h->in = v->in;
        h->in.ordinal = is_by_ordinal ? (int)i : -1;
        h->name = target_host(world_arena(w), DIRECTION_RESTORE, target, h->in.ordinal);
        h->job_name = jobspec_name(&h->in, world_arena(w));
        h->phase = stat_phase(v, h->name);
    }
}

/* The claims of one ordinal, and the volumes that they become. */
static const char *make_claims(struct world *w, struct restoresession_host *h, struct podspec_options *o)
{
    struct arena *a = world_arena(w);
    size_t n = h->in.ordinal < 0 ? 0 : json_array_size(json_at(h->in.unit, "target.volumeClaimTemplates"));
    struct podspec_claim *claims = arena_alloc(a, (n ? n : 1) * sizeof(*claims));

    h->claims = arena_json(a, json_array());
    for (size_t t = 0; t < n; t++) {
        struct error e;
        json_t *claim = jobspec_claim(&h->in, t, a, &e);

        if (!claim)
            return arena_strdup(a, e.msg);
        json_array_append_new(h->claims, claim);
        claims[t].claim = json_text(claim, "metadata.name");
        claims[t].volume = jobspec_claim_volume(claims[t].claim, h->in.ordinal, a);
    }
    o->claims = claims;
    o->n_claims = n;
    return NULL;
}

static const char *make_job(struct world *w, struct restoresession_view *v, struct restoresession_host *h,
                            const json_t *task)
{
    struct jobspec_options o = {.name = h->job_name, .task = task, .pod.account = "",
                                .left_s = v->deadline_s ? v->deadline_s - v->now_s : 0};
    const char *why = make_claims(w, h, &o.pod);
    struct error e;
    json_t *job;
    int rc;

    if (why)
        return why;
    o.pod.interim_claim = jobspec_interim_name(&h->in, world_arena(w));
    rc = jobspec_make(w, &h->in, &o, &job, &e);
    if (rc < 0) {
        v->catalog_until_s = rc == ERR_NOTFOUND ? world_catalog_until_s(w) : 0;
        return arena_strdup(world_arena(w), e.msg);
    }
    h->job = arena_json(world_arena(w), job);
    if (o.pod.interim_claim)
        h->interim = arena_json(world_arena(w), jobspec_interim_claim(&h->in, o.pod.interim_claim));
    return NULL;
}

static void note_refusal(struct world *w, struct restoresession_view *v, enum kind_id kind, const char *name,
                         struct arena *a)
{
    const struct refusal *r;

    if (!*name || v->refusal)
        return;
    r = outcome_refusal(w, v->self, kind_get(kind), name, &v->is_name_passing);
    if (!r)
        return;
    v->refusal = r;
    v->refused = arena_printf(a, "%s \"%s\"", kind_get(kind)->name, name);
}

static void find_refusal(struct world *w, struct restoresession_view *v)
{
    struct arena *a = world_arena(w);
    const char *own = identity_own_name(w, v->self, 0);

    note_refusal(w, v, KIND_SERVICEACCOUNT, "stash-restore", a);
    note_refusal(w, v, KIND_ROLEBINDING, "stash-restore", a);
    note_refusal(w, v, KIND_SERVICEACCOUNT, own, a);
    note_refusal(w, v, KIND_ROLEBINDING, own, a);
    for (size_t i = 0; i < v->n_hosts; i++) {
        const json_t *claim;
        size_t k;

        json_array_foreach (v->hosts[i].claims, k, claim)
            note_refusal(w, v, KIND_PVC, json_text(claim, "metadata.name"), a);
        note_refusal(w, v, KIND_PVC, json_text(v->hosts[i].interim, "metadata.name"), a);
        note_refusal(w, v, KIND_JOB, v->hosts[i].job_name, a);
    }
}

/* A claim of that name that another made; ours carry our UID. */
static void find_conflict(struct world *w, struct restoresession_view *v)
{
    for (size_t i = 0; i < v->n_hosts; i++) {
        const json_t *claim;
        size_t k;

        json_array_foreach (v->hosts[i].claims, k, claim) {
            const char *name = json_text(claim, "metadata.name");
            const struct kobj *o = cache_find(world_cache(w), kind_get(KIND_PVC), v->self->ns, name);

            if (o && strcmp(kobj_text(o, "label:stash.appscode.com/restore-session"), v->self->uid) != 0)
                v->conflict = arena_strdup(world_arena(w), name);
        }
    }
}

/* ---- before the start ---- */

enum { STAY_MIN_S = 600 }; /* of a Job, whatever the settings say: passes may be far apart */

static int64_t job_stays_s(const struct restoresession_view *v)
{
    return v->in.settings->job_ttl_s > STAY_MIN_S ? v->in.settings->job_ttl_s : STAY_MIN_S;
}

/* Since when its Jobs may have been made by its own status, which is written before the first of them; 0: not yet. */
static int64_t admitted_s(const struct restoresession_view *v)
{
    const json_t *conditions = json_at(v->doc, "status.conditions");

    return condition_is(conditions, RESTORESESSION_ADMITTED, "Unknown")
               ? condition_since(conditions, RESTORESESSION_ADMITTED)
               : 0;
}

/*
 * A Job is forgotten some time after its end. So that none is there tells nothing once that time has passed since the
 * first may have been made. The status says since when; while nothing is made, it is said anew before that. asks: the
 * cache may not have those yet that were made just now.
 */
static void look_at_jobs(struct world *w, struct restoresession_view *v, bool asks)
{
    int64_t since_s = admitted_s(v);
    bool is_long_ago = since_s && v->now_s >= since_s + job_stays_s(v) / 4 * 3;

    v->n_begun = v->n_jobs = 0;
    for (size_t i = 0; i < v->n_hosts; i++) {
        struct restoresession_host *h = &v->hosts[i];

        outcome_glance(w, v->self->ns, h->job_name, v->self->uid, &h->outcome);
        if (h->outcome.state == OUTCOME_ABSENT && !*h->phase && since_s && (is_long_ago || asks))
            outcome_look(w, v->self->ns, h->job_name, v->self->uid, &h->outcome);
        v->n_begun += h->outcome.state != OUTCOME_ABSENT || *h->phase;
        v->n_jobs += h->outcome.state != OUTCOME_ABSENT && !h->outcome.is_lost;
    }
    v->has_begun = v->n_begun == v->n_hosts;
    v->may_have_run = is_long_ago && !v->has_begun;
}

static void look_at_line(struct world *w, struct restoresession_view *v)
{
    const json_t *conditions = json_at(v->doc, "status.conditions");
    const struct kobj *rival;
    bool is_old = v->now_s >= admitted_s(v) + job_stays_s(v) / 2; /* or not said at all */

    if (v->n_jobs || backupsession_has_job(world_cache(w), v->self)) {
        v->is_out_of_line = is_old;
        return; /* it has the target already: a crash came before the status, or not all Jobs could be made */
    }
    rival = backupsession_before(world_cache(w), v->self, &v->ref);
    if (!rival)
        rival = restoresession_rival(world_cache(w), v->self, &v->ref);
    v->waits_for = rival ? target_lock_name(world_arena(w), rival) : target_lock_holder(w, v->self, &v->ref);
    v->is_out_of_line = !condition_is(conditions, RESTORESESSION_EXECUTOR, "Unknown") ||
                        strcmp(condition_reason(conditions, RESTORESESSION_EXECUTOR), RESTORESESSION_WAITS) != 0 ||
                        is_old;
    v->line_s = condition_since(conditions, RESTORESESSION_EXECUTOR);
}

static void set_deadline(struct restoresession_view *v)
{
    int64_t ns;

    if (!v->deadline_s && str_parse_duration_ns(str_of(json_text(v->in.unit, "timeOut")), &ns, NULL) == 0 && ns > 0)
        v->deadline_s = v->self->created_s + ns / 1000000000;
}

static bool has_all_it_needs(const struct restoresession_view *v)
{
    return !*v->problems && v->repository.doc && !v->is_target_absent && !v->impossible;
}

/* It waits, or is given up: by what is really there. */
static bool makes_nothing_more(const struct restoresession_view *v)
{
    return !has_all_it_needs(v) || strcmp(v->repository.secret_status, "True") != 0 || v->conflict || v->refusal ||
           v->waits_for;
}

static void look_at_start(struct world *w, struct restoresession_view *v, const json_t *task)
{
    if (!v->deadline_s && v->in.settings->job_default_timeout_s > 0)
        v->deadline_s = v->now_s + v->in.settings->job_default_timeout_s;
    for (size_t i = 0; i < v->n_hosts && !v->impossible; i++) {
        struct restoresession_host *h = &v->hosts[i];

        h->in.repository = v->in.repository;
        h->in.app = v->in.app;
        if (!*h->phase) /* one that has reported is not run again */
            v->impossible = make_job(w, v, h, task);
    }
    find_conflict(w, v);
    find_refusal(w, v);
    look_at_line(w, v);
}

static void look_before_start(struct world *w, struct restoresession_view *v)
{
    const json_t *task;
    struct problems out;

    set_deadline(v);
    v->is_late = v->deadline_s && v->now_s >= v->deadline_s;
    problems_init(&out, world_arena(w));
    restoresession_check(v->doc, &out);
    if (!out.n) { /* so it has no more hosts than it may */
        make_hosts(w, v);
        look_at_jobs(w, v, v->is_late);
    }
    repository_look(w, v->self->ns, json_at(v->in.unit, "repository"), &v->repository);
    v->in.repository = v->repository.doc;
    look_at_target(w, v);
    task = look_at_task(w, v, &out);
    if (v->repository.refusal)
        problems_add(&out, "spec.repository", "%s", v->repository.refusal);
    if (v->repository.problem)
        problems_add(&out, "spec.repository", "%s", v->repository.problem);
    v->problems = problems_join(&out);
    if (world_waiting(w))
        return;
    if (has_all_it_needs(v))
        look_at_start(w, v, task);
    if (v->n_hosts && makes_nothing_more(v))
        look_at_jobs(w, v, true);
}

/* ---- after it ---- */

static void look_while_running(struct world *w, struct restoresession_view *v)
{
    make_hosts(w, v);
    for (size_t i = 0; i < v->n_hosts; i++) {
        struct restoresession_host *h = &v->hosts[i];

        outcome_look(w, v->self->ns, h->job_name, v->self->uid, &h->outcome);
        v->n_jobs += h->outcome.state != OUTCOME_ABSENT && !h->outcome.is_lost;
        v->n_failed += strcmp(h->phase, "Failed") == 0;
        v->n_unknown += strcmp(h->phase, "Unknown") == 0;
        v->n_done += *h->phase && strcmp(h->phase, "Running") != 0;
    }
    v->is_late = condition_is(v->conditions, "DeadlineExceeded", "True") ||
                 (v->n_done < v->n_hosts && v->deadline_s && v->now_s >= v->deadline_s);
}

/* By the record alone, so that a restart reads no document of those that are over. */
static bool is_final(const struct kobj *self)
{
    const char *phase = kobj_text(self, "status.phase");

    return !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed") || !strcmp(phase, "Unknown");
}

int restoresession_observe(struct world *w, const struct kobj *self, void *view)
{
    struct restoresession_view *v = view;
    const json_t *stats;
    int phase;

    if (is_final(self) && !self->deleting)
        return PHASE_REST;
    v->self = self;
    v->now_s = world_now_s(w);
    v->doc = world_doc(w, self->kind, self->ns, self->name);
    if (!v->doc)
        return PHASE_REST;
    phase = controller_phase(&restoresession_controller, json_text(v->doc, "status.phase"));
    v->has_finalizer = has_finalizer(v->doc);
    if (v->has_finalizer)
        return phase < 0 ? RESTORESESSION_NEW : phase;
    if (self->deleting || phase < 0)
        return PHASE_REST;
    v->in = (struct job_input){.direction = DIRECTION_RESTORE, .settings = world_settings(w), .invoker = v->doc,
                               .unit = json_at(v->doc, "spec"), .ordinal = -1};
    target_ref_of(json_at(v->in.unit, "target"), self->ns, &v->ref);
    v->conditions = arena_json(world_arena(w), condition_copy(v->doc));
    stats = json_at(v->doc, "status.stats");
    v->stats = arena_json(world_arena(w), json_is_array(stats) ? json_clone(stats) : json_array());
    v->deadline_s = time_of(v->doc, "status.sessionDeadline");
    if (phase == RESTORESESSION_RUNNING)
        look_while_running(w, v);
    else if (phase == RESTORESESSION_NEW || phase == RESTORESESSION_PENDING || phase == RESTORESESSION_INVALID)
        look_before_start(w, v);
    else
        return PHASE_REST;
    return phase;
}
