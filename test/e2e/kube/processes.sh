# Sourced: processes of a cluster, kept by name in $state/pids, each with its start time, so that a number that the kernel
# has given to somebody else is never signalled. Wants: state (folder).

# started_at PID: the kernel's start time of the process; nothing when it is gone or a zombie.
started_at() {
  local fields
  fields=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
  set -- $fields
  [ "$1" = Z ] || echo "${20}"
}

# process_run NAME CMD…: starts it detached, with its output in $state/log/NAME.
process_run() {
  local name=$1 pid
  shift
  mkdir -p "$state/pids" "$state/log"
  setsid nohup "$@" </dev/null >>"$state/log/$name" 2>&1 9>&- &
  pid=$!
  disown "$pid"
  echo "$pid $(started_at "$pid")" >"$state/pids/$name"
}

process_alive() {
  local pid start
  { read -r pid start <"$state/pids/$1"; } 2>/dev/null || return 1
  [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ]
}

# process_signal NAME SIGNAL: 0 also when it is gone.
process_signal() {
  local pid
  process_alive "$1" || return 0
  read -r pid _ <"$state/pids/$1"
  kill "-$2" "$pid" 2>/dev/null || true
}

# process_stop NAME [SIGNAL]: sends it, waits ten seconds, kills, forgets.
process_stop() {
  local pid deadline=$((SECONDS + 10))
  if process_alive "$1"; then
    process_signal "$1" CONT
    process_signal "$1" "${2:-TERM}"
    read -r pid _ <"$state/pids/$1"
    timeout 10 tail --pid="$pid" -f /dev/null || true
    [ $SECONDS -lt $deadline ] || process_signal "$1" KILL
  fi
  rm -f "$state/pids/$1"
}

# wait_for SECONDS WHAT CMD…: until CMD succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then
      echo "cluster: $what did not come" >&2
      return 1
    fi
    sleep 0.2
  done
}
