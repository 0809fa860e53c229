/* tablekinds: see tablekinds.h. */
#include "k8s/model/tablekinds.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"

typedef long long ll;

/* ---- cells that are more than a path ---- */

/* What holds a pod up, or its phase: the words of `kubectl get pods`. */
static void pod_status(const json_t *pod, int64_t now_s, struct buf *out)
{
    const char *text = json_text(pod, "status.phase"), *reason = json_text(pod, "status.reason");
    const json_t *status;
    bool running = false, initializing = false;
    size_t i, n = json_array_size(json_at(pod, "spec.initContainers"));

    (void)now_s;
    if (*reason)
        text = reason;
    json_array_foreach(json_at(pod, "status.initContainerStatuses"), i, status) {
        const char *waiting = json_text(status, "state.waiting.reason");
        const char *ended = json_text(status, "state.terminated.reason");

        if (json_at(status, "state.terminated") && json_int(status, "state.terminated.exitCode", 0) == 0)
            continue;
        initializing = true;
        buf_puts(out, "Init:");
        if (json_at(status, "state.terminated"))
            buf_puts(out, *ended ? ended : "Error");
        else if (*waiting && strcmp(waiting, "PodInitializing") != 0)
            buf_puts(out, waiting);
        else
            buf_printf(out, "%zu/%zu", i, n);
        break;
    }
    json_array_foreach(json_at(pod, "status.containerStatuses"), i, status) {
        const char *waiting = json_text(status, "state.waiting.reason");
        const char *ended = json_text(status, "state.terminated.reason");

        if (*waiting)
            text = waiting;
        else if (*ended)
            text = ended;
        running = running || json_at(status, "state.running");
    }
    if (running && strcmp(text, "Completed") == 0)
        text = "Running";
    if (json_at(pod, "metadata.deletionTimestamp")) {
        buf_clear(out);
        buf_puts(out, "Terminating");
    } else if (!initializing) {
        buf_puts(out, *text ? text : "Unknown");
    }
}

static void pod_ready(const json_t *pod, int64_t now_s, struct buf *out)
{
    const json_t *status;
    size_t i, ready = 0;

    (void)now_s;
    json_array_foreach(json_at(pod, "status.containerStatuses"), i, status)
        ready += json_flag(status, "ready", false);
    buf_printf(out, "%zu/%zu", ready, json_array_size(json_at(pod, "spec.containers")));
}

static void pod_restarts(const json_t *pod, int64_t now_s, struct buf *out)
{
    const json_t *status;
    int64_t n = 0;
    size_t i;

    (void)now_s;
    json_array_foreach(json_at(pod, "status.containerStatuses"), i, status)
        n += json_int(status, "restartCount", 0);
    buf_printf(out, "%lld", (ll)n);
}

static void job_status(const json_t *job, int64_t now_s, struct buf *out)
{
    const json_t *c;
    const char *text = "Running";
    size_t i;

    (void)now_s;
    json_array_foreach(json_at(job, "status.conditions"), i, c) {
        if (strcmp(json_text(c, "status"), "True") != 0)
            continue;
        if (strcmp(json_text(c, "type"), "Complete") == 0 || strcmp(json_text(c, "type"), "Failed") == 0 ||
            strcmp(json_text(c, "type"), "Suspended") == 0)
            text = json_text(c, "type");
    }
    if (json_at(job, "metadata.deletionTimestamp"))
        text = "Terminating";
    buf_puts(out, text);
}

static void job_completions(const json_t *job, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_printf(out, "%lld/%lld", (ll)json_int(job, "status.succeeded", 0), (ll)json_int(job, "spec.completions", 1));
}

static void job_duration(const json_t *job, int64_t now_s, struct buf *out)
{
    int64_t from, to = now_s;
    char text[32];

    if (str_parse_time(str_of(json_text(job, "status.startTime")), &from) < 0)
        return;
    (void)!str_parse_time(str_of(json_text(job, "status.completionTime")), &to); /* absent: still running */
    buf_puts(out, table_age(to - from, text));
}

static void event_age(const json_t *event, int64_t now_s, struct buf *out)
{
    static const char *const paths[] = {"series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp",
                                        "metadata.creationTimestamp"};
    char text[32];

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (*json_text(event, paths[i])) {
            buf_puts(out, table_age_of(event, paths[i], now_s, text));
            return;
        }
    }
    buf_puts(out, "<unknown>");
}

