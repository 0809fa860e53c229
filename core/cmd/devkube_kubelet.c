/*
 * devkube_kubelet: pods from the model to running processes. A change of a pod only puts its key in a queue; a timer's
 * turn reads the object and acts. What happens in a pod (a container ends) is published at once as its status.
 */
#include "core/cmd/devkube_kubelet.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_pod.h"

struct wanted {
    struct list link;
    char *ns, *name;
    bool claim, deleted;
    json_t *object; /* of a deleted claim */
};

/* ---- steps ---- */

static bool restarts(const struct pod *p, int exit_code)
{
    const char *policy = json_text(p->spec, "restartPolicy");

    return strcmp(policy, "Never") != 0 && (exit_code != 0 || strcmp(policy, "OnFailure") != 0);
}

static void pod_end(struct pod *p)
{
    p->state = POD_ENDED;
    pod_publish(p);
}

static void start_mains(struct pod *p)
{
    p->state = POD_RUNNING;
    for (size_t i = p->n_init; i < p->n_containers; i++)
        container_start(&p->containers[i]);
    pod_publish(p);
}

static void next_init(struct pod *p)
{
    for (size_t i = 0; i < p->n_init; i++) {
        struct container *c = &p->containers[i];

        if (c->state == CONTAINER_TERMINATED && c->exit_code == 0)
            continue;
        if (c->state == CONTAINER_TERMINATED) { /* failed for good: the pod's phase is Failed */
            pod_end(p);
            return;
        }
        if (!c->proc_live && !timer_is_set(&c->again) && c->state == CONTAINER_WAITING)
            container_start(c);
        pod_publish(p);
        return;
    }
    start_mains(p);
}

static void prepare(struct pod *p)
{
    struct error e = {0};
    int rc = volumes_prepare(p, &e);

    if (rc < 0) {
        if (strcmp(p->problem, e.msg) != 0) {
            (void)snprintf(p->problem, sizeof(p->problem), "%s", e.msg);
            pod_event(p, "Warning", "FailedMount", e.msg);
            pod_publish(p);
        }
        timer_set_in(p->k->o.env, &p->timer, 1000);
        return;
    }
    p->state = POD_INIT;
    next_init(p);
}

static void pod_remove(struct pod *p)
{
    struct kubelet *k = p->k;

    for (size_t i = 0; i < p->n_containers; i++)
        container_done(&p->containers[i]);
    timer_clear(k->o.env, &p->timer);
    volumes_remove(p);
    (void)map_del(&k->pods, str_of(p->uid));
    json_decref(p->spec);
    json_decref(p->meta);
    mem_free(p->containers);
    mem_free(p->ns);
    mem_free(p->name);
    mem_free(p->uid);
    mem_free(p->dir);
    mem_free(p);
    if (k->stopping) /* the last one lets the kubelet go, in a turn of its own */
        timer_set_in(k->o.env, &k->work, 0);
}

static bool any_live(const struct pod *p)
{
    for (size_t i = 0; i < p->n_containers; i++)
        if (p->containers[i].proc_live)
            return true;
    return false;
}

/* All processes of a pod that is being deleted have ended: the object may go. */
static void finish_deletion(struct pod *p)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/pods/%s", p->ns, p->name);
    json_t *options;

    if (!p->k->stopping) {
        options = json_pack("{s:i, s:{s:s}}", "gracePeriodSeconds", 0, "preconditions", "uid", p->uid);
        (void)model_do(p->k->o.model, "system:node", "DELETE", path, options, NULL);
        json_decref(options);
    }
    pod_remove(p);
}

void pod_continue(struct pod *p)
{
    switch (p->state) {
    case POD_PREPARING:
    case POD_ENDED:
        break;
    case POD_INIT:
        next_init(p);
        break;
    case POD_RUNNING:
        for (size_t i = p->n_init; i < p->n_containers; i++)
            if (p->containers[i].state != CONTAINER_TERMINATED) {
                pod_publish(p);
                return;
            }
        pod_end(p);
        break;
    case POD_STOPPING:
        if (!any_live(p))
            finish_deletion(p);
        break;
    }
}

