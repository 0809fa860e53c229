/*
 * backupconfiguration: is what it refers to there, is it well formed, may it be triggered. Nothing runs from here: the
 * schedule controller makes sessions of a Ready one, the session controller runs them.
 *
 * A Ready configuration whose record shows nothing new costs no request: the first look after a restart reads no
 * document of the hundred thousand that are at rest.
 */
#include "controllers/backupconfiguration.h"

#include "controllers/access.h"
#include "controllers/condition.h"
#include "controllers/repository.h"
#include "controllers/trigger.h"
#include "core/base/json.h"
#include "core/base/limits.h"

enum { CLAIM_RETRY_S = 30 };

enum phase { NEW, NOT_READY, INVALID, READY, DELETING };
static const char *const phases[] = {"", "NotReady", "Invalid", "Ready", "Deleting", NULL};

static const char upstream_finalizer[] = STASH_GROUP;
static const char app_group[] = "appcatalog.appscode.com/";

enum presence { ABSENT, PRESENT, NOT_CHECKED, DENIED };

struct view {
    const struct kobj *self;
    const json_t *doc;
    struct repository_state repository;
    bool has_finalizer;
    enum presence target;
    bool target_is_claim;
    const char *target_text; /* "AppBinding demo/db" */
    const char *denied;      /* why it may not be looked at */
    const char *problems;    /* joined by "; "; "" */
    int64_t catalog_until_s; /* the Task of a Ready one is gone, and may be replaced until then; 0: it isn't */
    struct trigger_look trigger;
    bool cronjob_failed;     /* all but the CronJob is as it should be */
    enum phase phase;        /* that it should be in */
    json_t *conditions;      /* as they should be */
};

/* ---- at rest, by records alone ---- */

static bool repository_at_rest(const struct world *w, const struct kobj *self)
{
    const char *ns = kobj_text(self, "spec.repository.namespace");
    const struct kobj *r = cache_find(world_cache(w), kind_get(KIND_REPOSITORY), ns[0] ? ns : self->ns,
                                      kobj_text(self, "spec.repository.name"));
    const char *from;

    if (!r || r->deleting || strcmp(r->ns, self->ns) != 0) /* a foreign one: look at its policy each time */
        return false;
    from = kobj_text(r, "spec.usagePolicy.allowedNamespaces.from");
    return strcmp(from, "Selector") != 0 && repository_backend_is_plain(r) &&
           condition_record_is(kobj_get(r, "status.conditions"), "StorageSecretVerified", "True");
}

static bool is_app(const char *api_version, const char *kind)
{
    return strcmp(kind, "AppBinding") == 0 && strncmp(api_version, app_group, sizeof(app_group) - 1) == 0;
}

static const struct kobj *find_app(const struct world *w, const char *ns, const char *name)
{
    return cache_find(world_cache(w), kind_get(KIND_APPBINDING), ns, name);
}

/* The effective Task's name: the invoker's, else the AppBinding's (jobs.md 2). */
static const char *task_name(const struct world *w, const char *own, bool app, const char *ns, const char *name)
{
    const struct kobj *a = app && !own[0] ? find_app(w, ns, name) : NULL;

    return a ? kobj_text(a, "spec.parameters.stash.addon.backupTask.name") : own;
}

/* As its own record has it. */
static bool is_ready(const struct kobj *self)
{
    static const char *const types[] = {"RepositoryFound", "BackendSecretFound", "ValidationPassed",
                                        "BackupTargetFound", "CronJobCreated"};
    int64_t observed = -1;

    if (strcmp(kobj_text(self, "status.phase"), "Ready") != 0 ||
        str_to_i64(str_of(kobj_get(self, "status.observedGeneration")), &observed) < 0 || observed != self->generation)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!condition_record_is(kobj_get(self, "status.conditions"), types[i], "True"))
            return false;
    }
    return true;
}

static bool is_own(const struct kobj *self, const char *ns)
{
    return !ns[0] || strcmp(ns, self->ns) == 0;
}

