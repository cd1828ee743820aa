#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# One night: build (with --source), run, look at the trends, confirm what looks slower in an A/B
# against the last good binary, report, push. docs/nightly.md has the whole of it.
#   ci/nightly.sh --target llama-server --model MODEL.gguf [--budget 4h] [--pushgateway URL]
#   ci/nightly.sh --source ~/llama.cpp --variant rocm --model MODEL.gguf
#   ci/nightly.sh --target mock -- --server-arg=--mock-preset --server-arg=rx7800xt-gemma3-4b
# Options: --suite FILE, --synthetic SHAPE [--type T], --backend B, --device D, --state DIR,
# --pushgateway URL, --instance NAME, --wait; after `--`: arguments for `rocm-bench run`.
# Exit: 0 green · 1 a check failed or a regression is confirmed · 2 bad input · 3 backend failed ·
# 4 not a valid measurement, or cut · 75 another night is running · 77 SKIPPED: the model is not there.
. "$(dirname "$0")/lib.sh"
. "$root/ci/lib_models.sh"
catch_stops
started=$SECONDS
budget=4h state=$cache/nightly suite=$root/scenarios/suites/nightly.txt
source_dir="" variant=rocm target="" model="" shape="" type=q4_0 gateway="" instance="" wait_for="" more=()
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; more+=("$@"); break ;;
    --wait) wait_for=1; shift; continue ;;
    --source | --variant | --target | --model | --synthetic | --type | --budget | --state | --suite | \
      --pushgateway | --instance | --backend | --device) [ -n "${2:-}" ] || die "$1 needs a value" 2 ;;
    *) die "unknown option $1; see the head of $0" 2 ;;
  esac
  case $1 in
    --source) source_dir=$2 ;;
    --variant) variant=$2 ;;
    --target) target=$2 ;;
    --model) model=$2 ;;
    --synthetic) shape=$2 ;;
    --type) type=$2 ;;
    --budget) budget=$2 ;;
    --state) state=$2 ;;
    --suite) suite=$2 ;;
    --pushgateway) gateway=$2 ;;
    --instance) instance=$2 ;;
    *) more+=("$1" "$2") ;;
  esac
  shift 2
done
[[ $budget =~ ^([0-9]+)(s|m|h)?$ ]] || die "--budget is a number with s, m or h, not '$budget'" 2
case ${BASH_REMATCH[2]} in m) unit=60 ;; h) unit=3600 ;; *) unit=1 ;; esac
budget=$((BASH_REMATCH[1] * unit))
[ -f "$suite" ] || die "no such suite: $suite" 2
[ -n "$target" ] || target=llama-server
[ -z "$shape" ] || [ -z "$model" ] || die "give either --model or --synthetic" 2

# --- one at a time --------------------------------------------------------------------------------
mkdir -p "$state/runs" "$state/confirm"
exec 9>>"$state/lock"
if ! flock --nonblock 9; then
  holder=$(cat "$state/night" 2>/dev/null || echo "another night")
  [ -n "$wait_for" ] || die "$holder is running with $state; --wait waits for its end" 75
  printf 'waiting: %s is running\n' "$holder"
  limited 0 5 flock 9 || die "stopped while waiting" 4
  started=$SECONDS  # the budget is this night's
fi
stamp=$(date -u +%Y%m%dT%H%M%SZ)
printf 'the night of %s, process %d,' "$stamp" $$ >"$state/night"
report=$state/reports/$stamp
mkdir -p "$report"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/rocm-nightly.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

verdict_lines=()
say() { verdict_lines+=("$*"); printf '%s\n' "$*"; }
left() { echo $((budget - (SECONDS - started))); }
finish() {  # CODE WORD
  printf '%s\n' "${verdict_lines[@]}" "verdict: $2" >"$report/verdict.txt"
  printf '{"night":"%s","verdict":"%s","exit":%d,"seconds":%d}\n' "$stamp" "$2" "$1" \
    $((SECONDS - started)) >>"$state/nights.jsonl"
  printf '\nNight %s: %s (exit %d, %d s of %d)\nReport: %s\n' "$stamp" "$2" "$1" \
    $((SECONDS - started)) "$budget" "$report"
  exit "$1"
}

# A share that is not mounted says nothing about llama.cpp: neither green nor red.
if [ -n "$model" ] && [ ! -r "$model" ]; then
  say "SKIPPED, not green: the model $model is not there; is its share mounted?"
  finish 77 skipped
fi

# --- what is measured -----------------------------------------------------------------------------
if [ -z "${ROCM_BENCH_PROGRAM:-}" ]; then
  "$root/ci/packages.sh" build
  step "build"
  build release rocm-bench mock-llama-server
