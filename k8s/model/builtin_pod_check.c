/* builtin_pod_check: what an API server refuses in a pod's spec, as far as users and our operator can get it wrong. */
#include "core/base/json.h"
#include "k8s/model/builtin_parts.h"

struct pod_check {
    const json_t *spec;
    json_t *names; /* of containers seen so far */
    json_t *causes;
};

static const char *const pull_policies[] = {"Always", "IfNotPresent", "Never", NULL};
static const char *const restart_policies[] = {"Always", "OnFailure", "Never", NULL};
static const char *const dns_policies[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None", NULL};

/* ---- containers ---- */

static void check_unique_name(const json_t *value, json_t *seen, const struct place *at, json_t *causes)
{
    const char *name = json_string_value(value);

    builtin_check_label_name(value, at, causes);
    if (name && json_object_get(seen, name))
        cause_duplicate(causes, at, value);
    else if (name)
        json_object_set_new(seen, name, json_true());
}

static void check_env(const json_t *container, const struct place *at, json_t *causes)
{
    struct place env = {.up = at, .name = "env"};
    const json_t *list = json_object_get(container, "env"), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        struct place item = {.up = &env, .index = (ssize_t)i}, name = {.up = &item, .name = "name"};
        struct place from = {.up = &item, .name = "valueFrom"};
        const json_t *source = json_object_get(one, "valueFrom");

        if (builtin_check_required(one, "name", &item, causes))
            for (const char *p = json_text(one, "name"); *p; p++)
                if (*p < ' ' || *p > '~' || *p == '=') {
                    cause_invalid(causes, &name, json_object_get(one, "name"),
                                  "a valid environment variable name must consist only of printable ASCII characters "
                                  "other than '='");
                    break;
                }
        if (source && json_text(one, "value")[0])
            cause_invalid(causes, &from, json_object_get(one, "value"),
                          "may not be specified when `value` is not empty");
    }
}

static bool has_volume(const struct pod_check *p, const char *name)
{
    const json_t *list = json_object_get(p->spec, "volumes"), *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (strcmp(json_text(one, "name"), name) == 0)
            return true;
    return false;
}

static void check_mounts(const struct pod_check *p, const json_t *container, const struct place *at)
{
    struct place mounts = {.up = at, .name = "volumeMounts"};
    const json_t *list = json_object_get(container, "volumeMounts"), *one;
    json_t *paths = json_object();
    size_t i;

    json_array_foreach (list, i, one) {
        struct place item = {.up = &mounts, .index = (ssize_t)i}, name = {.up = &item, .name = "name"};
        struct place path = {.up = &item, .name = "mountPath"};

        if (builtin_check_required(one, "name", &item, p->causes) && !has_volume(p, json_text(one, "name")))
            cause_not_found(p->causes, &name, json_object_get(one, "name"));
        if (!builtin_check_required(one, "mountPath", &item, p->causes))
            continue;
        if (json_object_get(paths, json_text(one, "mountPath")))
            cause_invalid(p->causes, &path, json_object_get(one, "mountPath"), "must be unique");
        json_object_set_new(paths, json_text(one, "mountPath"), json_true());
    }
    json_decref(paths);
}

static bool quantity(const json_t *value, int64_t *ret)
{
    if (json_is_integer(value)) {
        *ret = json_integer_value(value) * 1000;
        return true;
    }
    return json_is_string(value) && str_parse_quantity_milli(json_str(value), ret) == 0;
}

static void check_amounts(const json_t *amounts, const json_t *limits, const struct place *at, json_t *causes)
{
    const char *name;
    json_t *value;
    int64_t amount, limit;

    json_object_foreach ((json_t *)(uintptr_t)amounts, name, value) {
        struct place item = {.up = at, .name = name, .bracket = true};

        if (!quantity(value, &amount))
            cause_invalid(causes, &item, value, "quantities must match the regular expression "
                                                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        else if (amount < 0)
            cause_invalid(causes, &item, value, "must be greater than or equal to 0");
        else if (quantity(json_object_get(limits, name), &limit) && amount > limit)
            cause_invalid(causes, at, value, "must be less than or equal to %s limit of %s", name,
                          json_text(limits, name));
    }
}

static void check_resources(const json_t *container, const struct place *at, json_t *causes)
{
    struct place resources = {.up = at, .name = "resources"};
    struct place limits = {.up = &resources, .name = "limits"}, requests = {.up = &resources, .name = "requests"};
    const json_t *limit = json_at(container, "resources.limits");

    check_amounts(limit, NULL, &limits, causes);
    check_amounts(json_at(container, "resources.requests"), limit, &requests, causes);
}

static void check_ports(const json_t *container, const struct place *at, json_t *causes)
{
    struct place ports = {.up = at, .name = "ports"};
    const json_t *list = json_object_get(container, "ports"), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        struct place item = {.up = &ports, .index = (ssize_t)i}, port = {.up = &item, .name = "containerPort"};
        int64_t number = json_int(one, "containerPort", 0);

        if (number == 0)
            cause_required(causes, &port, NULL);
        else if (number < 1 || number > 65535)
            cause_invalid(causes, &port, json_object_get(one, "containerPort"),
                          "must be between 1 and 65535, inclusive");
    }
}

static void check_handler(const json_t *container, const char *key, const struct place *at, json_t *causes)
{
    static const char *const handlers[] = {"exec", "httpGet", "tcpSocket", "grpc", "sleep"};
    const json_t *probe = json_object_get(container, key);
    struct place here = {.up = at, .name = key};
    size_t n = 0;

    if (!json_is_object(probe))
        return;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        n += json_object_get(probe, handlers[i]) != NULL;
    if (n == 0)
        cause_required(causes, &here, "must specify a handler type");
    else if (n > 1)
        cause_forbidden(causes, &here, "may not specify more than 1 handler type");
}

