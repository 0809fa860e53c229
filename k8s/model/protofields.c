/*
 * protofields: the protobuf fields of the kinds that Go clients may send that way: what the published .proto files of
 * Kubernetes say, in the notation of proto.h. Fields that no writer sets (status) are skipped; those of kinds of volume that
 * nobody has here are left out, which refuses them.
 */
#include "k8s/model/proto.h"

const struct proto_message proto_messages[] = {
    {"Namespace",
     "1 metadata ObjectMeta; 2 spec NamespaceSpec; 3 status -;"},
    {"ObjectMeta",
     "1 name s; 2 generateName s; 3 namespace s; 4 selfLink s; 5 uid s; 6 resourceVersion s; "
     "7 generation i; 8 creationTimestamp t; 9 deletionTimestamp t?; 10 deletionGracePeriodSeconds i?; "
     "11 labels %s; 12 annotations %s; 13 ownerReferences *OwnerReference; 14 finalizers *s; "
     "17 managedFields -;"},
    {"OwnerReference",
     "5 apiVersion s; 1 kind s; 3 name s; 4 uid s; 6 controller b?; 7 blockOwnerDeletion b?;"},
    {"NamespaceSpec",
     "1 finalizers *s;"},
    {"ConfigMap",
     "1 metadata ObjectMeta; 4 immutable b?; 2 data %s; 3 binaryData %y;"},
    {"Secret",
     "1 metadata ObjectMeta; 5 immutable b?; 2 data %y; 4 stringData %s; 3 type s;"},
    {"ServiceAccount",
     "1 metadata ObjectMeta; 2 secrets *ObjectReference; 3 imagePullSecrets *LocalObjectReference; "
     "4 automountServiceAccountToken b?;"},
    {"ObjectReference",
     "1 kind s; 2 namespace s; 3 name s; 4 uid s; 5 apiVersion s; 6 resourceVersion s; 7 fieldPath s;"},
    {"LocalObjectReference",
     "1 name s;"},
    {"Service",
     "1 metadata ObjectMeta; 2 spec ServiceSpec; 3 status -;"},
    {"ServiceSpec",
     "1 ports *ServicePort; 2 selector %s; 3 clusterIP s; 18 clusterIPs *s; 4 type s; 5 externalIPs *s; "
     "7 sessionAffinity s; 8 loadBalancerIP s; 9 loadBalancerSourceRanges *s; 10 externalName s; "
     "11 externalTrafficPolicy s; 12 healthCheckNodePort i; 13 publishNotReadyAddresses b; "
     "14 sessionAffinityConfig SessionAffinityConfig?; 19 ipFamilies *s; 17 ipFamilyPolicy s?; "
     "20 allocateLoadBalancerNodePorts b?; 21 loadBalancerClass s?; 22 internalTrafficPolicy s?; "
     "23 trafficDistribution s?;"},
    {"ServicePort",
     "1 name s; 2 protocol s; 6 appProtocol s?; 3 port i; 4 targetPort n; 5 nodePort i;"},
    {"SessionAffinityConfig",
     "1 clientIP ClientIPConfig?;"},
    {"ClientIPConfig",
     "1 timeoutSeconds i?;"},
    {"Pod",
     "1 metadata ObjectMeta; 2 spec PodSpec; 3 status -;"},
    {"PodSpec",
     "1 volumes *Volume; 20 initContainers *Container; 2 containers *Container; "
     "34 ephemeralContainers -; 3 restartPolicy s; 4 terminationGracePeriodSeconds i?; "
     "5 activeDeadlineSeconds i?; 6 dnsPolicy s; 7 nodeSelector %s; 8 serviceAccountName s; "
     "9 serviceAccount s; 21 automountServiceAccountToken b?; 10 nodeName s; 11 hostNetwork b; "
     "12 hostPID b; 13 hostIPC b; 27 shareProcessNamespace b?; 14 securityContext PodSecurityContext?; "
     "15 imagePullSecrets *LocalObjectReference; 16 hostname s; 17 subdomain s; 18 affinity Affinity?; "
     "19 schedulerName s; 22 tolerations *Toleration; 23 hostAliases *HostAlias; 24 priorityClassName s; "
     "25 priority i?; 26 dnsConfig PodDNSConfig?; 28 readinessGates *PodReadinessGate; "
     "29 runtimeClassName s?; 30 enableServiceLinks b?; 31 preemptionPolicy s?; 32 overhead %q; "
     "33 topologySpreadConstraints *TopologySpreadConstraint; 35 setHostnameAsFQDN b?; 36 os PodOS?; "
     "37 hostUsers b?; 38 schedulingGates *PodSchedulingGate; 39 resourceClaims *PodResourceClaim; "
     "40 resources ResourceRequirements?; 41 hostnameOverride s?; "
     "44 evictionResponders *EvictionResponder;"},
    {"Volume",
     "1 name s; 2 . VolumeSource;"},
    {"VolumeSource",
     "1 hostPath HostPathVolumeSource?; 2 emptyDir EmptyDirVolumeSource?; 6 secret SecretVolumeSource?; "
     "7 nfs NFSVolumeSource?; 10 persistentVolumeClaim PersistentVolumeClaimVolumeSource?; "
     "16 downwardAPI DownwardAPIVolumeSource?; 19 configMap ConfigMapVolumeSource?; "
     "26 projected ProjectedVolumeSource?; 28 csi CSIVolumeSource?; 29 ephemeral EphemeralVolumeSource?;"},
    {"HostPathVolumeSource",
     "1 path s; 2 type s?;"},
    {"EmptyDirVolumeSource",
     "1 medium s; 2 sizeLimit q?; 3 mode i?;"},
    {"SecretVolumeSource",
     "1 secretName s; 2 items *KeyToPath; 3 defaultMode i?; 4 optional b?; 5 defaultUser i?;"},
    {"KeyToPath",
     "1 key s; 2 path s; 3 mode i?; 4 user i?;"},
    {"NFSVolumeSource",
     "1 server s; 2 path s; 3 readOnly b;"},
    {"PersistentVolumeClaimVolumeSource",
     "1 claimName s; 2 readOnly b;"},
    {"DownwardAPIVolumeSource",
     "1 items *DownwardAPIVolumeFile; 2 defaultMode i?; 3 defaultUser i?;"},
    {"DownwardAPIVolumeFile",
     "1 path s; 2 fieldRef ObjectFieldSelector?; 3 resourceFieldRef ResourceFieldSelector?; 4 mode i?; "
     "5 user i?;"},
    {"ObjectFieldSelector",
     "1 apiVersion s; 2 fieldPath s;"},
    {"ResourceFieldSelector",
     "1 containerName s; 2 resource s; 3 divisor q;"},
    {"ConfigMapVolumeSource",
     "1 . LocalObjectReference; 2 items *KeyToPath; 3 defaultMode i?; 4 optional b?; 5 defaultUser i?;"},
    {"ProjectedVolumeSource",
     "1 sources *VolumeProjection; 2 defaultMode i?; 3 defaultUser i?;"},
    {"VolumeProjection",
     "1 secret SecretProjection?; 2 downwardAPI DownwardAPIProjection?; "
     "3 configMap ConfigMapProjection?; 4 serviceAccountToken ServiceAccountTokenProjection?; "
     "5 clusterTrustBundle ClusterTrustBundleProjection?; 6 podCertificate PodCertificateProjection?;"},
    {"SecretProjection",
     "1 . LocalObjectReference; 2 items *KeyToPath; 4 optional b?;"},
    {"DownwardAPIProjection",
     "1 items *DownwardAPIVolumeFile;"},
    {"ConfigMapProjection",
     "1 . LocalObjectReference; 2 items *KeyToPath; 4 optional b?;"},
    {"ServiceAccountTokenProjection",
     "1 audience s; 2 expirationSeconds i?; 3 path s; 4 user i?;"},
    {"ClusterTrustBundleProjection",
     "1 name s?; 2 signerName s?; 3 labelSelector LabelSelector?; 5 optional b?; 4 path s; 6 user i?;"},
    {"LabelSelector",
     "1 matchLabels %s; 2 matchExpressions *LabelSelectorRequirement;"},
    {"LabelSelectorRequirement",
     "1 key s; 2 operator s; 3 values *s;"},
    {"PodCertificateProjection",
     "1 signerName s; 2 keyType s; 3 maxExpirationSeconds i?; 4 credentialBundlePath s; 5 keyPath s; "
     "6 certificateChainPath s; 7 userAnnotations %s; 8 user i?;"},
    {"CSIVolumeSource",
     "1 driver s; 2 readOnly b?; 3 fsType s?; 4 volumeAttributes %s; "
     "5 nodePublishSecretRef LocalObjectReference?;"},
    {"EphemeralVolumeSource",
     "1 volumeClaimTemplate PersistentVolumeClaimTemplate?;"},
    {"PersistentVolumeClaimTemplate",
     "1 metadata ObjectMeta; 2 spec PersistentVolumeClaimSpec;"},
    {"PersistentVolumeClaimSpec",
     "1 accessModes *s; 4 selector LabelSelector?; 2 resources VolumeResourceRequirements; "
     "3 volumeName s; 5 storageClassName s?; 6 volumeMode s?; 7 dataSource TypedLocalObjectReference?; "
     "8 dataSourceRef TypedObjectReference?; 9 volumeAttributesClassName s?;"},
    {"VolumeResourceRequirements",
     "1 limits %q; 2 requests %q;"},
    {"TypedLocalObjectReference",
     "1 apiGroup s?; 2 kind s; 3 name s;"},
    {"TypedObjectReference",
     "1 apiGroup s?; 2 kind s; 3 name s; 4 namespace s?;"},
    {"Container",
     "1 name s; 2 image s; 3 command *s; 4 args *s; 5 workingDir s; 6 ports *ContainerPort; "
     "19 envFrom *EnvFromSource; 7 env *EnvVar; 8 resources ResourceRequirements; "
     "23 resizePolicy *ContainerResizePolicy; 24 restartPolicy s?; "
     "25 restartPolicyRules *ContainerRestartRule; 9 volumeMounts *VolumeMount; "
     "21 volumeDevices *VolumeDevice; 10 livenessProbe Probe?; 11 readinessProbe Probe?; "
     "22 startupProbe Probe?; 12 lifecycle Lifecycle?; 13 terminationMessagePath s; "
     "20 terminationMessagePolicy s; 14 imagePullPolicy s; 15 securityContext SecurityContext?; "
     "16 stdin b; 17 stdinOnce b; 18 tty b;"},
    {"ContainerPort",
     "1 name s; 2 hostPort i; 3 containerPort i; 4 protocol s; 5 hostIP s;"},
    {"EnvFromSource",
     "1 prefix s; 2 configMapRef ConfigMapEnvSource?; 3 secretRef SecretEnvSource?;"},
    {"ConfigMapEnvSource",
     "1 . LocalObjectReference; 2 optional b?;"},
    {"SecretEnvSource",
     "1 . LocalObjectReference; 2 optional b?;"},
    {"EnvVar",
     "1 name s; 2 value s; 3 valueFrom EnvVarSource?;"},
    {"EnvVarSource",
     "1 fieldRef ObjectFieldSelector?; 2 resourceFieldRef ResourceFieldSelector?; "
     "3 configMapKeyRef ConfigMapKeySelector?; 4 secretKeyRef SecretKeySelector?; "
     "5 fileKeyRef FileKeySelector?;"},
    {"ConfigMapKeySelector",
     "1 . LocalObjectReference; 2 key s; 3 optional b?;"},
    {"SecretKeySelector",
     "1 . LocalObjectReference; 2 key s; 3 optional b?;"},
    {"FileKeySelector",
     "1 volumeName s; 2 path s; 3 key s; 4 optional b?;"},
    {"ResourceRequirements",
     "1 limits %q; 2 requests %q; 3 claims *ResourceClaim;"},
    {"ResourceClaim",
     "1 name s; 2 request s;"},
    {"ContainerResizePolicy",
     "1 resourceName s; 2 restartPolicy s;"},
    {"ContainerRestartRule",
     "1 action s; 2 exitCodes ContainerRestartRuleOnExitCodes?;"},
    {"ContainerRestartRuleOnExitCodes",
     "1 operator s; 2 values *i;"},
    {"VolumeMount",
     "1 name s; 2 readOnly b; 7 recursiveReadOnly s?; 3 mountPath s; 4 subPath s; 5 mountPropagation s?; "
     "6 subPathExpr s; 8 bindMountOptions *s;"},
    {"VolumeDevice",
     "1 name s; 2 devicePath s;"},
    {"Probe",
     "1 . ProbeHandler; 2 initialDelaySeconds i; 3 timeoutSeconds i; 4 periodSeconds i; "
     "5 successThreshold i; 6 failureThreshold i; 7 terminationGracePeriodSeconds i?;"},
    {"ProbeHandler",
     "1 exec ExecAction?; 2 httpGet HTTPGetAction?; 3 tcpSocket TCPSocketAction?; 4 grpc GRPCAction?;"},
    {"ExecAction",
     "1 command *s;"},
    {"HTTPGetAction",
     "1 path s; 2 port n; 3 host s; 4 scheme s; 5 httpHeaders *HTTPHeader; 6 protocol s?;"},
    {"HTTPHeader",
     "1 name s; 2 value s;"},
    {"TCPSocketAction",
     "1 port n; 2 host s;"},
    {"GRPCAction",
     "1 port i; 2 service s?; 3 mode s?;"},
    {"Lifecycle",
     "1 postStart LifecycleHandler?; 2 preStop LifecycleHandler?; 3 stopSignal s?;"},
    {"LifecycleHandler",
     "1 exec ExecAction?; 2 httpGet HTTPGetAction?; 3 tcpSocket TCPSocketAction?; 4 sleep SleepAction?;"},
    {"SleepAction",
     "1 seconds i;"},
    {"SecurityContext",
     "1 capabilities Capabilities?; 2 privileged b?; 3 seLinuxOptions SELinuxOptions?; "
     "10 windowsOptions WindowsSecurityContextOptions?; 4 runAsUser i?; 8 runAsGroup i?; "
     "5 runAsNonRoot b?; 6 readOnlyRootFilesystem b?; 7 allowPrivilegeEscalation b?; 9 procMount s?; "
     "11 seccompProfile SeccompProfile?; 12 appArmorProfile AppArmorProfile?;"},
    {"Capabilities",
     "1 add *s; 2 drop *s;"},
    {"SELinuxOptions",
     "1 user s; 2 role s; 3 type s; 4 level s;"},
    {"WindowsSecurityContextOptions",
     "1 gmsaCredentialSpecName s?; 2 gmsaCredentialSpec s?; 3 runAsUserName s?; 4 hostProcess b?;"},
    {"SeccompProfile",
     "1 type s; 2 localhostProfile s?;"},
    {"AppArmorProfile",
     "1 type s; 2 localhostProfile s?;"},
    {"PodSecurityContext",
     "1 seLinuxOptions SELinuxOptions?; 8 windowsOptions WindowsSecurityContextOptions?; 2 runAsUser i?; "
     "6 runAsGroup i?; 3 runAsNonRoot b?; 4 supplementalGroups *i; 12 supplementalGroupsPolicy s?; "
     "5 fsGroup i?; 7 sysctls *Sysctl; 9 fsGroupChangePolicy s?; 10 seccompProfile SeccompProfile?; "
     "11 appArmorProfile AppArmorProfile?; 13 seLinuxChangePolicy s?;"},
    {"Sysctl",
     "1 name s; 2 value s;"},
    {"Affinity",
     "1 nodeAffinity NodeAffinity?; 2 podAffinity PodAffinity?; 3 podAntiAffinity PodAntiAffinity?;"},
    {"NodeAffinity",
     "1 requiredDuringSchedulingIgnoredDuringExecution NodeSelector?; "
     "2 preferredDuringSchedulingIgnoredDuringExecution *PreferredSchedulingTerm;"},
    {"NodeSelector",
     "1 nodeSelectorTerms *NodeSelectorTerm;"},
    {"NodeSelectorTerm",
     "1 matchExpressions *NodeSelectorRequirement; 2 matchFields *NodeSelectorRequirement;"},
    {"NodeSelectorRequirement",
     "1 key s; 2 operator s; 3 values *s;"},
    {"PreferredSchedulingTerm",
     "1 weight i; 2 preference NodeSelectorTerm;"},
    {"PodAffinity",
     "1 requiredDuringSchedulingIgnoredDuringExecution *PodAffinityTerm; "
     "2 preferredDuringSchedulingIgnoredDuringExecution *WeightedPodAffinityTerm;"},
    {"PodAffinityTerm",
     "1 labelSelector LabelSelector?; 2 namespaces *s; 3 topologyKey s; "
     "4 namespaceSelector LabelSelector?; 5 matchLabelKeys *s; 6 mismatchLabelKeys *s;"},
    {"WeightedPodAffinityTerm",
     "1 weight i; 2 podAffinityTerm PodAffinityTerm;"},
    {"PodAntiAffinity",
     "1 requiredDuringSchedulingIgnoredDuringExecution *PodAffinityTerm; "
     "2 preferredDuringSchedulingIgnoredDuringExecution *WeightedPodAffinityTerm;"},
    {"Toleration",
     "1 key s; 2 operator s; 3 value s; 4 effect s; 5 tolerationSeconds i?;"},
    {"HostAlias",
     "1 ip s; 2 hostnames *s;"},
    {"PodDNSConfig",
     "1 nameservers *s; 2 searches *s; 3 options *PodDNSConfigOption;"},
    {"PodDNSConfigOption",
     "1 name s; 2 value s?;"},
    {"PodReadinessGate",
     "1 conditionType s;"},
    {"TopologySpreadConstraint",
     "1 maxSkew i; 2 topologyKey s; 3 whenUnsatisfiable s; 4 labelSelector LabelSelector?; "
     "5 minDomains i?; 6 nodeAffinityPolicy s?; 7 nodeTaintsPolicy s?; 8 matchLabelKeys *s;"},
    {"PodOS",
     "1 name s;"},
    {"PodSchedulingGate",
     "1 name s;"},
    {"PodResourceClaim",
     "1 name s; 3 resourceClaimName s?; 4 resourceClaimTemplateName s?;"},
    {"EvictionResponder",
     "1 name s; 2 priority i?;"},
    {"PersistentVolumeClaim",
     "1 metadata ObjectMeta; 2 spec PersistentVolumeClaimSpec; 3 status -;"},
    {"Deployment",
     "1 metadata ObjectMeta; 2 spec DeploymentSpec; 3 status -;"},
    {"DeploymentSpec",
     "1 replicas i?; 2 selector LabelSelector?; 3 template PodTemplateSpec; "
     "4 strategy DeploymentStrategy; 5 minReadySeconds i; 6 revisionHistoryLimit i?; 7 paused b; "
     "9 progressDeadlineSeconds i?;"},
    {"PodTemplateSpec",
     "1 metadata ObjectMeta; 2 spec PodSpec;"},
    {"DeploymentStrategy",
     "1 type s; 2 rollingUpdate RollingUpdateDeployment?;"},
    {"RollingUpdateDeployment",
     "1 maxUnavailable n?; 2 maxSurge n?;"},
    {"Job",
     "1 metadata ObjectMeta; 2 spec JobSpec; 3 status -;"},
    {"JobSpec",
     "1 parallelism i?; 2 completions i?; 3 activeDeadlineSeconds i?; "
     "11 podFailurePolicy PodFailurePolicy?; 16 successPolicy SuccessPolicy?; 7 backoffLimit i?; "
     "12 backoffLimitPerIndex i?; 13 maxFailedIndexes i?; 4 selector LabelSelector?; "
     "5 manualSelector b?; 6 template PodTemplateSpec; 8 ttlSecondsAfterFinished i?; "
     "9 completionMode s?; 10 suspend b?; 14 podReplacementPolicy s?; 15 managedBy s?;"},
    {"PodFailurePolicy",
     "1 rules *PodFailurePolicyRule;"},
    {"PodFailurePolicyRule",
     "1 action s; 2 onExitCodes PodFailurePolicyOnExitCodesRequirement?; "
     "3 onPodConditions *PodFailurePolicyOnPodConditionsPattern;"},
    {"PodFailurePolicyOnExitCodesRequirement",
     "1 containerName s?; 2 operator s; 3 values *i;"},
    {"PodFailurePolicyOnPodConditionsPattern",
     "1 type s; 2 status -;"},
    {"SuccessPolicy",
     "1 rules *SuccessPolicyRule;"},
    {"SuccessPolicyRule",
     "1 succeededIndexes s?; 2 succeededCount i?;"},
    {"CronJob",
     "1 metadata ObjectMeta; 2 spec CronJobSpec; 3 status -;"},
    {"CronJobSpec",
     "1 schedule s; 8 timeZone s?; 2 startingDeadlineSeconds i?; 3 concurrencyPolicy s; 4 suspend b?; "
     "5 jobTemplate JobTemplateSpec; 6 successfulJobsHistoryLimit i?; 7 failedJobsHistoryLimit i?;"},
    {"JobTemplateSpec",
     "1 metadata ObjectMeta; 2 spec JobSpec;"},
    {"PodDisruptionBudget",
     "1 metadata ObjectMeta; 2 spec PodDisruptionBudgetSpec; 3 status -;"},
    {"PodDisruptionBudgetSpec",
     "1 minAvailable n?; 2 selector LabelSelector?; 3 maxUnavailable n?; "
     "4 unhealthyPodEvictionPolicy s?;"},
    {"Role",
     "1 metadata ObjectMeta; 2 rules *PolicyRule;"},
    {"PolicyRule",
     "1 verbs *s; 2 apiGroups *s; 3 resources *s; 4 resourceNames *s; 5 nonResourceURLs *s;"},
    {"ClusterRole",
     "1 metadata ObjectMeta; 2 rules *PolicyRule; 3 aggregationRule AggregationRule?;"},
    {"AggregationRule",
     "1 clusterRoleSelectors *LabelSelector;"},
    {"RoleBinding",
     "1 metadata ObjectMeta; 2 subjects *Subject; 3 roleRef RoleRef;"},
    {"Subject",
     "1 kind s; 2 apiGroup s; 3 name s; 4 namespace s;"},
    {"RoleRef",
     "1 apiGroup s; 2 kind s; 3 name s;"},
    {"ClusterRoleBinding",
     "1 metadata ObjectMeta; 2 subjects *Subject; 3 roleRef RoleRef;"},
    {"TokenReview",
     "1 metadata ObjectMeta; 2 spec TokenReviewSpec; 3 status -;"},
    {"TokenReviewSpec",
     "1 token s; 2 audiences *s;"},
    {"TokenRequest",
     "1 metadata ObjectMeta; 2 spec TokenRequestSpec; 3 status -;"},
    {"TokenRequestSpec",
     "1 audiences *s; 4 expirationSeconds i?; 3 boundObjectRef BoundObjectReference?;"},
    {"BoundObjectReference",
     "1 kind s; 2 apiVersion s; 3 name s; 4 uid s;"},
    {"SelfSubjectReview",
     "1 metadata ObjectMeta; 2 status -;"},
    {"SubjectAccessReview",
     "1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec; 3 status -;"},
    {"SubjectAccessReviewSpec",
     "1 resourceAttributes ResourceAttributes?; 2 nonResourceAttributes NonResourceAttributes?; "
     "3 user s; 4 groups *s; 5 extra -; 6 uid s;"},
    {"ResourceAttributes",
     "1 namespace s; 2 verb s; 3 group s; 4 version s; 5 resource s; 6 subresource s; 7 name s; "
     "8 fieldSelector FieldSelectorAttributes?; 9 labelSelector LabelSelectorAttributes?;"},
    {"FieldSelectorAttributes",
     "1 rawSelector s; 2 requirements *FieldSelectorRequirement;"},
    {"FieldSelectorRequirement",
     "1 key s; 2 operator s; 3 values *s;"},
    {"LabelSelectorAttributes",
     "1 rawSelector s; 2 requirements *LabelSelectorRequirement;"},
    {"NonResourceAttributes",
     "1 path s; 2 verb s;"},
    {"LocalSubjectAccessReview",
     "1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec; 3 status -;"},
    {"SelfSubjectAccessReview",
     "1 metadata ObjectMeta; 2 spec SelfSubjectAccessReviewSpec; 3 status -;"},
    {"SelfSubjectAccessReviewSpec",
     "1 resourceAttributes ResourceAttributes?; 2 nonResourceAttributes NonResourceAttributes?;"},
    {"SelfSubjectRulesReview",
     "1 metadata ObjectMeta; 2 spec SelfSubjectRulesReviewSpec; 3 status -;"},
    {"SelfSubjectRulesReviewSpec",
     "1 namespace s;"},
    {"DeleteOptions",
     "1 gracePeriodSeconds i?; 2 preconditions Preconditions?; 3 orphanDependents b?; "
     "4 propagationPolicy s?; 5 dryRun *s; 6 ignoreStoreReadErrorWithClusterBreakingPotential b?;"},
    {"Preconditions",
     "1 uid s?; 2 resourceVersion s?;"},
};

const size_t n_proto_messages = sizeof(proto_messages) / sizeof(proto_messages[0]);
