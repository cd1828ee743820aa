#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Builds what is needed, measures, and writes a report. With no arguments: the smoke suite against
# the mock. Otherwise the arguments go to `rocm-bench run`; without a scenario among them the smoke
# suite is run.
#   ci/bench.sh
#   ci/bench.sh --target llama-server --model model.gguf scenarios/seed/decode.json
. "$(dirname "$0")/lib.sh"

"$root/ci/packages.sh" build
step "build"
build release rocm-bench mock-llama-server
bench=$root/build/release/bin/rocm-bench

arguments=("$@")
case " $* " in
  *.json\ *|*.txt\ *) ;;
  *) arguments=("$root/scenarios/suites/smoke.txt" "${arguments[@]}") ;;
esac
case " $* " in
  *" --target"*) ;;
  *) arguments+=(--target mock) ;;
esac

out=$root/results/runs
for ((i = 0; i < ${#arguments[@]}; i++)); do
  case ${arguments[i]} in
    --out) out=${arguments[i + 1]:-$out} ;;
    --out=*) out=${arguments[i]#--out=} ;;
  esac
done
[[ " $* " == *" --out"* ]] || arguments+=(--out "$out")

step "run"
mkdir -p "$out"
before=$(mktemp)
trap 'rm -f "$before"' EXIT
rc=0
"$bench" run "${arguments[@]}" || rc=$?
mapfile -t files < <(find "$out" -maxdepth 1 -name '*.jsonl' -newer "$before" | sort)
[ ${#files[@]} -gt 0 ] || exit "$rc"  # a dry run, or nothing was measured

step "report"
"$bench" report "${files[@]}" --out "$out/report"
"$bench" dashboard "$out" --out "$out/report/dashboard.html" >/dev/null
printf 'Report: %s\nAll runs: %s\n' "$out/report/FINDINGS.md" "$out/report/dashboard.html"
exit "$rc"