/* All it refers to is in its namespace: a change of one of those, or of what they refer to, wakes it by itself. */
static bool is_settled(const struct kobj *self)
{
    return !self->deleting && is_own(self, kobj_text(self, "spec.target.ref.namespace")) &&
           is_own(self, kobj_text(self, "spec.repository.namespace")) && is_ready(self);
}

static bool is_at_rest(struct world *w, const struct kobj *self)
{
    bool app = is_app(kobj_text(self, "spec.target.ref.apiVersion"), kobj_text(self, "spec.target.ref.kind"));
    const char *ns = kobj_text(self, "spec.target.ref.namespace"), *name = kobj_text(self, "spec.target.ref.name");

    if (!is_ready(self))
        return false;
    if (app && !is_own(self, ns)) /* elsewhere: whether it may be read is asked each time */
        return false;
    if (app && !find_app(w, self->ns, name))
        return false;
    return repository_at_rest(w, self) && trigger_at_rest(w, self) &&
           cache_find(world_cache(w), kind_get(KIND_TASK), NULL,
                      task_name(w, kobj_text(self, "spec.task.name"), app, ns[0] ? ns : self->ns, name));
}

/* ---- the whole look ---- */

static void look_at_target(struct world *w, struct view *v)
{
    const json_t *ref = json_at(v->doc, "spec.target.ref");
    const char *kind = json_text(ref, "kind"), *name = json_text(ref, "name"), *ns = json_text(ref, "namespace");
    bool own = !ns[0] || strcmp(ns, v->self->ns) == 0;

    v->target_text = arena_printf(world_arena(w), "%s %s/%s", kind, own ? v->self->ns : ns, name);
    v->target = NOT_CHECKED;
    if (is_app(json_text(ref, "apiVersion"), kind)) {
        ns = own ? v->self->ns : ns;
        if (!access_may_get_app(w, v->self->ns, json_at(v->doc, "spec"), ns, name, &v->denied))
            v->target = DENIED;
        else
            v->target = find_app(w, ns, name) ? PRESENT : ABSENT;
    } else if (own && strcmp(kind, "PersistentVolumeClaim") == 0) {
        v->target_is_claim = true;
        v->target = world_doc(w, kind_get(KIND_PVC), v->self->ns, name) ? PRESENT : ABSENT;
    }
}

/* Of the objects that others write. Nothing to say while the AppBinding that should name the Task can't be seen. */
static void check_task(struct world *w, struct view *v, struct problems *out)
{
    const json_t *ref = json_at(v->doc, "spec.target.ref");
    const char *ns = json_text(ref, "namespace"), *name;
    bool app = is_app(json_text(ref, "apiVersion"), json_text(ref, "kind"));
    const char *own = json_text(v->doc, "spec.task.name");

    if (app && !own[0] && (v->target == ABSENT || v->target == DENIED))
        return;
    name = task_name(w, own, app, ns[0] ? ns : v->self->ns, json_text(ref, "name"));
    if (name[0] && cache_find(world_cache(w), kind_get(KIND_TASK), NULL, name))
        return;
    if (strcmp(json_text(v->doc, "status.phase"), phases[READY]) == 0)
        v->catalog_until_s = world_catalog_until_s(w);
    if (name[0] && !v->catalog_until_s)
        problems_add(out, "spec.task.name", "Task \"%s\" not found", name);
    else if (!name[0])
        problems_add(out, "spec.task.name", "no Task given and the AppBinding names none");
}

static void find_problems(struct world *w, struct view *v)
{
    struct problems out;

    problems_init(&out, world_arena(w));
    backupconfiguration_check(v->doc, &out);
    check_task(w, v, &out);
    if (v->repository.refusal)
        problems_add(&out, "spec.repository", "%s", v->repository.refusal);
    if (v->repository.problem)
        problems_add(&out, "spec.repository", "%s", v->repository.problem);
    trigger_check(world_settings(w), v->doc, &out);
    v->problems = problems_join(&out);
}

