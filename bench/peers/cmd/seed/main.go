// seed makes N objects of one kind by POST, and nothing else: the floor under every program that writes. An object that
// is there already is left alone.
//
//	seed -kind KIND -n N [-from I] [-per 100] [-prefix bench] [-inflight 32] [-schedule CRON] [-task NAME] [-run NAME]
//	seed -delete -kind KIND -n N …        deletes all of the kind in those namespaces and waits until they are gone
package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"stashd/bench/peers/internal/bench"
)

type settings struct {
	kind, schedule, task, run string
	layout                    bench.Layout
}

var api = map[string]string{
	"repositories": bench.RepoAPI, "backupconfigurations": bench.StashAPI, "backupsessions": bench.StashAPI,
	"appbindings": bench.AppAPI, "cronjobs": "/apis/batch/v1", "jobs": "/apis/batch/v1",
}

func (o *settings) path(ns string) string {
	if o.kind == "namespaces" {
		return "/api/v1/namespaces"
	}
	return api[o.kind] + "/namespaces/" + ns + "/" + o.kind
}

func (o *settings) object(i int, configurations map[string]bench.Configuration) any {
	ns, name := o.layout.Namespace(i), bench.Name(i)
	switch o.kind {
	case "namespaces":
		return bench.Namespace(fmt.Sprintf("%s-%d", o.layout.Prefix, i))
	case "repositories":
		return bench.Repository(fmt.Sprintf("%s-%d", o.layout.Prefix, i))
	case "appbindings":
		return bench.AppBinding(ns, name)
	case "backupconfigurations":
		return bench.BackupConfiguration(ns, name, o.schedule, o.task)
	case "backupsessions":
		c := configurations[ns+"/"+name]
		return bench.BackupSession(ns, name+"-"+o.run, name, c.UID, c.Hash)
	case "cronjobs":
		return bench.CronJob(ns, name, o.schedule)
	}
	bench.Must(fmt.Errorf("-kind %q: not one that is made here", o.kind))
	return nil
}

// namespace of object i: namespaces and repositories are counted by namespace.
func (o *settings) namespace(i int) string {
	if o.kind == "namespaces" || o.kind == "repositories" {
		return fmt.Sprintf("%s-%d", o.layout.Prefix, i)
	}
	return o.layout.Namespace(i)
}

func seed(s *bench.Server, o *settings, from, n, inflight int) {
	ctx := context.Background()
	var configurations map[string]bench.Configuration
	if o.kind == "backupsessions" {
		configurations = s.Configurations(ctx)
	}
	var there, bytes atomic.Int64
	var lock sync.Mutex
	var took bench.Times
	cpu, started := bench.CPU(), time.Now()
	bench.Each(n, inflight, func(i int) error {
		body := bench.JSON(o.object(from+i, configurations))
		bytes.Add(int64(len(body)))
		sent := time.Now()
		status, _, err := s.Do(ctx, "POST", o.path(o.namespace(from+i)), "application/json", body)
		if status == 409 {
			there.Add(1)
			return nil
		}
		lock.Lock()
		took = append(took, time.Since(sent))
		lock.Unlock()
		return err
	})
	wall := time.Since(started)
	bench.Report("seed", "done", map[string]any{"kind": o.kind, "n": n, "there": there.Load(), "wall_s": wall.Seconds(),
		"rate": float64(n) / wall.Seconds(), "p50_ms": took.Ms(0.5), "p99_ms": took.Ms(0.99),
		"bytes_each": bytes.Load() / int64(max(n, 1)), "post_cpu_s": bench.CPU() - cpu, "started": float64(started.UnixMicro()) / 1e6})
}

func remove(s *bench.Server, o *settings, n int) {
	ctx := context.Background()
	started := time.Now()
	spaces := o.layout.Namespaces(n)
	bench.Each(spaces, 8, func(i int) error {
		ns := fmt.Sprintf("%s-%d", o.layout.Prefix, i)
		method, path := "DELETE", o.path(ns)
		if o.kind == "namespaces" {
			path += "/" + ns
		}
		status, _, err := s.Do(ctx, method, path, "application/json",
			bench.JSON(map[string]any{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}))
		if status == 404 {
			return nil
		}
		return err
	})
	for left := -1; left != 0; {
		left = 0
		for _, m := range s.List(ctx, api[o.kind]+"/"+o.kind) {
			if len(m.Namespace) > len(o.layout.Prefix) && m.Namespace[:len(o.layout.Prefix)+1] == o.layout.Prefix+"-" {
				left++
			}
		}
		if left != 0 {
			time.Sleep(200 * time.Millisecond)
		}
	}
	bench.Report("seed", "deleted", map[string]any{"kind": o.kind, "namespaces": spaces, "wall_s": time.Since(started).Seconds()})
}

func main() {
	var o settings
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	flag.StringVar(&o.kind, "kind", "backupconfigurations", "namespaces, repositories, appbindings, backupconfigurations, backupsessions or cronjobs")
	n := flag.Int("n", 1000, "how many")
	from := flag.Int("from", 0, "number of the first")
	flag.IntVar(&o.layout.Per, "per", 100, "configurations a namespace")
	flag.StringVar(&o.layout.Prefix, "prefix", "bench", "of namespaces")
	flag.StringVar(&o.schedule, "schedule", "0 0 1 1 *", "of configurations and CronJobs")
	flag.StringVar(&o.task, "task", "perconaxtradb-backup-8.0", "of configurations")
	flag.StringVar(&o.run, "run", "1", "end of the names of sessions")
	inflight := flag.Int("inflight", 32, "requests at once")
	del := flag.Bool("delete", false, "delete them")
	flag.Parse()
	s := bench.Connect(bench.Config(*kubeconfig, "seed"))
	if *del {
		remove(s, &o, *n)
	} else {
		seed(s, &o, *from, *n, *inflight)
	}
}
