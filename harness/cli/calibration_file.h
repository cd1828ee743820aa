// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "backend/error.h"
#include "harness/measure/calibration.h"

namespace harness {

// What `calibrate` measured, and where: it holds for this machine and this build only.
struct StoredCalibration {
  std::string made_at;  // UTC
  std::string tool_version;
  std::string cpu;
  Calibration calibration;
};

[[nodiscard]] nlohmann::ordered_json CalibrationJson(const StoredCalibration& stored);
[[nodiscard]] rocm::Result<StoredCalibration> ParseCalibration(const std::string& text,
                                                               const std::string& origin);

// The file, or the one in the cache directory when `path` is empty; nullopt where there is none, or
// where it was made on another processor or by another version.
[[nodiscard]] rocm::Result<std::optional<StoredCalibration>> LoadCalibration(
    const std::string& path);
[[nodiscard]] rocm::Result<std::string> SaveCalibration(const StoredCalibration& stored,
                                                        const std::string& path);

// The processor's name, from /proc/cpuinfo, and how many cores there are.
[[nodiscard]] std::string CpuName();

}  // namespace harness
