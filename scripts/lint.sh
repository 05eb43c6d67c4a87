#!/bin/bash
# Layout, vet, staticcheck, dead code: all must be silent.
set -u
GO=${GO:-go}
cd "$(dirname "$0")/.." || exit 1
bin=$("$GO" env GOPATH)/bin
tool() { # tool NAME MODULE@VERSION
	[ -x "$bin/$1" ] || GOFLAGS= "$GO" install "$2" || exit 1
}
tool gofumpt mvdan.cc/gofumpt@v0.12.0
tool staticcheck honnef.co/go/tools/cmd/staticcheck@v0.8.2
bad=0
files=$(git ls-files '*.go')
unformatted=$("$bin/gofumpt" -l $files)
[ -z "$unformatted" ] || { printf 'gofumpt would change:\n%s\n' "$unformatted"; bad=1; }
"$GO" vet ./... || bad=1
"$bin/staticcheck" ./... || bad=1
"$GO" mod verify >/dev/null || bad=1
if ! "$GO" mod tidy -diff >/dev/null 2>&1; then
	echo "go.mod or go.sum is not tidy: go mod tidy"
	bad=1
fi
exit $bad
