/*
 * managed: see managed.h.
 *
 * Every write takes over the fields that it changes: they leave the other managers' entries and join the writer's. An
 * object that has no entries at all stays without, but for a new one; only an apply makes entries for it.
 */
#include "k8s/model/managed.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { UPDATERS_MAX = 10 }; /* more entries of operation Update are folded into one of "ancient-changes" */

/* ---- entries ---- */

static void entry_done(struct managed_entry *e)
{
    mem_free(e->manager);
    mem_free(e->api_version);
    mem_free(e->sub);
    mem_free(e->time);
    json_decref(e->wire);
    json_decref(e->set);
}

void managed_done(struct managed *m)
{
    for (size_t i = 0; i < m->n; i++)
        entry_done(&m->items[i]);
    mem_free(m->items);
    *m = (struct managed){0};
}

static void remove_at(struct managed *m, size_t i)
{
    entry_done(&m->items[i]);
    memmove(&m->items[i], &m->items[i + 1], (m->n - i - 1) * sizeof(*m->items));
    m->n--;
}

struct managed_entry *managed_add(struct managed *m, bool applied, const char *manager, const char *api_version,
                                  const char *sub)
{
    m->items = mem_realloc(m->items, (m->n + 1) * sizeof(*m->items));
    m->items[m->n] = (struct managed_entry){.manager = mem_strdup(manager),
                                            .api_version = mem_strdup(api_version),
                                            .sub = mem_strdup(sub),
                                            .time = mem_strdup(""),
                                            .applied = applied,
                                            .set = json_object()};
    return &m->items[m->n++];
}

struct managed_entry *managed_find(struct managed *m, bool applied, const char *manager, const char *api_version,
                                   const char *sub)
{
    for (size_t i = 0; i < m->n; i++) {
        struct managed_entry *e = &m->items[i];

        if (e->applied == applied && strcmp(e->manager, manager) == 0 && strcmp(e->sub, sub) == 0 &&
            (applied || strcmp(e->api_version, api_version) == 0))
            return e;
    }
    return NULL;
}

void managed_set_time(struct managed_entry *e, const char *time)
{
    mem_free(e->time);
    e->time = mem_strdup(time);
}

const json_t *managed_fields(struct managed_entry *e)
{
    if (!e->set)
        e->set = fieldset_read(e->wire);
    return e->set;
}

void managed_set(struct managed_entry *e, json_t *set_take)
{
    json_decref(e->wire);
    json_decref(e->set);
    e->wire = NULL;
    e->set = set_take;
}

void managed_drop_empty(struct managed *m)
{
    for (size_t i = m->n; i-- > 0;)
        if (fieldset_is_empty(m->items[i].wire ? m->items[i].wire : m->items[i].set))
            remove_at(m, i);
}

/* ---- JSON ---- */

static bool read_one(struct managed *m, const json_t *from)
{
    const char *operation = json_text(from, "operation"), *api_version = json_text(from, "apiVersion");
    bool applied = strcmp(operation, "Apply") == 0;
    struct managed_entry *e;

    if ((!applied && strcmp(operation, "Update") != 0) || !*api_version ||
        strcmp(json_text(from, "fieldsType"), "FieldsV1") != 0)
        return false;
    e = managed_add(m, applied, json_text(from, "manager"), api_version, json_text(from, "subresource"));
    managed_set_time(e, json_text(from, "time"));
    managed_set(e, NULL);
    e->wire = json_incref(json_object_get(from, "fieldsV1"));
    if (!e->wire)
        e->wire = json_object();
    return true;
}

bool managed_read(struct managed *m, const json_t *list)
{
    const json_t *one;
    size_t i;

    *m = (struct managed){0};
    json_array_foreach (list, i, one) {
        if (!read_one(m, one)) {
            managed_done(m);
            return false;
        }
    }
    return true;
}

static int in_order(const void *a, const void *b)
{
    const struct managed_entry *x = a, *y = b;
    int by;

    if (x->applied != y->applied)
        return x->applied ? -1 : 1;
    by = strcmp(x->time, y->time); /* all are of one form */
    if (!by)
        by = strcmp(x->manager, y->manager);
    if (!by)
        by = strcmp(x->api_version, y->api_version);
    return by ? by : strcmp(x->sub, y->sub);
}

json_t *managed_write(struct managed *m)
{
    json_t *list;

    if (!m->n)
        return NULL;
    list = json_array();
    qsort(m->items, m->n, sizeof(*m->items), in_order);
    for (size_t i = 0; i < m->n; i++) {
        const struct managed_entry *e = &m->items[i];
        json_t *fields = e->wire ? json_incref(e->wire) : fieldset_write(e->set);

        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s*, s:s, s:o, s:s*}", "manager", e->manager, "operation",
                            e->applied ? "Apply" : "Update", "apiVersion", e->api_version, "time",
                            *e->time ? e->time : NULL, "fieldsType", "FieldsV1", "fieldsV1", fields, "subresource",
                            *e->sub ? e->sub : NULL));
    }
    return list;
}

