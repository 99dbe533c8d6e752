#!/usr/bin/env bash
# Runs every fuzz target of the module: FUZZTIME (60s) for those of what strangers
# send to the gate, a third of it for the others. One core a target, all cores busy.
# A crash stops the run; Go leaves its input in the package's testdata/fuzz, to be
# committed with the repair. Arguments select targets by name: hack/fuzz.sh Comment
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZTIME:-60s}
seconds=${seconds%s}
gate='^Fuzz(ParseModelDeployment|LoadRepository|ParseGovernance|Webhook|ForgedWebhook|Comment|ReadPeople|Trailers)$'
jobs=${FUZZJOBS:-$(nproc)}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# ended_in_time says whether a target failed of nothing but the end of its time: Go before 1.27
# may take its own deadline for a failure (golang/go#75804). A finding names its input or what
# panicked, and neither it nor a failed seed ends with these three lines alone.
ended_in_time() { # log target
  ! grep -qE 'Failing input written|panic|fuzzing process' "$1" &&
    grep -vE '^(fuzz: |exit status 1$|FAIL\s)' "$1" | tr '\n' ' ' |
    grep -qE "^--- FAIL: $2 \([0-9.]+s\)     context deadline exceeded FAIL \$"
}

run() { # package target
  local log=$logs/$2 time=$seconds
  [[ $2 =~ $gate ]] || time=$(((seconds + 2) / 3))
  # Coverage of code that runs in parallel differs by run, and minimising such an
  # input would take all the time.
  if ! go test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "${time}s" -fuzzminimizetime 50x -parallel 1 -timeout 20m >"$log" 2>&1 && ! ended_in_time "$log" "$2"; then
    printf 'fuzz: %s of %s fails:\n%s\n' "$2" "$1" "$(cat "$log")" >&2
    return 1
  fi
  printf 'fuzz: %-24s %3ss %s\n' "$2" "$time" "$(sed -n 's/.*\(execs: [0-9]*\).*\(new interesting: .*\)/\1, \2/p' "$log" | tail -1)"
}

failed=0
running=0
while IFS=: read -r file target; do
  [ $# -eq 0 ] || [[ $target =~ $1 ]] || continue
  if [ "$running" -ge "$jobs" ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
  [ "$failed" -eq 0 ] || break
  run "./$(dirname "$file")" "$target" &
  running=$((running + 1))
done < <(grep -roE --include='*_test.go' --exclude-dir=tools --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]+' . | sed 's/func //; s|^\./||' | sort)
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"
