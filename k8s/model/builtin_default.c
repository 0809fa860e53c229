/*
 * builtin_default: what an API server fills into its own kinds. What it allocated once (a Job's selector, a Service's
 * address, a claim's volume) is carried over when an update leaves it out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/builtin_parts.h"

static bool is_set(const json_t *object, const char *key)
{
    const json_t *there = json_object_get(object, key);

    return there && !json_is_null(there);
}

void builtin_set(json_t *object, const char *key, json_t *value_take)
{
    if (!value_take || !json_is_object(object) || is_set(object, key))
        json_decref(value_take);
    else
        json_object_set_new(object, key, value_take);
}

/* Mostly it is there: then nothing is made. */
void builtin_set_text(json_t *object, const char *key, const char *value)
{
    if (!is_set(object, key))
        builtin_set(object, key, json_string(value));
}

json_t *builtin_object(json_t *parent, const char *key)
{
    json_t *member;

    if (!is_set(parent, key))
        builtin_set(parent, key, json_object());
    member = json_object_get(parent, key);
    return json_is_object(member) ? member : NULL;
}

static void carry(json_t *spec, const json_t *old, const char *path, const char *key)
{
    builtin_set(spec, key, json_incref(json_object_get(json_at(old, path), key)));
}

static void default_template(json_t *spec)
{
    builtin_pod_spec_default(json_at(spec, "template.spec"));
}

/* ---- batch ---- */

static void label_job(json_t *job, json_t *spec)
{
    const char *uid = json_text(job, "metadata.uid"), *name = json_text(job, "metadata.name");
    json_t *labels = builtin_object(builtin_object(builtin_object(spec, "template"), "metadata"), "labels");

    if (!is_set(spec, "selector"))
        builtin_set(spec, "selector", json_pack("{s:{s:s}}", "matchLabels", "batch.kubernetes.io/controller-uid", uid));
    builtin_set_text(labels, "batch.kubernetes.io/controller-uid", uid);
    builtin_set_text(labels, "batch.kubernetes.io/job-name", name);
    builtin_set_text(labels, "controller-uid", uid);
    builtin_set_text(labels, "job-name", name);
}

static void default_failure_policy(json_t *spec)
{
    json_t *rule, *pattern;
    size_t r, i;

    json_array_foreach (json_at(spec, "podFailurePolicy.rules"), r, rule)
        json_array_foreach (json_object_get(rule, "onPodConditions"), i, pattern)
            builtin_set_text(pattern, "status", "True");
}

