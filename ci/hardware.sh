#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# One pass over whatever device is here, with models that it makes itself: answers checked, then
# decode, prefill, time to first token, concurrency, flash attention, crash recovery, and a report.
#   ci/hardware.sh [--budget SECONDS] [--shape SHAPE] [--type TYPE | --model FILE] [--plan]
#   ci/hardware.sh --pack    # everything a bare machine needs, below 64 MiB, in build/hardware/
# NVIDIA through CUDA, AMD through HIP, any card through Vulkan, else the processor: what
# ROCM_LLAMA_SERVER_PATH names, else the best of PATH, the pack and Debian's packages.
# Writes into $OUT, or results/hardware/<utc>. Ends within the budget (540 s): what does not fit is
# dropped, the least important first, and named. Exit: the first that is not 0 of all steps; 130 when
# stopped by a signal: the summary then says how far it came.
. "$(dirname "$0")/lib.sh"
. "$root/ci/lib_models.sh"
catch_stops
started=$SECONDS
budget=540 shape="" type=q4_0 model="" plan="" pack_only=""
pack=$root/build/hardware/pass.tar.gz
readonly pack_limit=$((64 << 20)) report_time=25

while [ $# -gt 0 ]; do
  case $1 in
    --budget) budget=${2:?seconds}; shift 2 ;;
    --shape) shape=${2:?shape}; shift 2 ;;
    --type) type=${2:?type}; shift 2 ;;
    --model) model=${2:?file}; shift 2 ;;
    --plan) plan=1; shift ;;
    --pack) pack_only=1; shift ;;
    *) die "unknown option $1; see the head of $0" 2 ;;
  esac
done

left() { echo $((budget - (SECONDS - started))); }

# The shared libraries of a program but for the C library's own, which belong to the kernel's side.
libraries_of() {
  ldd "$1" | awk '$3 ~ /^\// { print $3 }' |
    grep -vE '/(libc|libm|libpthread|libdl|librt|libresolv)\.so|ld-linux' || :
}

