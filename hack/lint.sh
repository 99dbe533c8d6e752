#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
  printf 'lint: not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
  exit 1
fi

generated() { sha256sum schemas/zz_generated.deepcopy.go schemas/json/*.json deploy/crds/*.yaml deploy/base/role.yaml; }
before=$(generated)
go run -C tools/generate .
if [ "$before" != "$(generated)" ]; then
  echo "lint: generated files were stale; they are fresh now, commit them" >&2
  exit 1
fi

go vet ./...
(cd tools/lint && go build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck)
bin/staticcheck ./...
for script in hack/*.sh .ci/run; do bash -n "$script"; done
