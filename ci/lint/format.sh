#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Every C++ file is as clang-format would write it. ci/lint/format.sh --fix rewrites.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=(--dry-run --Werror)
[ "${1:-}" = --fix ] && mode=(-i)
find backend harness mock_server \( -name node_modules -prune \) -o \( -name '*.h' -o -name '*.cc' \) -print0 |
  xargs -0 -r clang-format "${mode[@]}"
echo "format: clean"
