// informer holds configurations and AppBindings with controller-runtime's cache and does nothing with them: the reading
// half of an operator. At the sync it prints one line, and one for each second of events with -watch.
//
//	informer [-mode list|watchlist|stripped|metadata] [-configurations-only] [-watch]
//
// list: typed objects, list and then watch. watchlist: typed, streaming list (what client-go does as shipped).
// stripped: watchlist, but managedFields and last-applied are dropped. metadata: PartialObjectMetadata, streaming list.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/features"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/go-logr/logr"
	"stashd/bench/peers/internal/bench"
	"stashd/bench/peers/internal/stash"
)

// gates is client-go's feature gates with the streaming list as this program was told.
type gates struct {
	features.Gates
	stream bool
}

func (g gates) Enabled(f features.Feature) bool {
	if f == features.WatchListClient {
		return g.stream
	}
	return g.Gates.Enabled(f)
}

func objects(mode string, configurationsOnly bool) []client.Object {
	if mode == "metadata" {
		partial := func(gv schema.GroupVersion, kind string) client.Object {
			o := &metav1.PartialObjectMetadata{}
			o.SetGroupVersionKind(gv.WithKind(kind))
			return o
		}
		all := []client.Object{partial(stash.GroupVersion, "BackupConfiguration"), partial(stash.AppGroupVersion, "AppBinding")}
		if configurationsOnly {
			return all[:1]
		}
		return all
	}
	if configurationsOnly {
		return []client.Object{&stash.BackupConfiguration{}}
	}
	return []client.Object{&stash.BackupConfiguration{}, &stash.AppBinding{}}
}

func lag(o any) (time.Duration, bool) {
	m, ok := o.(metav1.Object)
	if !ok {
		return 0, false
	}
	ns, err := strconv.ParseInt(m.GetAnnotations()["example.com/nonce"], 10, 64)
	return time.Since(time.Unix(0, ns)), err == nil
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	mode := flag.String("mode", "watchlist", "list, watchlist, stripped or metadata")
	only := flag.Bool("configurations-only", false, "no AppBindings")
	watch := flag.Bool("watch", false, "go on until SIGTERM, and tell of events")
	flag.Parse()
	started := time.Now()
	log.SetLogger(logr.Discard())
	features.ReplaceFeatureGates(gates{features.FeatureGates(), *mode != "list"})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	scheme := kruntime.NewScheme()
	stash.AddToScheme(scheme)
	metav1.AddMetaToScheme(scheme)
	options := cache.Options{Scheme: scheme}
	if *mode == "stripped" {
		options.DefaultTransform = cache.TransformStripManagedFields()
	}
	c, err := cache.New(bench.Config(*kubeconfig, "informer"), options)
	bench.Must(err)
	var added, events atomic.Int64
	lags := make(chan time.Duration, 1<<20)
	for _, o := range objects(*mode, *only) {
		i, err := c.GetInformer(ctx, o)
		bench.Must(err)
		_, err = i.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { added.Add(1) },
			UpdateFunc: func(_, o any) {
				events.Add(1)
				if d, ok := lag(o); ok {
					lags <- d
				}
			}})
		bench.Must(err)
	}
	go func() { bench.Must(c.Start(ctx)) }()
	if !c.WaitForCacheSync(ctx) {
		bench.Must(fmt.Errorf("no sync"))
	}
	wall := time.Since(started)
	cpu := bench.CPU()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	bench.Report("informer", "synced", map[string]any{"mode": *mode, "wall_s": wall.Seconds(), "sync_cpu_s": cpu,
		"heap": m.HeapAlloc})
	if *watch {
		<-ctx.Done()
	}
	close(lags)
	var all bench.Times
	for d := range lags {
		all = append(all, d)
	}
	bench.Report("informer", "done", map[string]any{"mode": *mode, "objects": added.Load(), "events": events.Load(),
		"lag_p50_ms": all.Ms(0.5), "lag_p99_ms": all.Ms(0.99)})
}
