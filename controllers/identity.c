/*
 * identity: see identity.h. Accounts and bindings are applied (server-side apply: wholly ours), and only when the cache
 * does not show them, so a backup in a settled namespace costs no request here. The ClusterRoles come with the chart.
 *
 * The controller's kind is the Namespace, but it runs only when an invoker or a CronJob of that namespace was deleted,
 * and at a start where accounts are that nobody needs: with the last invoker they go. Accounts of an invoker's own
 * carry an owner reference and go by garbage collection.
 */
#include "controllers/identity.h"

#include "controllers/trigger.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "core/base/mem.h"

static const char managed_by[] = "stash.appscode.com";
#define ACCOUNT_LABEL STASH_GROUP "/account" /* of a binding: its subject, which records do not keep */

static json_t *metadata(const char *name, const char *component, const struct kobj *owner)
{
    json_t *meta = json_pack("{s:s, s:{s:s, s:s}}", "name", name, "labels", "app.kubernetes.io/component", component,
                             "app.kubernetes.io/managed-by", managed_by);
    char version[128];

    if (owner)
        json_object_set_new(meta, "ownerReferences",
                            json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion",
                                      kind_api_version(owner->kind, version), "kind", owner->kind->name, "name",
                                      owner->name, "uid", owner->uid, "controller", 1, "blockOwnerDeletion", 1));
    return meta;
}

static const struct {
    const char *account, *component, *cluster_role;
} roles[] = {
    [IDENTITY_BACKUP] = {"stash-backup", "stash-backup", "backup-job"},
    [IDENTITY_RESTORE] = {"stash-restore", "stash-restore", "restore-job"},
    [IDENTITY_TRIGGER] = {"stash-trigger", "stash-backup", "cron-job"},
};

static void ensure_account(struct world *w, struct plan *p, const char *ns, const char *name,
                           const struct identity_want *want, const struct kobj *owner)
{
    const struct kind *k = kind_get(KIND_SERVICEACCOUNT);
    json_t *meta;

    if (cache_find(world_cache(w), k, ns, name))
        return;
    meta = metadata(name, roles[want->role].component, owner);
    if (owner && json_object_size(want->annotations))
        json_object_set_new(meta, "annotations", json_clone(want->annotations));
    plan_apply(p, k, ns, json_pack("{s:o}", "metadata", meta));
}

/* Another account in it: the user chose anew. */
static bool has_binding(const struct cache *c, const char *ns, const char *name, const char *account)
{
    const struct kobj *have = cache_find(c, kind_get(KIND_ROLEBINDING), ns, name);
    char label[256];

    return have &&
           str_same(kobj_get(have, "label:" ACCOUNT_LABEL), str_shorten_name(str_of(account), 63, false, label));
}

static void ensure_binding(struct world *w, struct plan *p, const char *ns, const char *name, const char *account,
                           enum identity_role r, const struct kobj *owner)
{
    const struct kind *k = kind_get(KIND_ROLEBINDING);
    char label[256];
    const char *role;
    json_t *meta;

    if (has_binding(world_cache(w), ns, name, account))
        return;
    meta = metadata(name, roles[r].component, owner);
    json_object_set_new(json_object_get(meta, "labels"), ACCOUNT_LABEL,
                        json_string(str_shorten_name(str_of(account), 63, false, label)));
    role = arena_printf(world_arena(w), "%s-%s", world_settings(w)->fullname, roles[r].cluster_role);
    plan_apply(p, k, ns,
               json_pack("{s:o, s:{s:s, s:s, s:s}, s:[{s:s, s:s, s:s}]}", "metadata", meta, "roleRef", "apiGroup",
                         "rbac.authorization.k8s.io", "kind", "ClusterRole", "name", role, "subjects", "kind",
                         "ServiceAccount", "name", account, "namespace", ns));
}

