#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Everything a change must pass: packages, a real llama-server, then all tests in a release build,
# under AddressSanitizer + UBSan and under ThreadSanitizer. ci/test.sh [PRESET…] runs a part.
# With ROCM_JUNIT=DIRECTORY each preset leaves its results there as JUnit XML.
. "$(dirname "$0")/lib.sh"
started=$SECONDS
presets=("$@")
[ $# -gt 0 ] || presets=(release asan tsan)

[ -z "${ROCM_JUNIT:-}" ] || mkdir -p "$ROCM_JUNIT"

step "packages"
"$root/ci/packages.sh" test

step "a real llama-server"
no_server="" rc=0
"$root/ci/llama_server_debian.sh" "$cache/llama-server" --vulkan || rc=$?
[ "$rc" = 0 ] || [ "$rc" = 3 ] || die "ci/llama_server_debian.sh failed (exit $rc)"
if [ -x "$cache/llama-server/llama-server" ]; then
  export ROCM_TEST_LLAMA_SERVER=$cache/llama-server/llama-server
  [ "$rc" = 0 ] || no_server="tests on software Vulkan were SKIPPED: Debian's mirror does not deliver its packages"
else
  no_server="tests labelled 'model' were SKIPPED: Debian's mirror does not deliver llama-server"
fi

export PYTHONPATH=$cache/scipy/root/usr/lib/python3/dist-packages
for preset in "${presets[@]}"; do
  step "build $preset"
  build "$preset"
  step "test $preset ($((SECONDS - started)) s so far)"
  # A second chance, on noisy shared machines; the first failure stays visible in the output.
  # One more than cores: many tests wait for deadlines.
  ctest --test-dir "$root/build/$preset" --output-on-failure -j $((jobs + 1)) -LE soak \
    --no-tests=error --repeat until-pass:2 ${ROCM_JUNIT:+--output-junit "$ROCM_JUNIT/$preset.xml"} | grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed|^ *Start +[0-9]+:' || {
    printf '%s\n' "ci/test.sh: preset $preset has failing tests (above)" >&2
    exit 1
  }
done
printf '\nAll presets passed in %d s: %s\n' $((SECONDS - started)) "${presets[*]}"
if [ -n "$no_server" ]; then printf '%s\n' "$no_server"; fi
