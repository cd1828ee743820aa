#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Every shell script is free of ShellCheck's warnings.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "shellcheck is not installed: ci/packages.sh test" >&2; exit 1; }
mapfile -t scripts < <(find ci mock_server/clients \( -name node_modules -prune \) -o -name '*.sh' -print | sort)
shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR --source-path=ci "${scripts[@]}"
echo "shell: ${#scripts[@]} scripts clean"
