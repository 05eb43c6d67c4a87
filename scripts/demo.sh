#!/bin/bash
# The whole story, unattended: two users provisioned, both phones registered
# with digest, a call set up and torn down, state shown, a value tuned.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-$(scripts/find-go)}
exec "$GO" run ./cmd/sipd/demo -bin "$PWD/bin" -config docs/sipd.cfg
