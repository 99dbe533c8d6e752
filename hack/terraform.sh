#!/usr/bin/env bash
# Checks terraform/ without an AWS account and without a network beyond the package registries:
#
#   1. formatting;
#   2. every module and composition validated by Terraform itself, against the schema of the AWS
#      provider: types, arguments, blocks, references and outputs;
#   3. the tests of every module and composition: planned and applied on a mock of AWS;
#   4. bad input refused with a message that says the rule and where it comes from;
#   5. tflint, with every rule that it has for Terraform itself;
#   6. checkov, with no failed check.
#
# The AWS provider itself is not to be had from a package registry. Its schema is, in the npm
# package @cdktf/provider-aws, and tools/awsschema is a provider that has this schema and nothing
# else. Values that an argument takes, and arguments that exclude each other, it does not know.
#
# tflint's rules for AWS are a program of their own, which is in no package registry either.
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
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
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

# each FUNCTION FOLDER… runs a function for every folder, as many at a time as there are processors,
# and fails where one does. In a shell of its own, so that it waits for nothing else.
each() (
  check=$1 failed=0 running=0
  shift
  for folder; do
    if ((running == jobs)); then
      wait -n || failed=1
      running=$((running - 1))
    fi
    "$check" "$folder" &
    running=$((running + 1))
  done
  for (( ; running > 0; running--)); do
    wait -n || failed=1
  done
  exit "$failed"
)

# holds FOLDER initializes, validates and tests one module or composition, and leaves the number
# of its tests.
holds() {
  local name=${1#"$work"/copy/} log count
  name=${name%/}
  log=$work/${name//\//-}.log
  if [[ ! -d $1/tests ]]; then
    echo "terraform: $name has no tests" >&2
    return 1
  fi
  if ! (cd "$1" && "$terraform" init -backend=false -input=false -no-color && "$terraform" validate -no-color && "$terraform" test -no-color) >"$log" 2>&1; then
    printf 'terraform: %s does not hold:\n%s\n' "$name" "$(<"$log")" >&2
    return 1
  fi
  count=$(sed -nE 's/^Success! ([0-9]+) passed, 0 failed\.$/\1/p' "$log")
  echo "${count:?"the tests of $name do not say how many have passed"}" >"$log.count"
}

# broken makes sure that the check finds what it is for: each folder of testdata/broken has one mistake,
# and says in its first line what Terraform has to say of it.
broken() {
  local log=${1%/}.log wants
  wants=$(sed -n '1s/^# wants: //p' "$1/main.tf")
  if (cd "$1" && "$terraform" init -backend=false -input=false -no-color && "$terraform" validate -no-color) >"$log" 2>&1 ||
    ! grep -qF -- "${wants:?"$1 does not say what it wants"}" "$log"; then
    printf 'terraform: the mistake of %s is not found (%s):\n%s\n' "${1#"$work"/}" "$wants" "$(<"$log")" >&2
    return 1
  fi
}

# refused FILE gives a module the bad input of testdata/refused/MODULE.CASE.tftest.hcl, and makes sure
# that it says what the first line of the file has to say. Tests of the modules know only that it is
# refused.
refused() {
  local name=${1##*/} log=$1.log says folder
  says=$(sed -n '1s/^# says: //p' "$1")
  folder=$work/copy/modules/${name%%.*}
  # Terraform breaks lines and draws a frame.
  if (cd "$folder" && "$terraform" test -no-color -test-directory=refused -filter="refused/$name") >"$log" 2>&1 ||
    ! sed 's/[│╷╵]//g' "$log" | tr -s '[:space:]' ' ' | grep -F -- "${says:?"$1 does not say what it wants"}" >/dev/null; then
    printf 'terraform: %s is not refused with the reason (%s):\n%s\n' "$name" "$says" "$(<"$log")" >&2
    return 1
  fi
}

# sources makes sure that every rule for a variable says where it comes from.
sources() {
  local without
  if without=$(grep -rn 'error_message = ' "$root/terraform" --include=variables.tf | grep -vE '[Ss]lide [0-9]+|RFC [0-9]+|AWS|S3'); then
    printf 'terraform: a rule does not say where it comes from:\n%s\n' "$without" >&2
    return 1
  fi
}

# linted runs tflint with its bundled rules for Terraform itself, of which terraform/.tflint.hcl has the
# choice, and makes sure that it finds something where there is something.
linted() {
  local tflint=$root/bin/tflint config=$root/terraform/.tflint.hcl log=$work/tflint.log
  (cd "$root/tools/tflint" && GOFLAGS= GOWORK=off go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$tflint" github.com/terraform-linters/tflint)
  if (cd "$root/tools/tflint/testdata/unused" && "$tflint" --config "$config" --no-color) >"$log" 2>&1 || ! grep -q terraform_unused_declarations "$log"; then
    printf 'terraform: tflint does not find a variable that nothing reads:\n%s\n' "$(<"$log")" >&2
    return 1
  fi
  (cd "$root/terraform" && "$tflint" --config "$config" --recursive --no-color)
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

jobs=$(nproc 2>/dev/null || sysctl -n hw.ncpu)
sources
checked >"$work/checkov.log" 2>&1 & # It needs nothing of what is built below.
checking=$!
terraform=$(engine)
"$terraform" version | sed -n 1p # not head, which stops reading while Terraform still writes
"$terraform" fmt -check -diff -recursive "$root/terraform" "$root/tools/awsschema/testdata"
cp -r "$root/terraform" "$work/copy"
cp -r "$root/tools/awsschema/testdata/broken" "$root/tools/awsschema/testdata/refused" "$work"
schema_mirror "$work"
find "$work/copy" -name '.terraform*' -prune -exec rm -rf {} +
# A test ends by destroying what it has made, which is nothing.
find "$work/copy" -name '*.tf' -exec sed -i '/^ *prevent_destroy *= true$/d' {} +

each broken "$work"/broken/*/
mistakes=("$work"/broken/*/)
echo "${#mistakes[@]} mistakes made on purpose are found"

each holds "$work"/copy/live/*/ "$work"/copy/modules/*/
echo "$(($(cat "$work"/*.log.count | paste -sd+))) tests of modules and compositions passed"

inputs=("$work"/refused/*.tftest.hcl)
for input in "${inputs[@]}"; do
  name=${input##*/}
  mkdir -p "$work/copy/modules/${name%%.*}/refused"
  cp "$input" "$work/copy/modules/${name%%.*}/refused/"
done
each refused "${inputs[@]}"
echo "${#inputs[@]} bad inputs are refused with their reason"

linted
if ! wait "$checking"; then
  printf 'terraform: checkov fails:\n%s\n' "$(<"$work/checkov.log")" >&2
  exit 1
fi
cat "$work/checkov.log"
