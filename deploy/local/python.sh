#!/usr/bin/env bash
# Prints the Python 3.11 to build .venv with ($PYTHON overrides the search).
set -euo pipefail

for candidate in "${PYTHON:-}" python3.11 python3; do
  [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
  version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [ "$version" = 3.11 ] || continue
  if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
    command -v "$candidate"
    exit 0
  fi
  echo "spreadline | $candidate has no venv; run: apt-get install python3-venv" >&2
  exit 1
done
echo "spreadline | Python 3.11 is missing (the locked packages are for it);" \
  "install python3.11 and python3.11-venv, or set PYTHON to its path." >&2
exit 1
