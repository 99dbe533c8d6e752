#!/usr/bin/env bash
# All tests of all modules, three packages at a time: many wait for the cluster.
# Packages that need a cluster share one control plane, started here; the
# end-to-end test starts its own.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -d test/contract/node_modules ] || npm ci --prefix test/contract --no-audit --no-fund --silent
exec bin/controlplane exec -- go test -p 3 -timeout 60m "$@" ./...
