/*
 * builtin_types: the API server's own types as a table: what kubectl explain shows of them. A type is its rows: the
 * first describes it, each other one is a field, "name!" when it is required. Field types: string, int32, int64,
 * boolean, time, bytes, quantity, intorstring, object, or another type's short name; "[]" before it makes a list,
 * "map:" a map. Types that are told in part keep fields that the table leaves out.
 */
#include "k8s/model/builtin_types.h"

#include "core/base/mem.h"
#include "k8s/model/builtin.h"

static const struct prefix {
    const char *name, *group, *package;
} prefixes[] = {
    {"meta",           "",                          "io.k8s.apimachinery.pkg.apis.meta.v1"                      },
    {"core",           "",                          "io.k8s.api.core.v1"                                        },
    {"apps",           "apps",                      "io.k8s.api.apps.v1"                                        },
    {"batch",          "batch",                     "io.k8s.api.batch.v1"                                       },
    {"coordination",   "coordination.k8s.io",       "io.k8s.api.coordination.v1"                                },
    {"discovery",      "discovery.k8s.io",          "io.k8s.api.discovery.v1"                                   },
    {"networking",     "networking.k8s.io",         "io.k8s.api.networking.v1"                                  },
    {"policy",         "policy",                    "io.k8s.api.policy.v1"                                      },
    {"storage",        "storage.k8s.io",            "io.k8s.api.storage.v1"                                     },
    {"rbac",           "rbac.authorization.k8s.io", "io.k8s.api.rbac.v1"                                        },
    {"apiextensions",  "apiextensions.k8s.io",      "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"  },
    {"authentication", "authentication.k8s.io",     "io.k8s.api.authentication.v1"                              },
    {"authorization",  "authorization.k8s.io",      "io.k8s.api.authorization.v1"                               },
};

struct row {
    const char *name; /* of a type when `type` is NULL, else of a field */
    const char *type;
    const char *text;
};

