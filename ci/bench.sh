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

step "run"
runs=$(mktemp)
trap 'rm -f "$runs"' EXIT
rc=0
"$bench" run "${arguments[@]}" --run-list "$runs" || rc=$?
[ -s "$runs" ] || exit "$rc"

step "report"
mapfile -t files <"$runs"
report=$root/results/runs/report
"$bench" report "${files[@]}" --out "$report"
printf 'Report: %s\n' "$report/FINDINGS.md"
exit "$rc"
