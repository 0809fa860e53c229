# Sourced by test-faults after main-job.sh: what goes wrong on a cluster, one function each. Every session ends, within its
# deadline, in the right phase, and says why; nothing is lost and nothing runs twice. Wants docker, helm, kubectl and
# jq in PATH, the cluster's name in cluster, BackupConfiguration db Ready in namespace demo, Jobs' pods started within 40 s.

control_plane=$cluster-control-plane
on_node() { docker exec "$@"; } # on_node NODE CMD…

leader() { field lease/stashd .spec.holderIdentity stash | cut -d_ -f1; }
another_leads() { local now; now=$(leader); [ -n "$now" ] && [ "$now" != "$1" ]; }
jobs_of() { kubectl -n demo get jobs -o name | grep -c "stash-backup-$1-" || :; }
worker_of() { # worker_of SESSION [NAMESPACE]: pod/NAME while its worker runs, which is an init container
  kubectl -n "${2:-demo}" get pods -o json | jq -r --arg job "stash-backup-$1-" '.items[]
    | select((.metadata.name | startswith($job)) and .status.initContainerStatuses[0].state.running)
    | "pod/" + .metadata.name' | grep -m 1 .
}

# like NAME OF [JQ]: BackupConfiguration NAME as OF is, changed by a filter of jq
like() {
  kubectl -n demo get "backupconfiguration/$2" -o json | jq ".metadata = {name: \"$1\", namespace: \"demo\"} | del(.status)
    | ${3:-.}" | kubectl apply -f - >/dev/null
  await 60 "BackupConfiguration $1" ready "$1"
}

# one_run SESSION: it Succeeded, by one Job, with one snapshot.
one_run() {
  succeeds "backupsession/$1" 300
  expect "Jobs of $1" "$(jobs_of "$1")" 1
  expect "snapshots of $1" "$(field "backupsession/$1" '.status.targets[*].stats[*].snapshots[*].name' | wc -w)" 1
}
# why SESSION: what its status says of a failure
why() {
  kubectl -n demo get backupsession "$1" -o json | jq -r '[.. | objects | (select(.type == "BackupDisrupted" or
    .type == "DeadlineExceeded" or .status == "False") | .message), (.error // empty)] | unique | join("; ")'
}
# failed_run SESSION PATTERN: it Failed and says so.
failed_run() {
  await 240 "the end of $1" is_final "backupsession/$1"
  expect "$1" "$(field "backupsession/$1" .status.phase): $(why "$1")" "Failed: *$2*"
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
galera_is_whole() { [ "$(node_state 0 2>/dev/null)" = "Synced 3" ]; }

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

# The worker's node stops, without a word, in the middle of a backup: the session ends, and the next one is good.
fault_node_stopped() {
  local pod node
  like nodes db '.spec.timeOut = "4m"'
  session node-stopped nodes
  await 120 "its worker" worker_of node-stopped
  node=$(node_of "$(worker_of node-stopped)")
  [ "$node" != "$control_plane" ] || fail "the worker runs on the control plane"
  docker pause "$node" >/dev/null
  await 420 "the end of node-stopped" is_final backupsession/node-stopped
  docker unpause "$node" >/dev/null
  ok "$node stood still: $(field backupsession/node-stopped .status.phase): $(why node-stopped)"
  expect "its phase" "$(field backupsession/node-stopped .status.phase)" Failed
  kubectl wait --for=condition=Ready nodes --all --timeout=120s >/dev/null
  await 240 "Galera" galera_is_whole
  session node-back nodes
  one_run node-back
  kubectl -n demo delete backupconfiguration nodes >/dev/null
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
