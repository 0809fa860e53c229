// Package stash has Go types of the kinds that the benches use, with the fields that their objects fill, so that a
// program of controller-runtime holds them as a typed operator would.
package stash

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	GroupVersion    = schema.GroupVersion{Group: "stash.appscode.com", Version: "v1beta1"}
	AppGroupVersion = schema.GroupVersion{Group: "appcatalog.appscode.com", Version: "v1alpha1"}
)

type Param struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

type TaskRef struct {
	Name   string  `json:"name,omitempty"`
	Params []Param `json:"params,omitempty"`
}

type RepositoryRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

type TargetRef struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Name       string `json:"name,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
}

type Target struct {
	Alias        string               `json:"alias,omitempty"`
	Ref          TargetRef            `json:"ref,omitempty"`
	Paths        []string             `json:"paths,omitempty"`
	Exclude      []string             `json:"exclude,omitempty"`
	Args         []string             `json:"args,omitempty"`
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`
}

type RetentionPolicy struct {
	Name        string   `json:"name,omitempty"`
	KeepLast    int64    `json:"keepLast,omitempty"`
	KeepHourly  int64    `json:"keepHourly,omitempty"`
	KeepDaily   int64    `json:"keepDaily,omitempty"`
	KeepWeekly  int64    `json:"keepWeekly,omitempty"`
	KeepMonthly int64    `json:"keepMonthly,omitempty"`
	KeepYearly  int64    `json:"keepYearly,omitempty"`
	KeepTags    []string `json:"keepTags,omitempty"`
	Prune       bool     `json:"prune,omitempty"`
}

type RetryConfig struct {
	MaxRetry int32            `json:"maxRetry,omitempty"`
	Delay    *metav1.Duration `json:"delay,omitempty"`
}

type ContainerSettings struct {
	Resources       corev1.ResourceRequirements `json:"resources,omitempty"`
	Env             []corev1.EnvVar             `json:"env,omitempty"`
	SecurityContext *corev1.SecurityContext     `json:"securityContext,omitempty"`
}

type PodSettings struct {
	PodLabels          map[string]string          `json:"podLabels,omitempty"`
	PodAnnotations     map[string]string          `json:"podAnnotations,omitempty"`
	ServiceAccountName string                     `json:"serviceAccountName,omitempty"`
	NodeSelector       map[string]string          `json:"nodeSelector,omitempty"`
	PriorityClassName  string                     `json:"priorityClassName,omitempty"`
	Tolerations        []corev1.Toleration        `json:"tolerations,omitempty"`
	Affinity           *corev1.Affinity           `json:"affinity,omitempty"`
	SecurityContext    *corev1.PodSecurityContext `json:"securityContext,omitempty"`
}

type RuntimeSettings struct {
	Container *ContainerSettings `json:"container,omitempty"`
	Pod       *PodSettings       `json:"pod,omitempty"`
}

type BackupConfigurationSpec struct {
	Driver             string           `json:"driver,omitempty"`
	Schedule           string           `json:"schedule,omitempty"`
	Paused             bool             `json:"paused,omitempty"`
	Task               TaskRef          `json:"task,omitempty"`
	Repository         RepositoryRef    `json:"repository,omitempty"`
	BackupHistoryLimit *int32           `json:"backupHistoryLimit,omitempty"`
	TimeOut            *metav1.Duration `json:"timeOut,omitempty"`
	RetryConfig        *RetryConfig     `json:"retryConfig,omitempty"`
	Target             *Target          `json:"target,omitempty"`
	RetentionPolicy    RetentionPolicy  `json:"retentionPolicy,omitempty"`
	RuntimeSettings    RuntimeSettings  `json:"runtimeSettings,omitempty"`
}

type Condition struct {
	Type               string      `json:"type"`
	Status             string      `json:"status"`
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
	ObservedGeneration int64       `json:"observedGeneration,omitempty"`
	Reason             string      `json:"reason,omitempty"`
	Message            string      `json:"message,omitempty"`
}

type BackupConfigurationStatus struct {
	ObservedGeneration int64       `json:"observedGeneration,omitempty"`
	Phase              string      `json:"phase,omitempty"`
	Conditions         []Condition `json:"conditions,omitempty"`
}

type BackupConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BackupConfigurationSpec   `json:"spec,omitempty"`
	Status            BackupConfigurationStatus `json:"status,omitempty"`
}

type BackupConfigurationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BackupConfiguration `json:"items"`
}

type InvokerRef struct {
	APIGroup string `json:"apiGroup,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Name     string `json:"name,omitempty"`
}

type BackupSessionSpec struct {
	Invoker   InvokerRef `json:"invoker,omitempty"`
	RetryLeft int32      `json:"retryLeft,omitempty"`
}

type HostStats struct {
	Hostname string `json:"hostname,omitempty"`
	Phase    string `json:"phase,omitempty"`
	Duration string `json:"duration,omitempty"`
	Error    string `json:"error,omitempty"`
}

type TargetStatus struct {
	Ref               TargetRef   `json:"ref,omitempty"`
	TotalHosts        *int32      `json:"totalHosts,omitempty"`
	Phase             string      `json:"phase,omitempty"`
	Stats             []HostStats `json:"stats,omitempty"`
	Conditions        []Condition `json:"conditions,omitempty"`
	PreBackupActions  []string    `json:"preBackupActions,omitempty"`
	PostBackupActions []string    `json:"postBackupActions,omitempty"`
}

type BackupSessionStatus struct {
	Phase           string         `json:"phase,omitempty"`
	SessionDuration string         `json:"sessionDuration,omitempty"`
	SessionDeadline *metav1.Time   `json:"sessionDeadline,omitempty"`
	Targets         []TargetStatus `json:"targets,omitempty"`
	Conditions      []Condition    `json:"conditions,omitempty"`
}

type BackupSession struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BackupSessionSpec   `json:"spec,omitempty"`
	Status            BackupSessionStatus `json:"status,omitempty"`
}

type BackupSessionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BackupSession `json:"items"`
}

type AppService struct {
	Name   string `json:"name,omitempty"`
	Path   string `json:"path,omitempty"`
	Port   int32  `json:"port,omitempty"`
	Scheme string `json:"scheme,omitempty"`
}

type AppClientConfig struct {
	Service *AppService `json:"service,omitempty"`
	URL     string      `json:"url,omitempty"`
}

type AppBindingSpec struct {
	Type         string                       `json:"type,omitempty"`
	Version      string                       `json:"version,omitempty"`
	ClientConfig AppClientConfig              `json:"clientConfig,omitempty"`
	Secret       *corev1.LocalObjectReference `json:"secret,omitempty"`
	Parameters   *runtime.RawExtension        `json:"parameters,omitempty"`
}

type AppBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              AppBindingSpec `json:"spec,omitempty"`
}

type AppBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AppBinding `json:"items"`
}

// AddToScheme makes the kinds known.
func AddToScheme(s *runtime.Scheme) {
	s.AddKnownTypes(GroupVersion, &BackupConfiguration{}, &BackupConfigurationList{}, &BackupSession{}, &BackupSessionList{})
	s.AddKnownTypes(AppGroupVersion, &AppBinding{}, &AppBindingList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	metav1.AddToGroupVersion(s, AppGroupVersion)
}
