/* jobs_pods: the pods of a Job: which there are, making new ones, taking some away. */
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/jobs.h"

static bool is_controlled_by(const json_t *pod, const char *uid)
{
    const json_t *refs = json_at(pod, "metadata.ownerReferences"), *ref;
    size_t i;

    json_array_foreach (refs, i, ref)
        if (json_flag(ref, "controller", false) && strcmp(json_text(ref, "uid"), uid) == 0)
            return true;
    return false;
}

static bool has_ended(const json_t *pod)
{
    const char *phase = json_text(pod, "status.phase");

    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

bool jobs_pod_is_active(const json_t *pod)
{
    return !has_ended(pod) && !controllers_is_deleting(pod);
}

static bool is_ready(const json_t *pod)
{
    const json_t *list = json_at(pod, "status.conditions"), *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (strcmp(json_text(one, "type"), "Ready") == 0)
            return strcmp(json_text(one, "status"), "True") == 0;
    return false;
}

struct reading {
    struct model_controllers *c;
    const char *uid;
    struct stored **items;
    size_t n;
};

static void read_pod(void *ctx, const char *key)
{
    struct reading *r = ctx;
    struct table *t;
    struct stored *o = owners_find(r->c->m->store, key, &t);

    if (!o || strcmp(table_name(t), "pods") != 0 || !is_controlled_by(o->json, r->uid))
        return;
    r->items = mem_realloc(r->items, (r->n + 1) * sizeof(struct stored *));
    r->items[r->n++] = stored_ref(o);
}

static void free_items(struct stored **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        stored_unref(items[i]);
    mem_free(items);
}

void jobs_pods_free(struct job_pass *p)
{
    free_items(p->items, p->n);
    p->items = NULL;
    p->n = p->active = p->ready = p->terminating = 0;
}

void jobs_pods_read(struct job_pass *p)
{
    struct reading r = {.c = p->c, .uid = p->uid};

    jobs_pods_free(p);
    owners_each(&p->c->owners, p->uid, read_pod, &r);
    p->items = r.items;
    p->n = r.n;
    for (size_t i = 0; i < p->n; i++) {
        const json_t *pod = p->items[i]->json;

        p->active += jobs_pod_is_active(pod);
        p->ready += jobs_pod_is_active(pod) && is_ready(pod);
        p->terminating += controllers_is_deleting(pod) && !has_ended(pod);
    }
}

/* ---- making ---- */

static json_t *pod_of(const struct job_pass *p)
{
    const json_t *template = json_object_get(p->spec, "template");
    json_t *meta = json_object(), *copy;
    static const char *const kept[] = {"labels", "annotations"};

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        copy = json_clone(json_at(json_object_get(template, "metadata"), kept[i]));
        if (copy)
            json_object_set_new(meta, kept[i], copy);
    }
    json_object_set_new(meta, "generateName", json_sprintf("%s-", p->name));
    json_object_set_new(meta, "namespace", json_string(p->ns));
    json_object_set_new(meta, "finalizers", json_pack("[s]", JOB_TRACKING));
    json_object_set_new(meta, "ownerReferences",
                        json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion", "batch/v1", "kind", "Job", "name",
                                  p->name, "uid", p->uid, "controller", 1, "blockOwnerDeletion", 1));
    return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "v1", "kind", "Pod", "metadata", meta, "spec",
                     json_clone(json_object_get(template, "spec")));
}

static void tell(struct job_pass *p, const char *type, const char *reason, const char *head, const char *what)
{
    AUTO_FREE char *message = mem_printf("%s: %s", head, what);

    controllers_event(p->c, p->job, "job-controller", type, reason, message);
}

bool jobs_pod_create(struct job_pass *p)
{
    json_t *made = NULL;
    int status = controllers_do(p->c, "POST", p->pods, p->ns, NULL, NULL, pod_of(p), &made);

    if (status < 300)
        tell(p, "Normal", "SuccessfulCreate", "Created pod", json_text(made, "metadata.name"));
    else
        tell(p, "Warning", "FailedCreate", "Error creating", json_text(made, "message"));
    json_decref(made);
    return status < 300;
}

/* ---- taking away ---- */

bool jobs_pod_release(struct model_controllers *c, const struct stored *pod)
{
    const struct resource *pods = controllers_resource(c, "", "pods");
    struct stored *now = store_get(pods->table, pod->ns, pod->name);
    int status;

    if (!now || strcmp(now->uid, pod->uid) != 0 || !controllers_has_finalizer(now->json, JOB_TRACKING))
        return true;
    status = controllers_do(c, "PUT", pods, pod->ns, pod->name, NULL,
                            controllers_without_finalizer(now->json, JOB_TRACKING), NULL);
    return status < 300 || status == 404;
}

void jobs_pods_release_all(struct model_controllers *c, const char *uid)
{
    struct reading r = {.c = c, .uid = uid};

    owners_each(&c->owners, uid, read_pod, &r);
    for (size_t i = 0; i < r.n; i++)
        (void)jobs_pod_release(c, r.items[i]); /* a refused one is tried again when the pod changes */
    free_items(r.items, r.n);
}

static int younger_first(const void *a, const void *b)
{
    const struct stored *const *x = a, *const *y = b;
    int by_time = strcmp(json_text((*y)->json, "metadata.creationTimestamp"),
                         json_text((*x)->json, "metadata.creationTimestamp"));

    return by_time ? by_time : strcmp((*x)->name, (*y)->name);
}

void jobs_pods_delete(struct job_pass *p, size_t n, bool counted)
{
    if (p->n > 1)
        qsort(p->items, p->n, sizeof(struct stored *), younger_first);
    for (size_t i = 0; i < p->n && n > 0; i++) {
        const struct stored *pod = p->items[i];

        if (!jobs_pod_is_active(pod->json))
            continue;
        n--;
        if (!counted)
            (void)jobs_pod_release(p->c, pod); /* else its deletion counts as a failure; it goes all the same */
        if (controllers_delete(p->c, p->pods, pod, "Background") < 300)
            tell(p, "Normal", "SuccessfulDelete", "Deleted pod", pod->name);
    }
    jobs_pods_read(p);
}
