// SPDX-License-Identifier: EUPL-1.2
#include "harness/scenario/json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace harness {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr int kMaxDepth = 32;

const nlohmann::json& EmptyObject() {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}

// "[json.exception.parse_error.101] parse error at line 3, column 5: …" without the first part.
std::string WithoutTag(const std::string& what) {
  const auto end = what.find("] ");
  std::string text = end == std::string::npos ? what : what.substr(end + 2);
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return text.substr(0, 300);
}

// Watches the parser for doubled keys and for depth. The parser calls it before it builds anything,
// so that a hostile depth is never built.
class Watcher {
 public:
  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) too_deep_ = true;
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end && !keys_.empty()) keys_.pop_back();
    if (event == Event::key && !keys_.empty()) {
      auto key = parsed.get<std::string>();
      if (!keys_.back().insert(key).second && !doubled_) doubled_ = std::move(key);
    }
    return !too_deep_;
  }
  bool too_deep_ = false;
  std::optional<std::string> doubled_;

 private:
  std::vector<std::set<std::string>> keys_;
};

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t next =
          std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = std::exchange(row[j], next);
    }
  }
  return row[b.size()];
}

// The likeliest meant name, or "" when none is near.
std::string Nearest(std::string_view text, const std::vector<std::string_view>& names) {
  std::string_view best;
  std::size_t best_distance = 3;
  for (const std::string_view name : names) {
    const std::size_t distance = EditDistance(text, name);
    if (distance < best_distance && distance < name.size()) {
      best = name;
      best_distance = distance;
    }
  }
  return std::string(best);
}

std::string TypeName(const nlohmann::json& value) {
  return value.is_number_float() ? "a fraction" : fmt::format("{}", value.type_name());
}

// In quotes, with everything outside printable ASCII escaped.
std::string Shown(const std::string& text) {
  return nlohmann::json(text.substr(0, 60))
      .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}
std::string Printable(const std::string& text) {
  const std::string shown = Shown(text);
  return shown.substr(1, shown.size() - 2);
}

}  // namespace

rocm::Result<nlohmann::json> ParseJson(std::string_view text, std::string_view origin) {
  if (text.size() > kMaxBytes) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("{}: larger than {} bytes", origin, kMaxBytes));
  }
  Watcher watcher;
  nlohmann::json parsed;
  std::optional<std::string> wrong;
  try {
    parsed = nlohmann::json::parse(
        text.begin(), text.end(),
        [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
          return watcher(depth, event, value);
        },
        /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const nlohmann::json::exception& error) {
    wrong = WithoutTag(error.what());
  }
  // Depth first: what follows from it would be a riddle.
  if (watcher.too_deep_) {
    wrong = fmt::format("nested deeper than {} levels", kMaxDepth);
  } else if (!wrong && watcher.doubled_) {
    wrong = fmt::format("the key {} stands twice in one object", Shown(*watcher.doubled_));
  }
  if (wrong) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument, fmt::format("{}: {}", origin, *wrong));
  }
  return parsed;
}

void Findings::Add(const std::string& path, const std::string& reason) {
  if (!first_) first_ = fmt::format("{}: {}", path, reason);
}

ObjectReader::ObjectReader(const nlohmann::json& value, std::string path, Findings& findings)
    : value_(&value), path_(std::move(path)), findings_(&findings) {
  if (value.is_object()) return;
  findings_->Add(path_, fmt::format("must be an object, is {}", TypeName(value)));
  value_ = &EmptyObject();
}

std::string ObjectReader::PathOf(std::string_view key) const {
  return fmt::format("{}.{}", path_, key);
}
void ObjectReader::Fail(std::string_view key, const std::string& reason) {
  findings_->Add(PathOf(key), reason);
}
void ObjectReader::FailHere(const std::string& reason) { findings_->Add(path_, reason); }

std::vector<std::string> ObjectReader::Keys() const {
  std::vector<std::string> keys;
  for (const auto& entry : value_->items()) keys.push_back(entry.key());
  return keys;
}

const nlohmann::json* ObjectReader::Take(const char* key) {
  known_.insert(key);
  const auto it = value_->find(key);
  return it == value_->end() ? nullptr : &*it;
}

