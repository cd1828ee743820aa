# SPDX-License-Identifier: EUPL-1.2
# shellcheck shell=bash
# Shared by the scripts beside it: `. "$(dirname "$0")/lib.sh"`. Defines where things are, and says.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${ROCM_BENCH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/rocm-bench}
jobs=${ROCM_BENCH_JOBS:-$(nproc)}
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-2G}
# Another checkout of the same sources hits too.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

step() { printf '\n== %s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$1" >&2; exit "${2:-1}"; }

# After catch_stops an INT or TERM sets `stopped` and ends what `limited` runs; the script itself goes
# on to its end, which says what was cut. By TERM: the shell begins background work with INT ignored.
stopped="" child=""
catch_stops() { trap 'stopped=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || :' INT TERM; }

# limited SECONDS GRACE COMMAND…: interrupted after SECONDS (124) or by a stop (130), killed GRACE
# later; nothing is begun after a stop. In the background, since `timeout` has a process group of its
# own, which neither Ctrl-C nor systemd's signal reaches, and the shell hears them only in `wait`.
limited() {
  local rc
  [ -z "$stopped" ] || return 130
  timeout --signal=INT --kill-after="$2" "$1" "${@:3}" &
  child=$!
  [ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null || :  # it came before the trap knew the child
  while :; do
    rc=0
    wait "$child" || rc=$?
    kill -0 "$child" 2>/dev/null || break  # else a signal ended the wait alone
  done
  child=""
  [ -z "$stopped" ] || [ "$rc" != 143 ] || rc=130
  return "$rc"
}

# build PRESET [TARGET…]: configure when needed, then build; quiet unless it fails. What
# ROCM_CMAKE_ARGUMENTS holds is given to CMake.
build() {
  local preset=$1 log
  shift
  log=$(mktemp)
  # shellcheck disable=SC2086  # several arguments
  if ! { (cd "$root" && cmake --preset "$preset" ${ROCM_CMAKE_ARGUMENTS:-}) >"$log" 2>&1 &&
         cmake --build "$root/build/$preset" -j "$jobs" -- "$@" >>"$log" 2>&1; }; then
    grep -nE 'error|Error|FAILED|warning:' "$log" | head -40 >&2 || :
    tail -30 "$log" >&2
    die "building preset $preset failed; the whole log: $log"
  fi
  rm -f "$log"
}
