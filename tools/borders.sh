#!/usr/bin/env bash
# The borders between the folders, as far as includes tell: filters/ and conf/ know nothing of each other, of the proxy
# or of its libraries, and nothing knows tests/ or bench/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0

forbid() {
  local folders=$1 pattern=$2 why=$3 found
  # shellcheck disable=SC2086
  found=$(git grep -nE "^#include [<\"]($pattern)" -- $folders || true)
  [ -z "$found" ] && return
  printf '%s\n%s\n' "$why" "$found" >&2
  failed=1
}

loop='uv\.h|microhttpd|prometheus/|spdlog/|fmt/|nlohmann/|CLI/'
forbid filters "$loop|yaml-cpp/|openssl/ssl\.h|conf/|proxy/" "filters/: the standard library, BoringSSL's hashes and libidn only"
forbid conf "$loop|openssl/|filters/|proxy/" "conf/: the standard library and yaml-cpp only"
forbid "filters conf proxy" "tests/|bench/" "the program knows no tests and no benchmarks"
exit $failed
