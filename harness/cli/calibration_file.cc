// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/calibration_file.h"

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "harness/base/json.h"
#include "harness/cli/model_file.h"
#include "harness/cli/version.h"
#include "harness/scenario/text_file.h"

namespace harness {
namespace {

constexpr int kSchema = 1;
constexpr std::size_t kMaxBytes = 1 << 20;

Json Write(const Distribution& d) {
  Json json{{"n", d.n},     {"mean", d.mean}, {"sd", d.sd},
            {"min", d.min}, {"max", d.max},   {"quantiles", Json::array()}};
  for (const Quantile& q : d.quantiles) {
    json["quantiles"].push_back({{"p", q.p}, {"value", q.value}, {"supported", q.supported}});
  }
  return json;
}

Distribution ReadDistribution(const Json& json) {
  Distribution d;
  d.n = json.at("n");
  d.mean = json.at("mean");
  d.sd = json.at("sd");
  d.min = json.at("min");
  d.max = json.at("max");
  for (const Json& entry : json.at("quantiles")) {
    Quantile q;
    q.p = entry.at("p");
    q.value = entry.at("value");
    q.supported = entry.at("supported");
    d.quantiles.push_back(q);
  }
  return d;
}

rocm::Result<std::string> DefaultPath() {
  const auto directory = CacheDirectory();
  if (!directory) return tl::unexpected(directory.error());
  return (*directory / "calibration.json").string();
}

}  // namespace

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  std::string name = "unknown processor";
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(": ");
    if (colon != std::string::npos) name = line.substr(colon + 2);
    break;
  }
  return fmt::format("{} × {}", name, std::thread::hardware_concurrency());
}

Json CalibrationJson(const StoredCalibration& stored) {
  Json json{{"schema", kSchema},
            {"made_at", stored.made_at},
            {"tool_version", stored.tool_version},
            {"cpu", stored.cpu},
            {"points", Json::array()}};
  for (const CalibrationPoint& point : stored.calibration.points) {
    json["points"].push_back({{"concurrency", point.concurrency},
                              {"requests", point.requests},
                              {"chunks", point.chunks},
                              {"count_mismatches", point.count_mismatches},
                              {"cpu_us_per_chunk", point.cpu_us_per_chunk},
                              {"ttft_error_ms", Write(point.ttft_error_ms)},
                              {"chunk_error_ms", Write(point.chunk_error_ms)}});
  }
  return json;
}

rocm::Result<StoredCalibration> ParseCalibration(const std::string& text,
                                                 const std::string& origin) {
  try {
    const Json json = Json::parse(text);
    if (json.at("schema") != kSchema) {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("{}: $.schema: this version reads {}", origin, kSchema));
    }
    StoredCalibration stored;
    stored.made_at = json.at("made_at");
    stored.tool_version = json.at("tool_version");
    stored.cpu = json.at("cpu");
    for (const Json& entry : json.at("points")) {
      CalibrationPoint point;
      point.concurrency = entry.at("concurrency");
      point.requests = entry.at("requests");
      point.chunks = entry.at("chunks");
      point.count_mismatches = entry.at("count_mismatches");
      point.cpu_us_per_chunk = entry.at("cpu_us_per_chunk");
      point.ttft_error_ms = ReadDistribution(entry.at("ttft_error_ms"));
      point.chunk_error_ms = ReadDistribution(entry.at("chunk_error_ms"));
      stored.calibration.points.push_back(std::move(point));
    }
    return stored;
  } catch (const Json::exception&) {
    return rocm::Fail(
        rocm::ErrorCode::kInvalidArgument,
        fmt::format("{}: not a calibration; make one with rocm-bench calibrate", origin));
  }
}

rocm::Result<std::optional<StoredCalibration>> LoadCalibration(const std::string& path) {
  std::string file = path;
  if (path.empty()) {
    auto standard = DefaultPath();
    if (!standard) return tl::unexpected(standard.error());
    file = *std::move(standard);
  }
  const auto text = ReadTextFile(file, kMaxBytes);
  if (!text) {
    if (path.empty()) return std::optional<StoredCalibration>();
    return tl::unexpected(text.error());
  }
  auto stored = ParseCalibration(*text, file);
  if (!stored) {
    // One that was named must be right; a stale one in the cache is as good as none.
    if (path.empty()) return std::optional<StoredCalibration>();
    return tl::unexpected(stored.error());
  }
  const bool fits = stored->cpu == CpuName() && stored->tool_version == kToolVersion;
  if (path.empty() && !fits) return std::optional<StoredCalibration>();
  if (!fits) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{}: made by version {} on {}, which is not this one", file,
                                  stored->tool_version, stored->cpu));
  }
  return std::optional<StoredCalibration>(*std::move(stored));
}

rocm::Result<std::string> SaveCalibration(const StoredCalibration& stored,
                                          const std::string& path) {
  std::string file = path;
  if (path.empty()) {
    auto standard = DefaultPath();
    if (!standard) return standard;
    file = *std::move(standard);
  }
  const std::string fresh = file + ".new";
  {
    std::ofstream out(fresh);
    out << CalibrationJson(stored).dump(2) << "\n";
    if (!out.flush()) {
      return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("cannot write {}", fresh));
    }
  }
  std::error_code error;
  std::filesystem::rename(fresh, file, error);
  if (error) {
    return rocm::Fail(rocm::ErrorCode::kIo,
                      fmt::format("cannot write {}: {}", file, error.message()));
  }
  return file;
}

}  // namespace harness