static void event_object(const json_t *event, int64_t now_s, struct buf *out)
{
    (void)now_s;
    for (const char *c = json_text(event, "involvedObject.kind"); *c; c++)
        buf_putc(out, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
    buf_printf(out, "/%s", json_text(event, "involvedObject.name"));
}

static void event_message(const json_t *event, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_add_str(out, str_trim(str_of(json_text(event, "message"))));
}

static void data_count(const json_t *object, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_printf(out, "%zu", json_object_size(json_at(object, "data")) + json_object_size(json_at(object, "binaryData")));
}

static void secret_count(const json_t *object, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_printf(out, "%zu", json_array_size(json_at(object, "secrets")));
}

static void access_modes(const json_t *object, int64_t now_s, struct buf *out)
{
    static const char *const names[][2] = {{"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"},
                                           {"ReadWriteOncePod", "RWOP"}};
    const json_t *modes = json_at(object, "status.accessModes"), *mode;
    size_t i;

    (void)now_s;
    if (!modes)
        modes = json_at(object, "spec.accessModes");
    json_array_foreach(modes, i, mode)
        for (size_t k = 0; k < 4; k++)
            if (str_same(json_string_value(mode), names[k][0]))
                buf_printf(out, "%s%s", i ? "," : "", names[k][1]);
}

static void service_ports(const json_t *service, int64_t now_s, struct buf *out)
{
    const json_t *port;
    size_t i;

    (void)now_s;
    if (!json_array_size(json_at(service, "spec.ports")))
        buf_puts(out, "<none>");
    json_array_foreach(json_at(service, "spec.ports"), i, port) {
        buf_printf(out, "%s%lld", i ? "," : "", (ll)json_int(port, "port", 0));
        if (json_int(port, "nodePort", 0))
            buf_printf(out, ":%lld", (ll)json_int(port, "nodePort", 0));
        buf_printf(out, "/%s", json_text(port, "protocol"));
    }
}

static void map_words(const json_t *map, struct buf *out)
{
    const char *key;
    json_t *value;
    bool more = false;

    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        buf_printf(out, "%s%s=%s", more ? "," : "", key, json_string_value(value));
        more = true;
    }
    if (!more)
        buf_puts(out, "<none>");
}

static void selector_words(const json_t *object, int64_t now_s, struct buf *out)
{
    const json_t *selector = json_at(object, "spec.selector");

    (void)now_s;
    map_words(json_object_get(selector, "matchLabels") ? json_object_get(selector, "matchLabels") : selector, out);
}

static void endpoint_words(const json_t *object, int64_t now_s, struct buf *out)
{
    const json_t *subset, *address, *port;
    size_t s, a, p, n = 0;

    (void)now_s;
    json_array_foreach(json_at(object, "subsets"), s, subset)
        json_array_foreach(json_object_get(subset, "addresses"), a, address)
            json_array_foreach(json_object_get(subset, "ports"), p, port)
                if (n++ < 3)
                    buf_printf(out, "%s%s:%lld", n > 1 ? "," : "", json_text(address, "ip"),
                               (ll)json_int(port, "port", 0));
    if (n > 3)
        buf_printf(out, " + %zu more...", n - 3);
    if (!n)
        buf_puts(out, "<none>");
}

static void slice_ports(const json_t *slice, int64_t now_s, struct buf *out)
{
    const json_t *port;
    size_t i;

    (void)now_s;
    json_array_foreach(json_object_get(slice, "ports"), i, port)
        buf_printf(out, "%s%lld", i ? "," : "", (ll)json_int(port, "port", 0));
    if (!out->len)
        buf_puts(out, "<unset>");
}

static void slice_addresses(const json_t *slice, int64_t now_s, struct buf *out)
{
    const json_t *endpoint, *address;
    size_t i, k;

    (void)now_s;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
        json_array_foreach(json_object_get(endpoint, "addresses"), k, address)
            buf_printf(out, "%s%s", out->len ? "," : "", json_string_value(address));
    if (!out->len)
        buf_puts(out, "<unset>");
}

static void role_ref(const json_t *binding, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_printf(out, "%s/%s", json_text(binding, "roleRef.kind"), json_text(binding, "roleRef.name"));
}

static void node_status(const json_t *node, int64_t now_s, struct buf *out)
{
    const json_t *c;
    size_t i;

    (void)now_s;
    json_array_foreach(json_at(node, "status.conditions"), i, c)
        if (strcmp(json_text(c, "type"), "Ready") == 0)
            buf_puts(out, strcmp(json_text(c, "status"), "True") == 0 ? "Ready" : "NotReady");
    if (!out->len)
        buf_puts(out, "Unknown");
    if (json_flag(node, "spec.unschedulable", false))
        buf_puts(out, ",SchedulingDisabled");
}

