#!/usr/bin/env bash
# Builds the programs that tests and the demo run against into bin/:
#
#   bin/controlplane, bin/kubectl   etcd, Kubernetes and kubectl in one program
#   bin/kwok                        plays the kubelets of the nodes
#   bin/kserve-manager              KServe's controller
#   bin/share/                      what these read: KWOK's stages, KServe's definitions and
#                                   those of Prometheus' operator
#
# Each is a Go module of its own below tools/. A program whose inputs are unchanged is left
# alone; one that has to be built takes minutes the first time and seconds after, from Go's
# build cache.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/bin
mkdir -p "$bin/share"

# The flags of the environment could name a vendor directory or build tags, which would build
# something else. Packages compiled at once are bounded for memory: each may take a gigabyte.
export GOFLAGS= GOWORK=off
jobs=$(nproc 2>/dev/null || sysctl -n hw.ncpu)
jobs=$((jobs > 4 ? 4 : jobs))

kubernetes=v1.36.3

# fingerprint MODULE prints a hash of all that decides what the module's build gives.
fingerprint() {
  {
    go version
    go env GOOS GOARCH
    cat "${BASH_SOURCE[0]}"
    find "$root/tools/$1" -type f -not -name '*_test.go' -not -name '*.md' -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum | cut -d' ' -f1
}

built=0

# build MODULE PACKAGE OUTPUT LDFLAGS MESSAGE builds a program unless it is up to date.
build() {
  local module=$1 package=$2 output=$3 ldflags=$4 message=$5
  local stamp=$bin/.$output.stamp print
  print=$(fingerprint "$module")
  if [[ -x $bin/$output && -f $stamp && $(<"$stamp") == "$print" ]]; then
    return
  fi
  echo "building $message"
  local began=$SECONDS
  rm -f "$stamp"
  (cd "$root/tools/$module" && go build -trimpath -buildvcs=false -p "$jobs" -ldflags "-s -w $ldflags" -o "$bin/$output.new" "$package")
  mv "$bin/$output.new" "$bin/$output" # In one step: the old one may be running.
  "share_$module"
  echo "$print" >"$stamp"
  echo "built bin/$output in $((SECONDS - began)) s"
  built=$((built + 1))
}

# module_dir TOOL MODULE prints where the sources of a module lie that a tool is built from.
module_dir() {
  (cd "$root/tools/$1" && go mod download "$2" && go list -m -f '{{.Dir}}' "$2")
}

# replace DIRECTORY puts a freshly filled directory in place of the old one.
replace() {
  rm -rf "$1"
  mv "$1.new" "$1"
}

share_controlplane() {
  ln -sf controlplane "$bin/kubectl"
}

# The stages that make nodes and pods ready at once.
share_kwok() {
  local from share=$bin/share/kwok
  from=$(module_dir kwok sigs.k8s.io/kwok)/kustomize/stage
  rm -rf "$share.new" && mkdir -p "$share.new"
  install -m 0644 "$from"/node/fast/node-initialize.yaml \
    "$from"/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml \
    "$from"/pod/fast/pod-{ready,complete,delete}.yaml "$share.new/"
  replace "$share"
}

# What is needed for InferenceServices, without KServe's parts for language model pools and node
# caches; and the definitions of Prometheus' operator, in the release that KServe is built with, so
# that models can be observed. Images are pinned to the manager's version, where KServe's sources say "latest".
share_kserve() {
  local from operator version share=$bin/share/kserve
  from=$(module_dir kserve github.com/kserve/kserve)/config
  version=$(cd "$root/tools/kserve" && go list -m -f '{{.Version}}' github.com/kserve/kserve)
  rm -rf "$share.new" && mkdir -p "$share.new/crds"
  install -m 0644 "$from"/crd/full/serving.kserve.io_*.yaml \
    "$from"/crd/full/clusterstoragecontainer/serving.kserve.io_*.yaml "$share.new/crds/"
  operator=$(module_dir kserve github.com/prometheus-operator/prometheus-operator)
  install -m 0644 "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml "$share.new/crds/"
  install -m 0644 "$from/webhook/manifests.yaml" "$share.new/webhooks.yaml"
  local part
  for part in runtimes storagecontainers; do
    "$bin/kubectl" kustomize "$from/$part" |
      sed -E "s#(image: kserve/[a-z-]+):latest(-gpu)?#\1:$version\2#" >"$share.new/$part.yaml"
  done
  replace "$share"
}

version_flags() {
  local package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    local IFS=.
    # shellcheck disable=SC2086 # v1.36.3 in its three parts.
    set -- ${kubernetes#v}
    printf -- '-X %s.%s ' "$package" "gitVersion=$kubernetes" "$package" "gitMajor=$1" "$package" "gitMinor=$2" \
      "$package" gitTreeState=clean "$package" gitCommit=
  done
}

build controlplane . controlplane "$(version_flags)" "the Kubernetes control plane, about eight minutes the first time"
build kwok sigs.k8s.io/kwok/cmd/kwok kwok "" "KWOK, about two minutes the first time"
build kserve github.com/kserve/kserve/cmd/manager kserve-manager "" "KServe's manager, about three minutes the first time"
if ((built == 0)); then
  echo "the tools in bin/ are up to date"
fi