static void set_target_condition(struct view *v, int64_t now_s)
{
    bool found = v->target != ABSENT;

    if (v->target == DENIED)
        condition_set(v->conditions, now_s, "BackupTargetFound", "Unknown", "UnableToCheckTargetAvailability", "%s",
                      v->denied);
    else if (!json_at(v->doc, "spec.target.ref.name"))
        condition_set(v->conditions, now_s, "BackupTargetFound", "True", "TargetAvailable", "no target is needed");
    else
        condition_set(v->conditions, now_s, "BackupTargetFound", found ? "True" : "False",
                      found ? "TargetAvailable" : "TargetNotAvailable", "%s %s", v->target_text,
                      v->target == NOT_CHECKED ? "not checked" : found ? "exists" : "does not exist");
}

static bool is_false_or_unknown(const json_t *conditions, const char *type)
{
    return condition_is(conditions, type, "False") || condition_is(conditions, type, "Unknown");
}

/* controllers.md 4.2, first match. */
static enum phase phase_of(const json_t *conditions)
{
    if (is_false_or_unknown(conditions, "RepositoryFound") || is_false_or_unknown(conditions, "BackendSecretFound"))
        return NOT_READY;
    if (condition_is(conditions, "ValidationPassed", "False"))
        return INVALID;
    if (is_false_or_unknown(conditions, "BackupTargetFound"))
        return NOT_READY;
    return READY;
}

static void set_conditions(struct world *w, struct view *v)
{
    int64_t now_s = world_now_s(w);

    v->conditions = arena_json(world_arena(w), condition_copy(v->doc));
    repository_set_conditions(&v->repository, v->conditions, now_s);
    if (v->problems[0])
        condition_set(v->conditions, now_s, "ValidationPassed", "False", "ResourceValidationFailed", "%s", v->problems);
    else
        condition_set(v->conditions, now_s, "ValidationPassed", "True", "ResourceValidationPassed",
                      "the specification is valid");
    set_target_condition(v, now_s);
    v->phase = phase_of(v->conditions);
    v->cronjob_failed = v->phase == READY && !trigger_set_condition(&v->trigger, v->conditions, now_s);
    if (v->cronjob_failed)
        v->phase = NOT_READY;
}

static bool has_finalizer(const json_t *doc)
{
    const json_t *f;
    size_t i;

    json_array_foreach (json_at(doc, "metadata.finalizers"), i, f) {
        if (str_same(json_string_value(f), upstream_finalizer))
            return true;
    }
    return false;
}

static int observe(struct world *w, const struct kobj *self, void *view)
{
    struct view *v = view;
    int phase = controller_phase(&backupconfiguration_controller, kobj_get(self, "status.phase"));

    v->self = self;
    if (!self->deleting && is_at_rest(w, self))
        return PHASE_REST;
    v->doc = world_doc(w, self->kind, self->ns, self->name);
    if (!v->doc)
        return PHASE_REST;
    v->has_finalizer = has_finalizer(v->doc);
    if (self->deleting)
        return DELETING;
    repository_look(w, self->ns, json_at(v->doc, "spec.repository"), &v->repository);
    look_at_target(w, v);
    trigger_look(w, self, v->doc, &v->trigger);
    if (world_waiting(w))
        return PHASE_REST;
    find_problems(w, v);
    set_conditions(w, v);
    return phase < 0 || phase == DELETING ? NEW : phase;
}

/* ---- effects ---- */

static bool has_upstream_finalizer(const void *view)
{
    const struct view *v = view;

    return v->has_finalizer;
}

/* Nothing of ours waits for a finalizer here; the one of the
 * older operator would hang for ever (multitenancy.md 10). */