/* Cut to 63 (controllers.md 2). */
const char *identity_own_name(struct world *w, const struct kobj *invoker, size_t index)
{
    char *full = arena_printf(world_arena(w), "%s-%s-%zu", invoker->kind->name, invoker->name, index);
    char name[256];

    for (char *c = full; *c && *c != '-'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return arena_strdup(world_arena(w), str_shorten_name(str_of(full), 63, false, name));
}

const char *identity_ensure(struct world *w, struct plan *p, const struct identity_want *want)
{
    const char *ns = want->invoker->ns, *own = identity_own_name(w, want->invoker, want->index);
    const char *shared = roles[want->role].account;

    if (want->user_account && want->user_account[0]) {
        ensure_binding(w, p, ns, want->binding ? want->binding : own, want->user_account, want->role, want->invoker);
        return want->user_account;
    }
    /* An account of U's name that is there already may be trusted by name in some cloud: it stays in use. */
    if (want->role != IDENTITY_TRIGGER && (want->own || json_object_size(want->annotations) ||
                                           cache_find(world_cache(w), kind_get(KIND_SERVICEACCOUNT), ns, own))) {
        ensure_account(w, p, ns, own, want, want->invoker);
        ensure_binding(w, p, ns, own, own, want->role, want->invoker);
        return own;
    }
    ensure_account(w, p, ns, shared, want, NULL);
    ensure_binding(w, p, ns, shared, shared, want->role, NULL);
    return shared;
}

/* ---- gone with the last invoker ---- */

struct view {
    const struct kobj *self;
    bool has_backups, has_restores, has_triggers;
};

struct search {
    const char *ns;
    const struct operator_settings *by_cronjobs; /* only invokers whose sessions CronJobs make; NULL: any */
    bool found;
};

static bool in_namespace(void *ctx, const struct kobj *o)
{
    struct search *s = ctx;

    s->found = str_same(o->ns, s->ns) && !o->deleting &&
               (!s->by_cronjobs || trigger_of(s->by_cronjobs, o) == TRIGGER_CRONJOB);
    return !s->found;
}

static bool has_any(const struct cache *c, enum kind_id kind, const char *ns,
                    const struct operator_settings *by_cronjobs)
{
    struct search s = {.ns = ns, .by_cronjobs = by_cronjobs};

    cache_each(c, kind_get(kind), in_namespace, &s);
    return s.found;
}

static int observe(struct world *w, const struct kobj *self, void *view)
{
    const struct cache *c = world_cache(w);
    struct view *v = view;

    if (self->deleting)
        return PHASE_REST; /* the namespace takes all with it */
    v->self = self;
    v->has_backups = has_any(c, KIND_BACKUPCONFIGURATION, self->name, NULL) ||
                     has_any(c, KIND_BACKUPBATCH, self->name, NULL);
    v->has_restores = has_any(c, KIND_RESTORESESSION, self->name, NULL) ||
                      has_any(c, KIND_RESTOREBATCH, self->name, NULL);
    v->has_triggers = has_any(c, KIND_BACKUPCONFIGURATION, self->name, world_settings(w));
    return 0;
}

static bool something_unused(const void *view)
{
    const struct view *v = view;

    return !v->has_backups || !v->has_restores || !v->has_triggers;
}

/* Only what carries our label: the watches of accounts and bindings select it, so what the cache has is ours. */
static void drop_pair(struct world *w, struct plan *p, const char *ns, const char *name)
{
    static const enum kind_id kinds[] = {KIND_ROLEBINDING, KIND_SERVICEACCOUNT};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct kobj *o = cache_find(world_cache(w), kind_get(kinds[i]), ns, name);

        if (o && !o->deleting)
            plan_delete(p, o->kind, ns, name, o->uid, "Background");
    }
}

static void drop_unused(const void *view, struct world *w, struct plan *p)
{
    const struct view *v = view;

    if (!v->has_backups)
        drop_pair(w, p, v->self->name, "stash-backup");
    if (!v->has_restores)
        drop_pair(w, p, v->self->name, "stash-restore");
    if (!v->has_triggers)
        drop_pair(w, p, v->self->name, "stash-trigger");
}

