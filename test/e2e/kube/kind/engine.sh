# engine: the docker under kind, sourced by cluster, guard and dockerd. The machine's own where it can pull images; else Debian's dockerd, unpacked
# and never installed, in namespaces of its own (processes, mounts, network). So nothing of it can outlive it: when its first
# process ends, the kernel ends all others, and their mounts and networks with them. All clusters of a cache folder share one,
# and its images stay for the next time.
cache=${STASHD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/stashd}
store=$cache/kind # what is kept: Debian bases, dockerd, its images
run=$cache/run    # what runs: dockerd/ and kind-NAME/
engine=$run/dockerd

# native: docker is there, and a registry behind it.
native() {
  case ${STASHD_E2E_KIND:-} in
    native) return 0 ;;
    own) return 1 ;;
  esac
  if [ -z "${is_native:-}" ]; then
    is_native=no
    if engine_runs; then # once up it stays what it is
      [ ! -e "$engine/native" ] || is_native=yes
    elif command -v docker >/dev/null && docker info >/dev/null 2>&1 &&
      docker pull -q debian:bookworm-slim >/dev/null 2>&1; then
      is_native=yes
    fi
  fi
  [ "$is_native" = yes ]
}

# alive_since PID: its id and start, which no later process has. is_alive FILE: still the same one?
alive_since() {
  local stat since=gone
  # What nobody has waited for yet has ended all the same.
  if stat=$(cat "/proc/$1/stat" 2>/dev/null) && stat=${stat##*) } && [ "${stat:0:1}" != Z ]; then since=$(cut -d' ' -f20 <<<"$stat"); fi
  echo "$1 $since"
}
is_alive() {
  local pid since
  read -r pid since 2>/dev/null <"$1" || return 1
  [ "$(alive_since "$pid")" = "$pid $since" ] && [ "$since" != gone ]
}

engine_runs() { is_alive "$engine/pid"; }
users() { ls -d "$run"/kind-*/ 2>/dev/null || :; }

# sweep: what killed runs left: clusters whose owner is gone; of a dockerd that is gone, cgroups and folders.
sweep() {
  local one
  rm -rf "$store"/tmp.* # the lock is ours: nobody builds
  for one in $(users); do
    [ -e "$one/owner" ] && ! is_alive "$one/owner" || continue
    (name=$(basename "$one") name=${name#kind-} state=$run/kind-$name && remove_cluster) || :
  done
  engine_runs || engine_clean
}

engine_clean() {
  local tree
  rm -rf "$engine"
  for tree in /sys/fs/cgroup/"$(engine_cgroup)" /sys/fs/cgroup/*/"$(engine_cgroup)"; do
    [ ! -d "$tree" ] || find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null || :
  done
  [ ! -e "$run/made-modules" ] || { rmdir /lib/modules 2>/dev/null || :; rm -f "$run/made-modules"; }
}

# All of a cluster's containers are one group; beside other tests, each of whose processes may be a group to the scheduler,
# it has the work of several.
engine_weight() {
  local group=/sys/fs/cgroup file=cpu.weight weight=600
  if [ -e $group/cpu/cpu.shares ]; then group=$group/cpu file=cpu.shares weight=6144; fi # cgroup v1
  group=$group/$(engine_cgroup)
  { mkdir -p "$group" && echo $weight >"$group/$file"; } 2>/dev/null || : # it works all the same, but later
}

engine_cgroup() { echo "stashd-$(printf %s "$cache" | sha256sum | cut -c1-8)"; }

# Debian's dockerd and its client, unpacked.
dockerd_folder() {
  local folder=$store/docker temp
  if [ ! -x "$folder/usr/sbin/dockerd" ]; then
    mkdir -p "$store"
    temp=$(mktemp -d "$store/tmp.XXXXXX")
    (cd "$temp" && { apt-get -qq download docker.io tini || { apt-get -qq update && apt-get -qq download docker.io tini; }; }) \
      >/dev/null 2>"$temp/log" || { cat "$temp/log" >&2; die "apt could not download docker.io and tini"; }
    for deb in "$temp"/*.deb; do dpkg -x "$deb" "$temp/root"; done
    mv "$temp/root" "$folder"
    rm -rf "$temp"
  fi
  echo "$folder"
}

engine_path() { native || export DOCKER_HOST=unix://$engine/docker.sock PATH=$store/docker/usr/bin:$store/docker/usr/sbin:$PATH; }

# engine_start: dockerd and its guard, which outlives us. A guard is there for owners with the machine's docker too.
engine_start() {
  if engine_runs; then engine_path; return; fi
  local mode=native
  native || mode=own
  engine_clean
  mkdir -p "$engine/exec"
  [ $mode = own ] || touch "$engine/native"
  if [ $mode = own ]; then
    [ "$(id -u)" = 0 ] || die "must be root where docker can't pull images"
    dockerd_folder >/dev/null
    [ -d /lib/modules ] || { mkdir /lib/modules && touch "$run/made-modules"; } # kind mounts it; empty is fine
    engine_weight
  fi
  setsid "$kube/kind/guard" "$mode" </dev/null >"$engine/log" 2>&1 9>&- &
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    engine_runs && { engine_path; docker info >/dev/null 2>&1; } && break
    [ ! -e "$engine/failed" ] || break
    read -rt 0.1 <> <(:) || :
  done
  docker info >/dev/null 2>&1 || { tail -n 15 "$engine/log" >&2; die "dockerd does not start"; }
  [ $mode = native ] || tidy_docker
}

# What an earlier dockerd, killed, had still running comes up again with the next one.
tidy_docker() {
  local old
  old=$(docker ps -aq)
  [ -z "$old" ] || xargs docker rm -fv <<<"$old" >/dev/null
  docker volume prune -f >/dev/null
  docker image prune -f --filter until=168h >/dev/null # younger ones spare the next build its steps
}

engine_stop() {
  local pid since tries
  if engine_runs; then
    read -r pid since <"$engine/guard"
    kill -TERM "$pid" 2>/dev/null || :
    for ((tries = 0; tries < 300; tries++)); do
      is_alive "$engine/guard" || break
      read -rt 0.1 <> <(:) || :
    done
    ! is_alive "$engine/guard" || kill -KILL "$pid"
    while engine_runs; do read -rt 0.1 <> <(:) || :; done
  fi
  engine_clean
}

# find_programs: kind, kubectl and the others, first in PATH. They were built before the cluster came up.
find_programs() {
  local names=() # all; but those that a node image of our own is made of
  programs=${STASHD_KUBE_BIN:-}
  ! native || names=(kind kubectl helm s3)
  if [ -z "$programs" ]; then programs=$(cat "$state/programs" 2>/dev/null || "$kube/build" "${names[@]}"); fi
  export PATH=$programs:$PATH
}

# inside CMD…: in dockerd's network; its mounts are not needed, files are the caller's.
inside() {
  if native; then "$@"; else setpriv --pdeathsig KILL nsenter --net="/proc/$(cut -d' ' -f1 "$engine/pid")/ns/net" "$@"; fi
}
inside_exec() {
  native && exec "$@"
  exec nsenter --net="/proc/$(cut -d' ' -f1 "$engine/pid")/ns/net" "$@"
}

# contained CMD…: a build that mounts and forks; when we are killed, all of it ends.
contained() { setpriv --pdeathsig KILL unshare --mount --pid --fork --mount-proc --kill-child "$@"; }

base_image() {
  engine_runs || die "docker does not run: up --nodes 0"
  engine_path
  docker image inspect debian:bookworm-slim >/dev/null 2>&1 && return
  if native; then docker pull -q debian:bookworm-slim >/dev/null; return; fi
  contained "$kube/kind/base" "$store"
  docker import -c 'CMD ["bash"]' "$store/base.tar" debian:bookworm-slim >/dev/null
}

node_key() {
  {
    cat "$kube"/kind/{base,node-image,node-packages.sh,node-containers.sh,oci-image,entry,minicni.sh,default-cni.yaml,pause.c}
    echo "$programs" # its name has the hash of the versions in it
  } | sha256sum | cut -c1-12
}

copy_kind_source() {
  local go temp
  go=$(command -v go || ls "$cache"/go-*/bin/go)
  temp=$(mktemp -d "$store/tmp.XXXXXX")
  cp -r "$(cd "$kube/cluster" && "$go" mod download -json sigs.k8s.io/kind | jq -r .Dir)"/. "$temp/"
  chmod -R u+w "$temp"
  mv "$temp" "$1"
}

make_node_image() {
  local source=$store/$("$programs/kind" version -q)
  # The files of a node are in kind's module, where Go keeps it.
  [ -d "$source" ] || copy_kind_source "$source"
  contained "$kube/kind/node-image" "$1" "$store" "$programs" "$source"
  # Other checkouts have theirs, so the others go by age.
  docker image prune -af --filter label=stashd-kind-node --filter until=48h >/dev/null
}