/* clang-format off */
static const struct row rows[] = {
    {"meta.ObjectMeta", NULL, "Data that every stored object has: its name, identity and labels."},
    {"name", "string", "Name of the object, unique in its namespace and kind. It cannot be changed."},
    {"generateName", "string", "Prefix from which the server makes a unique name when name is left out."},
    {"namespace", "string", "Namespace in which the object lives. Empty for kinds that are of the whole cluster."},
    {"labels", "map:string", "Keys and values by which objects are selected and grouped."},
    {"annotations", "map:string", "Keys and values that tools keep with the object; they cannot be selected by."},
    {"uid", "string", "Identity of this object, different from that of another of the same name before or after it."},
    {"resourceVersion", "string",
     "Opaque version of the object, new with each change. Sent back, it guards against lost updates."},
    {"generation", "int64", "Number of the desired state; it grows when the spec changes."},
    {"creationTimestamp", "time", "When the object was created. Set by the server."},
    {"deletionTimestamp", "time", "When the object was asked to go. It is gone when its finalizers are."},
    {"deletionGracePeriodSeconds", "int64", "Seconds the object may take to end after its deletion was asked for."},
    {"finalizers", "[]string", "Names of those who must do something before the object may go."},
    {"ownerReferences", "[]meta.OwnerReference",
     "Objects that this one depends on. It is collected when none of them is left."},

    {"meta.OwnerReference", NULL, "An object that another one depends on."},
    {"apiVersion!", "string", "API version of the owner."},
    {"kind!", "string", "Kind of the owner."},
    {"name!", "string", "Name of the owner."},
    {"uid!", "string", "UID of the owner."},
    {"controller", "boolean", "Whether this owner manages the object; at most one does."},
    {"blockOwnerDeletion", "boolean", "Whether the owner, deleted in the foreground, waits for this object to go."},

    {"meta.LabelSelector", NULL, "Conditions on labels, all of which must hold."},
    {"matchLabels", "map:string", "Labels that must have exactly these values."},
    {"matchExpressions", "[]meta.LabelSelectorRequirement", "Further conditions on labels."},

    {"meta.LabelSelectorRequirement", NULL, "A condition on one label."},
    {"key!", "string", "Key of the label."},
    {"operator!", "string", "In, NotIn, Exists or DoesNotExist."},
    {"values", "[]string", "Values for In and NotIn."},

    {"meta.Condition", NULL, "One aspect of an object's state."},
    {"type!", "string", "Name of the aspect."},
    {"status!", "string", "True, False or Unknown."},
    {"reason!", "string", "One word for why it is so."},
    {"message!", "string", "A sentence for people."},
    {"lastTransitionTime!", "time", "When the status last changed."},
    {"observedGeneration", "int64", "Generation of the spec that this was said about."},

    {"core.Namespace", NULL, "A Namespace is a room for names and for the rights on what they name."},
    {"spec", "core.NamespaceSpec", "What holds the namespace."},
    {"status", "core.NamespaceStatus", "How the namespace is."},

    {"core.NamespaceSpec", NULL, "What holds a namespace."},
    {"finalizers", "[]string", "Names of those who must empty the namespace before it goes."},

    {"core.NamespaceStatus", NULL, "How a namespace is."},
    {"phase", "string", "Active or Terminating."},
    {"conditions", "[]object", "While it terminates: what is left in it, and what holds that."},

    {"core.Secret", NULL, "A Secret holds confidential data in small pieces."},
    {"data", "map:bytes", "The data by key, each value in base64."},
    {"stringData", "map:string", "Data in plain text; the server puts it into data. Never returned."},
    {"type", "string", "What the data is for. Opaque if left out; it cannot be changed."},
    {"immutable", "boolean", "Whether the data can no longer be changed."},

    {"core.ConfigMap", NULL, "A ConfigMap holds settings for pods to read."},
    {"data", "map:string", "Texts by key."},
    {"binaryData", "map:bytes", "Bytes by key, each value in base64."},
    {"immutable", "boolean", "Whether the data can no longer be changed."},

    {"core.ResourceQuota", NULL, "A ResourceQuota limits what the objects of its namespace may use together."},
    {"spec", "core.ResourceQuotaSpec", "What is limited."},
    {"status", "object", "What is used."},

    {"core.ResourceQuotaSpec", NULL, "Limits, and which pods they are for."},
    {"hard", "map:quantity", "The most of each resource, by its name: pods, requests.cpu, count/jobs.batch, …"},
    {"scopes", "[]string", "Only pods of these scopes count: Terminating, NotTerminating, BestEffort, NotBestEffort."},
    {"scopeSelector", "object", "The same by expressions, of operator Exists."},

    {"core.ServiceAccount", NULL, "A ServiceAccount is an identity for what runs in pods."},
    {"secrets", "[]object", "Secrets that pods of this account may use."},
    {"imagePullSecrets", "[]core.LocalObjectReference", "Secrets with which images of this account's pods are pulled."},
    {"automountServiceAccountToken", "boolean",
     "Whether pods of this account get its token as a file. True if left out."},

    {"core.LocalObjectReference", NULL, "An object of the same namespace."},
    {"name", "string", "Name of the object."},

    {"core.ObjectReference", NULL, "An object, wherever it is."},
    {"apiVersion", "string", "API version of the object."},
    {"kind", "string", "Kind of the object."},
    {"namespace", "string", "Namespace of the object."},
    {"name", "string", "Name of the object."},
    {"uid", "string", "UID of the object."},
    {"resourceVersion", "string", "Version of the object that is meant."},
    {"fieldPath", "string", "A part of the object, such as spec.containers{name}."},

    {"core.Event", NULL, "An Event tells that something happened to an object."},
    {"involvedObject!", "core.ObjectReference", "The object it is about."},
    {"type", "string", "Normal or Warning."},
    {"reason", "string", "One word for what happened."},
    {"message", "string", "A sentence for people."},
    {"count", "int32", "How often it happened."},
    {"firstTimestamp", "time", "When it happened first."},
    {"lastTimestamp", "time", "When it happened last."},
    {"source", "object", "The component that tells."},
    {"reportingComponent", "string", "Name of the controller that tells."},

    {"core.Pod", NULL, "A Pod is a group of containers that run together on one node."},
    {"spec", "core.PodSpec", "What is to run."},
    {"status", "core.PodStatus", "What does run. Set by the node."},

    {"core.PodTemplateSpec", NULL, "What pods are made from."},
    {"metadata", "meta.ObjectMeta", "Labels and annotations of the pods."},
    {"spec", "core.PodSpec", "What is to run in the pods."},

    {"core.PodSpec", NULL, "What is to run in a pod."},
    {"containers!", "[]core.Container", "The containers, which run side by side. There must be one at least."},
    {"initContainers", "[]core.Container", "Containers that run first, one after the other, each to its success."},
    {"volumes", "[]core.Volume", "Volumes that containers may mount."},
    {"restartPolicy", "string",
     "When ended containers are started again: Always, OnFailure or Never. Always if left out."},
    {"terminationGracePeriodSeconds", "int64", "Seconds between the polite and the hard end. 30 if left out."},
    {"activeDeadlineSeconds", "int64", "Seconds after which the pod is ended and has failed."},
    {"serviceAccountName", "string", "ServiceAccount whose identity the containers have."},
    {"automountServiceAccountToken", "boolean", "Whether the account's token is mounted."},
    {"nodeName", "string", "Node on which the pod runs. Set when it is scheduled."},
    {"nodeSelector", "map:string", "Labels that the node must have."},
    {"securityContext", "core.PodSecurityContext", "Users, groups and privileges of all containers."},
    {"imagePullSecrets", "[]core.LocalObjectReference", "Secrets with which images are pulled."},
    {"dnsPolicy", "string", "Where names are looked up. ClusterFirst if left out."},
    {"hostNetwork", "boolean", "Whether the pod uses the node's network."},
    {"priorityClassName", "string", "Class that says how important the pod is."},
    {"schedulerName", "string", "Scheduler that places the pod."},
    {"tolerations", "[]object", "Taints of nodes that the pod puts up with."},
    {"affinity", "object", "Wishes and rules for where the pod runs."},

    {"core.Container", NULL, "One program of a pod, with its image and surroundings."},
    {"name!", "string", "Name of the container, unique in the pod."},
    {"image", "string", "Image to run."},
    {"imagePullPolicy", "string", "When the image is pulled: Always, IfNotPresent or Never."},
    {"command", "[]string", "Program and first arguments, instead of the image's entry point."},
    {"args", "[]string", "Arguments, instead of the image's."},
    {"workingDir", "string", "Folder in which the program starts."},
    {"env", "[]core.EnvVar", "Environment variables."},
    {"envFrom", "[]core.EnvFromSource", "Sets of environment variables out of ConfigMaps and Secrets."},
    {"ports", "[]core.ContainerPort", "Ports on which the program listens."},
    {"resources", "core.ResourceRequirements", "CPU and memory that the container needs and may use."},
    {"volumeMounts", "[]core.VolumeMount", "Where volumes of the pod appear."},
    {"livenessProbe", "core.Probe", "Check that the program still works; it is started again when not."},
    {"readinessProbe", "core.Probe", "Check that the program can take requests."},
    {"startupProbe", "core.Probe", "Check that the program has started; the other checks wait for it."},
    {"lifecycle", "object", "What to do after the start and before the end."},
    {"securityContext", "core.SecurityContext", "User and privileges of the container."},
    {"terminationMessagePath", "string", "File whose text becomes the container's last message."},
    {"terminationMessagePolicy", "string", "File, or FallbackToLogsOnError."},

    {"core.EnvVar", NULL, "An environment variable."},
    {"name!", "string", "Name of the variable."},
    {"value", "string", "Its value; $(NAME) refers to variables set before."},
    {"valueFrom", "core.EnvVarSource", "Where the value comes from instead."},

    {"core.EnvVarSource", NULL, "Where a variable's value comes from."},
    {"secretKeyRef", "core.KeySelector", "A key of a Secret."},
    {"configMapKeyRef", "core.KeySelector", "A key of a ConfigMap."},
    {"fieldRef", "core.ObjectFieldSelector", "A field of the pod."},
    {"resourceFieldRef", "object", "A resource of the container."},

    {"core.KeySelector", NULL, "One key of a ConfigMap or Secret."},
    {"name", "string", "Name of the object."},
    {"key!", "string", "The key."},
    {"optional", "boolean", "Whether the object or the key may be missing."},

    {"core.ObjectFieldSelector", NULL, "A field of the pod."},
    {"fieldPath!", "string", "Path of the field, such as metadata.name."},
    {"apiVersion", "string", "API version in which the path is read; v1 if left out."},

    {"core.EnvFromSource", NULL, "A set of environment variables."},
    {"prefix", "string", "Text put in front of each name."},
    {"configMapRef", "core.LocalObjectReference", "All keys of a ConfigMap."},
    {"secretRef", "core.LocalObjectReference", "All keys of a Secret."},

    {"core.ContainerPort", NULL, "A port on which a container listens."},
    {"containerPort!", "int32", "Number of the port."},
    {"name", "string", "Name by which Services refer to the port."},
    {"protocol", "string", "TCP, UDP or SCTP. TCP if left out."},

    {"core.ResourceRequirements", NULL, "What a container or claim needs and may use."},
    {"limits", "map:quantity", "The most of each resource."},
    {"requests", "map:quantity", "What is set aside of each resource; the limits if left out."},

    {"core.VolumeMount", NULL, "A place where a volume appears in a container."},
    {"name!", "string", "Name of the volume."},
    {"mountPath!", "string", "Folder at which it appears."},
    {"subPath", "string", "Folder of the volume that is mounted; its root if left out."},
    {"readOnly", "boolean", "Whether it can only be read."},

    {"core.Volume", NULL, "A named folder of a pod and where it comes from."},
    {"name!", "string", "Name of the volume, unique in the pod."},
    {"emptyDir", "object", "An empty folder that lives as long as the pod."},
    {"secret", "object", "The keys of a Secret as files."},
    {"configMap", "object", "The keys of a ConfigMap as files."},
    {"persistentVolumeClaim", "core.PersistentVolumeClaimVolumeSource", "The volume that a claim has got."},
    {"hostPath", "object", "A folder of the node."},
    {"projected", "object", "Several sources in one folder."},
    {"downwardAPI", "object", "Fields of the pod as files."},
    {"nfs", "object", "A folder of an NFS server."},

    {"core.PersistentVolumeClaimVolumeSource", NULL, "A claim used as a volume."},
    {"claimName!", "string", "Name of the claim, in the pod's namespace."},
    {"readOnly", "boolean", "Whether it can only be read."},

    {"core.Probe", NULL, "A check that is made again and again."},
    {"exec", "object", "A command; it succeeds with exit status 0."},
    {"httpGet", "object", "A request; it succeeds with status 200 to 399."},
    {"tcpSocket", "object", "A connection; it succeeds when it opens."},
    {"initialDelaySeconds", "int32", "Seconds after the start before the first check."},
    {"periodSeconds", "int32", "Seconds between checks. 10 if left out."},
    {"timeoutSeconds", "int32", "Seconds that a check may take. 1 if left out."},
    {"successThreshold", "int32", "Successes in a row that count as success. 1 if left out."},
    {"failureThreshold", "int32", "Failures in a row that count as failure. 3 if left out."},

    {"core.SecurityContext", NULL, "User and privileges of one container."},
    {"runAsUser", "int64", "User ID of the program."},
    {"runAsGroup", "int64", "Group ID of the program."},
    {"runAsNonRoot", "boolean", "Whether user 0 is refused."},
    {"privileged", "boolean", "Whether the container has all rights on the node."},
    {"allowPrivilegeEscalation", "boolean", "Whether the program may get more rights than it started with."},
    {"readOnlyRootFilesystem", "boolean", "Whether the image's files can only be read."},
    {"capabilities", "object", "Capabilities to add and to drop."},
    {"seccompProfile", "object", "Filter of system calls."},

    {"core.PodSecurityContext", NULL, "Users, groups and privileges of all containers of a pod."},
    {"runAsUser", "int64", "User ID of the programs."},
    {"runAsGroup", "int64", "Group ID of the programs."},
    {"runAsNonRoot", "boolean", "Whether user 0 is refused."},
    {"fsGroup", "int64", "Group that owns the volumes."},
    {"seccompProfile", "object", "Filter of system calls."},

    {"core.PodStatus", NULL, "How a pod is. Set by its node."},
    {"phase", "string", "Pending, Running, Succeeded, Failed or Unknown."},
    {"conditions", "[]object", "Aspects such as PodScheduled and Ready."},
    {"containerStatuses", "[]core.ContainerStatus", "How each container is."},
    {"initContainerStatuses", "[]core.ContainerStatus", "How each init container is."},
    {"startTime", "time", "When the node took the pod."},
    {"podIP", "string", "Address of the pod."},
    {"hostIP", "string", "Address of the node."},
    {"reason", "string", "One word for why the pod is so."},
    {"message", "string", "A sentence for people."},
    {"qosClass", "string", "Guaranteed, Burstable or BestEffort."},

    {"core.ContainerStatus", NULL, "How one container is."},
    {"name!", "string", "Name of the container."},
    {"ready!", "boolean", "Whether it passed its readiness check."},
    {"restartCount!", "int32", "How often it was started again."},
    {"image!", "string", "Image that runs."},
    {"imageID!", "string", "Digest of the image that runs."},
    {"state", "object", "waiting, running or terminated, with details."},
    {"lastState", "object", "How the run before ended."},

    {"core.PersistentVolumeClaim", NULL, "A PersistentVolumeClaim asks for a volume that outlives pods."},
    {"spec", "core.PersistentVolumeClaimSpec", "What is asked for."},
    {"status", "core.PersistentVolumeClaimStatus", "What was given."},

    {"core.PersistentVolumeClaimSpec", NULL, "What a claim asks for."},
    {"accessModes", "[]string", "ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod."},
    {"resources", "core.ResourceRequirements", "Its size, as requests.storage."},
    {"storageClassName", "string", "StorageClass that makes the volume; the default one if left out."},
    {"volumeMode", "string", "Filesystem or Block. Filesystem if left out."},
    {"volumeName", "string", "The volume that was bound."},
    {"selector", "meta.LabelSelector", "Labels that the volume must have."},
    {"dataSource", "object", "Snapshot or claim from which the volume is filled."},

    {"core.PersistentVolumeClaimStatus", NULL, "What a claim was given."},
    {"phase", "string", "Pending, Bound or Lost."},
    {"accessModes", "[]string", "Access modes of the volume."},
    {"capacity", "map:quantity", "Size of the volume."},

    {"core.Service", NULL, "A Service is a stable name and address for pods."},
    {"spec", "core.ServiceSpec", "What it stands for."},
    {"status", "object", "Its load balancer, if it has one."},

    {"core.ServiceSpec", NULL, "What a Service stands for."},
    {"selector", "map:string", "Labels of the pods that it stands for."},
    {"ports", "[]core.ServicePort", "Its ports."},
    {"clusterIP", "string", "Its address; None for a name without an address of its own."},
    {"type", "string", "ClusterIP, NodePort, LoadBalancer or ExternalName."},
    {"publishNotReadyAddresses", "boolean", "Whether pods that are not ready are named too."},

    {"core.ServicePort", NULL, "A port of a Service."},
    {"port!", "int32", "Number of the port."},
    {"name", "string", "Its name; needed when there are several."},
    {"targetPort", "intorstring", "Number or name of the pods' port; the same if left out."},
    {"protocol", "string", "TCP, UDP or SCTP. TCP if left out."},

    {"batch.Job", NULL, "A Job runs pods until so many of them have succeeded."},
    {"spec", "batch.JobSpec", "What is to run, and how often."},
    {"status", "batch.JobStatus", "How far it is. Set by the Job controller."},

    {"batch.JobSpec", NULL, "What a Job runs, and how often."},
    {"template!", "core.PodTemplateSpec",
     "The pods. Their restartPolicy must be Never or OnFailure. It cannot be changed."},
    {"parallelism", "int32", "The most pods at one time. 1 if left out."},
    {"completions", "int32", "Pods that must succeed. 1 if left out together with parallelism."},
    {"backoffLimit", "int32", "Failed pods that are replaced before the Job has failed. 6 if left out."},
    {"activeDeadlineSeconds", "int64", "Seconds from its start after which the Job has failed and its pods end."},
    {"ttlSecondsAfterFinished", "int32", "Seconds after its end when the Job is deleted; it stays if left out."},
    {"suspend", "boolean", "Whether its pods are taken away until this is false again."},
    {"completionMode", "string", "NonIndexed or Indexed. NonIndexed if left out."},
    {"selector", "meta.LabelSelector", "Which pods are its own. Set by the server."},
    {"manualSelector", "boolean", "Whether the selector is the user's. Best left out."},
    {"podFailurePolicy", "object", "Which failures end the Job, and which do not count."},
    {"podReplacementPolicy", "string", "When a pod is replaced: TerminatingOrFailed or Failed."},

    {"batch.JobStatus", NULL, "How far a Job is."},
    {"active", "int32", "Pods that run or wait to."},
    {"ready", "int32", "Pods that are ready."},
    {"succeeded", "int32", "Pods that succeeded."},
    {"failed", "int32", "Pods that failed."},
    {"terminating", "int32", "Pods that are about to end."},
    {"startTime", "time", "When the Job was started, or resumed."},
    {"completionTime", "time", "When it had succeeded."},
    {"conditions", "[]batch.JobCondition", "Complete, Failed, Suspended, and what leads there."},
    {"uncountedTerminatedPods", "object", "Pods that ended and are not in the counts yet."},

    {"batch.JobCondition", NULL, "One aspect of a Job's state."},
    {"type!", "string", "Complete, Failed, FailureTarget, SuccessCriteriaMet or Suspended."},
    {"status!", "string", "True, False or Unknown."},
    {"reason", "string", "One word for why, such as BackoffLimitExceeded."},
    {"message", "string", "A sentence for people."},
    {"lastProbeTime", "time", "When it was last looked at."},
    {"lastTransitionTime", "time", "When the status last changed."},

    {"batch.CronJob", NULL, "A CronJob makes Jobs on a schedule."},
    {"spec", "batch.CronJobSpec", "What is to run, and when."},
    {"status", "object", "Its Jobs that run, and when it last made one."},

    {"batch.CronJobSpec", NULL, "What a CronJob runs, and when."},
    {"schedule!", "string", "When, as a cron expression."},
    {"jobTemplate!", "object", "The Jobs."},
    {"suspend", "boolean", "Whether no Jobs are made for now."},
    {"concurrencyPolicy", "string", "What if the last Job still runs: Allow, Forbid or Replace."},
    {"startingDeadlineSeconds", "int64", "Seconds that a Job may come too late."},
    {"successfulJobsHistoryLimit", "int32", "Succeeded Jobs that are kept. 3 if left out."},
    {"failedJobsHistoryLimit", "int32", "Failed Jobs that are kept. 1 if left out."},
    {"timeZone", "string", "Zone of the schedule; that of the controller if left out."},

    {"apps.Deployment", NULL, "A Deployment keeps so many equal pods and rolls out changes of them."},
    {"spec", "apps.WorkloadSpec", "The pods, and how many."},
    {"status", "object", "How many of them are there."},
    {"apps.StatefulSet", NULL, "A StatefulSet keeps pods with stable names and claims."},
    {"spec", "apps.WorkloadSpec", "The pods, and how many."},
    {"status", "object", "How many of them are there."},
    {"apps.ReplicaSet", NULL, "A ReplicaSet keeps so many equal pods."},
    {"spec", "apps.WorkloadSpec", "The pods, and how many."},
    {"status", "object", "How many of them are there."},
    {"apps.DaemonSet", NULL, "A DaemonSet keeps a pod on each node."},
    {"spec", "apps.WorkloadSpec", "The pods."},
    {"status", "object", "How many of them are there."},

    {"apps.WorkloadSpec", NULL, "Pods, and how many of them."},
    {"replicas", "int32", "How many pods. 1 if left out. Not in a DaemonSet."},
    {"selector!", "meta.LabelSelector", "Which pods are its own; it must fit the template's labels."},
    {"template!", "core.PodTemplateSpec", "The pods."},
    {"serviceName", "string", "Of a StatefulSet: the Service that names its pods."},
    {"volumeClaimTemplates", "[]core.PersistentVolumeClaim", "Of a StatefulSet: claims that each pod gets."},

    {"rbac.Role", NULL, "A Role is a set of rights in one namespace."},
    {"rules", "[]rbac.PolicyRule", "The rights."},
    {"rbac.ClusterRole", NULL,
     "A ClusterRole is a set of rights in the whole cluster or, bound by a RoleBinding, in one namespace."},
    {"rules", "[]rbac.PolicyRule", "The rights."},
    {"aggregationRule", "object", "Labels of ClusterRoles whose rights are taken in."},

    {"rbac.PolicyRule", NULL, "Verbs allowed on resources."},
    {"verbs!", "[]string", "get, list, watch, create, update, patch, delete, or * for all."},
    {"apiGroups", "[]string", "Groups of the resources; \"\" is the core group, * all."},
    {"resources", "[]string", "Resources, or resource/subresource; * is all."},
    {"resourceNames", "[]string", "Names of single objects; all if left out."},
    {"nonResourceURLs", "[]string", "Paths that are no resources, such as /metrics. In ClusterRoles only."},

    {"rbac.RoleBinding", NULL, "A RoleBinding gives the rights of a Role or ClusterRole in its namespace."},
    {"roleRef!", "rbac.RoleRef", "The role. It cannot be changed."},
    {"subjects", "[]rbac.Subject", "Who gets the rights."},
    {"rbac.ClusterRoleBinding", NULL, "A ClusterRoleBinding gives the rights of a ClusterRole in the whole cluster."},
    {"roleRef!", "rbac.RoleRef", "The role. It cannot be changed."},
    {"subjects", "[]rbac.Subject", "Who gets the rights."},

    {"rbac.RoleRef", NULL, "The role that a binding gives."},
    {"apiGroup!", "string", "rbac.authorization.k8s.io."},
    {"kind!", "string", "Role or ClusterRole."},
    {"name!", "string", "Name of the role."},

    {"rbac.Subject", NULL, "Someone who gets rights."},
    {"kind!", "string", "ServiceAccount, User or Group."},
    {"name!", "string", "Name of the subject."},
    {"namespace", "string", "Namespace of a ServiceAccount."},
    {"apiGroup", "string", "Group of the kind."},

    {"coordination.Lease", NULL, "A Lease tells who leads, and until when."},
    {"spec", "coordination.LeaseSpec", "Who, and until when."},

    {"coordination.LeaseSpec", NULL, "Who leads, and until when."},
    {"holderIdentity", "string", "Who holds the lease; empty when nobody does."},
    {"leaseDurationSeconds", "int32", "Seconds after the last renewal when others may take it."},
    {"acquireTime", "time", "When the holder took it."},
    {"renewTime", "time", "When the holder last renewed it."},
    {"leaseTransitions", "int32", "How often the holder changed."},

    {"storage.StorageClass", NULL, "A StorageClass is a way to make volumes."},
    {"provisioner!", "string", "Who makes the volumes."},
    {"parameters", "map:string", "What the provisioner is told."},
    {"reclaimPolicy", "string", "What becomes of a volume whose claim is gone: Delete or Retain."},
    {"volumeBindingMode", "string", "Immediate or WaitForFirstConsumer."},
    {"allowVolumeExpansion", "boolean", "Whether claims may grow."},

    {"apiextensions.CustomResourceDefinition", NULL, "A CustomResourceDefinition adds a kind to the API."},
    {"spec!", "apiextensions.CustomResourceDefinitionSpec", "The kind."},
    {"status", "object", "Whether it is served."},

    {"apiextensions.CustomResourceDefinitionSpec", NULL, "A kind that is added to the API."},
    {"group!", "string", "API group of the kind."},
    {"names!", "object", "Its kind, plural, singular and short names, and categories."},
    {"scope!", "string", "Namespaced or Cluster."},
    {"versions!", "[]object", "Its versions, each with a schema."},
    {"conversion", "object", "How versions are converted."},
};
/* clang-format on */

