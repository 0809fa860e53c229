// rawlist reads lists and throws the bytes away: the floor under every program that has to hold the same objects. Several
// paths are read at once over one connection, as an operator's watches are.
//
//	rawlist [-stream] [-gzip] [-kubeconfig FILE] [PATH…]
package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"sync"
	"time"

	"stashd/bench/peers/internal/bench"
)

type result struct {
	bytes, objects int64
	first, wall    time.Duration
}

const streamQuery = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"

// A streaming list ends with a bookmark that says so; it is the last line sent for now.
var bookmark = []byte("k8s.io/initial-events-end")

func read(s *bench.Server, path string, stream, gzip bool) (r result) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if stream {
		path += streamQuery
	}
	started := time.Now()
	answer := s.Open(ctx, path, "application/json", gzip)
	defer answer.Body.Close()
	var tail []byte
	buffer := make([]byte, 64*1024)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 && r.first == 0 {
			r.first = time.Since(started)
		}
		r.bytes += int64(n)
		if stream {
			r.objects += int64(bytes.Count(buffer[:n], []byte{'\n'}))
			tail = append(tail[max(0, len(tail)-4096):], buffer[:n]...)
			if bytes.HasSuffix(tail, []byte{'\n'}) && bytes.Contains(tail, bookmark) {
				r.objects--
				break
			}
		}
		if err == io.EOF {
			break
		}
		bench.Must(err)
	}
	r.wall = time.Since(started)
	return r
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	stream := flag.Bool("stream", false, "streaming list (sendInitialEvents) instead of a whole one")
	gzip := flag.Bool("gzip", false, "let the server compress")
	flag.Parse()
	paths := flag.Args()
	if len(paths) == 0 {
		paths = []string{"/apis/stash.appscode.com/v1beta1/backupconfigurations"}
	}
	s := bench.Connect(bench.Config(*kubeconfig, "rawlist"))
	_, _, err := s.Do(context.Background(), "GET", "/version", "", nil) // the handshake is not the list's
	bench.Must(err)
	results := make([]result, len(paths))
	cpu, started := bench.CPU(), time.Now()
	var all sync.WaitGroup
	for i, path := range paths {
		all.Go(func() { results[i] = read(s, path, *stream, *gzip) })
	}
	all.Wait()
	wall := time.Since(started)
	var sum result
	for _, r := range results {
		sum.bytes += r.bytes
		sum.objects += r.objects
		sum.first = max(sum.first, r.first)
	}
	bench.Report("rawlist", "synced", map[string]any{"stream": *stream, "gzip": *gzip, "bytes": sum.bytes,
		"objects": sum.objects, "first_byte_s": sum.first.Seconds(), "wall_s": wall.Seconds(),
		"list_cpu_s": bench.CPU() - cpu})
}
