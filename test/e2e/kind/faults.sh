# Sourced by test-faults after main-job.sh: what goes wrong on a cluster, one function each. Every session ends, within its
# deadline, in the right phase, and says why; nothing is lost and nothing runs twice. Wants docker, helm, kubectl and
# jq in PATH, the cluster's name in cluster, BackupConfiguration db Ready in namespace demo, Jobs' pods started within 40 s.

control_plane=$cluster-control-plane

leader() { field lease/stashd .spec.holderIdentity stash | cut -d_ -f1; }
another_leads() { local now; now=$(leader); [ -n "$now" ] && [ "$now" != "$1" ]; }
jobs_of() { kubectl -n demo get jobs -o name | grep -c "stash-backup-$1-" || :; }
workers_of() { # workers_of SESSION [NAMESPACE]: pod/NAME NODE of each while its worker runs, which is an init container
  kubectl -n "${2:-demo}" get pods -o json | jq -r --arg job "^stash-(backup|restore)-$1-" '.items[]
    | select((.metadata.name | test($job)) and .status.initContainerStatuses[0].state.running)
    | "pod/\(.metadata.name) \(.spec.nodeName)"'
}
worker_of() { workers_of "$@" | cut -d' ' -f1 | grep -m 1 .; }

# like NAME OF [JQ]: BackupConfiguration NAME as OF is, changed by a filter of jq
like() {
  kubectl -n demo get "backupconfiguration/$2" -o json | jq ".metadata = {name: \"$1\", namespace: \"demo\"} | del(.status)
    | ${3:-.}" | kubectl apply -f - >/dev/null
  await 60 "BackupConfiguration $1" on backupconfiguration ready "$1"
}

# one_run SESSION: it Succeeded, by one Job, with one snapshot.
one_run() {
  succeeds "backupsession/$1" 300
  expect "Jobs of $1" "$(jobs_of "$1")" 1
  expect "snapshots of $1" "$(field "backupsession/$1" '.status.targets[*].stats[*].snapshots[*].name' | wc -w)" 1
}
# why KIND/NAME: what a session's status says of its failure
why() {
  kubectl -n demo get "$1" -o json | jq -r '[.. | objects | (select(.type == "BackupDisrupted" or
    .type == "DeadlineExceeded" or .status == "False") | .message), (.error // empty)] | unique | join("; ")'
}
# failed_run SESSION PATTERN: it Failed and says so.
failed_run() {
  await 240 "the end of $1" is_final "backupsession/$1"
  expect "$1" "$(field "backupsession/$1" .status.phase): $(why "backupsession/$1")" "Failed: *$2*"
}

fault_leader_killed() {
  local first
  first=$(leader)
  session leader-killed db
  await 120 "its worker" worker_of leader-killed
  kubectl -n stash delete pod "$first" --force --grace-period=0 >/dev/null 2>&1
  await 90 "another leader" another_leads "$first"
  ok "the lead went from $first to $(leader)"
  one_run leader-killed
}

# --- the API server is away for a minute, and etcd forgets all that was ---------------------------------------------------
ask_etcd() { # ask_etcd PATH JSON: over its gateway
  curl -fsS -m 10 --cacert "$dir/etcd/ca.crt" --cert "$dir/etcd/client.crt" --key "$dir/etcd/client.key" \
    "https://$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$control_plane"):2379/v3/$1" -d "$2"
}
etcd_compacted() {
  local revision pki=/etc/kubernetes/pki/etcd
  mkdir -p "$dir/etcd"
  (
    umask 077
    on_node "$control_plane" cat $pki/ca.crt >"$dir/etcd/ca.crt"
    on_node "$control_plane" cat $pki/healthcheck-client.crt >"$dir/etcd/client.crt"
    on_node "$control_plane" cat $pki/healthcheck-client.key >"$dir/etcd/client.key"
  )
  await 60 "etcd" ask_etcd kv/range '{"key":"AA=="}'
  revision=$(ask_etcd kv/range '{"key":"AA=="}' | jq -r .header.revision)
  ask_etcd kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" >/dev/null
  ok "etcd was killed, came back and forgot all before revision $revision"
}
server_answers() { kubectl get --raw /readyz --request-timeout=5s; }
server_is_away() { ! server_answers; }