/* ---- who, and what is nobody's ---- */

/* A part of the cluster, by its user. */
static struct str inner_agent(const char *user)
{
    struct str name = str_of(user);

    if (str_starts(name, STR("system:node")))
        return STR("kubelet");
    if (str_is(name, "system:apiserver"))
        return STR("kube-apiserver");
    return str_starts(name, STR("system:")) ? (struct str){name.p + 7, name.n - 7} : name;
}

const char *managed_manager(const struct request *q, char out[129])
{
    struct str agent = STR_NONE, word;
    size_t n;

    if (*request_query(q, "fieldManager", out, 129))
        return out;
    if (q->serve)
        agent = http_header_find(q->serve->headers, q->serve->n_headers, "user-agent");
    else if (q->user)
        agent = inner_agent(q->user->name);
    if (!str_cut(&agent, '/', &word) || !word.n)
        word = STR("unknown");
    n = word.n < 128 ? word.n : 128;
    memcpy(out, word.p, n);
    out[n] = '\0';
    return out;
}

json_t *managed_strip(json_t *set_take)
{
    static const char *const of_meta[] = {"f:name",       "f:namespace",     "f:creationTimestamp",
                                          "f:selfLink",   "f:uid",           "f:clusterName",
                                          "f:generation", "f:managedFields", "f:resourceVersion"};
    json_t *meta = json_object(), *nobody, *left;

    json_object_set_new(meta, ".", json_object());
    for (size_t i = 0; i < sizeof(of_meta) / sizeof(of_meta[0]); i++)
        json_object_set_new(meta, of_meta[i], json_pack("{s:{}}", "."));
    nobody = json_pack("{s:{s:{}}, s:{s:{}}, s:o}", "f:apiVersion", ".", "f:kind", ".", "f:metadata", meta);
    left = fieldset_difference(set_take, nobody);
    json_decref(nobody);
    json_decref(set_take);
    return left;
}

/* What the server fills in after it has asked who owns what: allocated, not given by the writer. */
static json_t *allocated(const struct resource *r)
{
    static const struct {
        const char *kind, *fields;
    } rows[] = {
        {"Job", "{\"f:spec\":{\"f:selector\":{},\"f:template\":{\"f:metadata\":{\"f:labels\":{\"f:controller-uid\":{},"
                "\"f:job-name\":{},\"f:batch.kubernetes.io/controller-uid\":{},\"f:batch.kubernetes.io/job-name\":{}"
                "}}}},\"f:metadata\":{\"f:labels\":{\"f:controller-uid\":{},\"f:job-name\":{},"
                "\"f:batch.kubernetes.io/controller-uid\":{},\"f:batch.kubernetes.io/job-name\":{}}}}"},
        {"Service",
         "{\"f:spec\":{\"f:clusterIP\":{},\"f:clusterIPs\":{},\"f:ipFamilies\":{},\"f:ipFamilyPolicy\":{}}}"},
        {"Namespace", "{\"f:spec\":{}}"},
        {"CustomResourceDefinition",
         "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"customresourcecleanup.apiextensions.k8s.io\\\"\":{}}}}"},
        {"Pod", "{\"f:spec\":{\"f:serviceAccountName\":{},\"f:serviceAccount\":{}}}"},
    };
    json_t *fields = NULL, *set;

    for (size_t i = 0; r->builtin && i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].kind, r->kind) == 0)
            fields = json_loads(rows[i].fields, 0, NULL);
    if (!fields)
        fields = json_object();
    if (r->has_status && strcmp(r->kind, "Node") != 0)
        json_object_set_new(fields, "f:status", json_object());
    set = fieldset_read(fields);
    json_decref(fields);
    return set;
}

/* ---- too many ---- */

static int older_first(const void *a, const void *b)
{
    const struct managed_entry *x = *(struct managed_entry *const *)a, *y = *(struct managed_entry *const *)b;
    int by_time = strcmp(x->time, y->time);

    return by_time ? by_time : strcmp(x->manager, y->manager);
}

/* The two oldest of one version become one of "ancient-changes", until there are few enough. */
static bool fold_two(struct managed *m)
{
    struct managed_entry **old = mem_alloc((m->n + 1) * sizeof(*old)), *into = NULL, *from = NULL;
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        if (!m->items[i].applied)
            old[n++] = &m->items[i];
    qsort(old, n, sizeof(struct managed_entry *), older_first);
    for (size_t i = 0; n > UPDATERS_MAX && i < n && !from; i++)
        for (size_t k = i + 1; k < n && !from; k++)
            if (strcmp(old[i]->api_version, old[k]->api_version) == 0) {
                into = old[i];
                from = old[k];
            }
    mem_free(old);
    if (!from)
        return false;
    managed_set(into, fieldset_union(managed_fields(into), managed_fields(from)));
    managed_set_time(into, from->time);
    mem_free(into->manager);
    mem_free(into->sub);
    into->manager = mem_strdup("ancient-changes");
    into->sub = mem_strdup("");
    remove_at(m, (size_t)(from - m->items));
    return true;
}

