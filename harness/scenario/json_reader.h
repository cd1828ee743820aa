// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/error.h"

namespace harness {

// JSON text with // and /* */ comments to a tree. Refuses more than 1 MiB, more than 32 levels and
// doubled keys (nlohmann would quietly keep the last). `origin` names the text in errors.
[[nodiscard]] rocm::Result<nlohmann::json> ParseJson(std::string_view text,
                                                     std::string_view origin);

// The first thing found wrong; later findings are dropped, since they often follow from it.
class Findings {
 public:
  void Add(const std::string& path, const std::string& reason);
  [[nodiscard]] const std::optional<std::string>& first() const { return first_; }

 private:
  std::optional<std::string> first_;
};

template <typename E>
using Names = std::span<const std::pair<std::string_view, E>>;

// Reads one JSON object field by field. Every getter returns a usable value, also after a finding,
// so that callers need no error paths of their own. Done() refuses the keys that nobody read.
class ObjectReader {
 public:
  // A `value` that is no object is a finding, and then reads as empty.
  ObjectReader(const nlohmann::json& value, std::string path, Findings& findings);

  [[nodiscard]] bool Has(const char* key) const { return value_->contains(key); }
  [[nodiscard]] std::string PathOf(std::string_view key) const;
  void Fail(std::string_view key, const std::string& reason);
  void FailHere(const std::string& reason);
  [[nodiscard]] Findings& findings() { return *findings_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> Keys() const;

  // The raw value, marked as read; nullptr when absent.
  [[nodiscard]] const nlohmann::json* Take(const char* key);
  // The same; absent is a finding.
  [[nodiscard]] const nlohmann::json* Require(const char* key);

  [[nodiscard]] std::optional<std::string> String(const char* key);
  [[nodiscard]] std::string RequiredString(const char* key);
  [[nodiscard]] std::optional<std::int64_t> Integer(const char* key, std::int64_t min,
                                                    std::int64_t max);
  [[nodiscard]] std::optional<double> Number(const char* key, double min, double max);
  [[nodiscard]] std::optional<bool> Boolean(const char* key);
  // Milliseconds kept exactly; the key is in seconds or milliseconds by `per_second`.
  [[nodiscard]] std::optional<std::chrono::milliseconds> Duration(const char* key, double min_ms,
                                                                  double max_ms,
                                                                  double ms_per_unit);
  template <typename E>
  [[nodiscard]] std::optional<E> Enum(const char* key, Names<E> names) {
    const auto text = String(key);
    if (!text) return std::nullopt;
    for (const auto& [name, value] : names) {
      if (name == *text) return value;
    }
    std::vector<std::string_view> known;
    for (const auto& entry : names) known.push_back(entry.first);
    FailUnknown(key, *text, known);
    return std::nullopt;
  }

  void Done();

 private:
  void FailUnknown(const char* key, const std::string& text,
                   const std::vector<std::string_view>& known);

  const nlohmann::json* value_;
  std::string path_;
  Findings* findings_;
  std::set<std::string, std::less<>> known_;  // every key asked for
};

// For array elements and bare numbers. On a mismatch: a finding at `path`, and 0 or "".
[[nodiscard]] std::int64_t AsInteger(const nlohmann::json& value, const std::string& path,
                                     std::int64_t min, std::int64_t max, Findings& findings);
[[nodiscard]] double AsNumber(const nlohmann::json& value, const std::string& path, double min,
                              double max, Findings& findings);
[[nodiscard]] std::string AsString(const nlohmann::json& value, const std::string& path,
                                   Findings& findings);
// The elements of an array of at most `max_size`; anything else is a finding and yields nothing.
[[nodiscard]] std::vector<const nlohmann::json*> AsArray(const nlohmann::json& value,
                                                         const std::string& path,
                                                         std::size_t min_size, std::size_t max_size,
                                                         Findings& findings);
[[nodiscard]] std::string AtIndex(const std::string& path, std::size_t index);

}  // namespace harness
