# cluster: a real Galera cluster and a backup of it, for tests that source lib.sh first.
. "$here/test/galera/addresses"
export BASE=$dir/galera NODES=3 GROUP=demo
galera() { "$here/test/galera/cluster" "$@"; }

# demo_up MB: the cluster with data, Secrets, a claim, Repository repo, AppBinding db, BackupConfiguration db.
demo_up() {
  (galera up && galera load "$1") >"$dir/galera.log" 2>&1 || { tail -n 20 "$BASE"/n1/error.log; fail "the Galera cluster did not start"; }
  (umask 077 && head -c 18 /dev/urandom | base64 | tr -d '\n' >"$dir/restic-password" && tr -d '\n' <"$BASE/password" >"$dir/db-password")
  kubectl -n demo create secret generic backend --from-file=RESTIC_PASSWORD="$dir/restic-password" >/dev/null
  kubectl -n demo create secret generic db-auth --from-literal=username=stash --from-file=password="$dir/db-password" >/dev/null
  repository repo backend | kubectl apply -f - >/dev/null
  appbinding db db-auth "127.0.0.$FIRST" | kubectl apply -f - >/dev/null
  configuration db repo db | kubectl apply -f - >/dev/null
  await 60 "BackupConfiguration db" is backupconfiguration/db .status.phase Ready
  folder=$(folder_of repo)
}

# repository NAME SECRET: it and its claim of the same name
repository() {
  cat <<YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1, namespace: demo}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}
---
apiVersion: stash.appscode.com/v1alpha1
kind: Repository
metadata: {name: $1, namespace: demo}
spec: {backend: {local: {mountPath: /repository, persistentVolumeClaim: {claimName: $1}}, storageSecretName: $2}}
YAML
}
# appbinding NAME SECRET ADDRESS
appbinding() {
  cat <<YAML
apiVersion: appcatalog.appscode.com/v1alpha1
kind: AppBinding
metadata: {name: $1, namespace: demo}
spec:
  type: kubedb.com/perconaxtradb
  version: "10.11"
  clientConfig: {url: "tcp($3:3306)/"}
  secret: {name: $2}
  parameters:
    apiVersion: config.kubedb.com/v1alpha1
    kind: GaleraArbitratorConfiguration
    address: gcomm://127.0.0.$FIRST,127.0.0.$((FIRST + 1)),127.0.0.$((FIRST + 2))
    group: demo
    sstMethod: mariabackup
YAML
}
# configuration NAME REPOSITORY APPBINDING [PARAMS]: its schedule is a night away
configuration() {
  cat <<YAML
apiVersion: stash.appscode.com/v1beta1
kind: BackupConfiguration
metadata: {name: $1, namespace: demo}
spec:
  schedule: "0 0 1 1 *"
  task: {name: mariadb-backup-10.11, params: [${4:-}]}
  repository: {name: $2}
  target: {ref: {apiVersion: appcatalog.appscode.com/v1alpha1, kind: AppBinding, name: $3}}
  retentionPolicy: {name: keep-50, keepLast: 50, prune: true}
  backupHistoryLimit: 100
  timeOut: 5m
  retryConfig: {maxRetry: 3, delay: 1s}
YAML
}
# session NAME CONFIGURATION [RETRIES]: a backup now
session() {
  kubectl apply -f - >/dev/null <<YAML
apiVersion: stash.appscode.com/v1beta1
kind: BackupSession
metadata: {name: $1, namespace: demo}
spec: {invoker: {apiGroup: stash.appscode.com, kind: BackupConfiguration, name: $2}, retryLeft: ${3:-0}}
YAML
}
# folder_of CLAIM: where devkube keeps it
folder_of() { local uid; uid=$(field "persistentvolumeclaim/$1" .metadata.uid); echo "$dir/cluster/volumes/demo_${1}_${uid:0:8}"; }

all_synced() { [[ $(galera status | grep -c 'state_comment=Synced') == "$NODES" ]]; }

# The repository, seen from the host: nothing is written, no lock is taken.
restic_on() { RESTIC_PASSWORD_FILE=$dir/restic-password restic -r "$@" --no-lock --no-cache; }
snapshots() { [ ! -e "${1:-$folder}/config" ] || restic_on "${1:-$folder}" snapshots --json | jq -r '.[].id' | sort; }
# A key that opens at once: restic's own costs each of its runs half a second of a core.
cheap_key() { RESTIC_PASSWORD=$(<"$dir/restic-password") "$bin/test/cheapkey" "$folder"; }
locks() { [ ! -e "${1:-$folder}/config" ] || ls "${1:-$folder}/locks"; }

# in_pods PATTERN: pids of processes of pods whose command line fits (extended regular expression)
in_pods() {
  ps -eo pid=,ppid=,args= | awk -v root="$devkube_pid" '
    { parent[$1] = $2; pid[NR] = $1; line = $0; sub(/^ *[0-9]+ +[0-9]+ /, "", line); text[$1] = line }
    END { for (i = 1; i <= NR; i++) { for (p = pid[i]; p > 1 && p != root; p = parent[p]) ; if (p == root) print pid[i] " " text[pid[i]] } }' |
    grep -E "^[0-9]+ $1" | cut -d' ' -f1
}
