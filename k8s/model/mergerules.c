/*
 * mergerules: which lists and maps of built-in kinds are merged item by item, and which are one value. It is what the
 * real server's OpenAPI document says in x-kubernetes-list-type, -list-map-keys and -map-type.
 */
#include <stdlib.h>
#include <string.h>

#include "k8s/model/mergetype.h"

/* By message and field. A list without a row is one value, a map without one is merged by its keys. */
static const struct merge_rule rules[] = {
    /* clang-format off */
    {"Container", "env", "name", NULL},
    {"Container", "ports", "containerPort,protocol", NULL},
    {"Container", "volumeDevices", "devicePath", NULL},
    {"Container", "volumeMounts", "mountPath", NULL},
    {"ContainerRestartRuleOnExitCodes", "values", "", NULL},
    {"ContainerStatus", "allocatedResourcesStatus", "name", NULL},
    {"ContainerStatus", "volumeMounts", "mountPath", NULL},
    {"CronJob", "status", NULL, "CronJobStatus"},
    {"CustomResourceDefinition", "spec", NULL, "CustomResourceDefinitionSpec"},
    {"CustomResourceDefinition", "status", NULL, "CustomResourceDefinitionStatus"},
    {"CustomResourceDefinitionSpec", "names", NULL, "CustomResourceDefinitionNames"},
    {"CustomResourceDefinitionStatus", "acceptedNames", NULL, "CustomResourceDefinitionNames"},
    {"CustomResourceDefinitionStatus", "conditions", "+type", NULL},
    {"DaemonSet", "status", NULL, "DaemonSetStatus"},
    {"DaemonSetStatus", "conditions", "type", NULL},
    {"Deployment", "status", NULL, "DeploymentStatus"},
    {"DeploymentStatus", "conditions", "type", NULL},
    {"Endpoint", "addresses", "", NULL},
    {"EphemeralContainer", "env", "name", NULL},
    {"EphemeralContainer", "ports", "containerPort,protocol", NULL},
    {"EphemeralContainer", "volumeDevices", "devicePath", NULL},
    {"EphemeralContainer", "volumeMounts", "mountPath", NULL},
    {"Job", "status", NULL, "JobStatus"},
    {"JobStatus", "uncountedTerminatedPods", NULL, "?UncountedTerminatedPods"},
    {"Namespace", "status", NULL, "NamespaceStatus"},
    {"NamespaceStatus", "conditions", "type", NULL},
    {"Node", "spec", NULL, "NodeSpec"},
    {"Node", "status", NULL, "NodeStatus"},
    {"NodeSpec", "podCIDRs", "", NULL},
    {"NodeStatus", "addresses", "type", NULL},
    {"NodeStatus", "conditions", "type", NULL},
    {"ObjectMeta", "finalizers", "", NULL},
    {"ObjectMeta", "ownerReferences", "uid", NULL},
    {"PersistentVolume", "status", NULL, "PersistentVolumeStatus"},
    {"PersistentVolumeClaim", "status", NULL, "PersistentVolumeClaimStatus"},
    {"PersistentVolumeClaimStatus", "conditions", "type", NULL},
    {"Pod", "status", NULL, "PodStatus"},
    {"PodDisruptionBudget", "status", NULL, "PodDisruptionBudgetStatus"},
    {"PodDisruptionBudgetStatus", "conditions", "type", NULL},
    {"PodFailurePolicyOnExitCodesRequirement", "values", "", NULL},
    {"PodSpec", "containers", "+name", NULL},
    {"PodSpec", "ephemeralContainers", "name", "EphemeralContainer"},
    {"PodSpec", "hostAliases", "ip", NULL},
    {"PodSpec", "imagePullSecrets", "name", NULL},
    {"PodSpec", "initContainers", "name", NULL},
    {"PodSpec", "nodeSelector", "!", NULL},
    {"PodSpec", "resourceClaims", "name", NULL},
    {"PodSpec", "schedulingGates", "name", NULL},
    {"PodSpec", "topologySpreadConstraints", "topologyKey,whenUnsatisfiable", NULL},
    {"PodSpec", "volumes", "name", NULL},
    {"PodStatus", "conditions", "type", NULL},
    {"PodStatus", "podIPs", "ip", NULL},
    {"PodStatus", "resourceClaimStatuses", "name", NULL},
    {"ReplicaSet", "status", NULL, "ReplicaSetStatus"},
    {"ReplicaSetStatus", "conditions", "type", NULL},
    {"ResourceRequirements", "claims", "name", NULL},
    {"Service", "status", NULL, "ServiceStatus"},
    {"ServiceAccount", "secrets", "name", NULL},
    {"ServiceSpec", "ports", "port,protocol", NULL},
    {"ServiceSpec", "selector", "!", NULL},
    {"ServiceStatus", "conditions", "type", NULL},
    {"StatefulSet", "status", NULL, "StatefulSetStatus"},
    {"StatefulSetStatus", "conditions", "type", NULL},
    {"UncountedTerminatedPods", "failed", "", NULL},
    {"UncountedTerminatedPods", "succeeded", "", NULL},
    /* clang-format on */
};

/* Messages that are one value. */
static const char *const atomic[] = {
    /* clang-format off */
    "ConfigMapKeySelector",
    "EndpointAddress",
    "EndpointPort",
    "FileKeySelector",
    "LabelSelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "OwnerReference",
    "ResourceFieldSelector",
    "RoleRef",
    "ScopeSelector",
    "SecretKeySelector",
    "SecretReference",
    "Subject",
    "TopologySelectorTerm",
    "TypedLocalObjectReference",
    /* clang-format on */
};

static int compare(const void *key, const void *row)
{
    const struct merge_rule *a = key, *b = row;
    int by_message = strcmp(a->message, b->message);

    return by_message ? by_message : strcmp(a->field, b->field);
}

const struct merge_rule *merge_rule_find(const char *message, const char *field)
{
    struct merge_rule key = {.message = message, .field = field};

    return bsearch(&key, rules, sizeof(rules) / sizeof(rules[0]), sizeof(rules[0]), compare);
}

bool merge_rule_is_atomic(const char *message)
{
    for (size_t i = 0; i < sizeof(atomic) / sizeof(atomic[0]); i++)
        if (strcmp(atomic[i], message) == 0)
            return true;
    return false;
}
