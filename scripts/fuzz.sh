#!/bin/bash
# fuzz.sh TIME: every fuzz target for TIME, one after another.
set -u
GO=${GO:-go}
cd "$(dirname "$0")/.." || exit 1
time=${1:-30s} bad=0
while read -r file; do
	pkg=./$(dirname "$file")
	for f in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(f \*testing\.F).*/\1/p' "$file"); do
		echo "== $pkg $f $time"
		"$GO" test -run '^$' -fuzz "^$f\$" -fuzztime "$time" "$pkg" || bad=1
	done
done < <(git ls-files '*_test.go' | xargs grep -l '^func Fuzz')
exit $bad
