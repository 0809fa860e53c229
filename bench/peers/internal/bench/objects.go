package bench

import (
	"encoding/json"
	"fmt"
)

// Names: object i lives in namespace <prefix>-<i / per>, and each namespace has one Repository.

type Layout struct {
	Prefix string
	Per    int // configurations a namespace
}

func (l Layout) Namespace(i int) string { return fmt.Sprintf("%s-%d", l.Prefix, i/l.Per) }

func (l Layout) Namespaces(n int) int { return (n + l.Per - 1) / l.Per }

func Name(i int) string { return fmt.Sprintf("db-%06d", i) }

const (
	StashAPI = "/apis/stash.appscode.com/v1beta1"
	RepoAPI  = "/apis/stash.appscode.com/v1alpha1"
	AppAPI   = "/apis/appcatalog.appscode.com/v1alpha1"
)

type object = map[string]any
type list = []any

func meta(ns, name string) object {
	m := object{"name": name, "labels": object{"app.kubernetes.io/part-of": "bench"}}
	if ns != "" {
		m["namespace"] = ns
	}
	return m
}

func Namespace(name string) object {
	m := meta("", name)
	m["labels"].(object)["bench"] = "jobs-are-ours" // bench/load: no Job controller takes them
	return object{"apiVersion": "v1", "kind": "Namespace", "metadata": m}
}

func Repository(ns string) object {
	return object{"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository", "metadata": meta(ns, "repository"),
		"spec": object{"backend": object{"storageSecretName": "storage",
			"s3": object{"endpoint": "http://s3.storage.svc:9000", "bucket": "backups", "prefix": "/" + ns}}}}
}

func AppBinding(ns, name string) object {
	m := meta(ns, name)
	m["labels"].(object)["app.kubernetes.io/instance"] = name
	m["labels"].(object)["app.kubernetes.io/managed-by"] = "kubedb.com"
	return object{"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "metadata": m,
		"spec": object{"type": "kubedb.com/perconaxtradb", "version": "8.0.40",
			"clientConfig": object{"service": object{"name": name, "path": "/", "port": 3306, "scheme": "mysql"},
				"url": "tcp(" + name + "." + ns + ".svc:3306)/"},
			"parameters": object{"apiVersion": "config.kubedb.com/v1alpha1", "kind": "GaleraArbitratorConfiguration",
				"address": fmt.Sprintf("gcomm://%[1]s-0.%[1]s-pods.%[2]s,%[1]s-1.%[1]s-pods.%[2]s,%[1]s-2.%[1]s-pods.%[2]s", name, ns),
				"group":   name, "sstMethod": "xtrabackup-v2"},
			"secret": object{"name": name + "-auth"}}}
}

// BackupConfiguration is one as users write it: about 1.9 kB.
func BackupConfiguration(ns, name, schedule, task string) object {
	m := meta(ns, name)
	m["labels"].(object)["app.kubernetes.io/instance"] = name
	m["labels"].(object)["example.com/team"] = "storage-and-databases"
	m["annotations"] = object{"example.com/owner": "on-call-databases@example.com",
		"example.com/runbook": "https://runbooks.example.com/databases/backup/" + name}
	return object{"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration", "metadata": m,
		"spec": object{"driver": "Restic", "schedule": schedule,
			"task":               object{"name": task, "params": list{object{"name": "args", "value": "--all-databases --single-transaction"}}},
			"repository":         object{"name": "repository"},
			"backupHistoryLimit": 3, "timeOut": "1h30m",
			"retryConfig":     object{"maxRetry": 2, "delay": "10m"},
			"target":          object{"alias": "db", "ref": object{"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": name}},
			"retentionPolicy": object{"name": "long", "keepLast": 5, "keepDaily": 7, "keepWeekly": 4, "keepMonthly": 12, "prune": true},
			"runtimeSettings": object{
				"container": object{
					"resources":       object{"requests": object{"cpu": "100m", "memory": "256Mi"}, "limits": object{"memory": "1Gi"}},
					"env":             list{object{"name": "TZ", "value": "UTC"}, object{"name": "GOMAXPROCS", "value": "2"}},
					"securityContext": object{"allowPrivilegeEscalation": false}},
				"pod": object{
					"podLabels":      object{"example.com/team": "storage-and-databases"},
					"podAnnotations": object{"example.com/scrape": "false"},
					"nodeSelector":   object{"kubernetes.io/os": "linux"},
					"tolerations":    list{object{"key": "backup", "operator": "Exists", "effect": "NoSchedule"}},
					"affinity": object{"nodeAffinity": object{"preferredDuringSchedulingIgnoredDuringExecution": list{object{
						"weight": 10, "preference": object{"matchExpressions": list{object{
							"key": "node.example.com/disk", "operator": "In", "values": list{"ssd", "nvme"}}}}}}}}}}}}
}

// BackupSession is what a trigger makes: owned by its configuration, with the hash of its spec.
func BackupSession(ns, name, configuration, uid, hash string) object {
	m := meta(ns, name)
	m["labels"] = object{"app.kubernetes.io/part-of": "bench", "app.kubernetes.io/component": "stash-backup",
		"app.kubernetes.io/managed-by": "stash.appscode.com", "stash.appscode.com/invoker-name": configuration,
		"stash.appscode.com/invoker-type": "BackupConfiguration"}
	m["annotations"] = object{"stash.appscode.com/invoker-hash": hash}
	m["ownerReferences"] = list{object{"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
		"name": configuration, "uid": uid, "controller": true, "blockOwnerDeletion": true}}
	return object{"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession", "metadata": m,
		"spec": object{"invoker": object{"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": configuration}}}
}

// CronJob is what Kubernetes itself offers for schedules.
func CronJob(ns, name, schedule string) object {
	return object{"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta(ns, name),
		"spec": object{"schedule": schedule, "jobTemplate": object{"spec": object{"template": object{"spec": object{
			"restartPolicy": "Never", "schedulerName": "nobody",
			"containers": list{object{"name": "trigger", "image": "stash", "args": list{"create-backupsession"}}}}}}}}}
}

func JSON(o any) []byte {
	data, err := json.Marshal(o)
	Must(err)
	return data
}
