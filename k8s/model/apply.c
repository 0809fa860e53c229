/* apply: see apply.h. */
#include "k8s/model/apply.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/cause.h"
#include "k8s/model/check.h"
#include "k8s/model/managed.h"
#include "k8s/model/schema.h"
#include "k8s/model/typed.h"

/* ---- conflicts ---- */

struct conflicts {
    json_t *causes;
    struct buf text; /* all but the first line of several */
    size_t n;
    const char *with; /* "name" using v1 */
};

static void add_conflict(void *ctx, const char *path)
{
    struct conflicts *c = ctx;

    json_array_append_new(c->causes, json_pack("{s:s, s:o, s:s}", "reason", "FieldManagerConflict", "message",
                                               json_sprintf("conflict with %s", c->with), "field", path));
    buf_printf(&c->text, "\n- %s", path);
    c->n++;
}

static char *describe(const struct managed_entry *e)
{
    AUTO_FREE char *sub = *e->sub ? mem_printf(" with subresource \"%s\"", e->sub) : mem_strdup("");

    if (e->applied)
        return mem_printf("\"%s\"%s", e->manager, sub);
    return mem_printf("\"%s\"%s using %s", e->manager, sub, e->api_version);
}

static int by_manager(const void *a, const void *b)
{
    return strcmp((*(struct managed_entry *const *)a)->manager, (*(struct managed_entry *const *)b)->manager);
}

static void collect(struct conflicts *c, struct managed *m, const struct managed_entry *self, const json_t *changed)
{
    struct managed_entry **all = mem_alloc((m->n + 1) * sizeof(*all));

    for (size_t i = 0; i < m->n; i++)
        all[i] = &m->items[i];
    qsort(all, m->n, sizeof(struct managed_entry *), by_manager);
    for (size_t i = 0; i < m->n; i++) {
        json_t *set = fieldset_intersection(managed_fields(all[i]), changed);
        AUTO_FREE char *with = describe(all[i]);

        if (all[i] != self && !fieldset_is_empty(set)) {
            buf_printf(&c->text, "%sconflicts with %s:", c->n ? "\n" : "", with);
            c->with = with;
            fieldset_each(set, add_conflict, c);
        }
        json_decref(set);
    }
    mem_free(all);
}

static int refuse(struct request *q, struct conflicts *c)
{
    const json_t *first = json_array_get(c->causes, 0);
    int status;

    if (c->n == 1)
        status = request_fail(q, 409, "Conflict", "Apply failed with 1 conflict: %s: %s", json_text(first, "message"),
                              json_text(first, "field"));
    else
        status = request_fail(q, 409, "Conflict", "Apply failed with %zu conflicts: %s", c->n, c->text.data);
    json_object_set_new(q->answer, "details", json_pack("{s:O}", "causes", c->causes));
    return status;
}

/* 0, or 409: somebody else owns what would change. */
static int check_conflicts(struct request *q, struct managed *m, const struct managed_entry *self,
                           const json_t *changed)
{
    struct conflicts c = {.causes = json_array()};
    int status = 0;

    buf_init(&c.text, 256 * 1024);
    collect(&c, m, self, changed);
    if (c.n)
        status = refuse(q, &c);
    json_decref(c.causes);
    buf_done(&c.text);
    return status;
}

/*
 * kubectl's client-side apply noted what it applied in an annotation. Where that is what the object still says, kubectl
 * may take it over from its former self.
 */
static json_t *allowed_to_kubectl(const struct merge_type *t, const char *manager, const json_t *live)
{
    const char *note = json_meta(live, "annotations", "kubectl.kubernetes.io/last-applied-configuration");
    json_t *applied = strcmp(manager, "kubectl") == 0 && *note ? json_loads(note, 0, NULL) : NULL, *set, *all, *out;
    struct merge_diff d;

    if (!json_is_object(applied)) {
        json_decref(applied);
        return json_object();
    }
    set = mergewalk_fields(t, applied, NULL);
    d = mergewalk_diff(t, live, applied);
    all = fieldset_union(d.added, d.modified);
    out = fieldset_difference(set, all);
    mergewalk_diff_done(&d);
    json_decref(all);
    json_decref(set);
    json_decref(applied);
    return out;
}