static void wake_namespace_of_deleted(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx)
{
    if (!cache_find(c, changed->kind, changed->ns, changed->name))
        wake(ctx, NULL, changed->ns);
}

/* ---- what an operator that was killed has left ---- */

struct uses {
    struct map roles; /* namespace to its roles that somebody needs, as bits, and ASKED */
    const struct operator_settings *settings;
    wake_fn *wake;
    void *ctx;
};

enum { ASKED = 1 << 7 };

static unsigned roles_of(const struct uses *u, const char *ns)
{
    return (unsigned)(uintptr_t)map_get(&u->roles, str_of(ns));
}

static void add_roles(struct uses *u, const char *ns, unsigned bits)
{
    (void)map_put(&u->roles, str_of(ns), (void *)(uintptr_t)(roles_of(u, ns) | bits));
}

static bool note_invoker(void *ctx, const struct kobj *o)
{
    struct uses *u = ctx;
    bool restores = o->kind->id == KIND_RESTORESESSION || o->kind->id == KIND_RESTOREBATCH;
    bool triggers = o->kind->id == KIND_BACKUPCONFIGURATION && trigger_of(u->settings, o) == TRIGGER_CRONJOB;

    if (!o->deleting)
        add_roles(u, o->ns, (restores ? 1u << IDENTITY_RESTORE : 1u << IDENTITY_BACKUP) |
                                (triggers ? 1u << IDENTITY_TRIGGER : 0));
    return true;
}

static bool ask_about(void *ctx, const struct kobj *o)
{
    struct uses *u = ctx;
    unsigned used = roles_of(u, o->ns);

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (!str_same(o->name, roles[i].account) || used & (1u << i) || used & ASKED)
            continue;
        add_roles(u, o->ns, ASKED);
        u->wake(u->ctx, NULL, o->ns);
    }
    return true;
}

static void wake_namespaces_with_leftovers(const struct cache *c, const struct operator_settings *s, uint64_t seed,
                                           wake_fn *wake, void *ctx)
{
    static const enum kind_id invokers[] = {KIND_BACKUPCONFIGURATION, KIND_BACKUPBATCH, KIND_RESTORESESSION,
                                            KIND_RESTOREBATCH};
    struct uses u = {.settings = s, .wake = wake, .ctx = ctx};

    map_init(&u.roles, seed);
    for (size_t i = 0; i < sizeof(invokers) / sizeof(invokers[0]); i++)
        cache_each(c, kind_get(invokers[i]), note_invoker, &u);
    cache_each(c, kind_get(KIND_SERVICEACCOUNT), ask_about, &u);
    cache_each(c, kind_get(KIND_ROLEBINDING), ask_about, &u);
    map_done(&u.roles);
}

static const char *const phases[] = {"", NULL};

static const struct rule rules[] = {
    {0, something_unused, drop_unused, 0, "AccountsUnused"},
    {0, NULL, NULL, 0, "AccountsInUse"},
};

static const struct watched watches[] = {
    {.kind = KIND_BACKUPCONFIGURATION, .map = wake_namespace_of_deleted},
    {.kind = KIND_BACKUPBATCH, .map = wake_namespace_of_deleted},
    {.kind = KIND_RESTORESESSION, .map = wake_namespace_of_deleted},
    {.kind = KIND_RESTOREBATCH, .map = wake_namespace_of_deleted},
    {.kind = KIND_CRONJOB, .map = wake_namespace_of_deleted}, /* its invoker may be the operator's again */
};

const struct controller identity_controller = {
    .name = "identity",
    .kind = KIND_NAMESPACE,
    .component = "Identity Controller",
    .phases = phases,
    .rules = rules,
    .n_rules = sizeof(rules) / sizeof(rules[0]),
    .view_size = sizeof(struct view),
    .observe = observe,
    .watches = watches,
    .n_watches = sizeof(watches) / sizeof(watches[0]),
    .by_wake_only = true,
    .first_look = wake_namespaces_with_leftovers,
};
