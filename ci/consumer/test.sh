#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Installs the library into a temporary prefix, builds the program beside this file against it, and
# lets it generate on the mock: ci/consumer/test.sh BUILD_DIRECTORY
set -euo pipefail
build=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
cmake --build "$work/build" >"$work/log" 2>&1 || { tail -30 "$work/log"; exit 1; }

"$build/bin/rocm-bench" synth --chain "$work/chain.gguf" >/dev/null
answer=$(ROCM_LLAMA_SERVER_PATH=$build/bin/mock-llama-server \
  "$work/build/first_program" "$work/chain.gguf" hello cpu)
echo "first_program said:$answer"
[ "$answer" = " w333 w334 w335 [length]" ]

if "$work/build/first_program" "$work/none.gguf" hello cpu 2>"$work/error"; then exit 1; fi
grep -q "^model_not_found: .*none.gguf" "$work/error" || { cat "$work/error"; exit 1; }