/* ---- what may be said ---- */

static int check_parameters(struct request *q, char manager[129])
{
    json_t *causes;

    if (*request_query(q, "fieldManager", manager, 129))
        return 0;
    causes = json_array();
    cause_add(causes, "FieldValueRequired", "fieldManager", "Required value: is required for apply patch");
    return request_invalid_options(q, "PatchOptions", causes);
}

static int refuse_config(struct request *q, const json_t *config, const char *why)
{
    const char *api_version = json_text(config, "apiVersion");
    int status = request_fail(q, 500, "", "failed to create typed patch object (%s/%s; %s%s, Kind=%s): %s",
                              json_text(config, "metadata.namespace"), json_text(config, "metadata.name"),
                              strchr(api_version, '/') ? "" : "/", api_version, q->r->kind, why);

    json_object_del(q->answer, "details");
    json_object_del(q->answer, "reason");
    return status;
}

/* An apply may speak of known fields only: what it does not own it can't take back later. */
static int check_config(struct request *q, json_t *config)
{
    json_t *dropped = json_array(), *meta = json_object_get(config, "metadata");
    struct error e = {.msg = ""};
    int status = 0;

    if (json_object_get(meta, "managedFields"))
        status = request_fail(q, 400, "BadRequest", "metadata.managedFields must be nil");
    if (!status && q->r->builtin) {
        check_drop_nulls(config);
        if (typed_check(q->r->kind, config, NULL, dropped, &e) < 0)
            status = request_fail(q, 400, "BadRequest", "%s", e.msg);
    } else if (!status && q->r->schema) {
        schema_prune(q->r->schema, config, dropped);
    }
    if (!status && json_array_size(dropped)) {
        AUTO_FREE char *what = mem_printf(".%s: field not declared in schema",
                                          json_string_value(json_array_get(dropped, 0)));

        status = refuse_config(q, config, what);
    }
    json_decref(dropped);
    return status;
}

/* ---- the run ---- */

/* What a write by this path can't change, and so nobody owns by it. */
static json_t *filtered(const struct request *q, json_t *set_take)
{
    json_t *out = set_take, *child;
    const char *key;
    void *next;

    if (strcmp(q->sub, "status") != 0) {
        if (q->r->has_status)
            json_object_del(out, "f:status");
        return out;
    }
    json_object_foreach_safe (out, next, key, child)
        if (strcmp(key, "f:status") != 0 && (!q->r->builtin || strcmp(key, "f:metadata") != 0))
            json_object_del(out, key);
    return out;
}

struct run {
    struct request *q;
    struct merge_type type;
    const json_t *live, *config;
    char manager[129], api_version[256];
    struct managed managed;
    bool force;
};

/* An object that nobody's entries speak of was written by somebody before. */
static void before_first_apply(struct run *r)
{
    json_t *nothing = json_object();
    struct merge_diff d;

    if (r->managed.n || json_object_size(r->live) == 0) {
        json_decref(nothing);
        return;
    }
    d = mergewalk_diff(&r->type, nothing, r->live);
    managed_set(managed_add(&r->managed, false, "before-first-apply", r->api_version, r->q->sub),
                managed_strip(json_incref(d.added)));
    managed_drop_empty(&r->managed);
    mergewalk_diff_done(&d);
    json_decref(nothing);
}

static json_t *all_sets(struct managed *m)
{
    json_t *all = json_object();

    for (size_t i = 0; i < m->n; i++) {
        json_t *more = fieldset_union(all, managed_fields(&m->items[i]));

        json_decref(all);
        all = more;
    }
    return all;
}

