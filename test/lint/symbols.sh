#!/usr/bin/env bash
# The pure layers reach the outside only through struct env and struct http_peer: their objects ask libc for no clock,
# file, socket, process, randomness or thread; and each object's external names start with its module's name.
# usage: symbols.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
build=$2
bad=0

forbidden='^(time|clock_gettime|gettimeofday|clock|nanosleep|usleep|sleep|rand|random|srand|rand_r|getrandom|open|openat|fopen|creat|socket|connect|bind|fork|vfork|execve|execvp|posix_spawn|system|popen|getenv|secure_getenv|localtime|localtime_r|gmtime|mktime|strftime|uv_.*|pthread_.*)$'
for layer in base restic k8s model metrics controllers; do
  lib=$build/liblayer_$layer.a
  [ -e "$lib" ] || continue
  found=$(nm -u "$lib" 2>/dev/null | awk '/^[^ ].*:$/ { object = $1 } NF == 2 { print object, $2 }' |
          awk -v f="$forbidden" '{ sub(/@.*/, "", $2); if ($2 ~ f) print }')
  if [ -n "$found" ]; then
    echo "layer $layer reaches outside:"; echo "$found"; bad=1
  fi
done

for word in strcpy strcat sprintf vsprintf strtok atoi atol gmtime localtime gets; do
  if git -C "$1" grep -nE "(^|[^_a-z])$word\(" -- '*.c' '*.h'; then
    echo "banned function: $word"; bad=1
  fi
done
[ $bad = 0 ] && echo "symbols: the pure layers are pure"
exit $bad