static void check_init_only(const json_t *container, const struct place *at, json_t *causes)
{
    static const char *const refused[] = {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"};

    if (strcmp(json_text(container, "restartPolicy"), "Always") == 0)
        return; /* a sidecar */
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct place here = {.up = at, .name = refused[i]};

        if (json_is_object(json_object_get(container, refused[i])))
            cause_forbidden(causes, &here, "may not be set for init containers without restartPolicy=Always");
    }
}

static void check_container(const struct pod_check *p, const json_t *container, bool init, const struct place *at)
{
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    struct place name = {.up = at, .name = "name"};

    if (builtin_check_required(container, "name", at, p->causes))
        check_unique_name(json_object_get(container, "name"), p->names, &name, p->causes);
    (void)builtin_check_required(container, "image", at, p->causes);
    builtin_check_enum(container, "imagePullPolicy", pull_policies, at, p->causes);
    check_env(container, at, p->causes);
    check_mounts(p, container, at);
    check_resources(container, at, p->causes);
    check_ports(container, at, p->causes);
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        check_handler(container, probes[i], at, p->causes);
    if (init)
        check_init_only(container, at, p->causes);
}

static void check_containers(const struct pod_check *p, const char *key, const struct place *at)
{
    struct place list_at = {.up = at, .name = key};
    const json_t *list = json_object_get(p->spec, key), *one;
    bool init = key[0] == 'i';
    size_t i;

    if (!init && json_array_size(list) == 0)
        cause_required(p->causes, &list_at, NULL);
    json_array_foreach (list, i, one) {
        struct place item = {.up = &list_at, .index = (ssize_t)i};

        check_container(p, one, init, &item);
    }
}

/* ---- volumes ---- */

static void check_volumes(const struct pod_check *p, const struct place *at)
{
    struct place volumes = {.up = at, .name = "volumes"};
    const json_t *list = json_object_get(p->spec, "volumes"), *one;
    json_t *seen = json_object();
    size_t i;

    json_array_foreach (list, i, one) {
        struct place item = {.up = &volumes, .index = (ssize_t)i}, name = {.up = &item, .name = "name"};
        struct place claim = {.up = &item, .name = "persistentVolumeClaim"};

        if (builtin_check_required(one, "name", &item, p->causes))
            check_unique_name(json_object_get(one, "name"), seen, &name, p->causes);
        if (json_object_size(one) > 2)
            cause_forbidden(p->causes, &item, "may not specify more than 1 volume type");
        if (json_object_get(one, "persistentVolumeClaim"))
            (void)builtin_check_required(json_object_get(one, "persistentVolumeClaim"), "claimName", &claim, p->causes);
    }
    json_decref(seen);
}

void builtin_pod_spec_check(const json_t *spec, const struct place *at, json_t *causes)
{
    struct pod_check p = {.spec = spec, .names = json_object(), .causes = causes};

    check_volumes(&p, at);
    check_containers(&p, "containers", at);
    check_containers(&p, "initContainers", at);
    builtin_check_enum(spec, "restartPolicy", restart_policies, at, causes);
    builtin_check_enum(spec, "dnsPolicy", dns_policies, at, causes);
    builtin_check_at_least(spec, "terminationGracePeriodSeconds", 0, at, causes);
    builtin_check_at_least(spec, "activeDeadlineSeconds", 1, at, causes);
    json_decref(p.names);
}

/* ---- changes ---- */

static void copy_images(json_t *spec, const json_t *old, const char *key)
{
    json_t *list = json_object_get(spec, key), *was = json_object_get(old, key), *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (json_is_object(one) && json_object_get(json_array_get(was, i), "image"))
            json_object_set(one, "image", json_object_get(json_array_get(was, i), "image"));
}

/* Only a few fields of a pod may change; nodeName once, when it is bound. */
static void check_change(const struct check *c, const struct place *at)
{
    static const char *const free_fields[] = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"};
    const json_t *old = json_object_get(c->old, "spec");
    json_t *spec;

    if (json_equal(json_object_get(c->object, "spec"), old))
        return;
    spec = json_clone(json_object_get(c->object, "spec"));
    copy_images(spec, old, "containers");
    copy_images(spec, old, "initContainers");
    for (size_t i = 0; i < sizeof(free_fields) / sizeof(free_fields[0]); i++) {
        json_object_del(spec, free_fields[i]);
        if (json_object_get(old, free_fields[i]))
            json_object_set(spec, free_fields[i], json_object_get(old, free_fields[i]));
    }
    if (json_text(old, "nodeName")[0] == '\0')
        json_object_del(spec, "nodeName");
    if (!json_equal(spec, old))
        cause_forbidden(
            c->causes, at,
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions "
            "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
            "was previously negative)");
    json_decref(spec);
}

/* An image may change, but not go. */
static void check_images(const struct check *c, const struct place *at)
{
    struct place list = {.up = at, .name = "containers"};
    const json_t *one;
    size_t i;

    json_array_foreach (json_at(c->object, "spec.containers"), i, one) {
        struct place item = {.up = &list, .index = (ssize_t)i};

        (void)builtin_check_required(one, "image", &item, c->causes); /* the cause is all that is wanted */
    }
}

void builtin_pod_check(const struct check *c, const struct place *root)
{
    struct place spec = {.up = root, .name = "spec"};

    if (c->old) {
        check_images(c, &spec);
        check_change(c, &spec);
    } else {
        builtin_pod_spec_check(json_object_get(c->object, "spec"), &spec, c->causes);
    }
}
