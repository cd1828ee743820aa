// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "harness/base/wall_clock.h"
#include "harness/cli/calibration_file.h"
#include "harness/cli/calibrator.h"
#include "harness/cli/commands.h"
#include "harness/cli/model_file.h"
#include "harness/cli/version.h"

namespace harness {
namespace {

struct CalibrateArguments {
  std::string out;
  std::vector<int> levels;
  bool aligned = false;
};

std::string Row(const CalibrationPoint& point) {
  const auto at = [](const Distribution& d, double p) {
    const Quantile* q = d.Find(p);
    return q == nullptr ? std::string("–") : fmt::format("{:.3f}", q->value);
  };
  return fmt::format("{:>7}  {:>8}  {:>8} {:>8} {:>8}  {:>8} {:>8} {:>8}  {:>8.2f}  {}\n",
                     point.concurrency, point.chunks, at(point.ttft_error_ms, 0.5),
                     at(point.ttft_error_ms, 0.99), fmt::format("{:.3f}", point.ttft_error_ms.max),
                     at(point.chunk_error_ms, 0.5), at(point.chunk_error_ms, 0.99),
                     fmt::format("{:.3f}", point.chunk_error_ms.max), point.cpu_us_per_chunk,
                     point.usable() ? "" : "not usable");
}

// A folder of our own for the mock's logs; removed with everything in it.
class Scratch {
 public:
  Scratch() {
    std::error_code ignored;
    path_ = (std::filesystem::temp_directory_path(ignored) / "rocm-bench-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

ExitCode CalibrateNow(const CalibrateArguments& arguments, const CommandContext& context) {
  const auto model = CachedChainModel();
  if (!model) return Report(model.error());
  const Scratch scratch;
  if (scratch.path().empty()) {
    fmt::print(stderr, "rocm-bench: cannot make a temporary folder\n");
    return ExitCode::kBadInput;
  }
  StoredCalibration stored;
  stored.made_at = FormatUtc(WallNow());
  stored.tool_version = kToolVersion;
  stored.cpu = CpuName();
  fmt::print("Error against the mock's own log, ms{}\n",
             arguments.aligned ? "; all streams speak at once" : "");
  fmt::print(
      "streams    chunks  TTFT p50      p99      max  chunk p50     p99      max  µs/chunk\n");
  bool usable = true;
  for (CalibrationLevel level : StandardLevels()) {
    if (!arguments.levels.empty() &&
        std::ranges::find(arguments.levels, level.concurrency) == arguments.levels.end()) {
      continue;
    }
    level.phase_aligned = arguments.aligned;
    const auto point = MeasureLevel(level, *model, scratch.path(), context.signals.soft());
    if (!point) return Report(point.error());
    fmt::print("{}", Row(*point));
    usable = usable && point->usable();
    stored.calibration.points.push_back(*point);
  }
  if (!usable) {
    fmt::print(stderr, "rocm-bench: chunks were lost or invented; not stored\n");
    return ExitCode::kInvalid;
  }
  // A part of the levels, or the worst case, is for looking at.
  if (arguments.aligned || (!arguments.levels.empty() && arguments.out.empty())) {
    return ExitCode::kPass;
  }
  const auto file = SaveCalibration(stored, arguments.out);
  if (!file) return Report(file.error());
  fmt::print("stored in {}\n", *file);
  return ExitCode::kPass;
}

}  // namespace

void AddCalibrateCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<CalibrateArguments>();
  CalibrateArguments& a = *arguments;
  CLI::App* calibrate =
      app.add_subcommand("calibrate", "Measure this instrument's own error against the mock");
  calibrate->add_option("--out", a.out, "File to write; default: where run looks for it");
  calibrate->add_option("--streams", a.levels, "Only these of 1, 4, 16, 64, 256 and 1024 streams")
      ->check(CLI::IsMember({1, 4, 16, 64, 256, 1'024}));
  calibrate->add_flag("--aligned", a.aligned, "All streams speak at once; shown, not stored");
  calibrate->callback([arguments, &context] { context.exit = CalibrateNow(*arguments, context); });
}

}  // namespace harness
