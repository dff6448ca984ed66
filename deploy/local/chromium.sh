#!/usr/bin/env bash
# Prints the Chromium that the browser tests drive, fetching Debian's if there is none: from
# apt as root, else unpacked into .spreadline/chromium. Messages go to stderr.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { echo "spreadline | $1" >&2; }

for candidate in "${SPREADLINE_CHROMIUM:-}" chromium chromium-browser google-chrome; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null; then
    command -v "$candidate"
    exit 0
  fi
done

private=$(pwd)/.spreadline/chromium
if [ -x "$private/chromium" ]; then
  echo "$private/chromium"
  exit 0
fi

remedy="run as root: apt-get install chromium (or set SPREADLINE_CHROMIUM to a Chromium)"
command -v apt-get >/dev/null || {
  say "the browser tests need Chromium; $remedy"
  exit 1
}

if [ "$(id -u)" = 0 ]; then
  say "installing Chromium from Debian"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends chromium; } >&2 || {
    say "Chromium could not be installed; $remedy"
    exit 1
  }
  command -v chromium
  exit 0
fi

# An ordinary user: apt with lists and cache of our own, packages unpacked, not installed.
say "unpacking Debian's Chromium into .spreadline/chromium (about 120 MB)"
partial=$private.partial
rm -rf "$partial"
mkdir -p "$partial/lists/partial" "$partial/cache/archives/partial" "$partial/root" "$partial/debs"
apt_private=(-qq -o "Dir::State::lists=$partial/lists" -o "Dir::Cache=$partial/cache"
  -o Debug::NoLocking=true -o APT::Sandbox::User="" -o APT::Install-Recommends=false)
fetch() {
  apt-get "${apt_private[@]}" update
  apt-get "${apt_private[@]}" --simulate install chromium |
    awk '$1 == "Inst" { print $2 }' >"$partial/names"
  (cd "$partial/debs" && xargs apt-get "${apt_private[@]}" download <"$partial/names")
  for package in "$partial"/debs/*.deb; do
    dpkg -x "$package" "$partial/root"
  done
  [ -x "$partial/root/usr/lib/chromium/chromium" ]
}
fetch >&2 || {
  rm -rf "$partial"
  say "Chromium could not be fetched; $remedy"
  exit 1
}
# Every unpacked folder that holds shared libraries, relative to the root.
libraries=$(cd "$partial/root" && find . -name '*.so*' -printf '%h\n' | sort -u | sed 's/^\.//' |
  tr '\n' ' ')
cat >"$partial/chromium" <<WRAPPER
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")/root
for folder in $libraries; do
  LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+\$LD_LIBRARY_PATH:}\$root\$folder
done
export LD_LIBRARY_PATH
exec "\$root/usr/lib/chromium/chromium" "\$@"
WRAPPER
chmod +x "$partial/chromium"
rm -rf "$partial/lists" "$partial/cache" "$partial/debs"
mv "$partial" "$private"
echo "$private/chromium"
