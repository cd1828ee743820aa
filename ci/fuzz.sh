#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Runs every libFuzzer target under ASan and UBSan: ci/fuzz.sh [RUNS] [TARGET…]. 1,000,000 runs each
# unless told otherwise. What it finds lies in build/fuzz/found/ and fails the script.
. "$(dirname "$0")/lib.sh"
runs=${1:-1000000}
[ $# -gt 0 ] && shift
"$root/ci/packages.sh" test
step "build fuzz"
build fuzz fuzzers
found=$root/build/fuzz/found
mkdir -p "$found"
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(find "$root/build/fuzz/fuzzers" -type f -executable -printf '%f\n' | sort)
for target in "${targets[@]}"; do
  step "fuzz $target, $runs runs"
  corpus=$(mktemp -d)
  cp -r "$root/build/fuzz/fuzzers/$target.corpus/." "$corpus" 2>/dev/null || :
  log=$(mktemp)
  "$root/build/fuzz/fuzzers/$target" -runs="$runs" -max_len=65536 -rss_limit_mb=2048 -timeout=10 \
    -artifact_prefix="$found/$target-" -print_final_stats=1 -verbosity=0 "$corpus" >"$log" 2>&1 || {
    tail -40 "$log" >&2
    die "$target found something: $found"
  }
  grep -E 'number_of_executed_units|average_exec_per_sec|peak_rss' "$log"
  rm -rf "$corpus" "$log"
done
