# node-containers: the images that a node brings along, each made of one program and what it needs, under the name that kubeadm,
# containerd's config or kind's manifests give it. Sourced by node-image. Wants root, images, programs, kind, here.

# archive NAME STAGE ENTRYPOINT…
archive() { "$here/oci-image" "$images/$(tr '/:' '__' <<<"$1").tar" "$@"; }

# stage FOLDER [PROGRAM…]: an empty root folder, with programs of ours.
stage() {
  local folder=$1 program
  shift
  mkdir -p "$folder"/{usr/bin,usr/sbin,usr/lib,usr/lib64,usr/local/bin,tmp,etc,run,var}
  chmod 1777 "$folder/tmp"
  for program in bin sbin lib lib64; do ln -s "usr/$program" "$folder/$program"; done
  for program in "$@"; do install -m755 "$programs/$program" "$folder/usr/local/bin/"; done
}

# libraries FOLDER FILE…: what files of the node's root need, the loader among them.
libraries() {
  local folder=$1 library
  shift
  for library in "$@"; do chroot "$root" ldd "$library" 2>/dev/null || :; done | grep -oE '/[^ ]+\.so[^ ]*' | sort -u |
    while read -r library; do
      mkdir -p "$folder$(dirname "$library")"
      cp -L "$root$library" "$folder$library"
    done
}

# nettools FOLDER: iptables and its like, as the node has them.
nettools() {
  local folder=$1 lib
  lib=$(cd "$root" && echo usr/lib/*-linux-gnu)
  mkdir -p "$folder/etc/alternatives" "$folder/$lib"
  cp -a "$root"/usr/sbin/{*tables*,nft,conntrack,ipset} "$root"/usr/bin/ip "$folder/usr/sbin/"
  cp -a "$root"/etc/alternatives/*tables* "$folder/etc/alternatives/"
  cp -a "$root/$lib/xtables" "$folder/$lib/"
  # The extensions need libraries that the programs themselves do not.
  libraries "$folder" /usr/bin/ip /usr/sbin/{xtables-nft-multi,xtables-legacy-multi,nft,conntrack,ipset} \
    $(cd "$root" && printf '/%s\n' "$lib"/xtables/*.so)
}

# shell FOLDER: busybox, and what it finds names with.
shell() {
  local folder=$1 lib name
  lib=$(cd "$root" && echo usr/lib/*-linux-gnu)
  cp "$root/bin/busybox" "$folder/bin/"
  libraries "$folder" /bin/busybox
  cp -L "$root/$lib"/{libnss_dns.so.2,libnss_files.so.2,libresolv.so.2} "$folder/$lib/"
  for name in $(chroot "$root" busybox --list); do
    [ -e "$folder/bin/$name" ] || [ -e "$folder/sbin/$name" ] || ln -s busybox "$folder/bin/$name"
  done
}

of_kubeadm() { "$programs/kubeadm" config images list --kubernetes-version "$kubernetes" 2>/dev/null | grep "/$1:"; }

# containers NAME…: makes these, two at a time: hashing and copying. Those of one program need nothing of the node's root.
of_one_program=(kube-apiserver kube-controller-manager kube-scheduler etcd coredns provisioner)
of_the_root=(kube-proxy pause helper minicni)
containers() {
  local each
  for each in "$@"; do
    [ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
    "container_${each//-/_}" &
  done
  while [ -n "$(jobs -p)" ]; do wait -n; done
}

one_program() { # NAME PROGRAM
  local folder=$temp/stage-$2
  stage "$folder" "$2"
  archive "$1" "$folder" "$2"
  rm -rf "$folder"
}
container_kube_apiserver() { one_program "$(of_kubeadm kube-apiserver)" kube-apiserver; }
container_kube_controller_manager() { one_program "$(of_kubeadm kube-controller-manager)" kube-controller-manager; }
container_kube_scheduler() { one_program "$(of_kubeadm kube-scheduler)" kube-scheduler; }
container_etcd() { one_program "$(of_kubeadm etcd)" etcd; }

container_coredns() {
  stage "$temp/coredns"
  install -m755 "$programs/coredns" "$temp/coredns/coredns"
  archive "$(of_kubeadm coredns)" "$temp/coredns" /coredns
}

container_kube_proxy() {
  stage "$temp/proxy" kube-proxy
  nettools "$temp/proxy"
  archive "$(of_kubeadm kube-proxy)" "$temp/proxy" /usr/local/bin/kube-proxy
}

container_pause() {
  stage "$temp/pause"
  gcc -Os -static -s -o "$temp/pause/pause" "$here/pause.c"
  archive "$(sed -n 's/.*sandbox_image = "\(.*\)"/\1/p' "$root/etc/containerd/config.toml")" "$temp/pause" /pause
}

container_provisioner() { one_program "$(constant storageProvisionerImage)" local-path-provisioner; }

container_helper() {
  stage "$temp/helper"
  shell "$temp/helper"
  archive "$(constant storageHelperImage)" "$temp/helper" /bin/sh
}

container_minicni() {
  stage "$temp/minicni" kubectl
  nettools "$temp/minicni"
  shell "$temp/minicni"
  install -m755 "$here/minicni.sh" "$temp/minicni/usr/local/bin/minicni"
  archive docker.io/stashd/minicni:1 "$temp/minicni" /usr/local/bin/minicni
}
