/*
 * namespaces: each namespace gets a ServiceAccount "default" and the ConfigMap kube-root-ca.crt; one that is being
 * deleted loses its contents and then its own finalizer, "kubernetes". What is left in it and why is told in its
 * status.
 *
 * Contents go in the background, pods with their grace. The namespace is looked at again with each object that leaves.
 */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/parts.h"

enum { RETRY_MS = 5000 }; /* nothing tells when a refused deletion may succeed */

static void mark(struct model_controllers *c, const char *ns)
{
    workqueue_add(&c->namespaces, ns, 0);
}

static bool is_terminating(const json_t *ns)
{
    return controllers_is_deleting(ns);
}

void namespaces_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now)
{
    const char *ns = json_text(now ? now : old, "metadata.namespace");
    struct stored *o;

    if (controllers_is(r, "", "namespaces")) {
        if (now)
            mark(c, json_text(now, "metadata.name"));
        return;
    }
    if (ns[0] == '\0')
        return;
    o = store_get(controllers_resource(c, "", "namespaces")->table, "", ns);
    if (!o)
        return;
    if (is_terminating(o->json) || (!now && (controllers_is(r, "", "serviceaccounts") ||
                                             controllers_is(r, "", "configmaps"))))
        mark(c, ns);
}

/* ---- a new one ---- */

static bool ensure(struct model_controllers *c, const char *plural, const char *ns, json_t *object_take)
{
    const struct resource *r = controllers_resource(c, "", plural);
    int status;

    if (store_get(r->table, ns, json_text(object_take, "metadata.name"))) {
        json_decref(object_take);
        return true;
    }
    status = controllers_do(c, "POST", r, ns, NULL, NULL, object_take, NULL);
    return status < 300 || status == 409 || status == 403;
}

static bool furnish(struct model_controllers *c, const char *ns)
{
    json_t *account = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "ServiceAccount", "metadata",
                                "name", "default", "namespace", ns);
    json_t *ca = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata",
                           "name", "kube-root-ca.crt", "namespace", ns, "data", "ca.crt",
                           c->m->ca_pem ? c->m->ca_pem : "");
    bool done = ensure(c, "serviceaccounts", ns, account);

    return ensure(c, "configmaps", ns, ca) && done;
}

/* ---- one that goes ---- */

struct rest {
    size_t objects, refused;
    struct buf resources;   /* "pods. has 1 resource instances" */
    struct map finalizers;  /* name to how many objects have it */
};

static void count_finalizers(struct rest *rest, const json_t *object)
{
    const json_t *list = json_at(object, "metadata.finalizers"), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        uintptr_t n = (uintptr_t)map_get(&rest->finalizers, json_str(one));

        map_put(&rest->finalizers, json_str(one), (void *)(n + 1)); /* the pointer is the number */
    }
}

static void delete_all(struct model_controllers *c, const struct resource *r, const char *ns, struct rest *rest)
{
    struct store_list list = {0};
    size_t left = 0;

    if (!store_list(c->m->store, r->table, ns, 0, &list))
        return;
    for (size_t i = 0; i < list.n; i++) {
        struct stored *o = list.items[i], *after;
        int status = controllers_is_deleting(o->json) ? 200 : controllers_delete(c, r, o, "Background");

        rest->refused += status >= 300 && status != 404 && status != 409;
        after = store_get(r->table, ns, o->name);
        if (!after)
            continue;
        left++;
        count_finalizers(rest, after->json);
    }
    if (left > 0)
        buf_printf(&rest->resources, "%s%s.%s has %zu resource instances", rest->objects > 0 ? ", " : "", r->plural,
                   r->group, left);
    rest->objects += left;
    store_list_free(&list);
}

static json_t *condition(struct model_controllers *c, const json_t *ns, const char *type, bool is_true,
                         const char *reason, const char *message)
{
    const json_t *old = json_at(ns, "status.conditions"), *one;
    const char *since = NULL, *status = is_true ? "True" : "False";
    char now[32];
    size_t i;

    json_array_foreach (old, i, one)
        if (strcmp(json_text(one, "type"), type) == 0 && strcmp(json_text(one, "status"), status) == 0)
            since = json_text(one, "lastTransitionTime");
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "lastTransitionTime",
                     since ? since : model_now(c->m, now), "reason", reason, "message", message);
}

