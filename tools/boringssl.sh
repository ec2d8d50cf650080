#!/usr/bin/env bash
# Builds BoringSSL once, static and hidden, and prints the folder that holds include/, libcrypto.a and libssl.a.
#
#   tools/boringssl.sh               the distribution's source package, fetched by apt
#   tools/boringssl.sh SOURCE        a source tree of your own, upstream's or Android's
#   tools/boringssl.sh --find        only look into the cache; fails where nothing is there
#
# The results live in ${POSTERN_CACHE:-${XDG_CACHE_HOME:-~/.cache}/postern}/boringssl-VERSION-RECIPE, where RECIPE
# stands for the way it is built and the compiler, so that a change of either builds anew.
set -euo pipefail

readonly package=android-platform-external-boringssl
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${POSTERN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/postern}

say() { echo "boringssl: $*" >&2; }
die() { say "$*"; exit 1; }

recipe() {
  { declare -f build; cat "$here/cmake/boringssl/CMakeLists.txt"; cc --version | head -n 1; uname -m; } |
    sha256sum | cut -c1-12
}

# The machine's own package sources with deb-src in place of deb, in a folder of our own: what apt is set up with stays
# as it is, and mirrors and keys are those that the machine already uses.
source_lists() {
  local to=$1 file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -nE 's/^[[:space:]]*deb(-src)?([[:space:]])/deb-src\2/p' "$file" >>"$to/postern.list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    sed -E 's/^Types:.*/Types: deb-src/I' "$file" >"$to/$(basename "$file")"
  done
}

fetch() {
  local to=$1
  command -v dpkg-source >/dev/null || die "dpkg-dev is missing: apt-get install dpkg-dev"
  mkdir -p "$to/parts" "$to/lists/partial"
  source_lists "$to/parts"
  local options=(-q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$to/parts"
    -o Dir::State::Lists="$to/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o Acquire::Languages=none -o APT::Sandbox::User=root -o Acquire::Retries=3)
  say "fetching the source package $package"
  apt-get "${options[@]}" update >"$to/apt.log" 2>&1 &&
    (cd "$to" && apt-get "${options[@]}" source --download-only "$package" >>"$to/apt.log" 2>&1) ||
    { cat "$to/apt.log" >&2; die "apt could not fetch $package; or give a tree: -DPOSTERN_BORINGSSL_SOURCE=DIR"; }
  # The signatures of the archive have been checked by apt; dpkg-source would want its own keyring for the .dsc.
  dpkg-source --no-check -x "$to"/*.dsc "$to/tree" >>"$to/apt.log" || die "cannot unpack $package"
}

# A tree's version: for a package its own, else the revision it names or the sum of its files' names, sizes and times.
version_of() {
  local tree=$1
  if [ -f "$tree/debian/changelog" ]; then
    sed -nE '1s/^[^(]*\(([^)]*)\).*/\1/p' "$tree/debian/changelog"
  else
    find "$tree" -name .git -prune -o -type f -printf '%P %s %T@\n' | sort | sha256sum | cut -c1-12
  fi
}

build() {
  local tree=$1 to=$2 include launcher=() flags=()
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  if [ -f "$tree/android-sources.cmake" ]; then
    include=$tree/src/include
    flags=(-S "$here/cmake/boringssl" -DBORINGSSL_TREE="$tree")
  elif [ -f "$tree/CMakeLists.txt" ]; then
    include=$tree/include
    flags=(-S "$tree" -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
      -DCMAKE_C_FLAGS=-fvisibility=hidden -DCMAKE_CXX_FLAGS=-fvisibility=hidden)
  else
    die "$tree is neither Android's tree (android-sources.cmake) nor upstream's (CMakeLists.txt)"
  fi
  say "building $tree (about a minute)"
  cmake "${flags[@]}" "${launcher[@]}" -B "$to/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$to/build.log" 2>&1 &&
    cmake --build "$to/build" --target crypto ssl -j "$(nproc)" >>"$to/build.log" 2>&1 ||
    { tail -n 40 "$to/build.log" >&2; die "the build failed"; }
  mkdir -p "$to/out"
  cp -R "$include" "$to/out/include"
  find "$to/build" \( -name libcrypto.a -o -name libssl.a \) -exec cp {} "$to/out/" \;
  check "$to/out"
}

# Whether what was built is what was wanted: fast curves and ciphers in, nothing to be seen from outside.
check() {
  local out=$1 symbols
  symbols=$(nm "$out/libcrypto.a" 2>/dev/null)
  case $(uname -m) in
    x86_64) grep -q 'ecp_nistz256_mul_mont' <<<"$symbols" && grep -q 'aesni_gcm_encrypt\|aes_gcm_enc' <<<"$symbols" ;;
    aarch64) grep -q 'ecp_nistz256_mul_mont' <<<"$symbols" ;;
  esac || die "the assembly is missing in $out/libcrypto.a"
  [ -f "$out/libssl.a" ] || die "libssl.a was not built"
}

main() {
  local hash tree=${1:-} found
  hash=$(recipe)
  if [ -z "$tree" ] || [ "$tree" = --find ]; then
    for found in "$cache"/boringssl-*-"$hash"/libssl.a; do
      case $found in *-tree-"$hash"/libssl.a) continue ;; esac
      [ -f "$found" ] && { dirname "$found"; return; }
    done
    [ "$tree" = --find ] && exit 1
  fi

  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [ -z "$tree" ]; then
    found=$("$0" --find) && { echo "$found"; return; } # another process was first
  else
    tree=$(cd "$tree" && pwd)
    found=$cache/boringssl-$(version_of "$tree")-tree-$hash
    [ -f "$found/libssl.a" ] && { echo "$found"; return; }
  fi

  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "${work:?}"' EXIT
  [ -n "$tree" ] || { fetch "$work"; tree=$work/tree; found=$cache/boringssl-$(version_of "$tree")-$hash; }
  build "$tree" "$work" # under `set -e`: no half-made result is ever moved into place
  rm -rf "$found"
  mv "$work/out" "$found"
  say "ready in $found"
  echo "$found"
}

main "$@"