# Programs, their libraries, and Debian's llama-server with its Vulkan backend but no driver: those
# are the machine's.
make_pack() {
  "$root/ci/packages.sh" build
  step "build"
  build release rocm-bench mock-llama-server
  step "llama-server with Vulkan"
  "$root/ci/llama_server_debian.sh" "$cache/llama-server" --vulkan
  step "pack"
  local work
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # its value now
  trap "rm -rf '$work'" EXIT
  mkdir -p "$work/bin" "$work/lib" "$(dirname "$pack")"
  local program
  for program in rocm-bench mock-llama-server; do
    strip -o "$work/bin/$program" "$root/build/release/bin/$program"
    libraries_of "$root/build/release/bin/$program" | xargs -r cp -Lt "$work/lib"
  done
  local from=$cache/llama-server/vulkan lib
  lib=$(cd "$from/prefix" && echo usr/lib/*-linux-gnu)
  mkdir -p "$work/server/prefix/$lib" "$work/server/prefix/usr/bin"
  cp "$from/llama-server-card" "$work/server/llama-server"
  cp "$from/prefix/usr/bin/llama-server" "$work/server/prefix/usr/bin/"
  tar -C "$from/prefix/$lib" --exclude='libLLVM*' --exclude='libvulkan_*' --exclude='libz3*' \
    --exclude=gconv --exclude=perl-base --exclude='dri' --exclude='ossl-modules' -cf - . |
    tar -C "$work/server/prefix/$lib" -xf -
  tar -C "$work" -czf "$pack" .
  local size
  size=$(stat -c %s "$pack")
  [ "$size" -le "$pack_limit" ] || die "the pack has $size bytes, more than $pack_limit"
  printf '%s: %d MiB\n' "$pack" $((size >> 20))
}
if [ -n "$pack_only" ]; then make_pack; exit 0; fi

# --- the programs ---------------------------------------------------------------------------------
scratch=$(mktemp -d "${TMPDIR:-/tmp}/rocm-hardware.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
out=${OUT:-$root/results/hardware/$(date -u +%Y%m%dT%H%M%SZ)}
mkdir -p "$out/runs"
exec > >(tee -i "$out/hardware.log") 2>&1  # it outlives a Ctrl-C, for the summary

packed=""
if [ -f "$pack" ]; then
  step "the programs of $pack"
  mkdir "$scratch/pack"
  tar -C "$scratch/pack" -xzf "$pack"
  # The machine's own libraries where they do, so that nothing is mixed without need.
  if [ "$(ldd "$scratch/pack/bin/rocm-bench" | grep -c 'not found')" != 0 ]; then
    export LD_LIBRARY_PATH=$scratch/pack/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  fi
  bench=$scratch/pack/bin/rocm-bench packed=$scratch/pack/server/llama-server
  "$bench" --version >/dev/null || die "the packed rocm-bench does not start here (see above)" 3
elif [ -n "${ROCM_BENCH_PROGRAM:-}" ]; then
  bench=$ROCM_BENCH_PROGRAM
else
  "$root/ci/packages.sh" build
  step "build"
  build release rocm-bench mock-llama-server
  bench=$root/build/release/bin/rocm-bench
  started=$SECONDS  # a build is no part of a pass
fi

# --- the device -----------------------------------------------------------------------------------
# 4 CUDA or ROCm, 3 SYCL, 2 a card through Vulkan, 1 software Vulkan, 0 nothing but the processor.
worth() {
  case $("$1" --list-devices 2>/dev/null) in
    *CUDA0:* | *ROCm0:*) echo 4 ;;
    *SYCL0:*) echo 3 ;;
    *Vulkan0:*llvmpipe*) echo 1 ;;
    *Vulkan0:*) echo 2 ;;
    *) echo 0 ;;
  esac
}
server="" best=-1 software=""
consider() {
  [ -n "${1:-}" ] && [ -x "$1" ] || return 0
  local its
  its=$(worth "$1")
  printf '%-6s %s\n' "$its" "$1"
  if [ "$its" = 1 ]; then software=$1; its=-1; fi
  if [ "$its" -gt "$best" ]; then server=$1 best=$its; fi
}
step "llama-server: what each can drive (4 CUDA or ROCm … 0 the processor)"
# The best of all there are; what drives a card that is here, or a server at all, is fetched.
find_server() {
  local one kind=""
  consider "$(command -v llama-server || :)"
  for one in "" -cuda -hip -vulkan; do
    consider "$cache/llama-server/llama-server$one"
  done
  consider "$cache/llama-server/vulkan/llama-server-card"
  consider "$packed"
  if [ "$best" -lt 4 ] && [ -e /dev/nvidia0 ]; then kind=--cuda
  elif [ "$best" -lt 4 ] && [ -e /dev/kfd ]; then kind=--hip
  elif [ "$best" -lt 0 ]; then kind=cpu; fi
  if [ -n "$kind" ]; then
    if [ "$kind" = cpu ]; then kind=""; fi
    if limited 150 10 "$root/ci/llama_server_debian.sh" "$cache/llama-server" ${kind:+"$kind"}; then
      consider "$cache/llama-server/llama-server${kind:+-${kind#--}}"
    else
      printf 'Debian does not deliver llama-server %s: going on with what there is\n' "$kind"
    fi
  fi
}
if [ -n "${ROCM_LLAMA_SERVER_PATH:-}" ]; then
  consider "$ROCM_LLAMA_SERVER_PATH"  # the user's choice
else
  find_server
fi
server=${server:-$software}
[ -n "$server" ] || die "no llama-server${ROCM_LLAMA_SERVER_PATH:+ at $ROCM_LLAMA_SERVER_PATH}: set ROCM_LLAMA_SERVER_PATH or put one on PATH" 3
case $("$server" --list-devices 2>/dev/null) in
  *CUDA0:*) backend=cuda ;;
  *ROCm0:*) backend=rocm ;;
  *SYCL0:*) backend=sycl ;;
  *Vulkan0:*) backend=vulkan ;;
  *) backend=cpu ;;
esac
if [ -z "$shape" ]; then
  if [ "$backend" = cpu ]; then shape=gemma3-1b; else shape=gemma3-4b; fi
fi
"$bench" devices || :
"$server" --list-devices 2>/dev/null || :
printf 'Measured: %s, backend %s, model %s\n' "$server" "$backend" "${model:-$shape $type}"

# --- the steps ------------------------------------------------------------------------------------
target=(--target llama-server --server-binary "$server" --backend "$backend")
calibrated=()
decode=20 prefill=100 learned=""  # tok/s, until they have been measured
exit_code=0 summary=()
note() { summary+=("$(printf '%-14s %s' "$1" "$2")"); printf '%s: %s\n' "$1" "$2"; }
keep() { [ "$exit_code" != 0 ] || exit_code=$1; }

# Seconds that a run of FILES would take at the speeds seen so far.
seconds_of() {
  "$bench" run "$@" --target mock --dry-run --assume-decode "$decode" --assume-prefill "$prefill" |
    sed -n 's/.* about \([0-9]*\) s in all.*/\1/p'
}

# run_step NAME MODEL [OPTION…] -- FILE…: fewer rounds where it would not fit, else dropped.
run_step() {
  local name=$1 model=$2 options=() files=() rounds="" seconds rc=0 time
  shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  files=("$@")
  if [ -n "$stopped" ]; then note "$name" "not run: stopped"; return 0; fi
  if [ ! -e "${files[0]}" ]; then note "$name" "not in this tree: ${files[0]#"$root/"}"; return 0; fi
  time=$(($(left) - report_time))
  for rounds in "" 6 4 2; do
    [ -n "$learned$plan" ] || [ -z "$rounds" ] || { rounds=""; break; }
    seconds=$(seconds_of "${files[@]}" ${rounds:+--rounds "$rounds"}) || seconds=""
    [ -n "$seconds" ] || seconds=0  # no estimate: the limit below holds anyway
    [ "$seconds" -gt "$time" ] || break
  done
  # Until a speed has been measured the estimate is a guess, and only the limit below counts.
  if { [ -n "$learned$plan" ] && [ "$seconds" -gt "$time" ]; } || [ "$time" -lt 5 ]; then
    note "$name" "DROPPED: about $seconds s, $((time > 0 ? time : 0)) s left"
    return 0
  fi
  step "$name: about $seconds s, $time s left${rounds:+; $rounds rounds}"
  if [ -n "$plan" ]; then note "$name" "about $seconds s${rounds:+, $rounds rounds}"; return 0; fi
  # An interrupted run keeps what it has. The first ones, on a device of unknown speed, must leave
  # something for those behind them.
  [ -n "$learned" ] || time=$((time / 2))
  limited "$time" 10 "$bench" run "${files[@]}" "${target[@]}" \
    --model "$model" --out "$out/runs" --quiet --prometheus-textfile "$scratch" \
    "${calibrated[@]}" ${rounds:+--rounds "$rounds"} "${options[@]}" || rc=$?
  case $rc in
    0) note "$name" "done${rounds:+, $rounds rounds}" ;;
    124) note "$name" "CUT at the budget; its run file is partial" ;;
    130) note "$name" "STOPPED by a signal; its run file is partial" ;;
    *) note "$name" "exit $rc"; keep "$rc" ;;
  esac
}