void builtin_type_name(const char *short_name, struct buf *out)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t n = strlen(prefixes[i].name);

        if (strncmp(short_name, prefixes[i].name, n) == 0 && short_name[n] == '.') {
            buf_printf(out, "%s%s", prefixes[i].package, short_name + n);
            return;
        }
    }
}

const char *builtin_type_prefix(const char *group)
{
    for (size_t i = 1; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) /* not meta: it has no kinds */
        if (strcmp(prefixes[i].group, group) == 0)
            return prefixes[i].name;
    return NULL;
}

static json_t *reference(const char *short_name)
{
    struct buf name;
    json_t *ref;

    buf_init(&name, 512);
    buf_puts(&name, BUILTIN_REF);
    builtin_type_name(short_name, &name);
    ref = json_pack("{s:s}", "$ref", name.data);
    buf_done(&name);
    return ref;
}

static json_t *type_schema(const char *type)
{
    static const struct {
        const char *name, *type, *format;
    } plain[] = {
        {"string",   "string",  NULL       },
        {"boolean",  "boolean", NULL       },
        {"int32",    "integer", "int32"    },
        {"int64",    "integer", "int64"    },
        {"time",     "string",  "date-time"},
        {"bytes",    "string",  "byte"     },
        {"quantity", "string",  NULL       },
    };

    if (strncmp(type, "[]", 2) == 0)
        return json_pack("{s:s, s:o}", "type", "array", "items", type_schema(type + 2));
    if (strncmp(type, "map:", 4) == 0)
        return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", type_schema(type + 4));
    if (strcmp(type, "intorstring") == 0)
        return json_pack("{s:b, s:s}", "x-kubernetes-int-or-string", 1, "format", "int-or-string");
    if (strcmp(type, "object") == 0)
        return json_pack("{s:s, s:b}", "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (strcmp(type, plain[i].name) == 0)
            return json_pack("{s:s, s:s*}", "type", plain[i].type, "format", plain[i].format);
    return reference(type);
}

static void add_field(json_t *schema, const struct row *field)
{
    json_t *one = type_schema(field->type);
    size_t n = strlen(field->name);
    bool required = field->name[n - 1] == '!';
    char *name = mem_strndup(field->name, n - required);

    json_object_set_new(one, "description", json_string(field->text));
    json_object_set_new(json_object_get(schema, "properties"), name, one);
    if (required) {
        if (!json_object_get(schema, "required"))
            json_object_set_new(schema, "required", json_array());
        json_array_append_new(json_object_get(schema, "required"), json_string(name));
    }
    mem_free(name);
}

static const struct row *find(const char *full_name)
{
    const struct row *end = rows + sizeof(rows) / sizeof(rows[0]);
    const struct row *found = NULL;
    struct buf name;

    buf_init(&name, 512);
    for (const struct row *r = rows; r < end && !found; r++) {
        if (r->type)
            continue;
        buf_clear(&name);
        builtin_type_name(r->name, &name);
        if (strcmp(name.data, full_name) == 0)
            found = r;
    }
    buf_done(&name);
    return found;
}

json_t *builtin_type_schema(const char *full_name)
{
    const struct row *end = rows + sizeof(rows) / sizeof(rows[0]), *type = find(full_name);
    json_t *schema;

    if (!type)
        return NULL;
    schema = json_pack("{s:s, s:s, s:{}, s:b}", "description", type->text, "type", "object", "properties",
                       "x-kubernetes-preserve-unknown-fields", 1);
    for (const struct row *r = type + 1; r < end && r->type; r++)
        add_field(schema, r);
    return schema;
}

json_t *builtin_open_api(const struct resource *r)
{
    const char *prefix = builtin_type_prefix(r->group);
    struct buf short_name, name;
    json_t *schema = NULL;

    if (!prefix)
        return NULL;
    buf_init(&short_name, 512);
    buf_init(&name, 512);
    buf_printf(&short_name, "%s.%s", prefix, r->kind);
    builtin_type_name(short_name.data, &name);
    schema = builtin_type_schema(name.data);
    buf_done(&short_name);
    buf_done(&name);
    if (!schema)
        return NULL;
    json_object_set_new(json_object_get(schema, "properties"), "metadata",
                        json_pack("{s:s}", "$ref", BUILTIN_REF BUILTIN_OBJECT_META));
    return schema;
}
