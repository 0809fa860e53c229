# Sourced by tests that make backups with galera_driver. Takes $driver; gives $folder, $POD_IP and an empty repository,
# run, and what a run must have come to. The test writes $folder/app.json and calls cleanup_backups in its trap.
folder=$(mktemp -d /tmp/tb.XXXXXX)
chmod 711 "$folder"
. "$here/addresses"
ip() { echo "127.0.0.$((FIRST + $1 - 1))"; }
export POD_IP=127.0.0.$((FIRST + 9)) STASH_STORAGE_SECRET_DIR=$folder/storage STASH_APP_SECRET_DIR=$folder/app
export RESTIC_REPOSITORY=$folder/repo RESTIC_PASSWORD=backup-password RESTIC_CACHE_DIR=$folder/cache
failed=0 job='' status=0 before=0
mkdir "$folder/storage" "$folder/app" "$folder/scratch"
printf %s "$RESTIC_PASSWORD" >"$folder/storage/RESTIC_PASSWORD"

cleanup_backups() {
  [[ -n $job ]] && kill -KILL "$job" 2>/dev/null
  rm -rf "$folder"
}
fail() {
  echo "  FAILED: $*"
  failed=$((failed + 1))
  tail -8 "$folder/log" | cut -c1-300 | sed 's/^/    /'
}
snapshots() {
  restic snapshots --json --no-lock 2>/dev/null | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))' 2>/dev/null || echo 0
}
error_text() {
  python3 -c 'import json, sys; print(json.load(sys.stdin)["targetStatus"]["stats"][0].get("error", ""))' <"$folder/out"
}
until_true() { # until_true SECONDS COMMAND...: polls a condition of another process
  local end=$((SECONDS + $1))
  shift
  until "$@"; do ((SECONDS < end)) || return 1; sleep 0.1; done
}

start() { # one backup
  : >"$folder/log" # by us, before anything looks at it
  : >"$folder/out"
  "$driver" "$folder/app.json" "$folder/repo" "$folder/scratch" >"$folder/out" 2>"$folder/log" &
  job=$!
}
run() { # one backup to its end; one that was started already
  [[ -n $job ]] || start
  wait "$job"
  status=$? job=''
}
expect_good() {
  run
  ((status == 0)) || { fail "$(error_text)"; return 1; }
  [[ $(snapshots) == $((before + 1)) ]] || fail "no snapshot"
  before=$(snapshots)
}
expect_failure() { # expect_failure TEXT...: one error with all of them, no snapshot, no lock, nothing left in scratch
  local text error
  run
  error=$(error_text)
  ((status == 1)) || fail "exit status $status"
  for text; do [[ $error == *"$text"* ]] || fail "error is '$error', expected '$text'"; done
  [[ $(snapshots) == "$before" ]] || fail "a snapshot was made"
  [[ -z $(restic list locks --no-lock 2>/dev/null) ]] || fail "a lock stayed"
  [[ -z $(ls "$folder/scratch") ]] || fail "left behind: $(ls "$folder/scratch")"
}
run_cases() { # each as case_NAME, after before_case
  local name began failed_before
  for name; do
    began=$SECONDS failed_before=$failed
    rm -rf "$folder/repo"
    restic init >/dev/null 2>&1
    before=0
    before_case
    "case_$name"
    ((failed == failed_before)) && echo "ok $name ($((SECONDS - began)) s)" || echo "NOT ok $name"
  done
}

# Certificates: files NAME.crt and NAME.key in $1.
make_ca() { # make_ca FOLDER NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -days 2 \
    -keyout "$1/$2.key" -out "$1/$2.crt" 2>/dev/null
}
make_cert() { # make_cert FOLDER CA NAME [OPTION OF openssl req...]: common name is NAME unless an option says otherwise
  local at=$1 ca=$2 name=$3
  shift 3
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" "$@" -keyout "$at/$name.key" \
    -out "$at/csr" 2>/dev/null
  sign "$at" "$ca" "$name" "$(date -u +%y%m%d%H%M%SZ -d '-1 hour')" "$(date -u +%y%m%d%H%M%SZ -d '+2 days')"
}
make_expired() { # make_expired FOLDER CA NAME
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" -keyout "$1/$3.key" -out "$1/csr" 2>/dev/null
  sign "$1" "$2" "$3" "$(date -u +%y%m%d%H%M%SZ -d '-2 days')" "$(date -u +%y%m%d%H%M%SZ -d '-1 day')"
}
sign() { # sign FOLDER CA NAME FROM TO; "openssl x509" of Debian 12 cannot date back
  local d=$1/ca.$2
  if [[ ! -d $d ]]; then
    mkdir "$d"
    : >"$d/index"
    echo 'unique_subject = no' >"$d/index.attr"
    printf '[ca]\ndefault_ca=c\n[c]\nnew_certs_dir=%s\ndatabase=%s/index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=optional\norganizationName=optional\n' \
      "$d" "$d" >"$d/conf"
  fi
  openssl ca -batch -notext -config "$d/conf" -cert "$1/$2.crt" -keyfile "$1/$2.key" -in "$1/csr" -out "$1/$3.crt" \
    -startdate "$4" -enddate "$5" 2>>"$1/openssl.log" || echo "cannot sign $3: $(tail -3 "$1/openssl.log")"
}
