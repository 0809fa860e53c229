/* builtin_check: what an API server refuses in its own kinds, and what may not change in them. */
#include "core/base/base64.h"
#include "core/base/cron.h"
#include "core/base/json.h"
#include "k8s/model/builtin_parts.h"

/* ---- parts of checks ---- */

bool builtin_same(const json_t *a, const json_t *b)
{
    bool no_a = !a || json_is_null(a) || ((json_is_object(a) || json_is_array(a)) && json_object_size(a) == 0 &&
                                          json_array_size(a) == 0);
    bool no_b = !b || json_is_null(b) || ((json_is_object(b) || json_is_array(b)) && json_object_size(b) == 0 &&
                                          json_array_size(b) == 0);

    return no_a || no_b ? no_a == no_b : json_equal(a, b);
}

bool builtin_check_required(const json_t *object, const char *key, const struct place *at, json_t *causes)
{
    struct place here = {.up = at, .name = key};
    const char *text = json_string_value(json_object_get(object, key));

    if (text && *text)
        return true;
    cause_required(causes, &here, NULL);
    return false;
}

void builtin_check_enum(const json_t *object, const char *key, const char *const *values, const struct place *at,
                        json_t *causes)
{
    const json_t *value = json_object_get(object, key);
    struct place here = {.up = at, .name = key};
    json_t *supported;

    if (!value)
        return;
    for (size_t i = 0; values[i]; i++)
        if (str_same(json_string_value(value), values[i]))
            return;
    supported = json_array();
    for (size_t i = 0; values[i]; i++)
        json_array_append_new(supported, json_string(values[i]));
    cause_unsupported(causes, &here, value, supported);
    json_decref(supported);
}

void builtin_check_at_least(const json_t *object, const char *key, int64_t min, const struct place *at, json_t *causes)
{
    const json_t *value = json_object_get(object, key);
    struct place here = {.up = at, .name = key};

    if (json_is_integer(value) && json_integer_value(value) < min)
        cause_invalid(causes, &here, value, "must be greater than or equal to %lld", (long long)min);
}

void builtin_check_label_name(const json_t *value, const struct place *at, json_t *causes)
{
    if (json_string_length(value) > 63)
        cause_invalid(causes, at, value, "must be no more than 63 characters");
    else if (!str_is_dns_label(json_str(value)))
        cause_invalid(causes, at, value,
                      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
                      "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
                      "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
}

static void check_unchanged(const struct check *c, const json_t *now, const json_t *old, const char *key,
                            const struct place *at)
{
    struct place here = {.up = at, .name = key};
    const json_t *value = json_object_get(now, key);

    if (!builtin_same(value, json_object_get(old, key)))
        cause_invalid(c->causes, &here, value ? value : json_null(), "field is immutable");
}

static bool is_label_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool alnum = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
                     (s.p[i] >= '0' && s.p[i] <= '9');

        if (!alnum && (i == 0 || i + 1 == s.n || !strchr("-_.", s.p[i])))
            return false;
    }
    return true;
}

