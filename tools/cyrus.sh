#!/usr/bin/env bash
# Cyrus IMAP out of the distribution's packages, for a test: unpacked into a folder, which it prints, and not installed, as
# the packages refuse to stand beside Dovecot's and would start a service. With it come the libraries that it needs and the
# machine has not. Once it is there, nothing is fetched.
set -euo pipefail

cache=${POSTERN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/postern}
readonly folder=$cache/cyrus

mkdir -p "$cache"
exec 9>"$cache/cyrus.lock"  # tests run side by side
flock 9
if [ -x "$folder/usr/lib/cyrus/bin/imapd" ] && [ -x "$folder/usr/lib/cyrus/bin/pop3d" ]; then
  echo "$folder"
  exit
fi
work=$(mktemp -d "$cache/cyrus.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/archives/partial" "$work/root"
# What apt would take away for them stays, as nothing is installed.
apt-get -q install -y --download-only --no-install-recommends -o Dir::Cache::archives="$work/archives" \
  -o APT::Sandbox::User=root -o Acquire::http::Timeout=20 -o Acquire::Retries=0 cyrus-imapd cyrus-pop3d </dev/null >&2
for package in "$work"/archives/*.deb; do
  dpkg-deb -x "$package" "$work/root"
done
chmod -R go+rX "$work/root"
rm -rf "$folder"
mv "$work/root" "$folder"
echo "$folder"