static void stop_containers(struct pod *p, int sig)
{
    for (size_t i = 0; i < p->n_containers; i++) {
        timer_clear(p->k->o.env, &p->containers[i].again);
        container_signal(&p->containers[i], sig);
    }
}

static void pod_stop(struct pod *p, int64_t grace_s)
{
    if (p->state == POD_STOPPING)
        return;
    p->state = POD_STOPPING;
    if (!any_live(p)) {
        finish_deletion(p);
        return;
    }
    stop_containers(p, grace_s > 0 ? SIGTERM : SIGKILL);
    timer_set_in(p->k->o.env, &p->timer, (uint64_t)(grace_s > 0 ? grace_s : 0) * 1000);
}

static void pod_timer_fired(struct timer *t)
{
    struct pod *p = t->data;

    if (p->state == POD_PREPARING)
        prepare(p);
    else if (p->state == POD_STOPPING)
        stop_containers(p, SIGKILL);
}

/* ---- from the model ---- */

static void add_containers(struct pod *p, const json_t *list, bool init)
{
    const json_t *spec;
    size_t i;

    json_array_foreach (list, i, spec) {
        struct container *c = &p->containers[p->n_containers++];

        c->pod = p;
        c->spec = spec;
        c->name = json_text(spec, "name");
        c->init = init;
        list_init(&c->followers);
    }
    if (init)
        p->n_init = p->n_containers;
}

static bool ip_taken(struct kubelet *k, const char *ip)
{
    void *value;

    for (size_t it = 0; map_next(&k->pods, &it, NULL, &value);)
        if (strcmp(((struct pod *)value)->ip, ip) == 0)
            return true;
    return false;
}

static struct pod *pod_new(struct kubelet *k, const json_t *object)
{
    const json_t *init = json_at(object, "spec.initContainers"), *mains = json_at(object, "spec.containers");
    struct pod *p = mem_zalloc(sizeof(*p));

    p->k = k;
    p->ns = mem_strdup(json_text(object, "metadata.namespace"));
    p->name = mem_strdup(json_text(object, "metadata.name"));
    p->uid = mem_strdup(json_text(object, "metadata.uid"));
    p->dir = mem_printf("%s/pods/%s", k->o.state, p->uid);
    p->spec = json_deep_copy(json_object_get(object, "spec"));
    p->meta = json_deep_copy(json_object_get(object, "metadata"));
    p->start_s = env_wall_ms(k->o.env) / 1000;
    p->containers = mem_zalloc((json_array_size(init) + json_array_size(mains) + 1) * sizeof(struct container));
    timer_init(&p->timer, pod_timer_fired, p);
    do {
        k->next_ip = (k->next_ip + 1) % 60000;
        (void)snprintf(p->ip, sizeof(p->ip), "127.%u.%u.%u", k->net, k->next_ip / 250, 2 + k->next_ip % 250);
    } while (ip_taken(k, p->ip));
    add_containers(p, json_object_get(p->spec, "initContainers"), true);
    add_containers(p, json_object_get(p->spec, "containers"), false);
    (void)map_put(&k->pods, str_of(p->uid), p);
    return p;
}

/* A container of an earlier devkube that ran when it died: its process is gone too. */
static bool was_interrupted(const json_t *object)
{
    const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    const json_t *status;
    size_t i;

    for (int l = 0; l < 2; l++) {
        json_array_foreach (json_at(object, lists[l]), i, status) {
            if (json_at(status, "state.running") || json_at(status, "state.terminated"))
                return true;
        }
    }
    return false;
}

static void fail_interrupted(struct pod *p)
{
    for (size_t i = 0; i < p->n_containers; i++) {
        struct container *c = &p->containers[i];

        c->state = CONTAINER_TERMINATED;
        c->exit_code = 137;
        c->started_s = c->finished_s = p->start_s;
        (void)snprintf(c->reason, sizeof(c->reason), "ContainerStatusUnknown");
        c->message = mem_strdup("the node was restarted while the container ran");
    }
    pod_end(p);
}

