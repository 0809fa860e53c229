/*
 * admission: see admission.h. One row a kind: what is wrong with the object itself, and what only a look at others or
 * at the old object tells.
 */
#include "controllers/admission.h"

#include "controllers/backupconfiguration.h"
#include "controllers/repository.h"
#include "controllers/restoresession.h"
#include "controllers/trigger.h"
#include "controllers/world.h"
#include "core/base/json.h"

struct review {
    struct world *w;
    const struct admission_request *r;
    const json_t *object; /* with its namespace filled in */
    bool knows;
    struct problems problems;
    json_t *warnings; /* the arena's */
};

static void warn(struct review *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void warn(struct review *v, const char *fmt, ...)
{
    char text[240]; /* the API server cuts at 256 */
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    str_mend_utf8(text);
    json_array_append_new(v->warnings, json_string(text));
}

/* ---- what an invoker refers to ---- */

static void look_at_repository(struct review *v)
{
    struct repository_state s;

    repository_look(v->w, v->r->ns, json_at(v->object, "spec.repository"), &s);
    if (world_waiting(v->w) || !s.name[0])
        return;
    if (!s.doc)
        warn(v, "Repository %s/%s does not exist yet", s.ns, s.name);
    if (s.refusal)
        problems_add(&v->problems, "spec.repository", "%s", s.refusal);
    if (s.problem)
        warn(v, "%s", s.problem);
    if (s.doc && strcmp(s.secret_status, "False") == 0)
        warn(v, "Repository %s/%s: %s", s.ns, s.name, s.secret_message);
}

/* Only in the own namespace: elsewhere it would tell the writer what there is. */
static void look_at_target(struct review *v, const char *addon)
{
    const char *task = json_text(v->object, "spec.task.name");
    const struct kobj *app = NULL;
    struct target_ref ref;
    bool is_app, is_own;

    target_ref_of(json_at(v->object, "spec.target"), v->r->ns, &ref);
    is_app = target_is_app(&ref);
    is_own = strcmp(ref.ns, v->r->ns) == 0;
    if (is_app && is_own) {
        app = cache_find(world_cache(v->w), kind_get(KIND_APPBINDING), ref.ns, ref.name);
        if (!app && !target_has_templates(json_at(v->object, "spec.target")))
            warn(v, "AppBinding %s/%s does not exist yet", ref.ns, ref.name);
    }
    if (app && !task[0])
        task = kobj_text(app, addon);
    if (!task[0] && (app || !is_app))
        warn(v, is_app ? "no Task given and the AppBinding names none" : "no Task given");
    else if (task[0] && !cache_find(world_cache(v->w), kind_get(KIND_TASK), NULL, task))
        warn(v, "Task \"%s\" does not exist yet", task);
}

/* ---- the kinds ---- */

static bool equal(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

static void check_repository(struct review *v)
{
    repository_check(v->object, world_settings(v->w), &v->problems);
    if (!json_text(v->object, "spec.backend.storageSecretName")[0])
        warn(v, "spec.backend.storageSecretName is missing: no backup can use the Repository");
}

static void check_backupconfiguration(struct review *v)
{
    const json_t *old = v->r->old;

    backupconfiguration_check(v->object, &v->problems);
    trigger_check(world_settings(v->w), v->object, &v->problems);
    if (old && strcmp(json_text(old, "status.phase"), "Ready") == 0 &&
        !equal(json_at(old, "spec.target"), json_at(v->object, "spec.target")))
        problems_add(&v->problems, "spec.target",
                     "updating target is forbidden when BackupConfiguration is in READY state");
    if (!v->knows)
        return;
    look_at_repository(v);
    look_at_target(v, "spec.parameters.stash.addon.backupTask.name");
}

static void check_restoresession(struct review *v)
{
    if (v->r->old) { /* its spec is not what it was: else we would not be here */
        problems_add(&v->problems, "spec", "RestoreSession spec is immutable");
        return;
    }
    restoresession_check(v->object, &v->problems);
    if (!v->knows)
        return;
    look_at_repository(v);
    look_at_target(v, "spec.parameters.stash.addon.restoreTask.name");
}

static void check_backupsession(struct review *v)
{
    if (v->r->old)
        problems_add(&v->problems, "spec", "BackupSession spec is immutable");
}

/* Taken, since a later version may run them; but nobody shall wait for a backup that does not come. */
static void check_unknown(struct review *v)
{
    warn(v, "this version of the operator runs no %s objects", v->r->kind);
}

static const struct row {
    enum kind_id kind;
    void (*check)(struct review *v);
} rows[] = {
    {KIND_REPOSITORY,          check_repository         },
    {KIND_BACKUPCONFIGURATION, check_backupconfiguration},
    {KIND_BACKUPSESSION,       check_backupsession      },
    {KIND_RESTORESESSION,      check_restoresession     },
    {KIND_BACKUPBATCH,         check_unknown            },
    {KIND_RESTOREBATCH,        check_unknown            },
    {KIND_BACKUPBLUEPRINT,     check_unknown            },
};

static const struct row *find_row(const struct admission_request *r)
{
    const struct kind *k = kind_find_name(str_of(r->group), str_of(r->kind));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (k && rows[i].kind == k->id)
            return &rows[i];
    return NULL;
}

/* ---- the verdict ---- */

static bool matters(const struct admission_request *r)
{
    if (r->subresource[0] || !r->object || json_at(r->object, "metadata.deletionTimestamp"))
        return false;
    if (strcmp(r->operation, "CREATE") == 0)
        return true;
    return strcmp(r->operation, "UPDATE") == 0 && !equal(json_at(r->object, "spec"), json_at(r->old, "spec"));
}

/* Checks read the namespace from the object, where a client may leave it out. */
static const json_t *with_namespace(struct arena *a, const struct admission_request *r)
{
    json_t *copy, *meta;

    if (json_text(r->object, "metadata.namespace")[0] || !r->ns[0])
        return r->object;
    copy = arena_json(a, json_copy((json_t *)r->object));
    meta = json_copy(json_object_get(r->object, "metadata"));
    if (!meta)
        meta = json_object();
    json_object_set_new(meta, "namespace", json_string(r->ns));
    json_object_set_new(copy, "metadata", meta);
    return copy;
}

/* The text without the field's name in front, which a client shows itself. */
static const char *cause_text(const struct problem *p)
{
    const char *rest = p->text;

    if (!str_starts(str_of(p->text), str_of(p->field)))
        return p->text;
    rest += strlen(p->field);
    if (*rest != ' ' && *rest != ':')
        return p->text;
    return rest + strspn(rest, ": ");
}

static json_t *causes_of(const struct problems *problems)
{
    json_t *list = json_array();

    LIST_EACH (it, &problems->list) {
        const struct problem *p = LIST_ENTRY(it, struct problem, link);

        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "reason", "FieldValueInvalid", "message",
                                              cause_text(p), "field", p->field));
    }
    return list;
}

void admission_decide(struct world *w, const struct admission_request *r, bool knows, struct admission_verdict *ret)
{
    const struct row *row = find_row(r);
    struct arena *a = world_arena(w);
    struct review v = {.w = w, .r = r, .knows = knows};

    *ret = (struct admission_verdict){0};
    if (!row || !matters(r))
        return;
    v.object = with_namespace(a, r);
    v.warnings = arena_json(a, json_array());
    problems_init(&v.problems, a);
    row->check(&v);
    ret->warnings = v.warnings;
    if (!v.problems.n)
        return;
    ret->refusal = problems_join(&v.problems);
    ret->causes = arena_json(a, causes_of(&v.problems));
}
