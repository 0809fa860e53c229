# node-packages: Debian's part of a node, sourced by node-image. Wants store, root, temp, here.
packages=(systemd systemd-sysv dbus containerd runc containernetworking-plugins iptables nftables ebtables ipset conntrack ethtool
          socat iproute2 kmod procps util-linux mount hostname ca-certificates libseccomp2 tar gzip jq busybox)

# node_packages: unpacks it to root; installed over the base once and kept.
node_packages() {
  local kept
  "$here/base" "$store"
  kept=$store/node-$(printf '%s ' "${packages[@]}" | cat - "$store/base.tar" | sha256sum | cut -c1-12).tar
  mkdir -p "$root"
  if [ -e "$kept" ]; then tar -C "$root" -xf "$kept"; return; fi
  tar -C "$root" -xf "$store/base.tar"
  install_packages || { tail -n 20 "$temp/apt.log" >&2; echo "node-image: apt failed" >&2; exit 1; }
  tar -C "$root" --numeric-owner -cf "$temp/node.tar" .
  rm -f "$store"/node-*.tar
  mv "$temp/node.tar" "$kept"
}

# The network is the machine's, and how apt reaches its mirrors. Nothing is started, and no byte waits for the disk.
install_packages() {
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' \
    >"$root/etc/dpkg/dpkg.cfg.d/node"
  apt-config dump | grep -iE '^Acquire::(https?)::Proxy' >"$root/etc/apt/apt.conf.d/machine" || :
  mount -t proc proc "$root/proc"
  {
    chroot "$root" apt-get -q update &&
      DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -yq --no-install-recommends "${packages[@]}"
  } >"$temp/apt.log" 2>&1 || return 1
  umount "$root/proc"
  rm -rf "$root"/etc/apt/apt.conf.d/machine "$root"/etc/dpkg/dpkg.cfg.d/node "$root"/usr/sbin/policy-rc.d \
    "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*
}