static void bind_to_node(struct pod *p)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/pods/%s", p->ns, p->name);
    json_t *patch = json_pack("{s:{s:s}, s:{s:s}}", "metadata", "uid", p->uid, "spec", "nodeName", DEVKUBE_NODE);

    (void)model_do(p->k->o.model, "system:node", "PATCH", path, patch, NULL);
    json_decref(patch);
    json_object_set_new(p->spec, "nodeName", json_string(DEVKUBE_NODE));
}

static void pod_sync(struct kubelet *k, const json_t *object)
{
    struct pod *p = map_get(&k->pods, str_of(json_text(object, "metadata.uid")));
    const char *phase = json_text(object, "status.phase"), *node = json_text(object, "spec.nodeName");
    bool deleting = json_at(object, "metadata.deletionTimestamp") != NULL;

    if (!p && (node[0] && strcmp(node, DEVKUBE_NODE) != 0))
        return; /* another kubelet's */
    if (!p && !deleting && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0))
        return;
    if (!p) {
        p = pod_new(k, object);
        if (!deleting) {
            if (!node[0])
                bind_to_node(p);
            if (was_interrupted(object) && !restarts(p, 137))
                fail_interrupted(p);
            else
                prepare(p);
        }
    }
    if (deleting)
        pod_stop(p, json_int(object, "metadata.deletionGracePeriodSeconds",
                             json_int(object, "spec.terminationGracePeriodSeconds", 30)));
}

/* Pods whose object is gone without our help (a forced deletion). */
static void drop_absent(struct kubelet *k, const char *ns, const char *name)
{
    void *value;

    for (size_t it = 0; map_next(&k->pods, &it, NULL, &value);) {
        struct pod *p = value;

        if (strcmp(p->ns, ns) == 0 && strcmp(p->name, name) == 0) {
            pod_stop(p, 0);
            return;
        }
    }
}

static void work_one(struct kubelet *k, struct wanted *w)
{
    AUTO_FREE char *path =
        mem_printf("/api/v1/namespaces/%s/%s/%s", w->ns, w->claim ? "persistentvolumeclaims" : "pods", w->name);
    json_t *object = NULL;

    if (w->deleted && w->claim) {
        claim_sync(k, w->object, true);
    } else if (model_do(k->o.model, "system:node", "GET", path, NULL, &object) != 200) {
        if (!w->claim)
            drop_absent(k, w->ns, w->name);
    } else if (w->claim) {
        claim_sync(k, object, false);
    } else {
        pod_sync(k, object);
    }
    json_decref(object);
}

static void wanted_free(struct wanted *w)
{
    json_decref(w->object);
    mem_free(w->ns);
    mem_free(w->name);
    mem_free(w);
}

static void kubelet_free(struct kubelet *k)
{
    void (*done)(void *) = k->on_stopped;
    void *ctx = k->ctx;

    for (struct list *l; (l = list_pop(&k->queue));)
        wanted_free(LIST_ENTRY(l, struct wanted, link));
    map_done(&k->pods);
    (void)remove_tree(k->shm);
    mem_free(k->shm);
    mem_free(k);
    if (done)
        done(ctx);
}

static void on_work(struct timer *t)
{
    struct kubelet *k = t->data;

    if (k->stopping) {
        if (map_size(&k->pods) == 0)
            kubelet_free(k);
        return;
    }
    for (struct list *l; (l = list_pop(&k->queue));) {
        struct wanted *w = LIST_ENTRY(l, struct wanted, link);

        work_one(k, w);
        wanted_free(w);
    }
}

static void want(struct kubelet *k, const json_t *object, bool claim, bool deleted)
{
    struct wanted *w = mem_zalloc(sizeof(*w));

    w->ns = mem_strdup(json_text(object, "metadata.namespace"));
    w->name = mem_strdup(json_text(object, "metadata.name"));
    w->claim = claim;
    w->deleted = deleted;
    w->object = deleted ? json_deep_copy(object) : NULL;
    list_add_tail(&k->queue, &w->link);
    if (!timer_is_set(&k->work))
        timer_set_in(k->o.env, &k->work, 0);
}

