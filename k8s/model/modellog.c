/* modellog: GET pods/<name>/log goes to whoever runs pods. */
#include <stdio.h>

#include "core/base/json.h"
#include "k8s/model/verbs.h"

static bool has_container(const json_t *pod, const char *list, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_at(json_object_get(pod, "spec"), list), i, item)
        if (strcmp(json_text(item, "name"), name) == 0)
            return true;
    return false;
}

int modellog_serve(struct request *q)
{
    struct stored *pod = store_get(q->r->table, q->ns, q->name);
    char container[256], tail[24];
    int64_t lines = -1;

    if (!pod)
        return request_not_found(q, q->name);
    if (!q->m->on_log || !q->serve)
        return request_fail(q, 404, "NotFound", "no kubelet keeps logs here");
    request_query(q, "container", container, sizeof(container));
    if (!*container) {
        if (json_array_size(json_at(pod->json, "spec.containers")) > 1)
            return request_fail(q, 400, "BadRequest", "a container name must be specified for pod %s", q->name);
        (void)snprintf(container, sizeof(container), "%s", json_text(pod->json, "spec.containers.0.name"));
    } else if (!has_container(pod->json, "containers", container) &&
               !has_container(pod->json, "initContainers", container)) {
        return request_fail(q, 400, "BadRequest", "container %s is not valid for pod %s", container, q->name);
    }
    if (str_to_i64(str_of(request_query(q, "tailLines", tail, sizeof(tail))), &lines) < 0)
        lines = -1;
    q->taken = true;
    q->m->on_log(q->m->log_ctx, q->serve, q->ns, q->name, container, request_query_flag(q, "follow"),
                 request_query_flag(q, "previous"), lines);
    return 200;
}
