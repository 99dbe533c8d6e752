#!/usr/bin/env bash
# All tests of this module, three packages at a time: many wait for the cluster.
# Packages that need a cluster share one control plane, started here; the
# end-to-end test starts its own. Before them those of the control plane's program,
# as far as they need no build of Kubernetes.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -d test/contract/node_modules ] || npm ci --prefix test/contract --no-audit --no-fund --silent
go test -C tools/controlplane -trimpath ./internal/nodes ./internal/ports ./internal/supervise
exec bin/controlplane exec -- go test -p 3 -timeout 60m "$@" ./...
