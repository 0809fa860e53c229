/*
 * model: the whole: making, restoring, starting, and the one place where each change passes: the log on disk hears it
 * first, then the watches, then who else listens.
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/authn.h"
#include "k8s/model/controllers.h"
#include "k8s/model/crd.h"
#include "k8s/model/rbac.h"
#include "k8s/model/verbs.h"

enum { HISTORY_MAX = 10000 };

int64_t model_now_s(struct model *m)
{
    return env_wall_ms(m->env) / 1000;
}

const char *model_now(struct model *m, char out[32])
{
    return str_format_time(model_now_s(m), out);
}

void model_new_uid(struct model *m, char out[37])
{
    uint64_t a = env_random(m->env), b = env_random(m->env);

    (void)snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
                   (unsigned)a & 0xfff, 0x8000 | ((unsigned)(b >> 48) & 0x3fff),
                   (unsigned long long)(b & 0xffffffffffffULL));
}

uint64_t model_rv(const struct model *m)
{
    return store_rv(m->store);
}

void model_compact(struct model *m, uint64_t rv)
{
    store_compact(m->store, rv);
}

void model_on_change(struct model *m, model_change_fn *fn, void *ctx)
{
    m->on_change = fn;
    m->change_ctx = ctx;
}

void model_on_log(struct model *m, model_log_fn *fn, void *ctx)
{
    m->on_log = fn;
    m->log_ctx = ctx;
}

/* ---- a change ---- */

static void model_changed(void *ctx, const struct store_event *e)
{
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
    struct model *m = ctx;
    const json_t *now = e->type == STORE_DELETED ? NULL : e->now->json;
    const json_t *old = e->type == STORE_ADDED ? NULL : e->old->json;
    const struct resource *r;

    if (m->on_commit) {
        char *key = mem_printf("%s/%s/%s", table_name(e->table), e->now->ns, e->now->name);

        m->on_commit(m->commit_ctx, e->rv, key, now);
        mem_free(key);
    }
    watch_event(m, e);
    if (m->on_change)
        m->on_change(m->change_ctx, types[e->type], e->now->json, stored_text(e->now));
    r = resource_of_table(m->resources, e->table);
    if (!r)
        return;
    if (crd_is(r))
        crd_changed(m, old, now);
    if (strcmp(r->plural, "clusterroles") == 0)
        rbac_role_changed(m);
    if (m->controllers)
        model_controllers_changed(m, r, old, now ? now : NULL);
}

/* ---- what a new cluster has ---- */

static void ensure(struct model *m, const char *path, json_t *object_take)
{
    char *one = mem_printf("%s/%s", path, json_text(object_take, "metadata.name"));

    if (model_do(m, "system:apiserver", "GET", one, NULL, NULL) == 404)
        (void)model_do(m, "system:apiserver", "POST", path, object_take, NULL); /* 409 only: somebody was faster */
    mem_free(one);
    json_decref(object_take);
}

static void ensure_basics(struct model *m)
{
    static const char *const namespaces[] = {"default", "kube-system", "kube-public", "kube-node-lease"};

    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
        ensure(m, "/api/v1/namespaces", json_pack("{s:{s:s}}", "metadata", "name", namespaces[i]));
}

/* ---- life ---- */

struct model *model_new(const struct model_options *o)
{
    struct model *m = mem_zalloc(sizeof(*m));

    m->env = o->env;
    m->seed = o->seed;
    m->rbac = o->rbac;
    m->no_managed_fields = o->no_managed_fields;
    m->bookmark_ms = (o->bookmark_s ? o->bookmark_s : 30) * 1000;
    m->ca_pem = o->ca_pem;
    m->on_commit = o->on_commit;
    m->on_audit = o->on_audit;
    m->commit_ctx = o->ctx;
    list_init(&m->watches);
    map_init(&m->tokens, o->seed);
    map_init(&m->trusted, o->seed);
    m->store = store_new(o->seed, o->history_max ? o->history_max : HISTORY_MAX, model_changed, m);
    m->resources = resources_new(m->store);
    crd_init(m);
    rbac_init(m);
    return m;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    watch_end_all(m);
    model_controllers_stop(m);
    crd_done(m);
    rbac_done(m);
    authn_done(m);
    store_free(m->store);
    resources_free(m->resources);
    mem_free(m);
}

void model_load(struct model *m, uint64_t rv, const char *key, json_t *object_take)
{
    struct str rest = str_of(key), table, ns;
    struct table *t;
    char *name;

    if (!str_cut(&rest, '/', &table) || !str_cut(&rest, '/', &ns)) {
        json_decref(object_take); /* no key of ours */
        store_load_rv(m->store, rv);
        return;
    }
    name = mem_strndup(table.p, table.n);
    t = store_table(m->store, name);
    mem_free(name);
    name = mem_strndup(ns.n ? ns.p : "", ns.n);
    store_load(m->store, t, rv, name, rest.p, object_take);
    mem_free(name);
}

void model_start(struct model *m)
{
    if (m->started)
        return;
    m->started = true;
    crd_register_all(m);
    ensure_basics(m);
    rbac_bootstrap(m);
    model_controllers_start(m);
}
