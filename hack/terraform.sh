#!/usr/bin/env bash
# Checks terraform/ without an AWS account and without a network beyond the package registries:
#
#   1. formatting;
#   2. every module and composition validated by Terraform itself, against the schema of the AWS
#      provider: types, arguments, blocks, references and outputs;
#   3. the tests of every module and composition: planned and applied on a mock of AWS;
#   4. checkov, with no failed check.
#
# The AWS provider itself is not to be had from a package registry. Its schema is, in the npm
# package @cdktf/provider-aws, and tools/awsschema is a provider that has this schema and nothing
# else. Values that an argument takes, and arguments that exclude each other, it does not know.
#
# A terraform or tofu of the PATH that is recent enough is used; otherwise OpenTofu is built, about
# five minutes the first time. TERRAFORM=PROGRAM takes another. What is downloaded is kept in
# MOORING_CACHE (~/.cache/mooring).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${MOORING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mooring}
bindings=21.22.1
bindings_integrity=sha512-BuSHeaQFUL9l33pBzIMRT7cTQ69AM2mLtijjteCPhVQRmvuhuj9Lvfymf7knAMhYqAT6+Lrls9jiGVW/Us3zrQ==
checkov=3.3.30

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache" "$root/bin"
touch "$work/terraformrc"
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_CLI_CONFIG_FILE=$work/terraformrc
unset TF_CLI_ARGS TF_DATA_DIR TF_WORKSPACE TF_PLUGIN_CACHE_DIR

# engine prints the program to check with.
engine() {
  local program version
  for program in ${TERRAFORM:-terraform tofu}; do
    version=$("$program" version 2>/dev/null | sed -nE '1s/^(Terraform|OpenTofu) v([0-9.]+).*/\2/p') || continue
    if [[ -n $version && $(printf '%s\n' 1.10.0 "$version" | sort -V | sed -n 1p) == 1.10.0 ]]; then
      command -v "$program"
      return
    fi
  done
  if [[ -n ${TERRAFORM:-} ]]; then
    echo "terraform: $TERRAFORM is not Terraform or OpenTofu 1.10 or later" >&2
    return 1
  fi
  echo "building OpenTofu, about five minutes the first time" >&2
  (cd "$root/tools/opentofu" && GOFLAGS= GOWORK=off go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$root/bin/tofu" github.com/opentofu/opentofu/cmd/tofu)
  echo "$root/bin/tofu"
}

# schema_mirror puts the stand-in for the AWS provider where the engine looks for providers.
schema_mirror() {
  local archive=$cache/cdktf-provider-aws-$bindings.tgz
  if [[ ! -f $archive ]]; then
    (cd "$work" && npm pack --silent "@cdktf/provider-aws@$bindings" >/dev/null)
    mv "$work/cdktf-provider-aws-$bindings.tgz" "$archive"
  fi
  (cd "$root/tools/awsschema" && export GOFLAGS= GOWORK=off && go vet ./... && { go test ./... | grep -v 'no test files'; } && go build -trimpath -buildvcs=false -o "$root/bin/awsschema" .)
  "$root/bin/awsschema" -package "$archive" -integrity "$bindings_integrity" -terraform "$1" -mirror "$work/mirror"
  printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$work/mirror" >"$TF_CLI_CONFIG_FILE"
}

# in_each COMMAND… runs a command of the engine in every module and composition of a copy, and
# shows what it says where it fails.
in_each() {
  local folder log=$work/log failed=0
  for folder in "$work"/copy/modules/*/ "$work"/copy/live/*/; do
    if ! (cd "$folder" && "$@") >"$log" 2>&1; then
      printf 'terraform: %s fails in %s:\n%s\n' "${*:2:1}" "${folder#"$work"/copy/}" "$(<"$log")" >&2
      failed=1
    fi
  done
  return "$failed"
}

# broken makes sure that the check finds what it is for: each folder of testdata/broken has one mistake,
# and says in its first line what Terraform has to say of it.
broken() {
  local folder wants log=$work/log count=0
  for folder in "$work"/broken/*/; do
    wants=$(sed -n '1s/^# wants: //p' "$folder/main.tf")
    if (cd "$folder" && "$terraform" init -backend=false -input=false -no-color && "$terraform" validate -no-color) >"$log" 2>&1 ||
      ! grep -qF -- "${wants:?"$folder does not say what it wants"}" "$log"; then
      printf 'terraform: the mistake of %s is not found (%s):\n%s\n' "${folder#"$work"/}" "$wants" "$(<"$log")" >&2
      return 1
    fi
    count=$((count + 1))
  done
  echo "$count mistakes made on purpose are found"
}

# tests runs the tests of every folder that has some.
tests() {
  local folder passed=0 log=$work/log count
  # A test ends by destroying what it has made, which is nothing.
  find "$work/copy" -name '*.tf' -exec sed -i '/^ *prevent_destroy *= true$/d' {} +
  for folder in "$work"/copy/modules/*/ "$work"/copy/live/*/; do
    if [[ ! -d $folder/tests ]]; then
      echo "terraform: ${folder#"$work"/copy/} has no tests" >&2
      return 1
    fi
    if ! (cd "$folder" && "$terraform" test -no-color) >"$log" 2>&1; then
      printf 'terraform: tests fail in %s:\n%s\n' "${folder#"$work"/copy/}" "$(<"$log")" >&2
      return 1
    fi
    count=$(sed -nE 's/^Success! ([0-9]+) passed, 0 failed\.$/\1/p' "$log")
    passed=$((passed + ${count:?"the tests of $folder do not say how many have passed"}))
  done
  echo "$passed tests of modules and compositions passed"
}

# checked runs checkov, which fails where a check does; skips are in the code, each with its reason.
checked() {
  local venv=$cache/checkov-$checkov
  if [[ ! -f $venv/complete ]]; then
    echo "installing checkov $checkov"
    rm -rf "$venv" && python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "checkov==$checkov"
    touch "$venv/complete"
  fi
  "$venv/bin/checkov" --directory "$root/terraform" --framework terraform --quiet --compact --skip-download | sed '/^$/d'
}

terraform=$(engine)
"$terraform" version | sed -n 1p # not head, which stops reading while Terraform still writes
"$terraform" fmt -check -diff -recursive "$root/terraform"
cp -r "$root/terraform" "$work/copy"
cp -r "$root/tools/awsschema/testdata/broken" "$work/broken"
schema_mirror "$work"
find "$work/copy" -name '.terraform*' -prune -exec rm -rf {} +
broken
in_each "$terraform" init -backend=false -input=false -no-color
in_each "$terraform" validate -no-color
tests
checked
