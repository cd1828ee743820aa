#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Builds what is needed, measures, and writes a report. With no arguments: the smoke suite against
# the mock. Otherwise the arguments go to `rocm-bench run`; without a scenario among them the smoke
# suite is run.
#   ci/bench.sh
#   ci/bench.sh --target llama-server --model model.gguf scenarios/seed/decode.json
#   ci/bench.sh --synthetic gemma3-4b --type q8_0    # no model: random weights in its shape
# Without a llama-server in ROCM_LLAMA_SERVER_PATH or on PATH one is made of Debian's packages.
. "$(dirname "$0")/lib.sh"
. "$root/ci/lib_models.sh"

arguments=()
shape="" type=q4_0 target="" model="" binary="" suite="" out=$root/results/runs
synth=()  # what both commands take
while [ $# -gt 0 ]; do
  value=${2:-}
  case $1 in
    --synthetic=* | --type=* | --target=* | --model=* | --server-binary=* | --out=* | --backend=* | \
      --device=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --synthetic | --type | --target | --model | --server-binary | --out | --backend | --device)
      [ -n "$value" ] || die "$1 needs a value" 2
      case $1 in
        --synthetic) shape=$value ;;
        --type) type=${value,,} ;;
        --target) target=$value ;;
        --model) model=$value ;;
        --server-binary) binary=$value ;;
        --out) out=$value ;;
        *) synth+=("$1" "$value") ;;
      esac
      shift 2
      ;;
    --ignore-estimate) synth+=("$1"); shift ;;
    *)
      case $1 in *.json | *.txt) suite=given ;; esac
      arguments+=("$1")
      shift
      ;;
  esac
done
[ -z "$shape" ] || [ -z "$model" ] || die "give either --model or --synthetic" 2
[ -z "$shape" ] || target=${target:-llama-server}
[ -n "$suite" ] || arguments=("$root/scenarios/suites/smoke.txt" "${arguments[@]}")

"$root/ci/packages.sh" build
step "build"
build release rocm-bench mock-llama-server
bench=$root/build/release/bin/rocm-bench

if [ "${target:-mock}" = llama-server ]; then
  if [ -z "$binary" ]; then
    step "llama-server"
    binary=$(find_llama_server)
    printf '%s\n' "$binary"
  fi
  synth+=(--server-binary "$binary")
  if [ -n "$shape" ]; then
    step "synthetic model: $shape, $type"
    model=$(synthetic_model "$bench" "$binary" "$shape" "$type" "${synth[@]}")
    printf '%s\n' "$model"
  fi
elif [ -n "$binary" ]; then
  synth+=(--server-binary "$binary")
fi
arguments+=(--target "${target:-mock}" --out "$out" "${synth[@]}")
[ -z "$model" ] || arguments+=(--model "$model")

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
