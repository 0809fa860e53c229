# Sourced by ../cluster: the level "controlplane": etcd, API server and controller-manager in a network namespace.
# No node: pods stay Pending, and a test that needs one running writes its status as a kubelet would.
# Wants: name, state, bin. The flags that matter and why: real-kubernetes.md §2.

address=172.30.0.1
netns=stashd-$name

inside=(nsenter "--net=/var/run/netns/$netns")

controlplane_network() {
  ip netns add "$netns"
  "${inside[@]}" ip link set lo up
  "${inside[@]}" ip link add br0 type bridge
  "${inside[@]}" ip address add "$address/24" dev br0
  "${inside[@]}" ip link set br0 up
  "${inside[@]}" ip route add default dev br0
}

# certificate NAME SUBJECT [SAN]: signed by the cluster's authority.
certificate() {
  local at=$state/pki/$1
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$at.key" -out "$at.csr" -subj "$2" 2>/dev/null
  openssl x509 -req -in "$at.csr" -CA "$state/pki/ca.crt" -CAkey "$state/pki/ca.key" -CAcreateserial -days 30 \
    -out "$at.crt" -extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\n%s' "${3:+subjectAltName=$3}") 2>/dev/null
  rm -f "$at.csr"
}

# kubeconfig_of NAME FILE
kubeconfig_of() {
  cat >"$2" <<EOF
apiVersion: v1
kind: Config
current-context: $name
contexts: [{name: $name, context: {cluster: $name, user: $1}}]
clusters:
- name: $name
  cluster:
    server: https://$address:6443
    certificate-authority-data: $(base64 -w0 "$state/pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$state/pki/$1.crt")
    client-key-data: $(base64 -w0 "$state/pki/$1.key")
EOF
}

controlplane_keys() {
  mkdir -p "$state/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=kubernetes-ca \
    -keyout "$state/pki/ca.key" -out "$state/pki/ca.crt" 2>/dev/null
  openssl genrsa -out "$state/pki/accounts.key" 2048 2>/dev/null
  local names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost
  certificate server /CN=kube-apiserver "$names,IP:$address,IP:127.0.0.1,IP:10.96.0.1"
  certificate admin /O=system:masters/CN=kubernetes-admin
  certificate manager /CN=system:kube-controller-manager
  certificate front-proxy /CN=front-proxy-client
  kubeconfig_of admin "$state/kubeconfig"
  kubeconfig_of manager "$state/manager.kubeconfig"
}

# What a test asks of the log: who did what to which object. Bodies are not in it, so no Secret is.
audit_policy() {
  cat <<'EOF'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]
- level: None
  userGroups: ["system:nodes"]
- level: Metadata
EOF
}

# server NAME FLAGS…: of those of a cluster for tests, which lasts minutes, Go's collector leaves more memory.
server() {
  local each=$1 sparing=(env GOGC=400)
  shift
  [ "${durable:-0}" = 0 ] || sparing=()
  process_run "$each" "${inside[@]}" "${sparing[@]}" "$bin/$each" "$@"
}

controlplane_etcd() {
  local quick=--unsafe-no-fsync
  [ "${durable:-0}" = 0 ] || quick=
  # shellcheck disable=SC2086
  server etcd --name "$name" --data-dir "$state/etcd" $quick --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster "$name=http://127.0.0.1:2380" --quota-backend-bytes 8589934592
}

controlplane_server() {
  local pki=$state/pki
  server kube-apiserver \
    --etcd-servers http://127.0.0.1:2379 --bind-address 0.0.0.0 --secure-port 6443 --advertise-address "$address" \
    --service-cluster-ip-range 10.96.0.0/16 --authorization-mode Node,RBAC --allow-privileged=true \
    --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/server.crt" --tls-private-key-file "$pki/server.key" \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$pki/accounts.key" \
    --service-account-signing-key-file "$pki/accounts.key" \
    --requestheader-client-ca-file "$pki/ca.crt" --requestheader-allowed-names front-proxy-client \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- \
    --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key" \
    --enable-aggregator-routing=true --event-ttl 24h \
    --audit-policy-file "$state/audit-policy.yaml" --audit-log-path "$state/audit.log" --audit-log-mode batch \
    --audit-log-maxsize 2000
}

# A quota of a kind that the manager learns of later is counted at the next sync only: by default after minutes.
controlplane_manager() {
  server kube-controller-manager \
    --kubeconfig "$state/manager.kubeconfig" --use-service-account-credentials \
    --root-ca-file "$state/pki/ca.crt" --service-account-private-key-file "$state/pki/accounts.key" \
    --leader-elect=false --bind-address 127.0.0.1 --kube-api-qps 200 --kube-api-burst 400 --resource-quota-sync-period 10s
}

server_ready() { "${inside[@]}" "$bin/kubectl" --kubeconfig "$state/kubeconfig" get --raw /readyz; }

load_images() { echo "cluster: this level has no node that runs images; --level kind has" >&2; return 2; }
stop_process() { process_stop "$1" "${2:-TERM}"; }

# start_process NAME: the one of this level again, after stop.
start_process() {
  case $1 in
    etcd) controlplane_etcd ;;
    kube-apiserver) controlplane_server && wait_for 60 "the API server" server_ready ;;
    kube-controller-manager) controlplane_manager ;;
    *) echo "cluster: this level has etcd, kube-apiserver and kube-controller-manager, not \"$1\"" >&2; return 2 ;;
  esac
}

level_up() {
  "$here/kube/build" etcd kube-apiserver kube-controller-manager kubectl >/dev/null
  controlplane_network
  controlplane_keys
  audit_policy >"$state/audit-policy.yaml"
  controlplane_etcd
  controlplane_server
  wait_for 90 "the API server" server_ready || return
  controlplane_manager
  wait_for 60 "the default ServiceAccount" \
    "${inside[@]}" "$bin/kubectl" --kubeconfig "$state/kubeconfig" get serviceaccount default
}

# Also after a killed up: takes whatever is there.
level_down() {
  local each
  for each in kube-controller-manager kube-apiserver etcd; do process_stop "$each"; done
  [ ! -e "/var/run/netns/$netns" ] || ip netns delete "$netns"
}

level_sh() {
  export KUBECONFIG=$state/kubeconfig KUBECACHEDIR=$state/kubectl PATH=$bin:$PATH
  exec nsenter "--net=/var/run/netns/$netns" "$@"
}
