#!/usr/bin/env bash
# Benchmarks: the packages' own five times over, then the time from a push to
# the cluster. Figures of two runs differ by tens of percent on a busy machine;
# compare medians of one run.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=$(grep -rl --include='*_test.go' '^func Benchmark' . | grep -v '^./test/bench/\|^./reconciler/apply/\|^./internal/github/' | xargs -n1 dirname | sort -u)
# shellcheck disable=SC2086 # a list of words
go test -run '^$' -bench . -benchmem -count 5 -benchtime 200ms -timeout 30m $packages
bin/controlplane exec -- go test -run '^$' -bench . -benchmem -count 3 -benchtime 1s ./reconciler/apply
go test -run '^$' -bench PushToCluster -benchtime 1x -timeout 20m ./test/bench
go test -run '^$' -bench IdlePoll -benchtime 1x -timeout 20m ./internal/github
go test -run '^$' -bench Webhook -count 3 -benchtime 2000x ./internal/github