/* Lays the configuration over and takes away what the manager had and let go; self's set is the new one after that. */
static json_t *merge_and_prune(struct run *r, struct managed_entry *self, json_t *fields_take)
{
    json_t *merged = mergewalk_merge(&r->type, r->live, r->config), *kept, *pruned;
    json_t *last = json_clone(managed_fields(self));

    managed_set(self, filtered(r->q, fields_take));
    if (!fieldset_is_empty(last)) {
        kept = all_sets(&r->managed);
        pruned = mergewalk_prune(&r->type, merged, last, kept);
        json_decref(kept);
        json_decref(merged);
        merged = pruned;
    }
    json_decref(last);
    return merged;
}

static int settle_owners(struct run *r, struct managed_entry *self, const json_t *merged)
{
    struct merge_diff d = mergewalk_diff(&r->type, r->live, merged);
    json_t *changed = filtered(r->q, fieldset_union(d.added, d.modified));
    json_t *allowed = allowed_to_kubectl(&r->type, r->manager, r->live), *wrong = fieldset_difference(changed, allowed);
    json_t *lost = fieldset_union(changed, d.removed);
    int status = r->force ? 0 : check_conflicts(r->q, &r->managed, self, wrong);
    char now[32];

    for (size_t i = 0; !status && i < r->managed.n; i++)
        if (&r->managed.items[i] != self)
            managed_set(&r->managed.items[i], fieldset_difference(managed_fields(&r->managed.items[i]), lost));
    managed_set(self, managed_strip(json_clone(managed_fields(self))));
    managed_set_time(self, model_now(r->q->m, now));
    mergewalk_diff_done(&d);
    json_decref(changed);
    json_decref(allowed);
    json_decref(wrong);
    json_decref(lost);
    return status;
}

static int run(struct run *r, json_t **ret)
{
    struct managed_entry *self = managed_find(&r->managed, true, r->manager, r->api_version, r->q->sub);
    struct error e = {.msg = ""};
    json_t *fields = mergewalk_fields(&r->type, r->config, &e), *merged, *list, *meta;
    int status;

    if (!fields)
        return refuse_config(r->q, r->config, e.msg);
    if (!self)
        self = managed_add(&r->managed, true, r->manager, r->api_version, r->q->sub);
    mem_free(self->api_version);
    self->api_version = mem_strdup(r->api_version);
    merged = merge_and_prune(r, self, fields);
    status = settle_owners(r, self, merged);
    if (status) {
        json_decref(merged);
        return status;
    }
    managed_drop_empty(&r->managed);
    *ret = json_clone(merged); /* its parts are those of live and config */
    json_decref(merged);
    meta = json_object_get(*ret, "metadata");
    list = managed_write(&r->managed);
    if (list)
        json_object_set_new(meta, "managedFields", list);
    return 0;
}

int apply_run(struct request *q, const json_t *live, json_t *config, json_t **ret)
{
    struct run r = {.q = q, .type = merge_type_of(q->r), .config = config};
    json_t *bare = live ? json_copy((json_t *)(uintptr_t)live) : json_object(), *meta;
    char force[16];
    int status = check_parameters(q, r.manager);

    if (!status)
        status = check_config(q, config);
    if (status) {
        json_decref(bare);
        return status;
    }
    r.force = q->m->no_managed_fields || strcmp(request_query(q, "force", force, sizeof(force)), "true") == 0;
    resource_api_version(q->r, r.api_version);
    (void)managed_read(&r.managed, json_at(live, "metadata.managedFields")); /* unreadable: as if nobody owned it */
    if (live) {
        meta = json_copy(json_object_get(bare, "metadata"));
        json_object_del(meta, "managedFields");
        json_object_set_new(bare, "metadata", meta);
    }
    r.live = bare;
    before_first_apply(&r);
    status = run(&r, ret);
    managed_done(&r.managed);
    json_decref(bare);
    return status;
}
