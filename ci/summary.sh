#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# A report as one comment: ci/summary.sh REPORT_DIRECTORY [JUNIT_DIRECTORY]. Markdown on stdout,
# short enough for GitHub's limit of 65,536 characters. Says what is missing instead of failing.
set -euo pipefail
report=${1:?report directory}
junit=${2:-}
limit=60000

if [ -f "$report/verdict.txt" ]; then
  printf '### Night: %s\n\n' "$(sed -n 's/^verdict: //p' "$report/verdict.txt")"
  sed '/^verdict: /d; s/^/- /' "$report/verdict.txt"
  printf '\n'
fi
if [ -n "$junit" ]; then
  shopt -s nullglob
  for file in "$junit"/*.xml; do
    # ctest writes the counts into the head of the one suite in the file.
    head=$(tr '\n\t' '  ' <"$file" | grep -o '<testsuite [^>]*>' | head -n 1)
    count() { grep -o " $1=\"[0-9]*\"" <<<"$head" | tr -dc '0-9'; }
    printf '**%s**: %s tests, %s failed, %s skipped\n\n' "$(basename "$file" .xml)" "$(count tests)" \
      "$(count failures)" "$(count skipped)"
  done
fi
if [ -f "$report/FINDINGS.md" ]; then
  # Plots are in the artefact; a comment cannot show them.
  findings=$(grep -v '^!\[' "$report/FINDINGS.md")
  if [ "${#findings}" -gt "$limit" ]; then
    findings=${findings:0:$limit}
    printf '%s\n\n… cut here; the whole report is in the artefact.\n' "${findings%$'\n'*}"
  else
    printf '%s\n' "$findings"
  fi
else
  printf 'No report: %s/FINDINGS.md was not written.\n' "$report"
fi