static void on_change(void *ctx, const char *type, const json_t *object, struct str text)
{
    struct kubelet *k = ctx;
    const char *kind = json_text(object, "kind"), *version = json_text(object, "apiVersion");
    bool deleted = strcmp(type, "DELETED") == 0;

    (void)text;
    if (k->stopping || strcmp(version, "v1") != 0)
        return;
    if (strcmp(kind, "Pod") == 0)
        want(k, object, false, deleted);
    else if (strcmp(kind, "PersistentVolumeClaim") == 0)
        want(k, object, true, deleted);
}

static void list_all(struct kubelet *k, const char *path, bool claim)
{
    json_t *list = NULL, *object;
    size_t i;

    if (model_do(k->o.model, "system:node", "GET", path, NULL, &list) == 200)
        json_array_foreach (json_object_get(list, "items"), i, object)
            want(k, object, claim, false);
    json_decref(list);
}

static void on_tokens(struct timer *t)
{
    struct kubelet *k = t->data;
    void *value;

    for (size_t it = 0; map_next(&k->pods, &it, NULL, &value);)
        volumes_refresh_tokens(value);
    timer_set_in(k->o.env, &k->tokens, 60000);
}

static void register_node(struct kubelet *k)
{
    json_t *node = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:{s:s, s:s, s:s}, s:[{s:s, s:s, s:s}], s:[{s:s, s:s}]}}",
                             "apiVersion", "v1", "kind", "Node", "metadata", "name", DEVKUBE_NODE, "labels",
                             "kubernetes.io/hostname", DEVKUBE_NODE, "status", "capacity", "cpu", "2", "memory", "4Gi",
                             "pods", "110", "conditions", "type", "Ready", "status", "True", "reason", "KubeletReady",
                             "addresses", "type", "InternalIP", "address", "127.0.0.1");

    (void)model_do(k->o.model, "system:node", "POST", "/api/v1/nodes", node, NULL); /* 409: it is there already */
    json_decref(node);
}

struct kubelet *kubelet_start(const struct kubelet_options *o, struct error *e)
{
    struct kubelet *k = mem_zalloc(sizeof(*k));
    char hash[65];

    k->o = *o;
    map_init(&k->pods, env_random(o->env));
    list_init(&k->queue);
    timer_init(&k->work, on_work, k);
    timer_init(&k->tokens, on_tokens, k);
    str_sha256_hex(str_of(o->state), hash);
    k->net = 1 + (unsigned)(strtoull((const char[]){hash[0], hash[1], hash[2], hash[3], 0}, NULL, 16) % 254);
    k->shm = mem_printf("/dev/shm/devkube-%.12s", hash);
    (void)remove_tree(k->shm); /* of a devkube that was killed; its containers died with it */
    if (!make_folder(k->shm, 0711)) {
        (void)error_set(e, ERR_DENIED, "folder %s cannot be made", k->shm);
        mem_free(k->shm);
        mem_free(k);
        return NULL;
    }
    register_node(k);
    model_on_change(o->model, on_change, k);
    model_on_log(o->model, kubelog_serve, k);
    list_all(k, "/api/v1/persistentvolumeclaims", true);
    list_all(k, "/api/v1/pods", false);
    timer_set_in(o->env, &k->tokens, 60000);
    return k;
}

void kubelet_stop(struct kubelet *k, void (*on_stopped)(void *ctx), void *ctx)
{
    void *value;

    k->stopping = true;
    k->on_stopped = on_stopped;
    k->ctx = ctx;
    timer_clear(k->o.env, &k->tokens);
    timer_set_in(k->o.env, &k->work, 0);
    for (size_t it = 0; map_next(&k->pods, &it, NULL, &value);)
        pod_stop(value, 0);
}