static void add_finalizers(const struct rest *rest, struct buf *out)
{
    struct str name;
    void *n;

    buf_puts(out, "Some content in the namespace has finalizers remaining: ");
    for (size_t it = 0, first = 1; map_next(&rest->finalizers, &it, &name, &n); first = 0)
        buf_printf(out, "%s%.*s in %zu resource instances", first ? "" : ", ", (int)name.n, name.p,
                   (size_t)(uintptr_t)n);
}

static json_t *conditions(struct model_controllers *c, const json_t *ns, const struct rest *rest)
{
    bool remains = rest->objects > 0, held = map_size(&rest->finalizers) > 0;
    struct buf left, finalizers;
    json_t *list;

    buf_init(&left, 1 << 20);
    buf_init(&finalizers, 1 << 20);
    buf_printf(&left, "Some resources are remaining: %s", rest->resources.data);
    add_finalizers(rest, &finalizers);
    list = json_pack(
        "[o, o, o, o, o]",
        condition(c, ns, "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
                  "All resources successfully discovered"),
        condition(c, ns, "NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
                  "All legacy kube types successfully parsed"),
        condition(c, ns, "NamespaceDeletionContentFailure", rest->refused > 0,
                  rest->refused > 0 ? "ContentDeletionFailed" : "ContentDeleted",
                  rest->refused > 0 ? "Failed to delete some resource instances"
                                    : "All content successfully deleted, may be waiting on finalization"),
        condition(c, ns, "NamespaceContentRemaining", remains, remains ? "SomeResourcesRemain" : "ContentRemoved",
                  remains ? left.data : "All content successfully removed"),
        condition(c, ns, "NamespaceFinalizersRemaining", held, held ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
                  held ? finalizers.data : "All content-preserving finalizers finished"));
    buf_done(&left);
    buf_done(&finalizers);
    return list;
}

static void tell(struct model_controllers *c, const char *name, const struct rest *rest)
{
    const struct resource *r = controllers_resource(c, "", "namespaces");
    struct stored *o = store_get(r->table, "", name);
    json_t *list = o ? conditions(c, o->json, rest) : NULL, *copy;

    if (!o || json_equal(list, json_at(o->json, "status.conditions"))) {
        json_decref(list);
        return;
    }
    copy = json_clone(o->json);
    if (!json_is_object(json_object_get(copy, "status")))
        json_object_set_new(copy, "status", json_object());
    json_object_set_new(json_object_get(copy, "status"), "conditions", list);
    (void)controllers_do(c, "PUT", r, "", name, "status", copy, NULL); /* told again with the next look */
}

static int finalize(struct model_controllers *c, const char *name)
{
    const struct resource *r = controllers_resource(c, "", "namespaces");
    struct stored *o = store_get(r->table, "", name);
    json_t *copy, *list;

    if (!o)
        return 404;
    copy = json_clone(o->json);
    list = json_at(copy, "spec.finalizers");
    for (size_t i = json_array_size(list); i-- > 0;)
        if (str_same(json_string_value(json_array_get(list, i)), "kubernetes"))
            json_array_remove(list, i);
    return controllers_do(c, "PUT", r, "", name, "finalize", copy, NULL);
}

static void empty_out(struct model_controllers *c, const char *ns)
{
    struct resources *rs = c->m->resources;
    struct rest rest = {0};

    buf_init(&rest.resources, 1 << 20);
    map_init(&rest.finalizers, 1);
    for (const struct resource *r = NULL; (r = resource_next(rs, r));)
        if (r->namespaced && r->table && resource_of_table(rs, r->table) == r)
            delete_all(c, r, ns, &rest);
    tell(c, ns, &rest);
    if (rest.objects == 0 && finalize(c, ns) >= 300)
        rest.refused++;
    if (rest.refused > 0)
        workqueue_add(&c->namespaces, ns, RETRY_MS);
    map_done(&rest.finalizers);
    buf_done(&rest.resources);
}

void namespaces_run(void *ctx, const char *key)
{
    struct model_controllers *c = ctx;
    struct stored *o = store_get(controllers_resource(c, "", "namespaces")->table, "", key);

    if (!o)
        return;
    if (is_terminating(o->json))
        empty_out(c, key);
    else if (!furnish(c, key))
        workqueue_add(&c->namespaces, key, RETRY_MS);
}
