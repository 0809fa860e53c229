#!/usr/bin/env bash
# clang reads every source without a warning (gcc's are errors in the build itself). Syntax and warnings only: no code is
# made, so this takes seconds.
# usage: clang.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
cd "$1"
flags=(-fsyntax-only -Werror -std=gnu11 -D_GNU_SOURCE '-DSTASHD_VERSION="0"' '-DTEST_DATA=""' '-DSIM_CHART=""' -I. -Itest/unit
       -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wswitch-enum -Wvla -Wundef
       -Wwrite-strings -Wcast-align)
git ls-files '*.c' | xargs -P "$(nproc)" -n 8 clang "${flags[@]}"
echo "clang: $(git ls-files '*.c' | wc -l) files without a warning"
