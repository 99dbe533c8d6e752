#!/usr/bin/env bash
# Brings the definitions of kinds that belong to others, and that deploy/ and the
# tests use, into bin/share/definitions: out of the Go modules that ship them.
set -euo pipefail
cd "$(dirname "$0")/.."

# from FOLDER MODULE@VERSION FILE… copies files of a module's folder.
from() {
  local folder=$1 module=$2 file
  shift 2
  folder=$(cd / && GOFLAGS='' GOWORK=off go mod download -json "$module" | sed -n 's/^\s*"Dir": "\(.*\)".*/\1/p')/$folder
  for file in "$@"; do install -m 0644 "$folder/$file" "bin/share/definitions/$file"; done
}

mkdir -p bin/share/definitions
from config/crd/standard sigs.k8s.io/gateway-api@v1.5.1 \
  gateway.networking.k8s.io_httproutes.yaml
from example/prometheus-operator-crd github.com/prometheus-operator/prometheus-operator@v0.76.2 \
  monitoring.coreos.com_servicemonitors.yaml monitoring.coreos.com_prometheusrules.yaml
from config/crds/bases github.com/external-secrets/external-secrets@v0.16.2 \
  external-secrets.io_externalsecrets.yaml external-secrets.io_secretstores.yaml