static void drop_finalizer(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    json_t *list = json_array(), *f;
    size_t i;

    json_array_foreach (json_at(v->doc, "metadata.finalizers"), i, f) {
        if (!str_same(json_string_value(f), upstream_finalizer))
            json_array_append(list, f);
    }
    plan_patch(p, v->self->kind, v->self->ns, v->self->name, NULL, json_text(v->doc, "metadata.resourceVersion"),
               json_pack("{s:{s:o}}", "metadata", "finalizers", list));
    if (!v->self->deleting) /* the rest of the pass: no record shows that a finalizer went */
        plan_wake_at(p, world_now_s(w));
}

static void write_status(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;
    const json_t *old = json_at(v->doc, "status.conditions");

    trigger_before_status(&v->trigger, w, p, v->phase == READY, v->phase == INVALID);
    plan_status(p, json_pack("{s:I, s:O, s:s}", "observedGeneration", (json_int_t)v->self->generation, "conditions",
                             v->conditions, "phase", phases[v->phase]));
    if (v->phase == INVALID &&
        !str_same(condition_message(old, "ValidationPassed"), v->problems))
        plan_event(p, "Warning", "Validation Failed", "%s", v->problems);
    repository_warn(p, old, v->conditions);
    if (condition_fails_anew(old, v->conditions, "BackupTargetFound"))
        plan_event(p, "Warning", "Target Not Found", "%s", condition_message(v->conditions, "BackupTargetFound"));
    if (condition_fails_anew(old, v->conditions, "CronJobCreated"))
        plan_event(p, "Warning", "CronJob Creation Failed", "%s", condition_message(v->conditions, "CronJobCreated"));
    trigger_after_status(&v->trigger, w, p, v->phase == READY);
    if (v->target == ABSENT && v->target_is_claim) /* claims of users are not watched (multitenancy.md 6) */
        plan_wake_at(p, world_now_s(w) + CLAIM_RETRY_S);
    if (v->target == DENIED)
        plan_wake_at(p, world_now_s(w) + ACCESS_RETRY_S);
    if (v->catalog_until_s)
        plan_wake_at(p, v->catalog_until_s);
}

static bool runs_unrecorded(const void *view)
{
    const struct view *v = view;

    return trigger_must_record(&v->trigger);
}

/* The change of the record brings the next pass, which goes on. */
static void record_runs(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    trigger_record(&v->trigger, w, p);
}

static bool cronjob_failed(const void *view)
{
    const struct view *v = view;

    return v->cronjob_failed;
}

static bool repository_missing(const void *view)
{
    const struct view *v = view;

    return v->repository.name[0] && !v->repository.doc;
}

static bool is_invalid(const void *view)
{
    const struct view *v = view;

    return v->phase == INVALID;
}

static bool secret_missing(const void *view)
{
    const struct view *v = view;

    return v->phase == NOT_READY && v->target != ABSENT && v->target != DENIED;
}

static bool target_missing(const void *view)
{
    const struct view *v = view;

    return v->phase == NOT_READY;
}

static const struct rule rules[] = {
    {DELETING,  has_upstream_finalizer, drop_finalizer, DELETING,  "FinalizerDropped"    },
    {DELETING,  NULL,                   NULL,           DELETING,  "Deleted"             },
    {PHASE_ANY, has_upstream_finalizer, drop_finalizer, PHASE_ANY, "FinalizerDropped"    },
    {PHASE_ANY, runs_unrecorded,        record_runs,    PHASE_ANY, "RunsRecorded"        },
    {PHASE_ANY, repository_missing,     write_status,   NOT_READY, "RepositoryMissing"   },
    {PHASE_ANY, is_invalid,             write_status,   INVALID,   "ValidationFailed"    },
    {PHASE_ANY, cronjob_failed,         write_status,   NOT_READY, "CronJobMissing"      },
    {PHASE_ANY, secret_missing,         write_status,   NOT_READY, "StorageSecretMissing"},
    {PHASE_ANY, target_missing,         write_status,   NOT_READY, "TargetMissing"       },
    {PHASE_ANY, NULL,                   write_status,   READY,     "Ready"               },
};

/* ---- who wakes it ---- */

struct users {
    const struct kobj *changed;
    wake_fn *wake;
    void *ctx;
};

