# Sourced by the tests on a kind cluster: the main job, one function a step. Wants lib.sh and kubectl and helm in PATH.
# Namespaces stash (the chart) and demo: Galera StatefulSet db, Deployment s3, Repositories repo (S3) and local-repo
# (a claim), AppBinding db, BackupConfigurations db and db-local.
version=$(sed -n 's/^project(stashd VERSION \([0-9.]*\).*/\1/p' "$here/CMakeLists.txt")
manifests() { sed "s/@VERSION@/$version/" "$here/test/e2e/kind/$1.yaml"; }
apply() { manifests "$1" | kubectl apply -f - >/dev/null; }

look_around() { # after a failure
  kubectl -n demo get pods,pvc,jobs,backupsession,restoresession -o wide
  kubectl -n stash logs -l app.kubernetes.io/name=stashd --tail=15
  kubectl -n demo get events --sort-by=.lastTimestamp | tail -n 15
}


# --- operator --------------------------------------------------------------------------------------------------------
helm_() { helm --namespace stash "$@"; }
operator_installed() { # operator_installed [helm's flags]
  helm_ install stashd "$here/chart" --create-namespace --wait --timeout 3m "$@" >"$dir/helm.log" 2>&1 ||
    { tail -n 20 "$dir/helm.log"; fail "helm install"; }
}
rolled_out() { kubectl -n stash rollout status deployment/stashd --timeout=120s >/dev/null; }
has_lead() { [ -n "$(field lease/stashd .spec.holderIdentity stash)" ]; }

# --- database and storage --------------------------------------------------------------------------------------------
word() { head -c 18 /dev/urandom | base64 | tr '+/' 'xy'; }
secrets_made() { # values come by files, never in a command line
  (
    umask 077
    mkdir "$dir/secret"
    cd "$dir/secret"
    for f in RESTIC_PASSWORD AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY password; do printf %s "$(word)" >$f; done
    printf stash >username
    printf '"%s,%s"' "$(cat AWS_ACCESS_KEY_ID)" "$(cat AWS_SECRET_ACCESS_KEY)" >auth
    kubectl create namespace demo
    kubectl -n demo create secret generic backend --from-file=RESTIC_PASSWORD --from-file=AWS_ACCESS_KEY_ID \
      --from-file=AWS_SECRET_ACCESS_KEY
    kubectl -n demo create secret generic db-auth --from-file=username --from-file=password
    kubectl -n demo create secret generic s3-server --from-file=auth
  ) >/dev/null
}
galera_is_there() {
  kubectl -n demo rollout status statefulset/db --timeout="${1:-300}s" >/dev/null || fail "the Galera cluster"
}
sql() { # sql N, SQL on standard input
  kubectl -n demo exec -i "db-$1" -- mariadb --no-defaults -u mysql -S /run/mysqld/mysqld.sock -NB
}
node_state() {
  sql "$1" <<<"SHOW STATUS LIKE 'wsrep_local_state_comment'; SHOW STATUS LIKE 'wsrep_cluster_size'" | cut -f2 |
    paste -sd' '
}
# By all of them: one that stood still takes itself for what it was.
galera_is_whole() {
  local n
  for n in 0 1 2; do [ "$(node_state $n 2>/dev/null)" = "Synced 3" ] || return 1; done
}
# Rows are functions of their ids; most bytes do not compress.
rows_made() { # rows_made ROWS: of 500 bytes
  local t
  {
    echo "CREATE DATABASE bench; USE bench;"
    for t in t1 t2; do
      echo "CREATE TABLE $t (id INT PRIMARY KEY, k INT NOT NULL, pad VARBINARY(480) NOT NULL, KEY (k)) ENGINE=InnoDB;
INSERT INTO $t SELECT seq, CRC32(CONCAT('$t', seq)) % 1000000, CONCAT(UNHEX(SHA2(CONCAT('$t a', seq), 512)),
  UNHEX(SHA2(CONCAT('$t b', seq), 512)), UNHEX(SHA2(CONCAT('$t c', seq), 512)), UNHEX(SHA2(CONCAT('$t d', seq), 512)),
  UNHEX(SHA2(CONCAT('$t e', seq), 512)), UNHEX(SHA2(CONCAT('$t f', seq), 512))) FROM seq_1_to_$(($1 / 2));"
    done
  } | sql 0
}
checksums() { sql "${1:-0}" <<<"SET wsrep_sync_wait = 1; CHECKSUM TABLE bench.t1, bench.t2" | paste -sd' '; }
database_destroyed() {
  kubectl -n demo delete statefulset/db --cascade=foreground --wait >/dev/null
  kubectl -n demo delete pvc data-db-0 data-db-1 data-db-2 --wait >/dev/null
}
# Locks in the repositories on the S3 server, whose node has its claim as a folder.
on_node() { docker exec "$@"; } # on_node NODE CMD…
s3_node() { kubectl -n demo get pods -l app=s3 -o 'jsonpath={.items[0].spec.nodeName}'; }
locks_in_s3="find /var/local-path-provisioner -path '*_demo_s3/*/locks/*' -type f"
locks_left() { on_node "$(s3_node)" sh -c "$locks_in_s3" | wc -l; }
# cheap_key NODE CLAIM [FOLDER]: the repository in a claim on that node gets a key that opens at once, as in cluster.sh.
cheap_key() {
  local node=$1 repo copy=$dir/key
  rm -rf "$copy" && mkdir "$copy"
  repo=$(on_node "$node" sh -c "ls -d /var/local-path-provisioner/*_demo_$2${3:+/$3}")
  on_node "$node" tar -C "$repo" -c config keys | tar -C "$copy" -x
  RESTIC_PASSWORD=$(<"$dir/secret/RESTIC_PASSWORD") "$bin/test/cheapkey" "$copy"
  on_node "$node" sh -c "rm '$repo'/keys/*"
  tar -C "$copy" -c keys | on_node -i "$node" tar -C "$repo" -x
}

