// session is an operator of controller-runtime that does what no operator for sessions can leave out, and nothing else: a
// new BackupSession gets a Job and phase Running; when the Job has completed, phase Succeeded. Three writes.
//
//	session [-concurrency 64]      until SIGTERM
package main

import (
	"context"
	"flag"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"stashd/bench/peers/internal/bench"
	"stashd/bench/peers/internal/stash"
)

type reconciler struct {
	client.Client
}

func (r *reconciler) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	var s stash.BackupSession
	if err := r.Get(ctx, key.NamespacedName, &s); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	switch s.Status.Phase {
	case "":
		return ctrl.Result{}, r.start(ctx, &s)
	case "Running":
		return ctrl.Result{}, r.finish(ctx, &s)
	}
	return ctrl.Result{}, nil
}

func (r *reconciler) start(ctx context.Context, s *stash.BackupSession) error {
	var c stash.BackupConfiguration
	if err := r.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Spec.Invoker.Name}, &c); err != nil {
		return err
	}
	if err := r.Create(ctx, job(s, &c)); err != nil && !errors.IsAlreadyExists(err) {
		return err
	}
	base := s.DeepCopy()
	one := int32(1)
	s.Status.Phase = "Running"
	s.Status.Targets = []stash.TargetStatus{{Ref: c.Spec.Target.Ref, TotalHosts: &one, Phase: "Running"}}
	s.Status.Conditions = []stash.Condition{{Type: "BackupExecutorEnsured", Status: "True", Reason: "JobCreated",
		Message: "made the backup Job", LastTransitionTime: metav1.Now()}}
	return client.IgnoreNotFound(r.Status().Patch(ctx, s, client.MergeFrom(base)))
}

func (r *reconciler) finish(ctx context.Context, s *stash.BackupSession) error {
	var j batchv1.Job
	if err := r.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: jobName(s)}, &j); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, c := range j.Status.Conditions {
		if c.Type != batchv1.JobComplete || c.Status != corev1.ConditionTrue {
			continue
		}
		base := s.DeepCopy()
		s.Status.Phase = "Succeeded"
		s.Status.SessionDuration = time.Since(s.CreationTimestamp.Time).Round(time.Second).String()
		for i := range s.Status.Targets {
			s.Status.Targets[i].Phase = "Succeeded"
		}
		return client.IgnoreNotFound(r.Status().Patch(ctx, s, client.MergeFrom(base)))
	}
	return nil
}

func jobName(s *stash.BackupSession) string { return "backup-" + s.Name }

// job has about the size of a real one: two containers with settings of the configuration.
func job(s *stash.BackupSession, c *stash.BackupConfiguration) *batchv1.Job {
	labels := map[string]string{"app.kubernetes.io/managed-by": "stash.appscode.com", "app.kubernetes.io/component": "stash-backup",
		"stash.appscode.com/session": s.Name, "stash.appscode.com/invoker-name": c.Name}
	yes, backoff, ttl := true, int32(0), int32(3600)
	container := func(name string, args ...string) corev1.Container {
		return corev1.Container{Name: name, Image: "stashd:bench", Args: args, Env: []corev1.EnvVar{{Name: "TZ", Value: "UTC"}},
			Resources:    corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("256Mi")}},
			VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}, {Name: "secret", MountPath: "/secret", ReadOnly: true}}}
	}
	volumes := []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "storage"}}}}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: jobName(s), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: stash.GroupVersion.String(), Kind: "BackupSession", Name: s.Name,
				UID: s.UID, Controller: &yes, BlockOwnerDeletion: &yes}}},
		Spec: batchv1.JobSpec{BackoffLimit: &backoff, TTLSecondsAfterFinished: &ttl, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Volumes: volumes,
				InitContainers: []corev1.Container{container("backup", "backup", "--namespace="+s.Namespace, "--app="+c.Name,
					"--repository="+c.Spec.Repository.Name, "--hostname=host-0", "--scratch-dir=/tmp", "--output-dir=/tmp/output")},
				Containers: []corev1.Container{container("update-status", "update-status", "--namespace="+s.Namespace,
					"--backupsession="+s.Name, "--output-dir=/tmp/output", "--retention-policy="+c.Spec.RetentionPolicy.Name)}}}}}
}

func main() {
	kubeconfig := flag.String("bench-kubeconfig", "", "how to reach the API server") // -kubeconfig is controller-runtime's
	concurrency := flag.Int("concurrency", 64, "sessions worked on at once")
	flag.Parse()
	log.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	bench.Must(clientscheme.AddToScheme(scheme))
	stash.AddToScheme(scheme)
	m, err := ctrl.NewManager(bench.Config(*kubeconfig, "session"), ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}})
	bench.Must(err)
	bench.Must(ctrl.NewControllerManagedBy(m).For(&stash.BackupSession{}).Owns(&batchv1.Job{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: *concurrency}).Complete(&reconciler{m.GetClient()}))
	// The configurations are wanted with the first session; an operator that is ready has them.
	_, err = m.GetCache().GetInformer(context.Background(), &stash.BackupConfiguration{})
	bench.Must(err)
	ctx := ctrl.SetupSignalHandler()
	go func() {
		if m.GetCache().WaitForCacheSync(ctx) {
			bench.Report("session", "synced", map[string]any{"sync_cpu_s": bench.CPU()})
		}
	}()
	bench.Must(m.Start(ctx))
	bench.Report("session", "done", map[string]any{})
}
