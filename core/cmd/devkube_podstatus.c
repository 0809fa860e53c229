/* devkube_podstatus: what a pod's status says, made from its containers, and the events about it. */
#include <inttypes.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_pod.h"

static void put_time(json_t *o, const char *key, int64_t s)
{
    char text[32];

    json_object_set_new(o, key, json_string(str_format_time(s, text)));
}

static json_t *state_of(const struct container *c)
{
    json_t *body = json_object();

    switch (c->state) {
    case CONTAINER_WAITING:
        json_object_set_new(body, "reason", json_string(c->reason[0] ? c->reason : "PodInitializing"));
        if (c->message)
            json_object_set_new(body, "message", json_string(c->message));
        return json_pack("{s:o}", "waiting", body);
    case CONTAINER_RUNNING:
        put_time(body, "startedAt", c->started_s);
        return json_pack("{s:o}", "running", body);
    case CONTAINER_TERMINATED:
        break;
    }
    json_object_set_new(body, "exitCode", json_integer(c->exit_code));
    json_object_set_new(body, "reason", json_string(c->reason));
    if (c->message && c->message[0])
        json_object_set_new(body, "message", json_string(c->message));
    put_time(body, "startedAt", c->started_s);
    put_time(body, "finishedAt", c->finished_s);
    return json_pack("{s:o}", "terminated", body);
}

static json_t *container_status(const struct container *c)
{
    bool ready = c->init ? c->state == CONTAINER_TERMINATED && c->exit_code == 0 : c->state == CONTAINER_RUNNING;

    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:o}", "name", c->name, "image", json_text(c->spec, "image"),
                     "imageID", json_text(c->spec, "image"), "ready", ready, "started", c->state == CONTAINER_RUNNING,
                     "restartCount", c->restarts, "state", state_of(c));
}

static const char *phase_of(const struct pod *p)
{
    bool failed = false;

    if (p->state == POD_PREPARING || p->state == POD_INIT)
        return "Pending";
    for (size_t i = 0; i < p->n_containers; i++) {
        const struct container *c = &p->containers[i];

        if (c->state != CONTAINER_TERMINATED && !(c->init && p->state == POD_ENDED))
            return p->state == POD_ENDED ? "Failed" : "Running";
        failed |= c->exit_code != 0;
    }
    return failed ? "Failed" : "Succeeded";
}

static void put_condition(json_t *list, const struct pod *p, const char *type, bool good, const char *reason)
{
    json_t *c = json_pack("{s:s, s:s}", "type", type, "status", good ? "True" : "False");

    put_time(c, "lastTransitionTime", p->start_s);
    if (!good && reason)
        json_object_set_new(c, "reason", json_string(reason));
    json_array_append_new(list, c);
}

static json_t *conditions_of(const struct pod *p, const char *phase)
{
    json_t *list = json_array();
    bool initialized = p->state == POD_RUNNING || (p->state == POD_ENDED && strcmp(phase, "Succeeded") == 0);
    bool ready = p->state == POD_RUNNING;
    const char *why = p->state == POD_ENDED ? "PodCompleted" : "ContainersNotReady";

    for (size_t i = p->n_init; i < p->n_containers; i++)
        ready = ready && p->containers[i].state == CONTAINER_RUNNING;
    put_condition(list, p, "Initialized", initialized, "ContainersNotInitialized");
    put_condition(list, p, "Ready", ready, why);
    put_condition(list, p, "ContainersReady", ready, why);
    put_condition(list, p, "PodScheduled", true, NULL);
    return list;
}

static void patch_status(struct pod *p, json_t *status_take)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/pods/%s/status", p->ns, p->name);
    json_t *patch = json_pack("{s:{s:s}, s:o}", "metadata", "uid", p->uid, "status", status_take);
    int status = model_do(p->k->o.model, "system:node", "PATCH", path, patch, NULL);

    if (status >= 300 && status != 404 && status != 409)
        log_warn(p->k->o.log, "pod status refused", F_STR("namespace", p->ns), F_STR("name", p->name),
                 F_INT("status", status));
    json_decref(patch);
}

void pod_publish(struct pod *p)
{
    const char *phase = phase_of(p);
    json_t *init = json_array(), *mains = json_array(), *status;

    for (size_t i = 0; i < p->n_containers; i++)
        json_array_append_new(p->containers[i].init ? init : mains, container_status(&p->containers[i]));
    status = json_pack("{s:s, s:s, s:s, s:[{s:s}], s:s, s:o, s:o}", "phase", phase, "hostIP", "127.0.0.1", "podIP",
                       p->ip, "podIPs", "ip", p->ip, "qosClass", "Burstable", "conditions", conditions_of(p, phase),
                       "containerStatuses", mains);
    put_time(status, "startTime", p->start_s);
    if (p->n_init)
        json_object_set_new(status, "initContainerStatuses", init);
    else
        json_decref(init);
    patch_status(p, status);
}

void pod_event(struct pod *p, const char *type, const char *reason, const char *message)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/events", p->ns);
    int64_t now = env_wall_ms(p->k->o.env);
    char when[32];
    json_t *event;

    (void)str_format_time(now / 1000, when);
    event =
        json_pack("{s:s, s:s, s:{s:o, s:s}, s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:i}",
                  "apiVersion", "v1", "kind", "Event", "metadata", "name",
                  json_sprintf("%.200s.%016" PRIx64, p->name, env_random(p->k->o.env)), "namespace", p->ns,
                  "involvedObject", "apiVersion", "v1", "kind", "Pod", "namespace", p->ns, "name", p->name, "uid",
                  p->uid, "type", type, "reason", reason, "message", message, "source", "component", "kubelet", "host",
                  DEVKUBE_NODE, "firstTimestamp", when, "lastTimestamp", when, "count", 1);
    (void)model_do(p->k->o.model, "system:node", "POST", path, event, NULL); /* an event is never worth a failure */
    json_decref(event);
}
