/*
 * controllers: starts the model's controllers, hands them changes, and has what all of them need: requests as the
 * controller manager, events, finalizers.
 *
 * After a restart nothing is remembered: each controller is shown every stored object as if it had just come.
 */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/parts.h"

bool controllers_is(const struct resource *r, const char *group, const char *plural)
{
    return strcmp(r->plural, plural) == 0 && strcmp(r->group, group) == 0;
}

const struct resource *controllers_resource(struct model_controllers *c, const char *group, const char *plural)
{
    return resource_find(c->m->resources, str_of(group), STR("v1"), str_of(plural));
}

static void path_of(struct buf *out, const struct resource *r, const char *ns, const char *name,
                    const char *subresource)
{
    buf_printf(out, r->group[0] ? "/apis/%s/%s" : "/api%s/%s", r->group, r->version);
    if (r->namespaced)
        buf_printf(out, "/namespaces/%s", ns);
    buf_printf(out, "/%s", r->plural);
    if (name)
        buf_printf(out, "/%s", name);
    if (subresource)
        buf_printf(out, "/%s", subresource);
}

int controllers_do(struct model_controllers *c, const char *method, const struct resource *r, const char *ns,
                   const char *name, const char *subresource, json_t *body_take, json_t **ret)
{
    struct buf path;
    int status;

    buf_init(&path, 4096);
    path_of(&path, r, ns, name, subresource);
    status = model_do(c->m, "system:kube-controller-manager", method, path.data, body_take, ret);
    buf_done(&path);
    json_decref(body_take);
    return status;
}

int controllers_delete(struct model_controllers *c, const struct resource *r, const struct stored *o,
                       const char *propagation)
{
    json_t *options = json_pack("{s:s, s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                                "propagationPolicy", propagation, "preconditions", "uid", o->uid);
    AUTO_FREE char *ns = mem_strdup(o->ns), *name = mem_strdup(o->name); /* the object may go meanwhile */

    return controllers_do(c, "DELETE", r, ns, name, NULL, options, NULL);
}

bool controllers_has_finalizer(const json_t *object, const char *finalizer)
{
    const json_t *list = json_at(object, "metadata.finalizers"), *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (str_same(json_string_value(one), finalizer))
            return true;
    return false;
}

json_t *controllers_without_finalizer(const json_t *object, const char *finalizer)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)object), *list;

    json_object_set_new(copy, "metadata", json_clone(json_object_get(object, "metadata"))); /* the rest is only read */
    list = json_at(copy, "metadata.finalizers");
    for (size_t i = json_array_size(list); i-- > 0;)
        if (str_same(json_string_value(json_array_get(list, i)), finalizer))
            json_array_remove(list, i);
    return copy;
}

bool controllers_is_deleting(const json_t *object)
{
    return json_text(object, "metadata.deletionTimestamp")[0] != '\0';
}

int64_t controllers_time_ms(const char *text)
{
    int64_t seconds;

    return str_parse_time(str_of(text), &seconds) == 0 ? seconds * 1000 : -1;
}

/* ---- events ---- */

static json_t *event_new(struct model_controllers *c, const json_t *about, const char *name, const char *component,
                         const char *type, const char *reason, const char *message)
{
    char now[32];

    model_now(c->m, now);
    return json_pack(
        "{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:i, s:s, s:s, s:{s:s}, "
        "s:s, s:s}",
        "apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace",
        json_text(about, "metadata.namespace"), "involvedObject", "apiVersion", json_text(about, "apiVersion"), "kind",
        json_text(about, "kind"), "namespace", json_text(about, "metadata.namespace"), "name",
        json_text(about, "metadata.name"), "uid", json_text(about, "metadata.uid"), "resourceVersion",
        json_text(about, "metadata.resourceVersion"), "type", type, "reason", reason, "message", message, "count", 1,
        "firstTimestamp", now, "lastTimestamp", now, "source", "component", component, "reportingComponent", component,
        "reportingInstance", "");
}