# Speeds that the last run measured, for the estimates.
learn() {
  local file=$scratch/rocm_bench.prom value
  [ -f "$file" ] || return 0
  value=$(awk '/^rocm_bench_decode_tokens_per_second\{/ { v = int($NF) } END { print v + 0 }' "$file")
  [ "$value" -lt 1 ] || decode=$value learned=1
  value=$(awk '/^rocm_bench_prefill_tokens_per_second\{/ { v = int($NF) } END { print v + 0 }' "$file")
  [ "$value" -lt 1 ] || prefill=$value
}

all() { find "$root/scenarios/$1" -name '*.json' 2>/dev/null | sort | grep . || echo "$root/scenarios/$1"; }

step "calibrate"
if [ -z "$plan" ]; then
  if limited 120 10 "$bench" calibrate --streams 1 4 16 --out "$out/calibration.json"; then
    calibrated=(--calibration "$out/calibration.json")
  else
    note calibrate "failed (see above): no error bounds"
    [ -n "$stopped" ] || keep 4
  fi
fi
chain=$scratch/chain.gguf
"$bench" synth --chain "$chain"
run_step exact "$chain" -- "$root/scenarios/ci/exact_native.json"
if [ -n "$software" ]; then
  step "software Vulkan: $software"
  saved=("${target[@]}")
  target=(--target llama-server --server-binary "$software" --backend vulkan --device 0)
  run_step exact-vulkan "$chain" -- "$root/scenarios/seed/decode.json"
  target=("${saved[@]}")
fi

step "model"
if [ -n "$model" ]; then
  printf '%s\n' "$model"
elif [ -n "$plan" ]; then
  "$bench" synth --shape "$shape" --type "$type" --check --backend "$backend" --server-binary "$server" "$scratch/model.gguf" || keep $?
elif [ -n "$stopped" ]; then
  note model "not made: stopped"
else
  ROCM_BENCH_SYNTHETIC=${ROCM_BENCH_SYNTHETIC:-$scratch}
  model=$(synthetic_model "$bench" "$server" "$shape" "$type" --backend "$backend" --server-binary "$server") ||
    { keep $?; note model "not made (see above): nothing is measured"; }
fi
if [ -n "$model$plan" ]; then
  run_step decode "$model" -- "$root/scenarios/seed/decode.json"
  learn
  run_step ttft "$model" -- "$root/scenarios/seed/ttft.json"
  learn
  run_step concurrency "$model" -- "$root/scenarios/seed/concurrent_4x2048.json"
  mapfile -t files < <(all flash_attention)
  run_step flash-attention "$model" -- "${files[@]}"
  mapfile -t files < <(all crash)
  run_step crash "$model" -- "${files[@]}"
  run_step prefill "$model" -- "$root/scenarios/prefill/pp512.json"
  learn
  run_step depth "$model" -- "$root/scenarios/decode/tg128.json"
  run_step slots "$model" -- "$root/scenarios/concurrency/streams_slots.json"
fi

step "report"
mapfile -t files < <(find "$out/runs" -name '*.jsonl' | sort)
if [ ${#files[@]} -gt 0 ]; then
  if limited "$((report_time + 60))" 10 /usr/bin/python3 "$root/reports/report.py" "${files[@]}" --out "$out/report"; then
    note report "$out/report/FINDINGS.md"
  else
    note report "not made here; elsewhere: rocm-bench report $out/runs/*.jsonl --out DIR"
  fi
fi

[ -z "$stopped" ] || keep 130
step "summary: $((SECONDS - started)) s of $budget"
printf '%s\n' "${summary[@]}"
exit "$exit_code"
