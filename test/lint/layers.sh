#!/usr/bin/env bash
# Who may include whom (docs/architecture.md): each line of the table is a folder and what its files may include.
# usage: layers.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"

git grep -n '^#include' -- '*.c' '*.h' ':!test' ':!bench' | awk -F: '
BEGIN {
  # folder: own layer and what stands below; libraries by the start of their header
  may["core/base"] = "core/base/ jansson.h openssl/"
  may["core/loop"] = "core/base/ core/loop/ uv.h"
  may["core/net"] = "core/base/ core/loop/ core/net/ uv.h nghttp2/ openssl/ libwebsockets.h"
  may["core/restic"] = "core/base/ core/restic/ jansson.h"
  may["k8s"] = "core/base/ k8s/ jansson.h yaml.h"
  may["k8s/model"] = "core/base/ k8s/ jansson.h yaml.h zlib.h"
  may["metrics"] = "core/base/ metrics/ zlib.h"
  may["controllers"] = "core/base/ core/restic/ k8s/ controllers/ metrics/ jansson.h"
  may["controllers/job"] = "core/base/ core/loop/ core/net/ core/restic/ k8s/ controllers/ metrics/ jansson.h libdeflate.h openssl/"
  # what libc gives each layer; the pure ones get no door to the outside
  # (emmintrin.h is instructions of the processor)
  pure = "assert.h ctype.h emmintrin.h errno.h inttypes.h limits.h math.h regex.h stdarg.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h strings.h sys/types.h"
}
{
  file = $1; line = $2; inc = $0
  sub(/^[^<"]*[<"]/, "", inc); sub(/[>"].*/, "", inc)
  folder = file; sub(/\/[^\/]*$/, "", folder)
  if (folder == "core/cmd") next                       # may include everything; nobody includes it
  if (!(folder in may)) { print file ": no such layer: " folder; bad = 1; next }
  ok = 0
  n = split(may[folder], words, " ")
  for (i = 1; i <= n; i++) if (index(inc, words[i]) == 1) ok = 1
  if (inc ~ /^k8s\/model\// && folder != "k8s/model") ok = 0   # the model is no part of the client
  if (inc ~ /^controllers\/job\// && folder != "controllers/job") ok = 0
  if (inc ~ /\// && inc !~ /^(sys|netinet|arpa|linux)\// && !ok) { print file ":" line ": may not include " inc; bad = 1; next }
  if (inc ~ /^(sys|netinet|arpa|linux)\// || inc !~ /\//) {
    if (ok) next
    outside = (folder == "core/loop" || folder == "core/net" || folder == "controllers/job")
    m = split(pure, libc, " ")
    for (i = 1; i <= m; i++) if (inc == libc[i]) ok = 1
    # base writes log lines (write) and wipes memory: log.c alone knows unistd.h
    if (inc == "unistd.h" && file == "core/base/log.c") ok = 1
    if (!ok && !outside) { print file ":" line ": may not include " inc; bad = 1 }
  }
}
END { if (!bad) print "layers: " NR " includes, all allowed"; exit bad }'
