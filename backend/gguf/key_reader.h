// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "backend/gguf/metadata.h"
#include "backend/gguf/reading.h"

namespace rocm::gguf {

// The shortest key: its length, one byte of name, its type and one byte of value.
inline constexpr std::uint64_t kSmallestKey = 8 + 1 + 4 + 1;

// Reads a file's keys and values.
class KeyReader {
 public:
  explicit KeyReader(Reading& reading) : in_(reading) {}
  // False with in.error set when something is wrong.
  [[nodiscard]] bool Read(std::uint64_t count);
  [[nodiscard]] std::map<std::string, Value, std::less<>>& values() { return values_; }
  [[nodiscard]] std::uint64_t alignment() const { return alignment_; }

 private:
  [[nodiscard]] std::string Place() const;
  bool OneKey();
  bool Name();
  bool ReadValue(std::uint32_t type);
  bool Alignment(std::uint32_t type);
  bool StringLength(std::uint64_t& length);
  bool StringValue();
  bool ArrayValue();
  bool SkipStrings(std::uint64_t count);
  bool KeepElements(Array& array);
  template <typename T>
  bool Scalar();
  template <typename T>
  bool Elements(Array& array);

  Reading& in_;
  std::map<std::string, Value, std::less<>> values_;
  std::uint64_t index_ = 0;
  std::string key_;  // empty until its name is read
  std::uint64_t array_elements_ = 0;
  std::uint64_t alignment_ = 32;
};

}  // namespace rocm::gguf