void controllers_event(struct model_controllers *c, const json_t *about, const char *component, const char *type,
                       const char *reason, const char *message)
{
    const struct resource *events = controllers_resource(c, "", "events");
    const char *ns = json_text(about, "metadata.namespace");
    bool warning = strcmp(type, "Warning") == 0; /* names and numbers in its message may differ each time */
    AUTO_FREE char *told = mem_printf("%s\n%s\n%s", json_text(about, "metadata.uid"), reason, warning ? "" : message);
    AUTO_FREE char *name = NULL;
    struct stored *old;
    json_t *copy;
    char hash[65], now[32];

    str_sha256_hex(str_of(told), hash);
    name = mem_printf("%s.%.16s", json_text(about, "metadata.name"), hash);
    old = store_get(events->table, ns, name);
    if (!old) {
        (void)controllers_do(c, "POST", events, ns, NULL, NULL,
                             event_new(c, about, name, component, type, reason, message), NULL);
        return; /* a namespace that ends takes no events: nobody would read them */
    }
    copy = json_clone(old->json);
    json_object_set_new(copy, "count", json_integer(json_int(copy, "count", 1) + 1));
    json_object_set_new(copy, "lastTimestamp", json_string(model_now(c->m, now)));
    json_object_set_new(copy, "message", json_string(message));
    (void)controllers_do(c, "PUT", events, ns, name, NULL, copy, NULL);
}

/* ---- life ---- */

static void show(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now)
{
    gc_changed(c, r, old, now);
    namespaces_changed(c, r, old, now);
    jobs_changed(c, r, old, now);
    cronjobs_changed(c, r, old, now);
    quotas_changed(c, r, old, now);
}

void model_controllers_changed(struct model *m, const struct resource *r, const json_t *old, const json_t *now)
{
    if (!m->controllers)
        return;
    owners_changed(&m->controllers->owners, r->table, old, now);
    show(m->controllers, r, old, now);
}

typedef void each_fn(struct model_controllers *c, const struct resource *r, struct stored *o);

/* Nothing is written meanwhile: places in tables stay. */
static void each_object(struct model_controllers *c, each_fn *fn)
{
    struct resources *rs = c->m->resources;
    struct stored *o;

    for (const struct resource *r = NULL; (r = resource_next(rs, r));) {
        if (!r->table || resource_of_table(rs, r->table) != r)
            continue;
        for (size_t i = store_first(r->table, NULL); (o = store_at(r->table, NULL, i)); i++)
            fn(c, r, o);
    }
}

static void index_object(struct model_controllers *c, const struct resource *r, struct stored *o)
{
    owners_changed(&c->owners, r->table, NULL, o->json);
}

static void show_object(struct model_controllers *c, const struct resource *r, struct stored *o)
{
    show(c, r, NULL, o->json);
}

void model_controllers_start(struct model *m)
{
    struct model_controllers *c = mem_zalloc(sizeof(*c));

    c->m = m;
    owners_init(&c->owners, env_random(m->env));
    workqueue_init(&c->gc, m->env, gc_run, c);
    workqueue_init(&c->namespaces, m->env, namespaces_run, c);
    workqueue_init(&c->jobs, m->env, jobs_run, c);
    workqueue_init(&c->cronjobs, m->env, cronjobs_run, c);
    workqueue_init(&c->quotas, m->env, quotas_run, c);
    map_init(&c->job_records, env_random(m->env));
    m->controllers = c;
    each_object(c, index_object);
    each_object(c, show_object);
}

void model_controllers_stop(struct model *m)
{
    struct model_controllers *c = m->controllers;

    if (!c)
        return;
    m->controllers = NULL;
    workqueue_done(&c->gc);
    workqueue_done(&c->namespaces);
    workqueue_done(&c->jobs);
    workqueue_done(&c->cronjobs);
    workqueue_done(&c->quotas);
    jobs_done(c);
    owners_done(&c->owners);
    mem_free(c);
}
