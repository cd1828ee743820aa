// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>

#include "backend/error.h"
#include "harness/base/json.h"
#include "harness/measure/clock_reconciliation.h"
#include "harness/scenario/scenario.h"
#include "harness/target/target.h"
#include "harness/telemetry/sampler.h"

namespace harness {

// The details of a run's events, as docs/results-format.md names them. What is not known is left
// out.
[[nodiscard]] Json RequestedSettings(const Scenario& scenario);
[[nodiscard]] Json DescribeServer(const TargetFacts& facts, const Scenario& scenario);
[[nodiscard]] Json DescribeError(const rocm::Error& error);
[[nodiscard]] Json DescribeHost(const TelemetrySample& sample);
[[nodiscard]] Json DescribeDevice(const DeviceSample& device);
[[nodiscard]] Json DescribeClocks(const StageClocks& clocks);
[[nodiscard]] double Milliseconds(std::chrono::nanoseconds t);

}  // namespace harness