const nlohmann::json* ObjectReader::Require(const char* key) {
  const nlohmann::json* value = Take(key);
  if (value == nullptr) Fail(key, "is missing");
  return value;
}

std::optional<std::string> ObjectReader::String(const char* key) {
  const nlohmann::json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  return AsString(*value, PathOf(key), *findings_);
}

std::string ObjectReader::RequiredString(const char* key) {
  const nlohmann::json* value = Require(key);
  if (value == nullptr) return {};
  auto text = AsString(*value, PathOf(key), *findings_);
  if (text.empty()) Fail(key, "must not be empty");
  return text;
}

std::optional<std::int64_t> ObjectReader::Integer(const char* key, std::int64_t min,
                                                  std::int64_t max) {
  const nlohmann::json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  return AsInteger(*value, PathOf(key), min, max, *findings_);
}

std::optional<double> ObjectReader::Number(const char* key, double min, double max) {
  const nlohmann::json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  return AsNumber(*value, PathOf(key), min, max, *findings_);
}

std::optional<bool> ObjectReader::Boolean(const char* key) {
  const nlohmann::json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    Fail(key, fmt::format("must be true or false, is {}", TypeName(*value)));
    return std::nullopt;
  }
  return value->get<bool>();
}

std::optional<std::chrono::milliseconds> ObjectReader::Duration(const char* key, double min_ms,
                                                                double max_ms, double ms_per_unit) {
  const auto number = Number(key, min_ms / ms_per_unit, max_ms / ms_per_unit);
  if (!number) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::llround(*number * ms_per_unit)));
}

void ObjectReader::Done() {
  for (const auto& entry : value_->items()) {
    if (known_.contains(entry.key())) continue;
    const std::string key = entry.key().substr(0, 60);
    const std::string nearest = Nearest(key, {known_.begin(), known_.end()});
    findings_->Add(
        PathOf(Printable(key)),
        nearest.empty() ? "unknown key" : fmt::format("unknown key (did you mean {}?)", nearest));
  }
}

void ObjectReader::FailUnknown(const char* key, const std::string& text,
                               const std::vector<std::string_view>& known) {
  const std::string nearest = Nearest(text.substr(0, 60), {known.begin(), known.end()});
  Fail(key, fmt::format("is {}, must be one of {}{}", Shown(text), fmt::join(known, ", "),
                        nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest)));
}

std::int64_t AsInteger(const nlohmann::json& value, const std::string& path, std::int64_t min,
                       std::int64_t max, Findings& findings) {
  if (!value.is_number_integer()) {
    findings.Add(path, fmt::format("must be a whole number, is {}", TypeName(value)));
    return min;
  }
  const bool huge = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() >
                        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t number = huge ? max : value.get<std::int64_t>();
  if (huge || number < min || number > max) {
    findings.Add(path, fmt::format("must be {} to {}, is {}", min, max, value.dump()));
    return min;
  }
  return number;
}

double AsNumber(const nlohmann::json& value, const std::string& path, double min, double max,
                Findings& findings) {
  if (!value.is_number()) {
    findings.Add(path, fmt::format("must be a number, is {}", TypeName(value)));
    return min;
  }
  const double number = value.get<double>();
  if (!(number >= min && number <= max)) {
    findings.Add(path, fmt::format("must be {:g} to {:g}, is {:g}", min, max, number));
    return min;
  }
  return number;
}

std::string AsString(const nlohmann::json& value, const std::string& path, Findings& findings) {
  if (!value.is_string()) {
    findings.Add(path, fmt::format("must be a string, is {}", TypeName(value)));
    return {};
  }
  return value.get<std::string>();
}

std::vector<const nlohmann::json*> AsArray(const nlohmann::json& value, const std::string& path,
                                           std::size_t min_size, std::size_t max_size,
                                           Findings& findings) {
  std::vector<const nlohmann::json*> elements;
  if (!value.is_array()) {
    findings.Add(path, fmt::format("must be an array, is {}", TypeName(value)));
    return elements;
  }
  if (value.size() < min_size || value.size() > max_size) {
    findings.Add(
        path, fmt::format("must have {} to {} elements, has {}", min_size, max_size, value.size()));
    return elements;
  }
  for (const auto& element : value) elements.push_back(&element);
  return elements;
}

std::string AtIndex(const std::string& path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

}  // namespace harness