static void ready_of_replicas(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_printf(out, "%lld/%lld", (ll)json_int(o, "status.readyReplicas", 0), (ll)json_int(o, "spec.replicas", 1));
}

static void active_jobs(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_printf(out, "%zu", json_array_size(json_at(o, "status.active")));
}

static void suspended(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_puts(out, json_flag(o, "spec.suspend", false) ? "True" : "False");
}

static void container_words(const json_t *o, const char *key, struct buf *out)
{
    const json_t *one;
    size_t i;

    json_array_foreach (json_at(o, "spec.jobTemplate.spec.template.spec.containers"), i, one)
        buf_printf(out, "%s%s", i ? "," : "", json_text(one, key));
}

static void cronjob_containers(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    container_words(o, "name", out);
}

static void cronjob_images(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    container_words(o, "image", out);
}

static void class_name(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    buf_puts(out, json_text(o, "metadata.name"));
    if (strcmp(json_meta(o, "annotations", "storageclass.kubernetes.io/is-default-class"), "true") == 0)
        buf_puts(out, " (default)");
}

static void claim_of_volume(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    if (json_at(o, "spec.claimRef"))
        buf_printf(out, "%s/%s", json_text(o, "spec.claimRef.namespace"), json_text(o, "spec.claimRef.name"));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "pods: 1/10, requests.cpu: 500m/2": limits, or all but limits. */
static void quota_words(const json_t *o, bool limits, struct buf *out)
{
    json_t *hard = json_at(o, "status.hard"), *value;
    const char **names = mem_alloc((json_object_size(hard) + 1) * sizeof(*names)), *name;
    size_t n = 0;

    json_object_foreach (hard, name, value)
        if ((strncmp(name, "limits.", 7) == 0) == limits)
            names[n++] = name;
    qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; i < n; i++) {
        const char *used = json_string_value(json_object_get(json_at(o, "status.used"), names[i]));

        buf_printf(out, "%s%s: %s/%s", i ? ", " : "", names[i], used ? used : "0",
                   json_string_value(json_object_get(hard, names[i])));
    }
    mem_free(names);
}

static void quota_requests(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    quota_words(o, false, out);
}

static void quota_limits(const json_t *o, int64_t now_s, struct buf *out)
{
    (void)now_s;
    quota_words(o, true, out);
}

/* ---- the rows ---- */

#define NAME {.name = "Name", .path = "metadata.name"}
#define AGE {.name = "Age", .path = "metadata.creationTimestamp", .is_age = true}
#define CREATED {.name = "Created At", .path = "metadata.creationTimestamp"}

static const struct table_column plain[] = {NAME, AGE};
static const struct table_column crds[] = {NAME, CREATED};
static const struct table_column namespaces[] = {NAME, {.name = "Status", .path = "status.phase"}, AGE};
static const struct table_column pods[] = {
    NAME, {.name = "Ready", .cell = pod_ready}, {.name = "Status", .cell = pod_status},
    {.name = "Restarts", .cell = pod_restarts}, AGE,
    {.name = "IP", .path = "status.podIP", .absent = "<none>", .wide = 1},
    {.name = "Node", .path = "spec.nodeName", .absent = "<none>", .wide = 1},
};
static const struct table_column jobs[] = {
    NAME, {.name = "Status", .cell = job_status}, {.name = "Completions", .cell = job_completions},
    {.name = "Duration", .cell = job_duration}, AGE,
};
static const struct table_column cronjobs[] = {
    NAME, {.name = "Schedule", .path = "spec.schedule"},
    {.name = "Timezone", .path = "spec.timeZone", .absent = "<none>"}, {.name = "Suspend", .cell = suspended},
    {.name = "Active", .cell = active_jobs},
    {.name = "Last Schedule", .path = "status.lastScheduleTime", .absent = "<none>", .is_age = true}, AGE,
    {.name = "Containers", .cell = cronjob_containers, .wide = 1},
    {.name = "Images", .cell = cronjob_images, .wide = 1},
    {.name = "Selector", .path = "spec.jobTemplate.spec.selector", .absent = "<none>", .wide = 1},
};
static const struct table_column quotas[] = {
    NAME, {.name = "Request", .cell = quota_requests}, {.name = "Limit", .cell = quota_limits}, AGE};
static const struct table_column events[] = {
    {.name = "Last Seen", .cell = event_age}, {.name = "Type", .path = "type"}, {.name = "Reason", .path = "reason"},
    {.name = "Object", .cell = event_object}, {.name = "Source", .path = "source.component", .wide = 1},
    {.name = "Message", .cell = event_message}, {.name = "Count", .path = "count", .wide = 1},
    {.name = "Name", .path = "metadata.name", .wide = 1},
};
static const struct table_column secrets[] = {
    NAME, {.name = "Type", .path = "type"}, {.name = "Data", .cell = data_count}, AGE};