void builtin_check_template(const json_t *template, const struct place *at, json_t *causes)
{
    struct place meta = {.up = at, .name = "metadata"}, labels = {.up = &meta, .name = "labels"};
    struct place spec = {.up = at, .name = "spec"};
    json_t *map = json_at(template, "metadata.labels"), *value;
    const char *key;

    json_object_foreach (map, key, value) {
        if (json_string_length(value) > 63)
            cause_invalid(causes, &labels, value, "must be no more than 63 characters");
        else if (!is_label_value(json_str(value)))
            cause_invalid(causes, &labels, value,
                          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
                          "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value', "
                          " or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
    }
    builtin_pod_spec_check(json_object_get(template, "spec"), &spec, causes);
}

/* ---- batch ---- */

static void check_job_spec(const json_t *spec, const struct place *at, json_t *causes)
{
    static const char *const counts[] = {"parallelism",           "completions",  "backoffLimit",
                                         "activeDeadlineSeconds", "ttlSecondsAfterFinished"};
    struct place template = {.up = at, .name = "template"}, pod = {.up = &template, .name = "spec"};
    struct place restart = {.up = &pod, .name = "restartPolicy"};
    const char *policy = json_text(spec, "template.spec.restartPolicy");

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        builtin_check_at_least(spec, counts[i], 0, at, causes);
    builtin_check_template(json_object_get(spec, "template"), &template, causes);
    if (strcmp(policy, "OnFailure") != 0 && strcmp(policy, "Never") != 0)
        cause_required(causes, &restart, "valid values: \"OnFailure\", \"Never\"");
}

static void check_job(const struct check *c, const struct place *root)
{
    static const char *const fixed[] = {"completions", "selector", "template", "completionMode", "podFailurePolicy",
                                        "backoffLimitPerIndex"};
    const json_t *spec = json_object_get(c->object, "spec"), *old = json_object_get(c->old, "spec");
    struct place at = {.up = root, .name = "spec"};

    if (!old) {
        check_job_spec(spec, &at, c->causes);
        return;
    }
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        check_unchanged(c, spec, old, fixed[i], &at);
}

static void check_cronjob(const struct check *c, const struct place *root)
{
    static const char *const policies[] = {"Allow", "Forbid", "Replace", NULL};
    const json_t *spec = json_object_get(c->object, "spec");
    struct place at = {.up = root, .name = "spec"}, schedule = {.up = &at, .name = "schedule"};
    struct place template = {.up = &at, .name = "jobTemplate"}, job = {.up = &template, .name = "spec"};
    struct error e = {0};
    struct cron ignored;

    if (builtin_check_required(spec, "schedule", &at, c->causes) &&
        cron_parse(&ignored, str_of(json_text(spec, "schedule")), &e) < 0)
        cause_invalid(c->causes, &schedule, json_object_get(spec, "schedule"), "%s", e.msg);
    builtin_check_enum(spec, "concurrencyPolicy", policies, &at, c->causes);
    builtin_check_at_least(spec, "successfulJobsHistoryLimit", 0, &at, c->causes);
    builtin_check_at_least(spec, "failedJobsHistoryLimit", 0, &at, c->causes);
    check_job_spec(json_at(spec, "jobTemplate.spec"), &job, c->causes);
}

/* ---- apps ---- */

static bool selects(const json_t *selector, const json_t *labels)
{
    json_t *match = json_object_get(selector, "matchLabels"), *value;
    const char *key;

    json_object_foreach (match, key, value)
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    return true;
}

static void check_workload(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec"), *labels = json_at(spec, "template.metadata.labels");
    struct place at = {.up = root, .name = "spec"}, selector = {.up = &at, .name = "selector"};
    struct place template = {.up = &at, .name = "template"}, meta = {.up = &template, .name = "metadata"};
    struct place labels_at = {.up = &meta, .name = "labels"};

    builtin_check_at_least(spec, "replicas", 0, &at, c->causes);
    if (!json_is_object(json_object_get(spec, "selector")))
        cause_required(c->causes, &selector, NULL);
    else if (!selects(json_object_get(spec, "selector"), labels))
        cause_invalid(c->causes, &labels_at, labels ? labels : json_null(),
                      "`selector` does not match template `labels`");
    builtin_check_template(json_object_get(spec, "template"), &template, c->causes);
    if (c->old)
        check_unchanged(c, spec, json_object_get(c->old, "spec"), "selector", &at);
}

static void check_statefulset(const struct check *c, const struct place *root)
{
    static const char *const may_change[] = {"replicas",       "ordinals", "template", "updateStrategy",
                                             "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
                                             "minReadySeconds"};
    const json_t *old = json_object_get(c->old, "spec");
    struct place at = {.up = root, .name = "spec"};
    json_t *now;

    check_workload(c, root);
    if (!old)
        return;
    now = json_copy((json_t *)(uintptr_t)json_object_get(c->object, "spec"));
    for (size_t i = 0; i < sizeof(may_change) / sizeof(may_change[0]); i++) {
        json_object_del(now, may_change[i]);
        if (json_object_get(old, may_change[i]))
            json_object_set(now, may_change[i], json_object_get(old, may_change[i]));
    }
    if (!json_equal(now, old))
        cause_forbidden(c->causes, &at,
                        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                        "'minReadySeconds' are forbidden");
    json_decref(now);
}

/* ---- storage ---- */

static void check_new_claim(const struct check *c, const json_t *spec, const struct place *at)
{
    static const char *const modes[] = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"};
    struct place list = {.up = at, .name = "accessModes"}, resources = {.up = at, .name = "resources"};
    struct place storage = {.up = &resources, .name = "storage", .bracket = true};
    const json_t *given = json_object_get(spec, "accessModes"), *one;
    const json_t *size = json_object_get(json_at(spec, "resources.requests"), "storage");
    int64_t milli;
    size_t i, m;

    if (json_array_size(given) == 0)
        cause_required(c->causes, &list, "at least 1 access mode is required");
    json_array_foreach (given, i, one) {
        json_t *supported = json_array();
        bool known = false;

        for (m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
            known = known || str_same(json_string_value(one), modes[m]);
            json_array_append_new(supported, json_string(modes[m]));
        }
        if (!known)
            cause_unsupported(c->causes, &list, one, supported);
        json_decref(supported);
    }
    if (!size)
        cause_required(c->causes, &storage, NULL);
    else if (json_is_string(size) && (str_parse_quantity_milli(json_str(size), &milli) < 0 || milli <= 0))
        cause_invalid(c->causes, &storage, size, "must be greater than zero");
}

/* The binder fills in volumeName once; a bound claim may grow. */
static void check_claim_change(const struct check *c, const json_t *spec, const json_t *old, const struct place *at)
{
    struct place resources = {.up = at, .name = "resources"}, requests = {.up = &resources, .name = "requests"};
    struct place storage = {.up = &requests, .name = "storage"};
    const json_t *size = json_at(spec, "resources.requests.storage"), *was = json_at(old, "resources.requests.storage");
    json_t *now = json_deep_copy(spec);
    int64_t new_milli = 0, old_milli = 0;

    if (json_text(old, "volumeName")[0] == '\0')
        json_object_del(now, "volumeName");
    if (json_text(old, "storageClassName")[0] == '\0')
        json_object_del(now, "storageClassName");
    if (strcmp(json_text(c->old, "status.phase"), "Bound") == 0 && json_object_get(old, "resources"))
        json_object_set(now, "resources", json_object_get(old, "resources"));
    if (!json_equal(now, old))
        cause_forbidden(c->causes, at, "spec is immutable after creation except resources.requests and "
                                       "volumeAttributesClassName for bound claims");
    else if (str_parse_quantity_milli(json_str(size), &new_milli) == 0 &&
             str_parse_quantity_milli(json_str(was), &old_milli) == 0 && new_milli < old_milli)
        cause_forbidden(c->causes, &storage, "field can not be less than status.capacity");
    json_decref(now);
}

static void check_claim(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec");
    struct place at = {.up = root, .name = "spec"};

    if (c->old)
        check_claim_change(c, spec, json_object_get(c->old, "spec"), &at);
    else
        check_new_claim(c, spec, &at);
}

static void check_storage_class(const struct check *c, const struct place *root)
{
    static const char *const fixed[] = {"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"};

    (void)builtin_check_required(c->object, "provisioner", root, c->causes);
    for (size_t i = 0; c->old && i < sizeof(fixed) / sizeof(fixed[0]); i++)
        check_unchanged(c, c->object, c->old, fixed[i], root);
}

/* ---- maps of data ---- */

static bool is_config_key(const char *key)
{
    for (const char *p = key; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') && !strchr("-_.", *p))
            return false;
    return key[0] && strlen(key) <= 253 && strcmp(key, ".") != 0 && strncmp(key, "..", 2) != 0;
}

static bool is_base64(const json_t *value)
{
    struct buf ignored;
    bool good;

    buf_init(&ignored, 4 << 20);
    good = json_is_string(value) && base64_decode(&ignored, json_str(value));
    buf_done(&ignored);
    return good;
}

static void check_data(const struct check *c, const struct place *root, const char *map, bool encoded)
{
    struct place at = {.up = root, .name = map};
    json_t *data = json_object_get(c->object, map), *value;
    size_t total = 0;
    const char *key;

    json_object_foreach (data, key, value) {
        struct place item = {.up = &at, .name = key, .bracket = true};
        json_t *name = json_string(key);

        if (!is_config_key(key))
            cause_invalid(c->causes, &item, name,
                          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
                          "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
                          "'[-._a-zA-Z0-9]+')");
        if (encoded && !is_base64(value))
            cause_type(c->causes, &item, "string", "illegal base64 data");
        total += json_string_length(value);
        json_decref(name);
    }
    if (total > (encoded ? 1398104u : 1048576u)) /* 1 MiB, in base64 a third more */
        cause_too_long(c->causes, &at, 1048576);
    if (json_flag(c->old, "immutable", false) && !builtin_same(data, json_object_get(c->old, map)))
        cause_forbidden(c->causes, &at, "field is immutable when `immutable` is set");
}

static void check_immutable_stays(const struct check *c, const struct place *root)
{
    struct place at = {.up = root, .name = "immutable"};

    if (json_flag(c->old, "immutable", false) && !json_flag(c->object, "immutable", false))
        cause_forbidden(c->causes, &at, "field is immutable when `immutable` is set");
}

static void check_secret(const struct check *c, const struct place *root)
{
    check_data(c, root, "data", true);
    check_immutable_stays(c, root);
    if (c->old)
        check_unchanged(c, c->object, c->old, "type", root);
}

static void check_config_map(const struct check *c, const struct place *root)
{
    check_data(c, root, "data", false);
    check_data(c, root, "binaryData", true);
    check_immutable_stays(c, root);
}

/* ---- rbac ---- */

static void check_rule(const json_t *rule, const struct place *at, json_t *causes)
{
    struct place verbs = {.up = at, .name = "verbs"}, groups = {.up = at, .name = "apiGroups"};
    struct place resources = {.up = at, .name = "resources"};

    if (json_array_size(json_object_get(rule, "verbs")) == 0)
        cause_required(causes, &verbs, "verbs must contain at least one value");
    if (json_array_size(json_object_get(rule, "nonResourceURLs")) > 0)
        return;
    if (json_array_size(json_object_get(rule, "apiGroups")) == 0)
        cause_required(causes, &groups, "resource rules must supply at least one api group");
    if (json_array_size(json_object_get(rule, "resources")) == 0)
        cause_required(causes, &resources, "resource rules must supply at least one resource");
}

static void check_role(const struct check *c, const struct place *root)
{
    struct place rules = {.up = root, .name = "rules"};
    const json_t *list = json_object_get(c->object, "rules"), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        struct place item = {.up = &rules, .index = (ssize_t)i};

        check_rule(one, &item, c->causes);
    }
}

static void check_subject(const json_t *subject, const struct place *at, bool cluster, json_t *causes)
{
    static const char *const kinds[] = {"ServiceAccount", "User", "Group", NULL};

    (void)builtin_check_required(subject, "name", at, causes);
    builtin_check_enum(subject, "kind", kinds, at, causes);
    if (cluster && strcmp(json_text(subject, "kind"), "ServiceAccount") == 0)
        (void)builtin_check_required(subject, "namespace", at, causes);
}

static void check_binding(const struct check *c, const struct place *root)
{
    static const char *const of_roles[] = {"Role", "ClusterRole", NULL}, *const of_cluster[] = {"ClusterRole", NULL};
    const json_t *role = json_object_get(c->object, "roleRef"), *list = json_object_get(c->object, "subjects"), *one;
    struct place at = {.up = root, .name = "roleRef"}, subjects = {.up = root, .name = "subjects"};
    bool cluster = strcmp(json_text(c->object, "kind"), "ClusterRoleBinding") == 0;
    size_t i;

    (void)builtin_check_required(role, "name", &at, c->causes);
    builtin_check_enum(role, "kind", cluster ? of_cluster : of_roles, &at, c->causes);
    json_array_foreach (list, i, one) {
        struct place item = {.up = &subjects, .index = (ssize_t)i};

        check_subject(one, &item, true, c->causes);
    }
    if (c->old && !builtin_same(role, json_object_get(c->old, "roleRef")))
        cause_invalid(c->causes, &at, role ? role : json_null(), "cannot change roleRef");
}

/* ---- services, leases ---- */

static void check_service(const struct check *c, const struct place *root)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort", NULL};
    const json_t *spec = json_object_get(c->object, "spec"), *ports = json_object_get(spec, "ports"), *one;
    struct place at = {.up = root, .name = "spec"}, list = {.up = &at, .name = "ports"};
    struct place address = {.up = &at, .name = "clusterIPs"}, first = {.up = &address, .index = 0};
    const char *ip = json_text(spec, "clusterIP"), *was = json_text(c->old, "spec.clusterIP");
    size_t i;

    builtin_check_enum(spec, "type", types, &at, c->causes);
    if (json_array_size(ports) == 0 && strcmp(ip, "None") != 0 && strcmp(json_text(spec, "type"), "ExternalName") != 0)
        cause_required(c->causes, &list, NULL);
    json_array_foreach (ports, i, one) {
        struct place item = {.up = &list, .index = (ssize_t)i}, port = {.up = &item, .name = "port"};
        int64_t number = json_int(one, "port", 0);

        if (number < 1 || number > 65535)
            cause_invalid(c->causes, &port, json_object_get(one, "port"), "must be between 1 and 65535, inclusive");
        if (json_array_size(ports) > 1)
            (void)builtin_check_required(one, "name", &item, c->causes);
    }
    if (was[0] && strcmp(ip, was) != 0 && strcmp(json_text(spec, "type"), "ExternalName") != 0)
        cause_invalid(c->causes, &first, json_object_get(spec, "clusterIPs"), "may not change once set");
}

