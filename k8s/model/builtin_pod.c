/* builtin_pod: what an API server fills into a pod, and into the templates of those who make pods. */
#include "core/base/json.h"
#include "k8s/model/builtin_parts.h"

/* A tag that is absent or "latest" may move: such an image is asked for each time. */
static const char *pull_policy(const char *image)
{
    const char *slash = strrchr(image, '/'), *colon = strrchr(slash ? slash : image, ':');

    if (strchr(image, '@'))
        return "IfNotPresent";
    return !colon || strcmp(colon, ":latest") == 0 ? "Always" : "IfNotPresent";
}

static void default_http_get(json_t *handler)
{
    json_t *get = json_object_get(handler, "httpGet");

    if (!json_is_object(get))
        return;
    builtin_set_text(get, "path", "/");
    builtin_set_text(get, "scheme", "HTTP");
}

static void default_probe(json_t *container, const char *key)
{
    json_t *probe = json_object_get(container, key);

    if (!json_is_object(probe))
        return;
    builtin_set(probe, "timeoutSeconds", json_integer(1));
    builtin_set(probe, "periodSeconds", json_integer(10));
    builtin_set(probe, "successThreshold", json_integer(1));
    builtin_set(probe, "failureThreshold", json_integer(3));
    default_http_get(probe);
}

static void default_env(json_t *container)
{
    json_t *list = json_object_get(container, "env"), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        json_t *field = json_at(one, "valueFrom.fieldRef");

        if (json_is_object(field))
            builtin_set_text(field, "apiVersion", "v1");
    }
}

/* A limit without a request is the request too. */
static void default_requests(json_t *container)
{
    json_t *limits = json_at(container, "resources.limits"), *amount, *requests;
    const char *name;

    json_object_foreach (limits, name, amount) {
        requests = builtin_object(json_object_get(container, "resources"), "requests");
        builtin_set(requests, name, json_incref(amount));
    }
}

static void default_container(json_t *container)
{
    json_t *ports = json_object_get(container, "ports"), *port;
    size_t i;

    builtin_set_text(container, "imagePullPolicy", pull_policy(json_text(container, "image")));
    builtin_set_text(container, "terminationMessagePath", "/dev/termination-log");
    builtin_set_text(container, "terminationMessagePolicy", "File");
    builtin_set(container, "resources", json_object());
    json_array_foreach (ports, i, port)
        builtin_set_text(port, "protocol", "TCP");
    default_env(container);
    default_requests(container);
    default_probe(container, "livenessProbe");
    default_probe(container, "readinessProbe");
    default_probe(container, "startupProbe");
    default_http_get(json_at(container, "lifecycle.postStart"));
    default_http_get(json_at(container, "lifecycle.preStop"));
}

static void default_volume(json_t *volume)
{
    static const char *const with_mode[] = {"secret", "configMap", "downwardAPI", "projected"};
    json_t *sources, *source, *path;
    size_t i;

    if (json_is_object(volume) && json_object_size(volume) == 1 && json_object_get(volume, "name"))
        json_object_set_new(volume, "emptyDir", json_object());
    for (i = 0; i < sizeof(with_mode) / sizeof(with_mode[0]); i++) {
        json_t *one = json_object_get(volume, with_mode[i]);

        if (json_is_object(one))
            builtin_set(one, "defaultMode", json_integer(0644));
    }
    path = json_object_get(volume, "hostPath");
    if (json_is_object(path))
        builtin_set_text(path, "type", "");
    sources = json_at(volume, "projected.sources");
    json_array_foreach (sources, i, source) {
        json_t *token = json_object_get(source, "serviceAccountToken");

        if (json_is_object(token))
            builtin_set(token, "expirationSeconds", json_integer(3600));
    }
}

static void each(json_t *list, void (*fn)(json_t *one))
{
    json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (json_is_object(one))
            fn(one);
}

void builtin_pod_spec_default(json_t *spec)
{
    if (!json_is_object(spec))
        return;
    builtin_set_text(spec, "restartPolicy", "Always");
    builtin_set_text(spec, "dnsPolicy", "ClusterFirst");
    builtin_set_text(spec, "schedulerName", "default-scheduler");
    builtin_set(spec, "terminationGracePeriodSeconds", json_integer(30));
    builtin_set(spec, "securityContext", json_object());
    if (json_text(spec, "serviceAccountName")[0]) /* the old name of the same field */
        json_object_set(spec, "serviceAccount", json_object_get(spec, "serviceAccountName"));
    else if (json_text(spec, "serviceAccount")[0])
        json_object_set(spec, "serviceAccountName", json_object_get(spec, "serviceAccount"));
    each(json_object_get(spec, "initContainers"), default_container);
    each(json_object_get(spec, "containers"), default_container);
    each(json_object_get(spec, "volumes"), default_volume);
}

static bool has_all_limits(const json_t *container)
{
    static const char *const names[] = {"cpu", "memory"};

    for (size_t i = 0; i < 2; i++) {
        const json_t *limit = json_object_get(json_at(container, "resources.limits"), names[i]);
        const json_t *request = json_object_get(json_at(container, "resources.requests"), names[i]);

        if (!limit || !request || !json_equal(limit, request))
            return false;
    }
    return true;
}

static const char *qos_class(const json_t *spec)
{
    static const char *const lists[] = {"containers", "initContainers"};
    bool guaranteed = true, best_effort = true;

    for (size_t l = 0; l < 2; l++) {
        const json_t *list = json_object_get(spec, lists[l]), *one;
        size_t i;

        json_array_foreach (list, i, one) {
            guaranteed = guaranteed && has_all_limits(one);
            best_effort = best_effort && json_object_size(json_at(one, "resources.limits")) == 0 &&
                          json_object_size(json_at(one, "resources.requests")) == 0;
        }
    }
    return best_effort ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void builtin_pod_default(json_t *pod, const json_t *old)
{
    json_t *spec = json_object_get(pod, "spec"), *status;

    builtin_pod_spec_default(spec);
    if (!json_is_object(spec))
        return;
    builtin_set(spec, "enableServiceLinks", json_true());
    builtin_set_text(spec, "serviceAccountName", "default");
    builtin_set(spec, "serviceAccount", json_incref(json_object_get(spec, "serviceAccountName")));
    if (old)
        return;
    status = builtin_object(pod, "status");
    builtin_set_text(status, "phase", "Pending");
    builtin_set_text(status, "qosClass", qos_class(spec));
}
