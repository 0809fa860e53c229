// storm patches configurations at a rate, each patch with a nonce so that it makes an event, and says what it did. The
// nonce is the time at which the patch was sent, so that whoever sees the event can tell how late it is.
//
//	storm [-rate 200] [-for 60s] [-n N] [-per 100] [-prefix bench] [-inflight 32]       rate 0: flat out
package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"time"

	"stashd/bench/peers/internal/bench"
)

func main() {
	var l bench.Layout
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	n := flag.Int("n", 1000, "configurations")
	flag.IntVar(&l.Per, "per", 100, "configurations a namespace")
	flag.StringVar(&l.Prefix, "prefix", "bench", "of namespaces")
	rate := flag.Float64("rate", 200, "patches a second; 0: flat out")
	length := flag.Duration("for", time.Minute, "how long")
	inflight := flag.Int("inflight", 32, "requests at once")
	flag.Parse()
	s := bench.Connect(bench.Config(*kubeconfig, "storm"))
	ctx := context.Background()
	started := time.Now()
	next := make(chan int)
	go func() {
		defer close(next)
		for i := 0; time.Since(started) < *length; i++ {
			if *rate > 0 {
				time.Sleep(time.Until(started.Add(time.Duration(float64(i) / *rate * 1e9))))
			}
			next <- i
		}
	}()
	var all sync.WaitGroup
	var lock sync.Mutex
	var took bench.Times
	for range *inflight {
		all.Go(func() {
			for i := range next {
				k := i % *n
				sent := time.Now()
				body := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/nonce":"%d"}}}`, sent.UnixNano())
				path := bench.StashAPI + "/namespaces/" + l.Namespace(k) + "/backupconfigurations/" + bench.Name(k)
				_, _, err := s.Do(ctx, "PATCH", path, "application/merge-patch+json", body)
				bench.Must(err)
				lock.Lock()
				took = append(took, time.Since(sent))
				lock.Unlock()
			}
		})
	}
	all.Wait()
	wall := time.Since(started)
	bench.Report("storm", "done", map[string]any{"patches": len(took), "rate": float64(len(took)) / wall.Seconds(),
		"wall_s": wall.Seconds(), "p50_ms": took.Ms(0.5), "p99_ms": took.Ms(0.99)})
}
