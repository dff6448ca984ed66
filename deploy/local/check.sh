#!/usr/bin/env bash
# The static checks of the back end: lint, format, layers, types, migrations.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.venv/bin/python
step() { echo "spreadline | $1"; }

step "ruff"
$python -m ruff check --quiet .
$python -m ruff format --check --quiet .
step "layers"
$python -c 'import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())' \
  >.venv/layers.out 2>&1 || { cat .venv/layers.out; exit 1; }
step "types"
$python -m mypy --no-error-summary arbsite feeds risk inventory trading reports
