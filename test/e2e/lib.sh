# lib: what the end-to-end tests share: a devkube in a folder of its own, checks that say what they saw, and an end that
# leaves nothing behind. Sourced; sets dir, here, bin, KUBECONFIG.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$(realpath -m "${E2E_BIN:-$(dirname "${1:-$here/build/dev}")/release}")
dir=$(mktemp -d)
chmod 711 "$dir" # the database servers, which are not root, have folders in it
export KUBECONFIG=$dir/cluster/kubeconfig
export E2E_PART=$dir
export KUBECACHEDIR=$dir/kubectl # of this server; by default those of all that were at its address are mixed, and stay
checks=0

pids() { grep -lzxF -- "E2E_PART=$dir" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vx -e $$ -e "$BASHPID" || :; }
# A test that has more to clean up defines extra_finish.
finish() {
  local code=$? p
  trap - EXIT
  if [ $code != 0 ]; then
    echo "--- failed; last lines of the logs in $dir:"
    for f in "$dir"/*.log; do [ -e "$f" ] && { echo "--- $f"; tail -n 15 "$f"; }; done
    if [ -s "$KUBECONFIG" ]; then
      echo "--- pods and the operator's log"
      timeout 10 kubectl get pods -A 2>&1 || :
      timeout 10 kubectl -n stash logs stashd 2>/dev/null | tail -n 25 || :
      timeout 10 kubectl -n demo get backupsession,restoresession,job 2>/dev/null || :
      timeout 10 kubectl -n stash get pod stashd -o 'jsonpath={.status.containerStatuses}' 2>/dev/null || :
    fi
  fi
  ! declare -F extra_finish >/dev/null || extra_finish || :
  [ ! -d "$dir/galera" ] || BASE=$dir/galera "$here/test/galera/cluster" wipe >/dev/null 2>&1 || :
  for p in $(pids); do kill -TERM "$p" 2>/dev/null || :; done
  for _ in $(seq 50); do [ -n "$(pids)" ] || break; read -rt 0.1 <> <(:) || :; done
  for p in $(pids); do kill -KILL "$p" 2>/dev/null || :; done
  rm -rf "$dir" /dev/shm/devkube-"$(printf %s "$dir/cluster" | sha256sum | cut -c1-12)"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

. "$here/test/e2e/await.sh"
fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { checks=$((checks + 1)); echo "ok: $*"; }
# expect WHAT GOT WANTED (a shell pattern)
expect() {
  # shellcheck disable=SC2053
  [[ $2 == $3 ]] || fail "$1: \"$2\" is not \"$3\""
  ok "$1: $2"
}

# devkube_up [FLAGS…]: starts it (again) on the same folder.
devkube_up() {
  rm -f "$KUBECONFIG"
  "$bin/devkube" --state="$dir/cluster" --port=0 --image="stash*=$bin/stash-job" "$@" >>"$dir/devkube.log" 2>&1 </dev/null &
  devkube_pid=$!
  await 30 "devkube" test -s "$KUBECONFIG"
  await 30 "devkube's API" kubectl get namespaces
}

# operator_up [MANIFEST]: kinds, rights and catalogue, and the operator as a pod.
operator_up() {
  kubectl apply -f "$here/chart/templates/crds" >/dev/null
  kubectl wait --for=condition=Established --timeout=60s -f "$here/chart/templates/crds" >/dev/null
  kubectl create namespace stash >/dev/null
  kubectl create namespace demo >/dev/null
  kubectl apply -f "$here/chart/manifests/rbac" -f "$here/chart/manifests/catalog" >/dev/null
  # A Lease that nobody holds: who has to make one waits for its time before it leads.
  kubectl apply -f - >/dev/null <<'YAML'
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: stashd, namespace: stash}
spec: {holderIdentity: "", leaseDurationSeconds: 15}
YAML
  kubectl apply -f "${1:-$here/test/e2e/operator.yaml}" >/dev/null
  await 60 "the operator" is pod/stashd '.status.containerStatuses[0].ready' true stash
}
