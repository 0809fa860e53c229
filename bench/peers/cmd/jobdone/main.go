// jobdone is Jobs without pods: each Job of the benches' namespaces is completed after a delay, as its worker and the Job
// controller would do it together: the worker's result into the BackupSession's status, then the Job's own status. The
// namespaces carry a label by which bench/load keeps the cluster's own Job controller away.
//
//	jobdone [-delay 1s] [-prefix bench] [-inflight 16]       until SIGTERM
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"stashd/bench/peers/internal/bench"
)

type worker struct {
	server *bench.Server
	ctx    context.Context
	lock   sync.Mutex
	seen   map[string]bool   // Jobs taken, by UID
	byName map[string]string // session -> Job that ran for it, over all time: two would be a double run
	done   int
	double int
}

// take answers whether this Job is new, and notes for which session it is.
func (w *worker) take(j *batchv1.Job) bool {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.seen[string(j.UID)] {
		return false
	}
	w.seen[string(j.UID)] = true
	if s := j.Labels["stash.appscode.com/session"]; s != "" {
		if len(j.OwnerReferences) > 0 {
			s = string(j.OwnerReferences[0].UID)
		}
		if other, there := w.byName[s]; there && other != string(j.UID) {
			w.double++
		}
		w.byName[s] = string(j.UID)
	}
	return true
}

// report writes what a worker reports: the one host of the one target has succeeded.
func (w *worker) report(ns, session string) error {
	path := bench.StashAPI + "/namespaces/" + ns + "/backupsessions/" + session
	for {
		status, body, err := w.server.Do(w.ctx, "GET", path, "", nil)
		if status == 404 {
			return nil
		}
		if err != nil {
			return err
		}
		var s struct {
			Metadata struct{ ResourceVersion string }
			Status   struct{ Targets []map[string]any }
		}
		if err := json.Unmarshal(body, &s); err != nil {
			return err
		}
		if len(s.Status.Targets) == 0 {
			time.Sleep(50 * time.Millisecond) // the operator writes who the targets are
			continue
		}
		for _, t := range s.Status.Targets {
			t["stats"] = []any{map[string]any{"hostname": "host-0", "phase": "Succeeded", "duration": "1s"}}
		}
		patch := bench.JSON(map[string]any{"metadata": map[string]any{"resourceVersion": s.Metadata.ResourceVersion},
			"status": map[string]any{"targets": s.Status.Targets}})
		status, _, err = w.server.Do(w.ctx, "PATCH", path+"/status", "application/merge-patch+json", patch)
		if status != 409 {
			return err
		}
	}
}

func (w *worker) complete(j *batchv1.Job) error {
	now := time.Now().UTC().Format(time.RFC3339)
	started := j.CreationTimestamp.UTC().Format(time.RFC3339)
	condition := func(t string) map[string]any {
		return map[string]any{"type": t, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": "CompletionsReached"}
	}
	patch := bench.JSON(map[string]any{"status": map[string]any{"startTime": started, "completionTime": now, "succeeded": 1,
		"active": 0, "ready": 0, "conditions": []any{condition("SuccessCriteriaMet"), condition("Complete")}}})
	path := fmt.Sprintf("/apis/batch/v1/namespaces/%s/jobs/%s/status", j.Namespace, j.Name)
	status, _, err := w.server.Do(w.ctx, "PATCH", path, "application/merge-patch+json", patch)
	if status == 404 {
		return nil
	}
	return err
}

func (w *worker) run(j *batchv1.Job) {
	if s := j.Labels["stash.appscode.com/session"]; s != "" {
		if err := w.report(j.Namespace, s); err != nil {
			fmt.Fprintln(os.Stderr, "jobdone:", err)
		}
	}
	if err := w.complete(j); err != nil {
		fmt.Fprintln(os.Stderr, "jobdone:", err)
		return
	}
	w.lock.Lock()
	w.done++
	w.lock.Unlock()
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	delay := flag.Duration("delay", time.Second, "how long a Job runs")
	prefix := flag.String("prefix", "bench", "of namespaces")
	inflight := flag.Int("inflight", 16, "Jobs written at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	config := bench.Config(*kubeconfig, "jobdone")
	w := &worker{server: bench.Connect(config), ctx: ctx, seen: map[string]bool{}, byName: map[string]string{}}
	queue := make(chan *batchv1.Job, 1<<20)
	for range *inflight {
		go func() {
			for j := range queue {
				w.run(j)
			}
		}()
	}
	add := func(o any) {
		j, ok := o.(*batchv1.Job)
		if !ok || j.Status.CompletionTime != nil || !strings.HasPrefix(j.Namespace, *prefix+"-") || !w.take(j) {
			return
		}
		time.AfterFunc(*delay, func() { queue <- j })
	}
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	informer := factory.Batch().V1().Jobs().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, o any) { add(o) }})
	bench.Must(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	bench.Report("jobdone", "synced", map[string]any{})
	<-ctx.Done()
	w.lock.Lock()
	defer w.lock.Unlock()
	bench.Report("jobdone", "done", map[string]any{"jobs": w.done, "sessions": len(w.byName), "double": w.double})
}
