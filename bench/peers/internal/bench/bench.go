// Package bench is what the programs of this module share: how they reach an API server (no limiter of their own, one
// HTTP/2 connection, a user agent that is not curl's) and how they say what they saw (one JSON line each).
package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config reads a kubeconfig ("": $KUBECONFIG) for a program of that name. QPS -1 switches the client's limiter off.
func Config(kubeconfig, program string) *rest.Config {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	Must(err)
	c.UserAgent = "bench-" + program
	c.QPS = -1
	return c
}

// Server is an API server by plain HTTP: for the programs that measure it rather than a library.
type Server struct {
	client *http.Client
	base   string
}

func Connect(c *rest.Config) *Server {
	client, err := rest.HTTPClientFor(c)
	Must(err)
	return &Server{client, strings.TrimSuffix(c.Host, "/")}
}

// Do sends one request and reads the answer to its end; a status of 400 or more is an error with the server's words.
func (s *Server) Do(ctx context.Context, method, path, contentType string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 400 {
		err = fmt.Errorf("%s %s: %d %.300s", method, path, answer.StatusCode, data)
	}
	return answer.StatusCode, data, err
}

// Open starts a GET and leaves the body to the caller.
func (s *Server) Open(ctx context.Context, path, accept string, gzip bool) *http.Response {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	Must(err)
	r.Header.Set("Accept", accept)
	if !gzip {
		r.Header.Set("Accept-Encoding", "identity")
	}
	answer, err := s.client.Do(r)
	Must(err)
	if answer.StatusCode >= 400 {
		text, _ := io.ReadAll(answer.Body)
		Must(fmt.Errorf("GET %s: %d %.300s", path, answer.StatusCode, text))
	}
	return answer
}

// Metadata of one object of a list.
type Metadata struct {
	Namespace, Name, UID, ResourceVersion string
}

// List reads the metadata of all objects of a path.
func (s *Server) List(ctx context.Context, path string) []Metadata {
	answer := s.Open(ctx, path, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", true)
	defer answer.Body.Close()
	var list struct {
		Items []struct{ Metadata Metadata }
	}
	Must(json.NewDecoder(answer.Body).Decode(&list))
	all := make([]Metadata, len(list.Items))
	for i, o := range list.Items {
		all[i] = o.Metadata
	}
	return all
}

// Configuration is what a trigger needs to know of one.
type Configuration struct {
	UID, Hash string
}

// Configurations reads all of them: by namespace/name their UID and the hash of their spec (JSON with sorted keys).
func (s *Server) Configurations(ctx context.Context) map[string]Configuration {
	answer := s.Open(ctx, StashAPI+"/backupconfigurations", "application/json", true)
	defer answer.Body.Close()
	var list struct {
		Items []struct {
			Metadata Metadata
			Spec     any
		}
	}
	decoder := json.NewDecoder(answer.Body)
	decoder.UseNumber()
	Must(decoder.Decode(&list))
	all := map[string]Configuration{}
	for _, o := range list.Items {
		all[o.Metadata.Namespace+"/"+o.Metadata.Name] = Configuration{o.Metadata.UID, fmt.Sprintf("%x", sha256.Sum256(JSON(o.Spec)))}
	}
	return all
}

// Times collects durations of one kind; not for several goroutines.
type Times []time.Duration

func (t Times) Ms(share float64) float64 {
	if len(t) == 0 {
		return 0
	}
	s := slices.Clone(t)
	slices.Sort(s)
	return float64(s[min(len(s)-1, int(share*float64(len(s))))].Microseconds()) / 1000
}

// CPU of this process so far, user and system, in seconds.
func CPU() float64 {
	var u syscall.Rusage
	Must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// StatusKiB reads a line such as VmRSS or VmHWM of /proc/self/status.
func StatusKiB(key string) int64 {
	f, err := os.Open("/proc/self/status")
	Must(err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), key+":"); found {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n
		}
	}
	return 0
}

// Report prints one JSON line with what this process took.
func Report(program, event string, fields map[string]any) {
	fields["program"] = program
	fields["event"] = event
	fields["cpu_s"] = CPU()
	fields["rss_kib"] = StatusKiB("VmRSS")
	fields["peak_kib"] = StatusKiB("VmHWM")
	fields["at"] = float64(time.Now().UnixMicro()) / 1e6
	line, err := json.Marshal(fields)
	Must(err)
	_, err = os.Stdout.Write(append(line, '\n'))
	Must(err)
}

func Must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}

// Each calls do for 0 … n-1 from `inflight` goroutines and stops the program at the first error.
func Each(n, inflight int, do func(i int) error) {
	next := make(chan int)
	done := make(chan struct{})
	for range inflight {
		go func() {
			for i := range next {
				Must(do(i))
			}
			done <- struct{}{}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	for range inflight {
		<-done
	}
}
