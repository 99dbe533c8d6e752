#!/usr/bin/env bash
# Installs what the build and the tests need beyond Go, from Debian's packages.
set -euo pipefail

declare -A package=([git]=git [curl]=curl [npm]=npm [node]=nodejs [gcc]=gcc [openssl]=openssl [promtool]=prometheus)
missing=()
for command in "${!package[@]}"; do
  command -v "$command" >/dev/null || missing+=("${package[$command]}")
done
# For checkov; Debian's Python comes without what makes virtual environments.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
if ! command -v go >/dev/null; then
  echo "setup: Go 1.26 or later is needed (https://go.dev/doc/install)" >&2
  exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  sudo=
elif command -v sudo >/dev/null; then
  sudo=sudo
else
  echo "setup: not root and no sudo: install ${missing[*]} yourself and try again" >&2
  exit 1
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
