/* builtin_check: the parts that checks of built-in kinds are made of, and which kind has which check. */
#include "core/base/json.h"
#include "k8s/model/builtin_parts.h"

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

void builtin_check_unchanged(const struct check *c, const json_t *now, const json_t *old, const char *key,
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

static const struct {
    const char *group, *kind;
    builtin_check_fn *fn;
} rows[] = {
    {"",                          "Pod",                   builtin_pod_check          },
    {"",                          "Secret",                builtin_check_secret       },
    {"",                          "ConfigMap",             builtin_check_config_map   },
    {"",                          "Event",                 builtin_check_event        },
    {"",                          "Service",               builtin_check_service      },
    {"",                          "PersistentVolumeClaim", builtin_check_claim        },
    {"",                          "ResourceQuota",         builtin_check_quota        },
    {"apps",                      "Deployment",            builtin_check_workload     },
    {"apps",                      "ReplicaSet",            builtin_check_workload     },
    {"apps",                      "DaemonSet",             builtin_check_workload     },
    {"apps",                      "StatefulSet",           builtin_check_statefulset  },
    {"batch",                     "Job",                   builtin_check_job          },
    {"batch",                     "CronJob",               builtin_check_cronjob      },
    {"coordination.k8s.io",       "Lease",                 builtin_check_lease        },
    {"storage.k8s.io",            "StorageClass",          builtin_check_storage_class},
    {"rbac.authorization.k8s.io", "Role",                  builtin_check_role         },
    {"rbac.authorization.k8s.io", "ClusterRole",           builtin_check_role         },
    {"rbac.authorization.k8s.io", "RoleBinding",           builtin_check_binding      },
    {"rbac.authorization.k8s.io", "ClusterRoleBinding",    builtin_check_binding      },
};

builtin_check_fn *builtin_check_of(const struct resource *r)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(r->kind, rows[i].kind) == 0 && strcmp(r->group, rows[i].group) == 0)
            return rows[i].fn;
    return NULL;
}