static const struct table_column configmaps[] = {NAME, {.name = "Data", .cell = data_count}, AGE};
static const struct table_column accounts[] = {NAME, {.name = "Secrets", .cell = secret_count}, AGE};
static const struct table_column services[] = {
    NAME, {.name = "Type", .path = "spec.type"}, {.name = "Cluster-IP", .path = "spec.clusterIP", .absent = "<none>"},
    {.name = "External-IP", .path = "spec.externalName", .absent = "<none>"},
    {.name = "Port(s)", .cell = service_ports}, AGE, {.name = "Selector", .cell = selector_words, .wide = 1},
};
static const struct table_column endpoints[] = {NAME, {.name = "Endpoints", .cell = endpoint_words}, AGE};
static const struct table_column slices[] = {
    NAME, {.name = "AddressType", .path = "addressType"}, {.name = "Ports", .cell = slice_ports},
    {.name = "Endpoints", .cell = slice_addresses}, AGE};
static const struct table_column claims[] = {
    NAME, {.name = "Status", .path = "status.phase"}, {.name = "Volume", .path = "spec.volumeName"},
    {.name = "Capacity", .path = "status.capacity.storage"}, {.name = "Access Modes", .cell = access_modes},
    {.name = "StorageClass", .path = "spec.storageClassName"}, AGE,
    {.name = "VolumeMode", .path = "spec.volumeMode", .wide = 1},
};
static const struct table_column volumes[] = {
    NAME,
    {.name = "Capacity", .path = "spec.capacity.storage"},
    {.name = "Access Modes", .cell = access_modes},
    {.name = "Reclaim Policy", .path = "spec.persistentVolumeReclaimPolicy"},
    {.name = "Status", .path = "status.phase"},
    {.name = "Claim", .cell = claim_of_volume},
    {.name = "StorageClass", .path = "spec.storageClassName"},
    AGE,
};
static const struct table_column nodes[] = {
    NAME, {.name = "Status", .cell = node_status}, AGE, {.name = "Version", .path = "status.nodeInfo.kubeletVersion"}};
static const struct table_column leases[] = {NAME, {.name = "Holder", .path = "spec.holderIdentity"}, AGE};
static const struct table_column bindings[] = {NAME, {.name = "Role", .cell = role_ref}, AGE};
static const struct table_column classes[] = {
    {.name = "Name", .cell = class_name}, {.name = "Provisioner", .path = "provisioner"},
    {.name = "ReclaimPolicy", .path = "reclaimPolicy"}, {.name = "VolumeBindingMode", .path = "volumeBindingMode"},
    {.name = "AllowVolumeExpansion", .path = "allowVolumeExpansion", .absent = "false"}, AGE,
};
static const struct table_column deployments[] = {
    NAME, {.name = "Ready", .cell = ready_of_replicas},
    {.name = "Up-to-date", .path = "status.updatedReplicas", .absent = "0"},
    {.name = "Available", .path = "status.availableReplicas", .absent = "0"}, AGE};
static const struct table_column statefulsets[] = {NAME, {.name = "Ready", .cell = ready_of_replicas}, AGE};

#define ROW(plural, columns) {plural, columns, sizeof(columns) / sizeof((columns)[0])}

static const struct table_kind kinds[] = {
    ROW("namespaces", namespaces),
    ROW("pods", pods),
    ROW("jobs", jobs),
    ROW("cronjobs", cronjobs),
    ROW("resourcequotas", quotas),
    ROW("events", events),
    ROW("secrets", secrets),
    ROW("configmaps", configmaps),
    ROW("serviceaccounts", accounts),
    ROW("services", services),
    ROW("endpoints", endpoints),
    ROW("endpointslices", slices),
    ROW("persistentvolumeclaims", claims),
    ROW("persistentvolumes", volumes),
    ROW("nodes", nodes),
    ROW("leases", leases),
    ROW("roles", crds),
    ROW("clusterroles", crds),
    ROW("rolebindings", bindings),
    ROW("clusterrolebindings", bindings),
    ROW("customresourcedefinitions", crds),
    ROW("storageclasses", classes),
    ROW("deployments", deployments),
    ROW("statefulsets", statefulsets),
    ROW("", plain),
};

const struct table_kind *table_kind_of(const struct resource *r)
{
    size_t i = 0;

    while (*kinds[i].plural && strcmp(kinds[i].plural, r->plural) != 0)
        i++;
    return &kinds[i];
}
