# await: waiting for what is to come. Where an object tells it, by the events of a watch: a kubectl five times a second
# takes a third of a core from what is waited for. Sourced; wants fail, and a kubectl that reaches the server.
export GOGC=400 # kubectl and helm live for a moment, and much of it would go to Go's collector
final='@(Succeeded|Failed|Skipped|Invalid|Unknown)'

# field KIND/NAME JSONPATH [NAMESPACE]
field() { kubectl -n "${3:-demo}" get "$1" -o "jsonpath={$2}" 2>/dev/null || :; }
# is KIND/NAME JSONPATH VALUE [NAMESPACE]: VALUE is a shell pattern
# shellcheck disable=SC2053
is() { [[ $(field "$1" "$2" "${4:-demo}") == $3 ]]; }
# is_final SESSION [NAMESPACE]
is_final() { is "$1" .status.phase "$final" "${2:-demo}"; }

# await SECONDS WHAT COMMAND…: until it succeeds. When it is looked at:
#   is …, is_final …       the value comes with each event of the object
#   on RESOURCE COMMAND…   with each event of RESOURCE (words for kubectl get), and every two seconds
#   else                   five times a second
await() {
  local end=$((EPOCHSECONDS + $1)) what=$2
  shift 2
  case $1 in
    is) until_event "${5:-demo}" "$2" "{.type}:{.object$3}" fits "$4" ;;
    is_final) until_event "${3:-demo}" "$2" "{.type}:{.object.status.phase}" fits "$final" ;;
    on) until_event demo "$2" "{.type}" looks "${@:3}" ;;
    *) until_look "$@" ;;
  esac || fail "gave up waiting for $what"
}
# Both until end, and fail then.
until_look() {
  until "$@" >/dev/null 2>&1; do
    [ $EPOCHSECONDS -lt "$end" ] || return 1
    read -rt 0.2 <> <(:) || :
  done
}
until_event() { # NAMESPACE RESOURCE JSONPATH-OF-AN-EVENT COMMAND…: COMMAND knows it as event
  local ns=$1 resource=$2 path=$3 event='' events watch code
  shift 3
  while [ $EPOCHSECONDS -lt "$end" ]; do
    # shellcheck disable=SC2086
    exec {events}< <(exec kubectl -n "$ns" get $resource -w --output-watch-events -o "jsonpath=$path{\"\\n\"}" 2>/dev/null)
    watch=$!
    while :; do
      if "$@"; then code=0; break; fi
      read -rt 2 -u "$events" event && continue || code=$?
      [ $code -gt 128 ] && [ $EPOCHSECONDS -lt "$end" ] || break # the watch has ended, or the time
    done
    kill $watch 2>/dev/null || :
    exec {events}<&-
    [ $code != 0 ] || return 0
    event=''
    read -rt 0.2 <> <(:) || :
  done
  return 1
}
# shellcheck disable=SC2053
fits() { [[ $event != DELETED:* && ${event#*:} == $1 && -n $event ]]; }
looks() { "$@" >/dev/null 2>&1; }
