#!/usr/bin/env bash
# Runs one fuzzer from its committed seeds: tools/fuzz.sh PROGRAM SEEDS [libFuzzer option…]. What it learns goes to a
# folder beside the program, and what it breaks with to crash-* files there.
set -euo pipefail

program=$1
seeds=$2
shift 2
learned=$program.corpus
mkdir -p "$learned"
cd "$(dirname "$program")"
folders=("$learned")
[ -d "$seeds" ] && folders+=("$seeds")
exec "$program" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 "$@" "${folders[@]}"