static void default_job_spec(json_t *spec)
{
    default_failure_policy(spec);
    if (!json_object_get(spec, "completions") && !json_object_get(spec, "parallelism"))
        builtin_set(spec, "completions", json_integer(1));
    builtin_set(spec, "parallelism", json_integer(1));
    builtin_set(spec, "backoffLimit", json_integer(6));
    builtin_set_text(spec, "completionMode", "NonIndexed");
    builtin_set(spec, "suspend", json_false());
    builtin_set_text(spec, "podReplacementPolicy",
                     json_object_get(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
    builtin_set(spec, "manualSelector", json_false());
    default_template(spec);
}

static void default_job(json_t *job, const json_t *old)
{
    json_t *spec = json_object_get(job, "spec"), *labels;

    if (!json_is_object(spec))
        return;
    if (old) {
        carry(spec, old, "spec", "selector");
        carry(spec, old, "spec", "completions");
    }
    label_job(job, spec);
    default_job_spec(spec);
    labels = json_at(spec, "template.metadata.labels");
    if (!old && !json_at(job, "metadata.labels")) /* a Job without labels gets those of its pods */
        json_object_set_new(json_object_get(job, "metadata"), "labels", json_clone(labels));
    if (!old)
        (void)builtin_object(job, "status");
}

static void default_cronjob(json_t *object, const json_t *old)
{
    json_t *spec = json_object_get(object, "spec");

    if (!old)
        (void)builtin_object(object, "status");
    builtin_set_text(spec, "concurrencyPolicy", "Allow");
    builtin_set(spec, "suspend", json_false());
    builtin_set(spec, "successfulJobsHistoryLimit", json_integer(3));
    builtin_set(spec, "failedJobsHistoryLimit", json_integer(1));
    default_failure_policy(json_at(spec, "jobTemplate.spec"));
    default_template(json_at(spec, "jobTemplate.spec"));
}

/* ---- apps ---- */

static void default_workload(json_t *object, const json_t *old)
{
    json_t *spec = json_object_get(object, "spec");

    (void)old;
    if (strcmp(json_text(object, "kind"), "DaemonSet") != 0)
        builtin_set(spec, "replicas", json_integer(1));
    if (strcmp(json_text(object, "kind"), "ReplicaSet") != 0)
        builtin_set(spec, "revisionHistoryLimit", json_integer(10));
    default_template(spec);
}

static void default_deployment(json_t *object, const json_t *old)
{
    json_t *spec = json_object_get(object, "spec"), *strategy = builtin_object(spec, "strategy");

    default_workload(object, old);
    builtin_set(spec, "progressDeadlineSeconds", json_integer(600));
    builtin_set_text(strategy, "type", "RollingUpdate");
    if (strcmp(json_text(strategy, "type"), "RollingUpdate") == 0)
        builtin_set(strategy, "rollingUpdate", json_pack("{s:s, s:s}", "maxUnavailable", "25%", "maxSurge", "25%"));
}

static void default_statefulset(json_t *object, const json_t *old)
{
    json_t *spec = json_object_get(object, "spec"), *claims = json_object_get(spec, "volumeClaimTemplates"), *claim;
    size_t i;

    default_workload(object, old);
    builtin_set_text(spec, "podManagementPolicy", "OrderedReady");
    builtin_set(spec, "updateStrategy",
                json_pack("{s:s, s:{s:i}}", "type", "RollingUpdate", "rollingUpdate", "partition", 0));
    builtin_set(spec, "persistentVolumeClaimRetentionPolicy",
                json_pack("{s:s, s:s}", "whenDeleted", "Retain", "whenScaled", "Retain"));
    json_array_foreach (claims, i, claim)
        builtin_set_text(json_object_get(claim, "spec"), "volumeMode", "Filesystem");
}

/* ---- storage ---- */

static void default_claim(json_t *object, const json_t *old)
{
    static const char *const kept[] = {"volumeName", "storageClassName", "accessModes", "resources"};
    json_t *spec = json_object_get(object, "spec");

    builtin_set_text(spec, "volumeMode", "Filesystem");
    for (size_t i = 0; old && i < sizeof(kept) / sizeof(kept[0]); i++)
        carry(spec, old, "spec", kept[i]);
    if (!old)
        builtin_set_text(builtin_object(object, "status"), "phase", "Pending");
}

static void default_volume(json_t *object, const json_t *old)
{
    json_t *spec = json_object_get(object, "spec");

    builtin_set_text(spec, "volumeMode", "Filesystem");
    builtin_set_text(spec, "persistentVolumeReclaimPolicy", "Retain");
    if (!old)
        builtin_set_text(builtin_object(object, "status"), "phase", "Pending");
}

static void default_storage_class(json_t *object, const json_t *old)
{
    (void)old;
    builtin_set_text(object, "reclaimPolicy", "Delete");
    builtin_set_text(object, "volumeBindingMode", "Immediate");
}

/* ---- core ---- */

static void default_namespace(json_t *object, const json_t *old)
{
    json_t *labels = builtin_object(json_object_get(object, "metadata"), "labels");

    if (labels)
        json_object_set(labels, "kubernetes.io/metadata.name", json_at(object, "metadata.name"));
    if (old)
        return;
    builtin_set(builtin_object(object, "spec"), "finalizers", json_pack("[s]", "kubernetes"));
    builtin_set_text(builtin_object(object, "status"), "phase", "Active");
}

static void default_secret(json_t *object, const json_t *old)
{
    if (old)
        builtin_set(object, "type", json_incref(json_object_get(old, "type")));
    builtin_set_text(object, "type", "Opaque");
}

/* An address of 10.96.0.0/16 from the UID: stable, and nobody routes it. */
static void allocate_address(json_t *object, json_t *spec)
{
    unsigned long n = strtoul(json_text(object, "metadata.uid"), NULL, 16);
    char address[32];

    (void)snprintf(address, sizeof(address), "10.96.%lu.%lu", n >> 8 & 0xff, (n & 0xff) % 254 + 1);
    builtin_set_text(spec, "clusterIP", address);
}

static void default_service_ports(json_t *spec)
{
    json_t *ports = json_object_get(spec, "ports"), *port;
    size_t i;

    json_array_foreach (ports, i, port) {
        builtin_set_text(port, "protocol", "TCP");
        builtin_set(port, "targetPort", json_incref(json_object_get(port, "port")));
    }
}

static void default_service(json_t *object, const json_t *old)
{
    static const char *const kept[] = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"};
    json_t *spec = json_object_get(object, "spec");

    builtin_set_text(spec, "type", "ClusterIP");
    builtin_set_text(spec, "sessionAffinity", "None");
    default_service_ports(spec);
    if (strcmp(json_text(spec, "type"), "ExternalName") == 0)
        return;
    for (size_t i = 0; old && i < sizeof(kept) / sizeof(kept[0]); i++)
        carry(spec, old, "spec", kept[i]);
    allocate_address(object, spec);
    builtin_set(spec, "clusterIPs", json_pack("[O]", json_object_get(spec, "clusterIP")));
    builtin_set(spec, "ipFamilies", json_pack("[s]", "IPv4"));
    builtin_set_text(spec, "ipFamilyPolicy", "SingleStack");
    builtin_set_text(spec, "internalTrafficPolicy", "Cluster");
    if (!old)
        builtin_set(builtin_object(object, "status"), "loadBalancer", json_object());
}

/* ---- others ---- */

static void default_binding(json_t *object, const json_t *old)
{
    json_t *subjects = json_object_get(object, "subjects"), *one;
    size_t i;

    (void)old;
    builtin_set_text(json_object_get(object, "roleRef"), "apiGroup", "rbac.authorization.k8s.io");
    json_array_foreach (subjects, i, one)
        if (strcmp(json_text(one, "kind"), "ServiceAccount") != 0)
            builtin_set_text(one, "apiGroup", "rbac.authorization.k8s.io");
}

static void default_crd(json_t *object, const json_t *old)
{
    json_t *names = json_at(object, "spec.names");
    const char *kind = json_text(names, "kind");
    AUTO_FREE char *list_kind = mem_printf("%sList", kind), *singular = mem_strdup(kind);

    (void)old;
    for (char *c = singular; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    builtin_set_text(names, "listKind", list_kind);
    builtin_set_text(names, "singular", singular);
    builtin_set(json_object_get(object, "spec"), "conversion", json_pack("{s:s}", "strategy", "None"));
}

static void default_network_policy(json_t *object, const json_t *old)
{
    json_t *spec = json_object_get(object, "spec");

    (void)old;
    builtin_set(spec, "policyTypes", json_object_get(spec, "egress") ? json_pack("[s, s]", "Ingress", "Egress")
                                                                     : json_pack("[s]", "Ingress"));
}

static const struct {
    const char *group, *kind;
    builtin_default_fn *fn;
} rows[] = {
    {"",                          "Pod",                      builtin_pod_default   },
    {"",                          "Namespace",                default_namespace     },
    {"",                          "Secret",                   default_secret        },
    {"",                          "Service",                  default_service       },
    {"",                          "PersistentVolumeClaim",    default_claim         },
    {"",                          "PersistentVolume",         default_volume        },
    {"apps",                      "Deployment",               default_deployment    },
    {"apps",                      "StatefulSet",              default_statefulset   },
    {"apps",                      "ReplicaSet",               default_workload      },
    {"apps",                      "DaemonSet",                default_workload      },
    {"batch",                     "Job",                      default_job           },
    {"batch",                     "CronJob",                  default_cronjob       },
    {"networking.k8s.io",         "NetworkPolicy",            default_network_policy},
    {"storage.k8s.io",            "StorageClass",             default_storage_class },
    {"rbac.authorization.k8s.io", "RoleBinding",              default_binding       },
    {"rbac.authorization.k8s.io", "ClusterRoleBinding",       default_binding       },
    {"apiextensions.k8s.io",      "CustomResourceDefinition", default_crd           },
};

builtin_default_fn *builtin_default_of(const struct resource *r)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(r->kind, rows[i].kind) == 0 && strcmp(r->group, rows[i].group) == 0)
            return rows[i].fn;
    return NULL;
}
