#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Every bar at its full count: the tests of ci/test.sh with ROCM_SOAK=1 and those labelled `soak`.
# Takes hours on 2 cores. ci/soak.sh [CTEST_ARGUMENT…], e.g. ci/soak.sh -R orphan
. "$(dirname "$0")/lib.sh"
"$root/ci/packages.sh" test
"$root/ci/llama_server_debian.sh" "$cache/llama-server" --vulkan
# Every check of UBSan: ci/test.sh has no time for all.
export ROCM_CMAKE_ARGUMENTS=-DROCM_UBSAN_ALL=ON
export ROCM_TEST_LLAMA_SERVER=$cache/llama-server/llama-server ROCM_SOAK=1
export PYTHONPATH=$cache/scipy/root/usr/lib/python3/dist-packages
for preset in ${ROCM_SOAK_PRESETS:-release asan tsan}; do
  step "build $preset"
  build "$preset"
  step "soak $preset"
  ctest --test-dir "$root/build/$preset" --output-on-failure --timeout 7200 --no-tests=error "$@"
done
