/*
 * quota: see quota.h. What is used is counted anew from the store each time: that is never stale, unlike on the real
 * server, whose status lags behind deletions.
 */
#include "k8s/model/quota.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/parts.h"

enum { RETRY_MS = 500 };

static struct amount usage(const json_t *quota, const char *name, const struct resource *r)
{
    const char *ns = json_text(quota, "metadata.namespace");
    struct amount sum = {0};
    struct stored *o;

    for (size_t i = store_first(r->table, ns); (o = store_at(r->table, ns, i)); i++)
        if (quota_takes(quota, r, o->json))
            sum = amount_add(sum, quota_measure(name, o->json));
    return sum;
}

json_t *quota_used(struct model *m, const json_t *quota)
{
    json_t *used = json_object(), *limit;
    const char *name;
    char text[48];

    json_object_foreach (json_at(quota, "spec.hard"), name, limit) {
        const struct resource *r = quota_kind(m, name);

        if (r)
            json_object_set_new(used, name, json_string(amount_format(usage(quota, name, r), text)));
    }
    return used;
}

/* ---- admission ---- */

static int refuse(struct request *q, const json_t *object, const char *why)
{
    char what[256];
    int status = request_fail(q, 403, "Forbidden", "%s \"%s\" is forbidden: %s", request_what(q, what),
                              json_text(object, "metadata.name"), why);

    json_object_set(json_object_get(q->answer, "details"), "name", json_at(object, "metadata.name"));
    return status;
}

struct excess {
    struct buf requested, used, limited;
};

static void add_pair(struct buf *out, const char *name, struct amount a)
{
    char text[48];

    buf_printf(out, "%s%s=%s", out->len ? "," : "", name, amount_format(a, text));
}

/* Names may have dots: no path. */
static const char *hard_of(const json_t *quota, const char *name)
{
    const char *text = json_string_value(json_object_get(json_at(quota, "spec.hard"), name));

    return text ? text : "";
}

static void check_one(struct request *q, const json_t *quota, const char *name, const json_t *object, struct excess *x)
{
    const struct resource *r = quota_kind(q->m, name);
    struct amount more, used, hard;

    if (!r || r->table != q->r->table ||
        !amount_parse(hard_of(quota, name), &hard))
        return;
    more = quota_measure(name, object);
    used = usage(quota, name, r);
    if (more.milli == 0 || used.milli + more.milli <= hard.milli)
        return;
    add_pair(&x->requested, name, more);
    add_pair(&x->used, name, used);
    add_pair(&x->limited, name, hard);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_all(struct request *q, const json_t *quota, const json_t *object, struct excess *x)
{
    json_t *hard = json_at(quota, "spec.hard"), *value;
    const char **names = mem_alloc((json_object_size(hard) + 1) * sizeof(*names)), *name;
    size_t n = 0;

    json_object_foreach (hard, name, value)
        names[n++] = name;
    qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; i < n; i++)
        check_one(q, quota, names[i], object, x);
    mem_free(names);
}

static int check_quota(struct request *q, const json_t *quota, const json_t *object)
{
    const char *name = json_text(quota, "metadata.name");
    struct excess x;
    int status = 0;

    buf_init(&x.requested, 64 * 1024);
    buf_init(&x.used, 64 * 1024);
    buf_init(&x.limited, 64 * 1024);
    check_all(q, quota, object, &x);
    if (x.requested.len) {
        AUTO_FREE char *why = mem_printf("exceeded quota: %s, requested: %s, used: %s, limited: %s", name,
                                         x.requested.data, x.used.data, x.limited.data);

        status = refuse(q, object, why);
    }
    buf_done(&x.requested);
    buf_done(&x.used);
    buf_done(&x.limited);
    return status;
}

static int check_stated(struct request *q, const json_t *quota, const json_t *pod)
{
    struct buf missing;
    int status = 0;

    buf_init(&missing, 64 * 1024);
    quota_missing(quota, pod, &missing);
    if (missing.len) {
        AUTO_FREE char *why =
            mem_printf("failed quota: %s: must specify %s", json_text(quota, "metadata.name"), missing.data);

        status = refuse(q, pod, why);
    }
    buf_done(&missing);
    return status;
}

int quota_admit(struct request *q, const json_t *object)
{
    const struct table *t = store_table(q->m->store, "resourcequotas");
    bool is_pod = strcmp(q->r->plural, "pods") == 0 && !*q->r->group;
    struct stored *quota;
    int status = 0;

    if (!q->r->namespaced)
        return 0;
    for (size_t i = store_first(t, q->ns); !status && is_pod && (quota = store_at(t, q->ns, i)); i++)
        if (quota_takes(quota->json, q->r, object))
            status = check_stated(q, quota->json, object);
    for (size_t i = store_first(t, q->ns); !status && (quota = store_at(t, q->ns, i)); i++)
        if (quota_takes(quota->json, q->r, object))
            status = check_quota(q, quota->json, object);
    return status;
}

/* ---- the controller: status.used follows. A key is a namespace. ---- */

void quotas_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now)
{
    const struct table *t = store_table(c->m->store, "resourcequotas");
    const char *ns = json_text(now ? now : old, "metadata.namespace");

    if (r->namespaced && strcmp(r->plural, "events") != 0 && store_at(t, ns, store_first(t, ns)))
        workqueue_add(&c->quotas, ns, 0);
}

static bool write_status(struct model_controllers *c, const struct resource *r, const struct stored *quota)
{
    json_t *status = json_pack("{s:O, s:o}", "hard", json_at(quota->json, "spec.hard"), "used",
                               quota_used(c->m, quota->json));
    json_t *copy = json_clone(quota->json);
    AUTO_FREE char *ns = mem_strdup(quota->ns), *name = mem_strdup(quota->name);

    if (json_equal(json_object_get(copy, "status"), status)) {
        json_decref(status);
        json_decref(copy);
        return true;
    }
    json_object_set_new(copy, "status", status);
    return controllers_do(c, "PUT", r, ns, name, "status", copy, NULL) < 300;
}

void quotas_run(void *ctx, const char *key)
{
    struct model_controllers *c = ctx;
    const struct resource *r = controllers_resource(c, "", "resourcequotas");
    struct store_list list;
    bool done = true;

    if (!store_list(c->m->store, r->table, key, 0, &list))
        return;
    for (size_t i = 0; i < list.n; i++)
        done = (!json_at(list.items[i]->json, "spec.hard") || write_status(c, r, list.items[i])) && done;
    store_list_free(&list);
    if (!done)
        workqueue_add(&c->quotas, key, RETRY_MS);
}
