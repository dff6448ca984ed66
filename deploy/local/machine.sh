#!/usr/bin/env bash
# Checks that this machine can run Spreadline; says what is missing and how to get it.
set -euo pipefail

fail() {
  echo "spreadline | $1" >&2
  exit 1
}

cd "$(dirname "$0")/../.."

deploy/local/python.sh >/dev/null

command -v node >/dev/null || fail "Node.js is missing; install version 20 or newer."
node_major=$(node -p 'process.versions.node.split(".")[0]')
[ "$node_major" -ge 20 ] ||
  fail "Node.js $(node --version) is too old; install version 20 or newer."
command -v npm >/dev/null || fail "npm is missing; install it together with Node.js 20."

free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
needed_mb=2500
[ -e .venv/base.stamp ] && [ -e frontend/dist/index.html ] && needed_mb=1000
[ "$free_mb" -ge "$needed_mb" ] ||
  fail "$(pwd) has $free_mb MB of disk left and needs $needed_mb MB; free some space."
[ -w . ] || fail "$(pwd) is not writable for $(id -un); clone into a folder of your own."