/* ---- a write ---- */

/* The list that counts before the write: the client's own, if it sent one that can be read. False: the client wants to
 * start anew. */
static bool read_before(struct managed *m, const struct request *q, const json_t *old, const json_t *sent)
{
    const json_t *stored = json_at(old, "metadata.managedFields");
    size_t n = json_array_size(sent);
    bool reset = json_is_array(sent) && (n == 0 || (n == 1 && json_object_size(json_array_get(sent, 0)) == 0));

    *m = (struct managed){0};
    if (!*q->sub && reset)
        return false;
    if (*q->sub || !json_is_array(sent) || !managed_read(m, sent))
        (void)managed_read(m, stored); /* one that can't be read counts as none */
    return true;
}

/* All but `self` lose what the write changed or took away; self what it took away. */
static void take_over(struct managed *m, const struct managed_entry *self, const struct merge_diff *d)
{
    json_t *changed = fieldset_union(d->added, d->modified), *all = fieldset_union(changed, d->removed);

    for (size_t i = 0; i < m->n; i++) {
        struct managed_entry *e = &m->items[i];
        const json_t *lost = e == self ? d->removed : all;

        if (!e->wire || fieldset_wire_touches(e->wire, lost))
            managed_set(e, fieldset_difference(managed_fields(e), lost));
    }
    json_decref(all);
    json_decref(changed);
}

static void join(struct managed_entry *e, struct request *q, const json_t *set)
{
    char now[32];

    if (fieldset_is_empty(set))
        return;
    if (!e->wire || !fieldset_wire_covers(e->wire, set))
        managed_set(e, fieldset_union(managed_fields(e), set));
    managed_set_time(e, model_now(q->m, now));
}

static struct managed_entry *writer(struct managed *m, const struct request *q)
{
    char manager[129], api_version[256];
    struct managed_entry *e;

    managed_manager(q, manager);
    resource_api_version(q->r, api_version);
    e = managed_find(m, false, manager, api_version, q->sub);
    return e ? e : managed_add(m, false, manager, api_version, q->sub);
}

static void set_list(json_t *object, json_t *list_take)
{
    json_t *meta = json_object_get(object, "metadata");

    if (list_take)
        json_object_set_new(meta, "managedFields", list_take);
    else
        json_object_del(meta, "managedFields");
}

/* What a new object's writer owns: all but what the server allocates. */
static json_t *given(const struct resource *r, json_t *all_take)
{
    json_t *server = allocated(r), *given = fieldset_without(all_take, server);

    json_decref(server);
    json_decref(all_take);
    return given;
}

static void update(struct request *q, struct managed *m, const struct merge_diff *d, bool is_new)
{
    struct managed_entry *self = writer(m, q);
    json_t *mine = fieldset_union(d->added, d->modified);

    if (is_new)
        mine = given(q->r, mine);
    mine = managed_strip(mine);
    take_over(m, self, d);
    join(self, q, mine);
    managed_drop_empty(m);
    while (fold_two(m))
        ;
    json_decref(mine);
}

void managed_update(struct request *q, json_t *object, const json_t *old, const json_t *sent)
{
    struct merge_type t = merge_type_of(q->r);
    json_t *nothing = json_object();
    struct merge_diff d;
    struct managed m;

    /* The list itself is no field. */
    set_list(object, json_incref(json_at(old, "metadata.managedFields")));
    if (read_before(&m, q, old, sent) && !(old && !m.n)) {
        d = mergewalk_diff(&t, old ? old : nothing, object);
        if (!fieldset_is_empty(d.added) || !fieldset_is_empty(d.modified) || !fieldset_is_empty(d.removed))
            update(q, &m, &d, !old);
        mergewalk_diff_done(&d);
    }
    set_list(object, managed_write(&m));
    managed_done(&m);
    json_decref(nothing);
}

/* ---- times alone ---- */

static json_t *without_times(const json_t *list)
{
    json_t *copy = json_array(), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        json_t *entry = json_copy(one);

        json_object_del(entry, "time");
        json_array_append_new(copy, entry);
    }
    return copy;
}

void managed_settle(json_t *object, const json_t *old)
{
    json_t *was = json_incref(json_at(old, "metadata.managedFields"));
    json_t *is = json_incref(json_at(object, "metadata.managedFields"));
    json_t *was_bare = without_times(was), *is_bare = without_times(is);

    if (was && is && json_equal(was_bare, is_bare)) {
        set_list(object, json_incref(was));
        if (!json_equal(object, old))
            set_list(object, json_incref(is));
    }
    json_decref(was_bare);
    json_decref(is_bare);
    json_decref(was);
    json_decref(is);
}
