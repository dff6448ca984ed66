#!/usr/bin/env bash
# Creates .venv; a half-made one is removed first.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=$(deploy/local/python.sh)
echo "spreadline | creating .venv with $python"
rm -rf .venv
"$python" -m venv .venv
