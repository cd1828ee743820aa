// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/baseline.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>
#include <set>

#include "harness/record/run_index.h"
#include "harness/record/run_reader.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string Shortened(const std::string& text) {
  return text.size() > 48 ? text.substr(0, 45) + "…" : text;
}

// Lower case, letters and digits, the rest as single hyphens; at most 40 characters.
std::string Slug(const std::string& text) {
  std::string slug;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      slug += static_cast<char>(std::tolower(byte));
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  slug.resize(std::min<std::size_t>(slug.size(), 40));
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

std::string TextAt(const json& value, const char* pointer) {
  const json::json_pointer at(pointer);
  return value.contains(at) && value[at].is_string() ? value[at].get<std::string>() : std::string();
}

// Case is ignored: "rx 7800 xt" is in "AMD Radeon RX 7800 XT".
bool Contains(const std::string& text, const std::string& part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return !std::ranges::search(text, part, same).empty() || part.empty();
}

bool GpuMatches(const json& match, const json& identity) {
  const std::string wanted = TextOr(match, "gpu");
  const auto gpus = identity.find("gpus");
  if (gpus == identity.end() || !gpus->is_array()) return false;
  return std::ranges::any_of(*gpus, [&](const json& gpu) {
    return gpu.is_object() && Contains(TextOr(gpu, "model"), wanted);
  });
}

bool ModelMatches(const json& match, const json& identity) {
  const std::string architecture = TextOr(match, "architecture");
  const std::string quantisation = TextOr(match, "quantisation");
  const auto model = identity.find("model");
  if (model == identity.end() || !model->is_object()) return false;
  if (TextOr(*model, "architecture") != architecture) return false;
  if (TextOr(*model, "quantisation") != quantisation) return false;
  const std::int64_t bytes = IntOr(*model, "bytes", 0);
  return bytes >= IntOr(match, "min_bytes", 0) && bytes <= IntOr(match, "max_bytes", INT64_MAX);
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void Join(BaselineSeries& into, const BaselineSeries& more) {
  into.requests += more.requests;
  into.requests_failed += more.requests_failed;
  into.judged = into.judged && more.judged;
  into.run_ids.insert(into.run_ids.end(), more.run_ids.begin(), more.run_ids.end());
  for (const auto& [name, metric] : more.metrics) {
    const auto known = into.metrics.find(name);
    if (known == into.metrics.end()) {
      into.metrics.emplace(name, metric);
      continue;
    }
    auto& starts = known->second.starts;
    starts.insert(starts.end(), metric.starts.begin(), metric.starts.end());
    if (!starts.empty()) known->second.value = MeanOf(starts);
    if (metric.error_bound && metric.error_bound.value() > known->second.error_bound.value_or(0)) {
      known->second.error_bound = metric.error_bound;
    }
  }
  // Of answers the newest run's: what a candidate should say now.
  if (!more.answers.empty()) into.answers = more.answers;
}

}  // namespace

const BaselineSeries* Baseline::Find(std::string_view series_key) const {
  const auto found = std::ranges::find(series, series_key, &BaselineSeries::series);
  return found != series.end() ? &*found : nullptr;
}

rocm::Result<void> AddRun(Baseline& into, const Baseline& run) {
  if (const auto differences = IdentityDifferences(into.identity, run.identity);
      !differences.empty()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{} was not made with the same hardware and model: {}",
                                  run.runs.empty() ? "the run" : run.runs[0].file.string(),
                                  fmt::join(differences, "; ")));
  }
  into.covariates = run.covariates;
  into.runs.insert(into.runs.end(), run.runs.begin(), run.runs.end());
  for (const BaselineSeries& more : run.series) {
    const auto known = std::ranges::find(into.series, more.series, &BaselineSeries::series);
    if (known == into.series.end()) {
      into.series.push_back(more);
    } else {
      Join(*known, more);
    }
  }
  into.comparisons.insert(into.comparisons.end(), run.comparisons.begin(), run.comparisons.end());
  return {};
}

std::vector<std::string> IdentityDifferences(const json& a, const json& b) {
  std::map<std::string, std::pair<std::string, std::string>> sides;
  for (const auto& [name, value] : FlattenCovariates(a)) sides[name].first = value;
  for (const auto& [name, value] : FlattenCovariates(b)) sides[name].second = value;
  std::vector<std::string> differences;
  for (const auto& [name, values] : sides) {
    if (values.first == values.second) continue;
    const auto shown = [](const std::string& text) {
      return text.empty() ? std::string("(none)") : Shortened(text);
    };
    differences.push_back(
        fmt::format("{}: {} is not {}", name, shown(values.second), shown(values.first)));
  }
  return differences;
}

fs::path BaselinePath(const fs::path& directory, const json& identity) {
  std::string device = Slug(TextAt(identity, "/gpus/0/model"));
  if (device.empty()) device = Slug(TextAt(identity, "/cpu/model"));
  std::string name;
  for (const std::string& part :
       {Slug(TextAt(identity, "/backend")), device, Slug(TextAt(identity, "/model/name"))}) {
    if (!part.empty()) name += part + "-";
  }
  return directory / (name + IdentityKey(identity) + ".json");
}

std::vector<Baseline> PublishedFor(const fs::path& directory, const json& identity) {
  std::vector<Baseline> found;
  std::error_code ec;
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory, ec)) {
    if (entry.path().extension() == ".json") files.insert(entry.path());
  }
  for (const fs::path& file : files) {
    auto baseline = LoadBaseline(file);
    if (!baseline || baseline->kind != "published") continue;
    if (!GpuMatches(baseline->source, identity)) continue;
    std::erase_if(baseline->series, [&](const BaselineSeries& series) {
      return !ModelMatches(series.match, identity);
    });
    if (!baseline->series.empty()) found.push_back(*std::move(baseline));
  }
  return found;
}

}  // namespace harness
