#!/bin/sh
# SPDX-License-Identifier: EUPL-1.2
# Installs the clients that package-lock.json names, once, and runs their tests against the mock in
# ROCM_TEST_BIN_DIR. Exits 77 where there is no Node or the packages cannot be had.
set -eu
cd "$(dirname "$0")"
command -v node >/dev/null && command -v npm >/dev/null || {
  echo "skipped: no node or npm"
  exit 77
}
stamp=node_modules/.installed
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=30000 || {
    echo "skipped: npm cannot get the packages"
    exit 77
  }
  cp package-lock.json "$stamp"
fi
exec node --test