fault_server_away() {
  local back
  session server-away db
  await 120 "its worker" worker_of server-away
  on_node "$control_plane" mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/
  await 90 "the API server to go" server_is_away
  back=$((SECONDS + 60))
  on_node "$control_plane" pkill -KILL -x etcd
  etcd_compacted
  while [ $SECONDS -lt $back ]; do read -rt 1 <> <(:) || :; done
  on_node "$control_plane" mv /root/kube-apiserver.yaml /etc/kubernetes/manifests/
  await 180 "the API server" server_answers
  ok "the API server was away for a minute"
  one_run server-away
}

# --- the worker's pod -----------------------------------------------------------------------------------------------------
fault_out_of_memory() {
  like small db '.spec.runtimeSettings.container.resources = {requests: {memory: "8Mi"}, limits: {memory: "20Mi"}}'
  session out-of-memory small
  failed_run out-of-memory "memory"
  kubectl -n demo delete backupconfiguration small >/dev/null
}

fault_evicted() {
  local pod
  session evicted db
  await 120 "its worker" worker_of evicted
  pod=$(worker_of evicted)
  kubectl create --raw "/api/v1/namespaces/demo/$(sed 's|^pod|pods|' <<<"$pod")/eviction" -f - >/dev/null <<JSON
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "${pod#pod/}", "namespace": "demo"}}
JSON
  failed_run evicted "?"
  await 120 "the donor" galera_is_whole
}

fault_image_missing() {
  local kind
  for kind in function task; do
    kubectl get "$kind.stash.appscode.com" mariadb-backup-10.11 -o json | jq '.metadata = {name: "no-image"}
      | if .kind == "Task" then .spec.steps[0].name = "no-image" else .spec.image = "localhost/nobody/has-this:1" end' |
      kubectl apply -f - >/dev/null
  done
  like no-image db '.spec.task.name = "no-image"'
  session image-missing no-image
  failed_run image-missing "image"
  kubectl -n demo delete backupconfiguration no-image >/dev/null
  kubectl delete task.stash.appscode.com/no-image function.stash.appscode.com/no-image >/dev/null
}

# --- a namespace goes, with everything in it, in the middle of a backup, while the storage does not answer -----------------
fault_namespace_deleted() {
  local each
  kubectl create namespace going >/dev/null
  for each in secret/backend secret/db-auth appbinding/db repository/repo backupconfiguration/db; do
    kubectl -n demo get "$each" -o json | jq '.metadata |= {name, namespace: "going"} | del(.status)
      | if .kind == "Repository" then .spec.wipeOut = true | .spec.backend.s3.prefix = "/going" else . end
      | if .kind == "AppBinding" then .spec.clientConfig.service.namespace = "demo"
          | .spec.parameters.address = "gcomm://db-0.db-pods.demo,db-1.db-pods.demo,db-2.db-pods.demo" else . end' |
      kubectl apply -f - >/dev/null
  done
  await 60 "BackupConfiguration going/db" is backupconfiguration/db .status.phase Ready going
  kubectl -n demo scale deployment s3 --replicas=0 >/dev/null
  kubectl -n demo wait --for=delete pod -l app=s3 --timeout=60s >/dev/null
  kubectl apply -f - >/dev/null <<YAML
apiVersion: stash.appscode.com/v1beta1
kind: BackupSession
metadata: {name: going, namespace: going}
spec: {invoker: {apiGroup: stash.appscode.com, kind: BackupConfiguration, name: db}}
YAML
  await 120 "its worker" worker_of going going
  kubectl delete namespace going --wait=false >/dev/null
  await 60 "namespace going to be gone" namespace_is_gone going
  ok "a namespace is gone in the middle of a backup with its storage down"
  kubectl -n demo scale deployment s3 --replicas=1 >/dev/null
  await 60 "the S3 server" is deployment/s3 .status.readyReplicas 1
}
namespace_is_gone() { ! kubectl get namespace "$1"; }

# --- nodes: only where there are some ---------------------------------------------------------------------------------------
node_of() { kubectl -n demo get "$1" -o 'jsonpath={.spec.nodeName}'; }
nodes_are_ready() { kubectl wait --for=condition=Ready nodes --all --timeout=180s >/dev/null || fail "the nodes"; }
is_gone() { ! kubectl -n demo get "$1"; }
# Pods leave a node that is away after 20 s, not after Kubernetes' 300 s.
leave_soon='.spec.runtimeSettings.pod.tolerations = [{key: "node.kubernetes.io/unreachable"}, {key: "node.kubernetes.io/not-ready"}
  | . + {operator: "Exists", effect: "NoExecute", tolerationSeconds: 20}]'

