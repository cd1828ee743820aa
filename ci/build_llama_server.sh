#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Builds llama-server from your own checkout of llama.cpp and keeps it by commit and flags.
#   ci/build_llama_server.sh SRC --variant rocm|rocm-nofa|cuda|vulkan|sycl|cpu [--keep DIR]
#                            [--cmake -DNAME=VALUE]… [--print-flags]
# Prints the path of the kept llama-server; what is kept already is not built again. The last 30 are
# kept (ROCM_BENCH_KEEP), never fewer. AMDGPU_TARGETS names the card (gfx1100), CMAKE_CUDA_ARCHITECTURES
# NVIDIA's (native). Exit 2: bad input; 3: the build failed.
. "$(dirname "$0")/lib.sh"
source_dir="" variant="" keep=$cache/nightly/binaries more=() print=""
while [ $# -gt 0 ]; do
  case $1 in
    --variant) variant=${2:-}; shift 2 || die "--variant needs a value" 2 ;;
    --keep) keep=${2:?directory}; shift 2 ;;
    --cmake) more+=("${2:?-DNAME=VALUE}"); shift 2 ;;
    --print-flags) print=1; shift ;;
    -*) die "unknown option $1; see the head of $0" 2 ;;
    *)
      [ -z "$source_dir" ] || die "one checkout only: $source_dir or $1" 2
      source_dir=$1
      shift
      ;;
  esac
done

flags=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF)
case $variant in
  rocm) flags+=(-DGGML_HIP=ON "-DAMDGPU_TARGETS=${AMDGPU_TARGETS:-gfx1100}" -DGGML_HIP_ROCWMMA_FATTN=ON) ;;
  rocm-nofa) flags+=(-DGGML_HIP=ON "-DAMDGPU_TARGETS=${AMDGPU_TARGETS:-gfx1100}" -DGGML_HIP_ROCWMMA_FATTN=OFF) ;;
  cuda) flags+=(-DGGML_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=${CMAKE_CUDA_ARCHITECTURES:-native}") ;;
  vulkan) flags+=(-DGGML_VULKAN=ON) ;;
  sycl) flags+=(-DGGML_SYCL=ON -DCMAKE_C_COMPILER=icx -DCMAKE_CXX_COMPILER=icpx) ;;
  cpu) flags+=(-DGGML_NATIVE=ON) ;;
  *) die "--variant is rocm, rocm-nofa, cuda, vulkan, sycl or cpu, not '$variant'" 2 ;;
esac
flags+=("${more[@]}")
if [ -n "$print" ]; then printf '%s\n' "${flags[@]}"; exit 0; fi

[ -f "$source_dir/CMakeLists.txt" ] && [ -d "$source_dir/tools" ] ||
  die "'$source_dir' is no checkout of llama.cpp: no CMakeLists.txt and tools/ in it" 2
source_dir=$(cd "$source_dir" && pwd)
commit=$(git -C "$source_dir" rev-parse HEAD 2>/dev/null) || die "$source_dir is no git checkout" 2
commit=${commit:0:12}
# Changes that no commit names make another binary.
changes=$(git -C "$source_dir" diff HEAD | sha256sum)
if [ -n "$(git -C "$source_dir" status --porcelain --untracked-files=no)" ]; then
  commit+=-dirty-${changes:0:8}
fi
key=$commit-$variant-$(printf '%s\n' "${flags[@]}" | sha256sum | cut -c1-8)

if [ ! -x "$keep/$key/llama-server" ]; then
  mkdir -p "$keep"
  build=$source_dir/build-rocm-bench-$variant
  log=$keep/$key.log
  printf 'building llama-server %s %s in %s\n' "$commit" "$variant" "$build" >&2
  if ! { cmake -S "$source_dir" -B "$build" "${flags[@]}" &&
         cmake --build "$build" --config Release -j "$jobs" \
           --target llama-server llama-bench llama-quantize; } >"$log" 2>&1; then
    grep -nE 'error|Error' "$log" | head -5 >&2 || :
    die "building llama-server ($variant, $commit) failed; the whole log: $log" 3
  fi
  [ -x "$build/bin/llama-server" ] || die "the build made no $build/bin/llama-server; its log: $log" 3
  "$build/bin/llama-server" --version >>"$log" 2>&1 ||
    die "the llama-server that was built does not start: $(tail -1 "$log")" 3
  # Whole or not there.
  part=$keep/$key.part.$$
  mkdir "$part"
  for program in llama-server llama-bench llama-quantize; do
    [ ! -x "$build/bin/$program" ] || cp "$build/bin/$program" "$part/"
  done
  printf '%s\n' "commit $commit" "variant $variant" "${flags[@]}" >"$part/build.txt"
  rm -rf "${keep:?}/$key"
  mv "$part" "$keep/$key"
  rm -f "$log"
fi
touch "$keep/$key"  # used now

# The oldest go, but for the one that the nights compare with: nightly.sh links the program itself,
# beside the folder of binaries.
good=$(readlink -f "$(dirname "$keep")/good" 2>/dev/null || :)
mapfile -t old < <(find "$keep" -mindepth 1 -maxdepth 1 -type d ! -name '*.part.*' -printf '%T@ %p\n' |
  sort -rn | cut -d' ' -f2- | tail -n "+$((${ROCM_BENCH_KEEP:-30} + 1))")
for one in "${old[@]}"; do
  [ "$(readlink -f "$one")/llama-server" = "$good" ] || rm -rf "$one"
done
printf '%s\n' "$keep/$key/llama-server"
