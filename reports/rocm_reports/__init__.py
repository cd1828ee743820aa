# SPDX-License-Identifier: EUPL-1.2
"""Reports from run files. Formatting only: every number was computed by rocm-bench."""
