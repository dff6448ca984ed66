#!/usr/bin/env bash
# Everything `make test` proves. Pytest comes last, so that its closing line is the last one.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { echo "spreadline | $1"; }

SPREADLINE_CHROMIUM=$(deploy/local/chromium.sh)
export SPREADLINE_CHROMIUM

deploy/local/check.sh

step "console: lint, types, unit tests"
(
  cd frontend
  npm run --silent lint
  npm run --silent typecheck
  npm run --silent test
)

step "tests"
exec .venv/bin/python -m pytest "$@"