static bool wake_user_of_repository(void *ctx, const struct kobj *o)
{
    struct users *u = ctx;
    const char *ns = kobj_text(o, "spec.repository.namespace");

    if (str_same(ns[0] ? ns : o->ns, u->changed->ns))
        u->wake(u->ctx, o->ns, o->name);
    return true;
}

static void wake_users_of_repository(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct users u = {changed, wake, ctx};

    cache_each_ref(c, kind_get(KIND_BACKUPCONFIGURATION), "spec.repository.name", changed->ns, changed->name,
                   wake_user_of_repository, &u);
}

/* Sizes and times of backups change a Repository often and matter to nobody here. */
static bool repository_changed(const struct kobj *old, const struct kobj *now)
{
    return old->generation != now->generation || old->deleting != now->deleting ||
           !str_same(kobj_get(old, "status.conditions"), kobj_get(now, "status.conditions"));
}

static bool wake_if_target(void *ctx, const struct kobj *o)
{
    struct users *u = ctx;
    const char *ns = kobj_text(o, "spec.target.ref.namespace");

    if (str_same(ns[0] ? ns : o->ns, u->changed->ns) && strcmp(kobj_text(o, "spec.target.ref.kind"), "AppBinding") == 0)
        u->wake(u->ctx, o->ns, o->name);
    return true;
}

static void wake_users_of_app(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct users u = {changed, wake, ctx};

    cache_each_ref(c, kind_get(KIND_BACKUPCONFIGURATION), "spec.target.ref.name", changed->ns, changed->name,
                   wake_if_target, &u);
}

static bool app_changed(const struct kobj *old, const struct kobj *now)
{
    return !str_same(kobj_get(old, "spec.parameters.stash.addon.backupTask.name"),
                     kobj_get(now, "spec.parameters.stash.addon.backupTask.name"));
}

static bool wake_if_task(void *ctx, const struct kobj *o)
{
    struct users *u = ctx;
    const char *task = kobj_text(o, "spec.task.name");

    if (!task[0] || strcmp(task, u->changed->name) == 0) /* without one, the AppBinding may name it */
        u->wake(u->ctx, o->ns, o->name);
    return true;
}

static void wake_users_of_task(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct users u = {changed, wake, ctx};

    cache_each(c, kind_get(KIND_BACKUPCONFIGURATION), wake_if_task, &u);
}

static bool never(const struct kobj *old, const struct kobj *now)
{
    (void)old;
    (void)now;
    return false; /* only that it came or went matters */
}

static bool wake_if_foreign(void *ctx, const struct kobj *o)
{
    struct users *u = ctx;
    const char *ns = kobj_text(o, "spec.repository.namespace");

    if (strcmp(o->ns, u->changed->name) == 0 && ns[0] && strcmp(ns, o->ns) != 0)
        u->wake(u->ctx, o->ns, o->name);
    return true;
}

/* Labels of a Namespace decide about foreign Repositories with a selector. */
static void wake_invokers_of_namespace(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    struct users u = {changed, wake, ctx};

    cache_each(c, kind_get(KIND_BACKUPCONFIGURATION), wake_if_foreign, &u);
}

static const struct watched watches[] = {
    {KIND_REPOSITORY, wake_users_of_repository, repository_changed},
    {KIND_APPBINDING, wake_users_of_app, app_changed},
    {KIND_TASK, wake_users_of_task, never},
    {KIND_NAMESPACE, wake_invokers_of_namespace, NULL},
    {KIND_CRONJOB, trigger_wake_invoker, trigger_cronjob_changed},
    {KIND_SERVICEACCOUNT, trigger_wake_of_account, never},
    {KIND_ROLEBINDING, trigger_wake_of_account, never},
};

const struct controller backupconfiguration_controller = {
    .name = "backupconfiguration",
    .kind = KIND_BACKUPCONFIGURATION,
    .component = "BackupConfiguration Controller",
    .phases = phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct view),
    .observe = observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
    .is_settled = is_settled,
};