fi
# After a stop nothing more is begun; what is known by then is the verdict.
runs=() confirmed=""
go_on() {
  [ -n "$stopped" ] || return 0
  say "STOPPED by a signal; measured: ${runs[*]:-nothing}"
  if [ -n "$confirmed" ]; then finish 1 "regression confirmed"; fi
  finish 4 "partial"
}
bench=${ROCM_BENCH_PROGRAM:-$root/build/release/bin/rocm-bench}
target_args=(--target "$target" "${more[@]}")
binary=""
if [ -n "$source_dir" ]; then
  step "llama-server from $source_dir, $variant"
  limited 0 10 "$root/ci/build_llama_server.sh" "$source_dir" --variant "$variant" \
    --keep "$state/binaries" 9>&- >"$scratch/binary" ||
    { rc=$?; go_on; say "the build of llama-server failed (see above)"; finish "$rc" "build failed"; }
  binary=$(cat "$scratch/binary")
elif [ "$target" = llama-server ]; then
  case " ${more[*]} " in
    *" --server-binary "*) ;;
    *) binary=$(find_llama_server) || finish 3 "no llama-server" ;;
  esac
elif [ "$target" = mock ]; then
  binary=$(dirname "$bench")/mock-llama-server
fi
if [ -n "$binary" ]; then
  target_args+=(--server-binary "$binary")
  say "binary: $binary"
fi
if [ -n "$shape" ]; then
  step "synthetic model: $shape, $type"
  model=$(synthetic_model "$bench" "$binary" "$shape" "$type" ${binary:+--server-binary "$binary"}) ||
    { rc=$?; say "no model (see above)"; finish "$rc" "no model"; }
fi
[ -z "$model" ] || target_args+=(--model "$model")

# --- within the budget ----------------------------------------------------------------------------
# The suite's order is its priority. A quarter of the budget is kept for the confirming A/B and the
# report. What a night measured is what the next one plans with.
speeds=(--assume-decode "$(cat "$state/decode" 2>/dev/null || echo 50)"
        --assume-prefill "$(cat "$state/prefill" 2>/dev/null || echo 500)")
