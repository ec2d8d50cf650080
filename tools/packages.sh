# shellcheck shell=bash
# Debian packages that each job needs, and `need`, which installs what is missing of them. Sourced by dev.

declare -A packages=(
  [build]="cmake ninja-build g++ pkg-config dpkg-dev libuv1-dev libyaml-cpp-dev prometheus-cpp-dev libmicrohttpd-dev
    libspdlog-dev nlohmann-json3-dev libcli11-dev libidn-dev libgtest-dev libgmock-dev libbenchmark-dev libgsasl-dev"
  [run]="curl"
  [test]="clang libclang-rt-dev python3 openssl curl dovecot-imapd dovecot-pop3d dovecot-lmtpd postfix swaks
    libnet-ssleay-perl isync msmtp fetchmail sasl2-bin libsasl2-modules
    krb5-kdc krb5-admin-server dovecot-gssapi python3-gssapi prometheus python3-yaml"
  [all]="chromium chromium-driver debootstrap buildah"
  [bench]="python3 nginx libnginx-mod-mail libnginx-mod-stream haproxy stunnel4 hitch dovecot-imapd dovecot-pop3d
    openssl strace"
  [screenshots]="chromium chromium-driver"
  [package]="debhelper dh-apparmor scdoc lintian debootstrap"
  [lint]="clang-format clang-tidy"
)

missing_of() {
  local group name names wanted=()
  for group in "$@"; do
    read -r -d '' -a names <<<"${packages[$group]}" || true
    wanted+=("${names[@]}")
  done
  for name in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done | sort -u
}

# need GROUP…: returns with all of them installed, or ends the script. Asks apt only where something is missing.
need() {
  local missing group
  for group in "$@"; do
    [ -n "${packages[$group]:-}" ] || { echo "dev: no group $group; there are: ${!packages[*]}" >&2; exit 2; }
  done
  mapfile -t missing < <(missing_of "$@")
  [ "${#missing[@]}" = 0 ] && return
  if [ "$(id -u)" != 0 ]; then
    printf 'These packages are missing. As root:\n\n  apt-get install --no-install-recommends %s\n\n' "${missing[*]}" >&2
    exit 1
  fi
  echo "== install ${missing[*]}"
  install_quietly "${missing[@]}"
}

# Mail servers come with the packages but are for the tests alone, which start their own: nothing starts by itself while
# they are installed. --no-remove: a mail server that the machine already has is not thrown out for ours.
install_quietly() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  apt-get -q install -y --no-install-recommends --no-remove "$@" </dev/null
)