# --- backup and restore ----------------------------------------------------------------------------------------------
ready() { is "backupconfiguration/$1" .status.phase Ready; }
session() { # session NAME CONFIGURATION: starts it
  kubectl apply -f - >/dev/null <<YAML
apiVersion: stash.appscode.com/v1beta1
kind: BackupSession
metadata: {name: $1, namespace: demo}
spec: {invoker: {apiGroup: stash.appscode.com, kind: BackupConfiguration, name: $2}}
YAML
}
reasons() { # reasons KIND/NAME: all that its status says of a failure
  kubectl -n demo get "$1" -o json 2>/dev/null | jq -r '[.. | objects
    | (select(.status == "False" or .status == "Unknown") | "\(.type): \(.message)"),
      (select(.error) | "\(.hostname): \(.error)")] | unique | join("; ")'
}
succeeds() { # succeeds KIND/NAME SECONDS
  await "$2" "the end of $1" is_final "$1"
  [ "$(field "$1" .status.phase)" = Succeeded ] || fail "$1: $(field "$1" .status.phase): $(reasons "$1")"
  ok "$1 Succeeded in $(field "$1" .status.sessionDuration)"
}

# --- Jobs of maintenance -------------------------------------------------------------------------------------------------
condition_of() { # condition_of REPOSITORY TYPE: status and reason
  field "repository/$1" ".status.conditions[?(@.type==\"$2\")].status"
  echo " $(field "repository/$1" ".status.conditions[?(@.type==\"$2\")].reason")"
}
has_condition() { [ "$(condition_of "$1" "$2")" = "$3" ]; }
# Jobs that are read are deleted; the event of their end stays.
is_complete() {
  kubectl -n demo get events -o name \
    --field-selector "involvedObject.kind=Job,involvedObject.name=$1,reason=Completed" | grep .
}
# The next worker is killed at once when it has a lock. Its node is the S3 server's, where there is one only.
worker_killed_with_its_lock() {
  on_node "$(s3_node)" timeout 120 sh -c "until $locks_in_s3 | grep -q .; do sleep 0.1; done
    pkill -KILL -f '[b]ackup-percona-xtradb'" || fail "no worker had a lock"
}