mapfile -t scenarios < <(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$suite")
for i in "${!scenarios[@]}"; do scenarios[i]=$(dirname "$suite")/${scenarios[i]}; done
seconds_of() {
  "$bench" run "$@" --target mock --dry-run "${speeds[@]}" |
    sed -n 's/.* about \([0-9]*\) s in all.*/\1/p'
}
room=$(($(left) * 3 / 4)) chosen=() fewer=() dropped=() planned=0
for one in "${scenarios[@]}"; do
  if ! full=$(seconds_of "$one") || [ -z "$full" ]; then
    say "cannot be run (see above): $one"
    finish 2 "bad suite"
  fi
  name=$(basename "$one" .json)
  for rounds in "" 6 4 2; do
    seconds=$full
    if [ -n "$rounds" ]; then seconds=$(seconds_of "$one" --rounds "$rounds"); fi
    [ -z "$rounds" ] || [ "$seconds" -lt "$full" ] || continue
    [ $((planned + seconds)) -gt "$room" ] || break
  done
  if [ $((planned + seconds)) -gt "$room" ] || { [ -n "$rounds" ] && [ "$seconds" -ge "$full" ]; }; then
    dropped+=("$name (about $full s)")
    continue
  fi
  planned=$((planned + seconds))
  if [ -z "$rounds" ]; then chosen+=("$one"); else
    fewer+=("$rounds $one")
    say "FEWER ROUNDS for the budget of $budget s: $name, $rounds"
  fi
done
[ ${#dropped[@]} -eq 0 ] ||
  say "DROPPED for the budget of $budget s: $(printf '%s, ' "${dropped[@]}" | sed 's/, $//')"
[ $((${#chosen[@]} + ${#fewer[@]})) -gt 0 ] ||
  { say "nothing fits the budget of $budget s"; finish 4 "nothing measured"; }

# The first exit code that is not 0 stays.
rc=0
measure() {  # OPTION-OR-FILE…
  local its=0
  limited "$(($(left) > 30 ? $(left) - 30 : 1))" 30 "$bench" run "$@" "${target_args[@]}" \
    --out "$state/runs" --quiet --prometheus-textfile "$scratch" 9>&- || its=$?
  if [ "$its" = 124 ]; then
    its=130
    say "CUT at the budget: the run is partial"
  fi
  [ "$rc" != 0 ] || rc=$its
}
step "run: $((${#chosen[@]} + ${#fewer[@]})) scenarios, about $planned s"
[ ${#chosen[@]} -eq 0 ] || measure "${chosen[@]}"
for one in "${fewer[@]}"; do measure "${one#* }" --rounds "${one%% *}"; done
mapfile -t runs < <(find "$state/runs" -maxdepth 1 -name '*.jsonl' -newer "$state/night" | sort)
go_on
if [ ${#runs[@]} -eq 0 ]; then
  say "the run could not begin (exit $rc, see above)"
  finish "$rc" "no run"
fi
say "runs: ${runs[*]} (exit $rc)"
for rate in decode prefill; do
  awk -v name="^rocm_bench_${rate}_tokens_per_second" '$0 ~ name { v = int($NF) } END { if (v > 0) print v }' \
    "$scratch/rocm_bench.prom" >"$scratch/$rate" 2>/dev/null || :
  [ ! -s "$scratch/$rate" ] || cp "$scratch/$rate" "$state/$rate"
done

# --- early warning, then the confirming A/B -------------------------------------------------------
step "trends"
"$bench" history --results "$state/runs" --out "$state/history.jsonl" || say "no trends (see above)"
/usr/bin/python3 "$root/ci/nightly_confirm.py" "$state/history.jsonl" "$scratch" "${runs[@]}" >"$scratch/suspects" ||
  say "the trends could not be read"
unsettled=""
unsettle() { unsettled=1; say "$*"; }
while IFS=$'\t' read -r file reason; do
  say "early warning: $reason"
  [ "$file" != - ] || unsettle "cannot be confirmed by an A/B: ${reason%%: *}"
done <"$scratch/suspects"

# confirm SCENARIO: sets `confirmed`, or `unsettled` where the A/B clears nothing.
confirm() {
  local name rounds=10 seconds time its=0 made
  name=$(basename "$1" .json)
  seconds=$(seconds_of "$1" || :)
  time=$(($(left) - 60))
  while [ "${seconds:-0}" -gt "$time" ] && [ "$rounds" -gt 6 ]; do
    rounds=$((rounds - 2))
    seconds=$(seconds_of "$1" --rounds "$rounds" || :)
  done
  if [ -z "$seconds" ]; then
    unsettle "not confirmed: an A/B of $name cannot be planned (see above)"
    return
  fi
  if [ "$seconds" -gt "$time" ] || [ "$time" -lt 10 ]; then
    unsettle "not confirmed: an A/B of $name takes about $seconds s and $time s are left"
    return
  fi
  step "A/B of $name: $rounds rounds, about $seconds s"
  touch "$scratch/begun"
  limited "$time" 30 "$bench" run "$1" "${target_args[@]}" --variant "baseline=$good" \
    --variant "candidate=$binary" --rounds "$rounds" --out "$state/confirm" --quiet 9>&- || its=$?
  made=$(find "$state/confirm" -maxdepth 1 -name '*.jsonl' -newer "$scratch/begun" -print -quit)
  say "A/B of $name against $good: exit $its"
  if [ "$its" = 0 ]; then
    [ -n "$made" ] && /usr/bin/python3 "$root/ci/nightly_confirm.py" --cleared "$made" ||
      unsettle "not settled: the A/B of $name could not tell, see ${made:-above}"
    return
  fi
  if [ "$its" = 1 ] && [ -n "$made" ] &&
    /usr/bin/python3 "$root/ci/nightly_confirm.py" --regressed "$made"; then
    confirmed=1
  elif [ "$its" = 1 ]; then
    unsettle "the A/B of $name failed without a regression, see ${made:-above}"
  else
    unsettle "not confirmed: the A/B of $name did not end well, see ${made:-above}"
  fi
}

good=$(readlink -f "$state/good" 2>/dev/null || :)
mapfile -t asked < <(cut -f1 "$scratch/suspects" | sed '/^-$/d' | sort -u)
if [ ${#asked[@]} -gt 0 ]; then
  if [ -z "$binary" ]; then
    unsettle "not confirmed: no binary of this night to compare with"
  elif [ -z "$good" ] || [ ! -x "$good" ]; then
    unsettle "not confirmed: there is no last good binary yet; to name one: ln -s BINARY $state/good"
  elif cmp -s "$good" "$(readlink -f "$binary")"; then
    say "not confirmed: this is the last good binary itself, so look at what else changed (driver, kernel, power cap): docs/nightly.md"
  else
    for one in "${asked[@]}"; do
      go_on
      confirm "$one"
    done
  fi
fi
go_on

# --- report, push, verdict ------------------------------------------------------------------------
step "report"
mapfile -t comparisons < <(find "$state/confirm" -maxdepth 1 -name '*.jsonl' -newer "$state/night" | sort)
"$bench" report "${runs[@]}" "${comparisons[@]}" --out "$report" || say "no report (see above)"
unpushed=""
if [ -n "$gateway" ]; then
  if "$bench" export "${runs[@]}" "${comparisons[@]}" --pushgateway "$gateway" ${instance:+--push-instance "$instance"}; then
    say "pushed to $gateway"
  else
    say "NOT pushed to $gateway (see above)"
    unpushed=1
  fi
fi
if [ -n "$confirmed" ]; then finish 1 "regression confirmed"; fi
case $rc in
  0)
    if [ -n "$unsettled" ]; then
      say "the last good binary stays ${good:-unnamed}: a warning is not settled"
    elif [ -n "$binary" ]; then
      ln -sfn "$(readlink -f "$binary")" "$state/good"
    fi
    if [ -n "$unpushed" ]; then finish 3 "measured, but not pushed"; fi
    if [ -s "$scratch/suspects" ]; then finish 0 "green, with early warnings"; fi
    finish 0 green
    ;;
  1) finish 1 "a check failed" ;;
  4) finish 4 "not a valid measurement" ;;
  130) finish 4 "partial" ;;
  *) finish "$rc" "backend failed" ;;
esac