# The worker's node stands still, without a word, in the middle of a backup, and comes back with the worker in it.
fault_node_stopped_in_backup() {
  local pod node
  like nodes db "$leave_soon | .spec.runtimeSettings.pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    .nodeSelectorTerms = [{matchExpressions: [{key: \"kubernetes.io/hostname\", operator: \"NotIn\",
      values: [\"$(s3_node)\"]}]}]"
  session node-stopped nodes
  await 120 "its worker" worker_of node-stopped
  pod=$(worker_of node-stopped)
  node=$(node_of "$pod")
  docker pause "$node" >/dev/null
  ok "$node stands still"
  failed_run node-stopped "$node does not answer"
  docker unpause "$node" >/dev/null
  nodes_are_ready
  await 180 "the worker's pod to be gone" is_gone "$pod"
  expect "node-stopped stays" "$(field backupsession/node-stopped .status.phase)" Failed
  expect "its snapshots" "$(field backupsession/node-stopped '.status.targets[*].stats[*].snapshots[*].name' | wc -w)" 0
  await 240 "Galera" galera_is_whole
  session node-back nodes
  one_run node-back
  expect "restic locks left" "$(locks_left)" 0
  kubectl -n demo delete backupconfiguration nodes >/dev/null
}

restore_into() { # restore_into NAME CLAIM TIMEOUT: the latest snapshot into claims CLAIM-0, CLAIM-1, CLAIM-2
  manifests restore | kubectl create -f - --dry-run=client -o json | jq --arg name "$1" --arg claim "$2" --arg time "$3" '
    .metadata.name = $name | .spec.timeOut = $time | .spec.target.volumeMounts[0].name = $claim
    | .spec.target.volumeClaimTemplates[0].metadata.name = $claim + "-${POD_ORDINAL}"' | kubectl apply -f - >/dev/null
}
# victim_of SESSION: a node other than the S3 server's on which a worker of it runs
victim_of() {
  local s3
  s3=$(s3_node)
  workers_of "$1" | cut -d' ' -f2 | grep -vxm 1 "$s3"
}

# The node of one of three workers is killed in the middle of a restore. The others end; its deadline ends it.
fault_node_stopped_in_restore() {
  local node
  restore_into node-stopped lost 150s
  await 120 "its workers" victim_of node-stopped
  node=$(victim_of node-stopped)
  "$here/test/e2e/cluster" stop "$node"
  ok "$node is stopped"
  await 330 "the end of the restore" is_final restoresession/node-stopped
  expect "the restore" "$(field restoresession/node-stopped .status.phase)" Failed
  expect "its reasons" "$(why restoresession/node-stopped)" "*did not complete*$node does not answer*"
  ok "its hosts: $(field restoresession/node-stopped '.status.stats[*].phase')"
  "$here/test/e2e/cluster" start "$node"
  nodes_are_ready
  await 300 "Galera" galera_is_whole
  restore_into node-back back 10m
  succeeds restoresession/node-back 300
  session after-restore db
  one_run after-restore
  expect "restic locks left" "$(locks_left)" 0
}

# --- what the API server wrote down of the operator, over the whole run ------------------------------------------------------
by_operator() { # by_operator FILTER: events of the audit log
  jq -c "select(.user.username == \"system:serviceaccount:stash:stashd\") | select($1)" "$audit_log"
}
check_audit() {
  audit_log=$(dirname "$(readlink -f "$KUBECONFIG")")/audit/audit.log
  [ "$(by_operator true | wc -l)" -gt 200 ] || fail "the audit log has too little of the operator"
  expect "reads of Secrets by the operator outside its namespace" \
    "$(by_operator '.objectRef.resource == "secrets" and .objectRef.namespace != "stash"' | wc -l)" 0
  expect "requests of the operator that its rights refuse" \
    "$(by_operator '.annotations["authorization.k8s.io/decision"] == "forbid"' |
      jq -r '"\(.verb) \(.objectRef.resource) \(.objectRef.subresource // "")"' | sort -u | paste -sd' ')" ""
  ok "its requests: $(by_operator true | jq -r '"\(.verb) \(.objectRef.resource)"' | sort | uniq -c | sort -rn | head -n 40 |
    awk '{ print $1, $2, $3 }' | paste -sd, | sed 's/,/, /g')"
}
