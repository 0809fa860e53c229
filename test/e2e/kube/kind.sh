# Sourced by ../cluster: the level "kind": nodes in containers that run pods. Wants: here, name, nodes, owner, state.

kind_cluster() { local verb=$1; shift; "$here/kube/kind/cluster" "$verb" --name "$name" "$@"; }

level_up() {
  local folder
  mkdir -p "$state/log"
  kind_cluster up --nodes "$nodes" ${owner:+--owner "$owner"} || return 1
  folder=$(kind_cluster path)
  ln -sfn "$folder/kubeconfig" "$state/kubeconfig"
  ln -sfn "$folder/audit/audit.log" "$state/audit.log"
}

level_down() { kind_cluster down; }
level_sh() { kind_cluster sh "$@"; }
start_process() { echo "cluster: nodes are containers: cluster sh docker start NODE" >&2; return 2; }
