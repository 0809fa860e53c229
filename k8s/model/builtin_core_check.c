/* builtin_core_check: what an API server refuses in claims,
 * Secrets, Roles, Services, and what may not change in them. */
#include "core/base/base64.h"
#include "core/base/json.h"
#include "k8s/model/builtin_parts.h"

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
    json_t *now = json_clone(spec);
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

void builtin_check_claim(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec");
    struct place at = {.up = root, .name = "spec"};

    if (c->old)
        check_claim_change(c, spec, json_object_get(c->old, "spec"), &at);
    else
        check_new_claim(c, spec, &at);
}

void builtin_check_storage_class(const struct check *c, const struct place *root)
{
    static const char *const fixed[] = {"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"};

    (void)builtin_check_required(c->object, "provisioner", root, c->causes);
    for (size_t i = 0; c->old && i < sizeof(fixed) / sizeof(fixed[0]); i++)
        builtin_check_unchanged(c, c->object, c->old, fixed[i], root);
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

void builtin_check_secret(const struct check *c, const struct place *root)
{
    check_data(c, root, "data", true);
    check_immutable_stays(c, root);
    if (c->old)
        builtin_check_unchanged(c, c->object, c->old, "type", root);
}

void builtin_check_config_map(const struct check *c, const struct place *root)
{
    check_data(c, root, "data", false);
    check_data(c, root, "binaryData", true);
    check_immutable_stays(c, root);
}

/* ---- rbac ---- */

static void check_rule(const json_t *rule, bool cluster, const struct place *at, json_t *causes)
{
    struct place paths = {.up = at, .name = "nonResourceURLs"};
    struct place verbs = {.up = at, .name = "verbs"}, groups = {.up = at, .name = "apiGroups"};
    struct place resources = {.up = at, .name = "resources"};

    if (json_array_size(json_object_get(rule, "verbs")) == 0)
        cause_required(causes, &verbs, "verbs must contain at least one value");
    if (json_array_size(json_object_get(rule, "nonResourceURLs")) > 0) {
        if (!cluster)
            cause_invalid(causes, &paths, json_object_get(rule, "nonResourceURLs"),
                          "namespaced rules cannot apply to non-resource URLs");
        return;
    }
    if (json_array_size(json_object_get(rule, "apiGroups")) == 0)
        cause_required(causes, &groups, "resource rules must supply at least one api group");
    if (json_array_size(json_object_get(rule, "resources")) == 0)
        cause_required(causes, &resources, "resource rules must supply at least one resource");
}

void builtin_check_role(const struct check *c, const struct place *root)
{
    struct place rules = {.up = root, .name = "rules"};
    const json_t *list = json_object_get(c->object, "rules"), *one;
    size_t i;

    json_array_foreach (list, i, one) {
        struct place item = {.up = &rules, .index = (ssize_t)i};

        check_rule(one, strcmp(json_text(c->object, "kind"), "ClusterRole") == 0, &item, c->causes);
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

void builtin_check_binding(const struct check *c, const struct place *root)
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

        check_subject(one, &item, cluster, c->causes); /* a RoleBinding's accounts are of its namespace */
    }
    if (c->old && !builtin_same(role, json_object_get(c->old, "roleRef")))
        cause_invalid(c->causes, &at, role ? role : json_null(), "cannot change roleRef");
}

/* ---- events ---- */

/* An Event lives beside what it tells of; of what has no namespace, in the default one. */
void builtin_check_event(const struct check *c, const struct place *root)
{
    struct place about = {.up = root, .name = "involvedObject"}, at = {.up = &about, .name = "namespace"};
    const char *of = json_text(c->object, "involvedObject.namespace"), *ns = json_text(c->object, "metadata.namespace");
    json_t *shown;

    if (strcmp(of, ns) == 0 || (!*of && (strcmp(ns, "default") == 0 || strcmp(ns, "kube-system") == 0)))
        return;
    shown = json_string(of);
    cause_invalid(c->causes, &at, shown, "does not match event.namespace");
    json_decref(shown);
}

/* ---- services, leases ---- */

void builtin_check_service(const struct check *c, const struct place *root)
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

void builtin_check_lease(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec"), *seconds = json_object_get(spec, "leaseDurationSeconds");
    struct place at = {.up = root, .name = "spec"}, duration = {.up = &at, .name = "leaseDurationSeconds"};

    if (json_is_integer(seconds) && json_integer_value(seconds) <= 0)
        cause_invalid(c->causes, &duration, seconds, "must be greater than 0");
    builtin_check_at_least(spec, "leaseTransitions", 0, &at, c->causes);
}

/* ---- ResourceQuotas ---- */

static void check_hard(const char *name, const json_t *value, const struct place *up, json_t *causes)
{
    struct place at = {.up = up, .name = name, .bracket = true};
    int64_t milli = 0;

    if (json_is_string(value) && str_parse_quantity_milli(json_str(value), &milli) < 0)
        cause_invalid(causes, &at, value,
                      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    else if (milli < 0 || json_integer_value(value) < 0)
        cause_invalid(causes, &at, value, "must be greater than or equal to 0");
    else if (milli % 1000 && !strstr(name, "cpu") && !strstr(name, "memory") && !strstr(name, "storage"))
        cause_invalid(causes, &at, value, "must be an integer");
}

static bool check_scope(const json_t *scope, const struct place *at, json_t *causes)
{
    static const char *const scopes[] = {"BestEffort", "NotBestEffort", "NotTerminating", "Terminating"};

    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
        if (str_same(json_string_value(scope), scopes[i]))
            return true;
    cause_invalid(causes, at, scope ? scope : json_null(), "unsupported scope");
    return false;
}

/* Of the scopes that we know the only operator is Exists, here as on the real server. */
static void check_selector(const json_t *spec, const struct place *up, json_t *causes)
{
    struct place selector = {.up = up, .name = "scopeSelector"}, list = {.up = &selector, .name = "matchExpressions"};
    const json_t *one;
    size_t i;

    json_array_foreach (json_at(spec, "scopeSelector.matchExpressions"), i, one) {
        struct place item = {.up = &list, .index = (ssize_t)i}, scope = {.up = &item, .name = "scopeName"};
        struct place operator = {.up = &item, .name = "operator"};

        if (check_scope(json_object_get(one, "scopeName"), &scope, causes) &&
            builtin_check_required(one, "operator", &item, causes) &&
            strcmp(json_text(one, "operator"), "Exists") != 0)
            cause_invalid(causes, &operator, json_object_get(one, "operator"),
                          "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                          "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort and "
                          "ResourceQuotaScopeNotBestEffort");
    }
}

void builtin_check_quota(const struct check *c, const struct place *root)
{
    const json_t *spec = json_object_get(c->object, "spec");
    struct place at = {.up = root, .name = "spec"}, hard = {.up = &at, .name = "hard"};
    struct place scopes = {.up = &at, .name = "scopes"};
    json_t *value;
    const char *name;
    size_t i;

    json_object_foreach (json_object_get(spec, "hard"), name, value)
        check_hard(name, value, &hard, c->causes);
    json_array_foreach (json_object_get(spec, "scopes"), i, value)
        (void)check_scope(value, &(struct place){.up = &scopes, .index = (ssize_t)i}, c->causes);
    check_selector(spec, &at, c->causes);
    if (c->old)
        builtin_check_unchanged(c, spec, json_object_get(c->old, "spec"), "scopes", &at);
}
