# Sourced by a test on kind, with cluster and nodes set: brings the cluster up, builds the images and loads them, and
# runs the test once more where the cluster can be reached; there, and only there, it returns. At the end, also a
# killed one's, the cluster is taken down. STASHD_KEEP=1 leaves it up after a failure, for STASHD_CLUSTER=NAME test/e2e/cluster.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export STASHD_CLUSTER=$cluster
kind_cluster() { local verb=$1 name=$2; shift 2; "$here/test/e2e/kube/kind/cluster" "$verb" --name "$name" "$@"; }

# Docker's socket can be reached from here; its network can't, but here is the one that Debian's packages come by.
images_built() { # images_built DIR: their tags in DIR/tags
  cp -r "$here/test/e2e/kind/s3" "$1/"
  cp "$("$here/test/e2e/kube/build" s3)/s3" "$1/s3/"
  kind_cluster base-image "$cluster-images"
  DOCKER_HOST=$(kind_cluster sh "$cluster-images" printenv DOCKER_HOST || :) \
    PATH=$(kind_cluster sh "$cluster-images" printenv PATH) \
    "$here/images/build" stashd stash-mariadb "$here/test/e2e/kind/galera" "$1/s3" >"$1/tags" 2>"$1/log"
}

begin() {
  local work builder owner=(--owner $$)
  [ -z "${STASHD_KEEP:-}" ] || owner=()
  "$here/test/e2e/kube/build" >/dev/null
  work=$(mktemp -d)
  kind_cluster up "$cluster-images" --nodes 0 --owner $$ # docker alone
  images_built "$work" &
  builder=$!
  "$here/test/e2e/cluster" up --level kind --nodes "$nodes" --name "$cluster" "${owner[@]}" >/dev/null
  echo "ok: a cluster of $nodes node(s) after $SECONDS s"
  wait $builder || { cat "$work/log" >&2; rm -rf "$work"; echo "FAILED: the images" >&2; exit 1; }
  # shellcheck disable=SC2046
  kind_cluster load "$cluster" $(cut -d' ' -f1 "$work/tags")
  sed 's/$/ bytes/; s/^/ok: image /' "$work/tags"
  echo "ok: the images are in the nodes after $SECONDS s"
  rm -rf "$work"
}

take_down() {
  local code=$?
  trap - EXIT
  if [ $code = 0 ] || [ -z "${STASHD_KEEP:-}" ]; then "$here/test/e2e/cluster" down --name "$cluster" || code=1; fi
  kind_cluster down "$cluster-images" || code=1
  exit $code
}

if [ -z "${STASHD_INSIDE:-}" ]; then
  trap take_down EXIT
  trap 'exit 130' INT TERM
  begin
  STASHD_INSIDE=1 "$here/test/e2e/cluster" sh "$0" "$@"
  exit
fi
config=$KUBECONFIG
. "$here/test/e2e/lib.sh"
export KUBECONFIG=$config
. "$here/test/e2e/kind/main-job.sh"
