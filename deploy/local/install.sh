#!/usr/bin/env bash
# Installs one lock file into .venv; every file must have the recorded hash. Wheels only, so
# that no package runs a build script here; django-timescaledb exists as source alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo "spreadline | installing $1 (a minute the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
  --only-binary :all: --no-binary django-timescaledb --use-pep517 --require-hashes \
  --requirement "$1" || {
  echo "spreadline | the packages of $1 could not be installed; the reason is above." \
    "Check the network, or that nobody changed the file by hand." >&2
  exit 1
}