static void check_lease(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec"), *seconds = json_object_get(spec, "leaseDurationSeconds");
    struct place at = {.up = root, .name = "spec"}, duration = {.up = &at, .name = "leaseDurationSeconds"};

    if (json_is_integer(seconds) && json_integer_value(seconds) <= 0)
        cause_invalid(c->causes, &duration, seconds, "must be greater than 0");
    builtin_check_at_least(spec, "leaseTransitions", 0, &at, c->causes);
}

static const struct {
    const char *group, *kind;
    builtin_check_fn *fn;
} rows[] = {
    {"",                          "Pod",                   builtin_pod_check  },
    {"",                          "Secret",                check_secret       },
    {"",                          "ConfigMap",             check_config_map   },
    {"",                          "Service",               check_service      },
    {"",                          "PersistentVolumeClaim", check_claim        },
    {"apps",                      "Deployment",            check_workload     },
    {"apps",                      "ReplicaSet",            check_workload     },
    {"apps",                      "DaemonSet",             check_workload     },
    {"apps",                      "StatefulSet",           check_statefulset  },
    {"batch",                     "Job",                   check_job          },
    {"batch",                     "CronJob",               check_cronjob      },
    {"coordination.k8s.io",       "Lease",                 check_lease        },
    {"storage.k8s.io",            "StorageClass",          check_storage_class},
    {"rbac.authorization.k8s.io", "Role",                  check_role         },
    {"rbac.authorization.k8s.io", "ClusterRole",           check_role         },
    {"rbac.authorization.k8s.io", "RoleBinding",           check_binding      },
    {"rbac.authorization.k8s.io", "ClusterRoleBinding",    check_binding      },
};

builtin_check_fn *builtin_check_of(const struct resource *r)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(r->kind, rows[i].kind) == 0 && strcmp(r->group, rows[i].group) == 0)
            return rows[i].fn;
    return NULL;
}
