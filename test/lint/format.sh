#!/usr/bin/env bash
# What every file keeps to: no blanks at line ends, a newline at the end, no note of work left over. C sources besides: no
# tabs, lines of at most 120 characters. Inputs of tests are as they are.
# usage: format.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"
bad=0

# say WHAT: lines on stdin are places where the tree is wrong
say() {
  local places
  places=$(cat)
  [ -z "$places" ] && return
  echo "$1:"; echo "$places" | head -n 40
  bad=1
}
quiet() { "$@" || [ $? = 1 ]; } # grep's "nothing found" is fine

files=(. ':!test/fuzz/corpus' ':!test/unit/data')
export LC_ALL=C.UTF-8
say "over 120 characters" < <(quiet git grep -nIE '^.{121,}' -- '*.c' '*.h' | cut -c1-100)
say "tabs" < <(quiet git grep -nIP '\t' -- '*.c' '*.h')
say "blanks at the end of a line" < <(quiet git grep -nIE '[[:blank:]]+$' -- "${files[@]}")
say "work left over" < <(quiet git grep -nIwE 'TO[D]O|FIX[M]E|XX[X]' -- "${files[@]}")
say "no newline at the end" < <(git grep -Il '' -- "${files[@]}" | while read -r file; do
  [ -n "$(tail -c 1 "$file")" ] && echo "$file"
done)
[ $bad = 0 ] && echo "format: $(git ls-files | wc -l) files, all in form"
exit $bad
