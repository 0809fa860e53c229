package stash

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Deep copies: what a cache's reader gets, and what a typed operator pays for each read.

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func (in *BackupConfigurationSpec) deepCopy() BackupConfigurationSpec {
	out := *in
	out.Task.Params = slices.Clone(in.Task.Params)
	out.BackupHistoryLimit = clone(in.BackupHistoryLimit)
	out.TimeOut = clone(in.TimeOut)
	if in.RetryConfig != nil {
		out.RetryConfig = clone(in.RetryConfig)
		out.RetryConfig.Delay = clone(in.RetryConfig.Delay)
	}
	if in.Target != nil {
		out.Target = clone(in.Target)
		out.Target.Paths = slices.Clone(in.Target.Paths)
		out.Target.Exclude = slices.Clone(in.Target.Exclude)
		out.Target.Args = slices.Clone(in.Target.Args)
		out.Target.VolumeMounts = cloneAll(in.Target.VolumeMounts, func(m *corev1.VolumeMount) corev1.VolumeMount { return *m.DeepCopy() })
	}
	out.RetentionPolicy.KeepTags = slices.Clone(in.RetentionPolicy.KeepTags)
	if c := in.RuntimeSettings.Container; c != nil {
		out.RuntimeSettings.Container = &ContainerSettings{
			Resources:       *c.Resources.DeepCopy(),
			Env:             cloneAll(c.Env, func(e *corev1.EnvVar) corev1.EnvVar { return *e.DeepCopy() }),
			SecurityContext: c.SecurityContext.DeepCopy(),
		}
	}
	if p := in.RuntimeSettings.Pod; p != nil {
		q := *p
		q.PodLabels = maps.Clone(p.PodLabels)
		q.PodAnnotations = maps.Clone(p.PodAnnotations)
		q.NodeSelector = maps.Clone(p.NodeSelector)
		q.Tolerations = cloneAll(p.Tolerations, func(t *corev1.Toleration) corev1.Toleration { return *t.DeepCopy() })
		q.Affinity = p.Affinity.DeepCopy()
		q.SecurityContext = p.SecurityContext.DeepCopy()
		out.RuntimeSettings.Pod = &q
	}
	return out
}

func cloneAll[T any](in []T, one func(*T) T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i := range in {
		out[i] = one(&in[i])
	}
	return out
}

func (in *TargetStatus) deepCopy() TargetStatus {
	out := *in
	out.TotalHosts = clone(in.TotalHosts)
	out.Stats = slices.Clone(in.Stats)
	out.Conditions = slices.Clone(in.Conditions)
	out.PreBackupActions = slices.Clone(in.PreBackupActions)
	out.PostBackupActions = slices.Clone(in.PostBackupActions)
	return out
}

func (in *BackupConfiguration) DeepCopy() *BackupConfiguration {
	out := &BackupConfiguration{TypeMeta: in.TypeMeta, ObjectMeta: *in.ObjectMeta.DeepCopy(), Spec: in.Spec.deepCopy(), Status: in.Status}
	out.Status.Conditions = slices.Clone(in.Status.Conditions)
	return out
}

func (in *BackupSession) DeepCopy() *BackupSession {
	out := &BackupSession{TypeMeta: in.TypeMeta, ObjectMeta: *in.ObjectMeta.DeepCopy(), Spec: in.Spec, Status: in.Status}
	out.Status.SessionDeadline = in.Status.SessionDeadline.DeepCopy()
	out.Status.Conditions = slices.Clone(in.Status.Conditions)
	out.Status.Targets = cloneAll(in.Status.Targets, (*TargetStatus).deepCopy)
	return out
}

func (in *AppBinding) DeepCopy() *AppBinding {
	out := &AppBinding{TypeMeta: in.TypeMeta, ObjectMeta: *in.ObjectMeta.DeepCopy(), Spec: in.Spec}
	out.Spec.ClientConfig.Service = clone(in.Spec.ClientConfig.Service)
	out.Spec.Secret = clone(in.Spec.Secret)
	out.Spec.Parameters = in.Spec.Parameters.DeepCopy()
	return out
}

func (in *BackupConfiguration) DeepCopyObject() runtime.Object { return in.DeepCopy() }

func (in *BackupConfigurationList) DeepCopyObject() runtime.Object {
	out := &BackupConfigurationList{TypeMeta: in.TypeMeta, ListMeta: *in.ListMeta.DeepCopy()}
	out.Items = cloneAll(in.Items, func(i *BackupConfiguration) BackupConfiguration { return *i.DeepCopy() })
	return out
}

func (in *BackupSession) DeepCopyObject() runtime.Object { return in.DeepCopy() }

func (in *BackupSessionList) DeepCopyObject() runtime.Object {
	out := &BackupSessionList{TypeMeta: in.TypeMeta, ListMeta: *in.ListMeta.DeepCopy()}
	out.Items = cloneAll(in.Items, func(i *BackupSession) BackupSession { return *i.DeepCopy() })
	return out
}

func (in *AppBinding) DeepCopyObject() runtime.Object { return in.DeepCopy() }

func (in *AppBindingList) DeepCopyObject() runtime.Object {
	out := &AppBindingList{TypeMeta: in.TypeMeta, ListMeta: *in.ListMeta.DeepCopy()}
	out.Items = cloneAll(in.Items, func(i *AppBinding) AppBinding { return *i.DeepCopy() })
	return out
}
