#!/usr/bin/env bash
# Writes both lock files: for every platform, with hashes, without registry addresses.
set -euo pipefail
cd "$(dirname "$0")/../.."

lock() {
  UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/python -m uv pip compile --quiet \
    --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links "$1" --output-file "$2"
}
lock deploy/requirements/base.in requirements.txt
lock deploy/requirements/dev.in deploy/requirements/dev.txt
