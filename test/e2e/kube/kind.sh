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
load_images() { "$here/kube/kind/cluster" load --name "$name" "$@"; }
level_sh() { kind_cluster sh "$@"; }

# stop_process, start_process NAME: a part of the control plane, whose kubelet runs it as long as its manifest is there; or a
# node, by its container's name. What is stopped is killed: nobody has time to say goodbye.
in_control_plane() { (level_sh docker exec "$name-control-plane" "$@"); }
static_pod() { [[ $1 = @(etcd|kube-apiserver|kube-controller-manager|kube-scheduler) ]]; }

stop_process() {
  static_pod "$1" || { (level_sh docker kill "$1" >/dev/null); return; }
  in_control_plane mv "/etc/kubernetes/manifests/$1.yaml" /kind/
  in_control_plane pkill -KILL -f "^$1 " || :
}

start_process() {
  static_pod "$1" || { (level_sh docker start "$1" >/dev/null); return; }
  in_control_plane mv "/kind/$1.yaml" /etc/kubernetes/manifests/
  wait_for 120 "the API server" level_sh kubectl get --raw /readyz
}
