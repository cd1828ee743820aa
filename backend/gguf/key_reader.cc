// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/key_reader.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <string_view>
#include <type_traits>
#include <utility>

#include "backend/gguf/printable.h"

namespace rocm::gguf {
namespace {

// GGUF's value types, by number.
enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

struct ValueTypeTraits {
  std::string_view name;
  std::uint64_t bytes = 0;  // 0: not of one size
};

constexpr std::array<ValueTypeTraits, 13> kValueTypes = {{
    {"uint8", 1},
    {"int8", 1},
    {"uint16", 2},
    {"int16", 2},
    {"uint32", 4},
    {"int32", 4},
    {"float32", 4},
    {"bool", 1},
    {"string", 0},
    {"array", 0},
    {"uint64", 8},
    {"int64", 8},
    {"float64", 8},
}};

}  // namespace

std::string KeyReader::Place() const {
  return key_.empty() ? fmt::format("key {}", index_)
                      : fmt::format("key '{}'", Printable(key_, kShownName));
}

bool KeyReader::Read(std::uint64_t count) {
  for (index_ = 0; index_ < count; ++index_) {
    if (!OneKey()) return false;
  }
  return true;
}

bool KeyReader::OneKey() {
  if (!Name()) return false;
  std::uint32_t type = 0;
  if (!in_.cursor.Take(type)) return in_.Short("the type of " + Place());
  if (type >= kValueTypes.size()) {
    return in_.Refuse(fmt::format("{} has type {}, which does not exist", Place(), type));
  }
  if (values_.contains(key_)) return in_.Refuse(fmt::format("{} occurs twice", Place()));
  if (key_ == "general.alignment") return Alignment(type);
  return ReadValue(type);
}

bool KeyReader::Name() {
  key_.clear();
  std::uint64_t length = 0;
  if (!in_.cursor.Take(length)) return in_.Short(Place());
  if (length == 0) return in_.Refuse(fmt::format("{} has no name", Place()));
  if (length > kMaxKeyBytes) {
    return in_.Refuse(fmt::format("{} has a name of {} bytes; more than {} are refused", Place(),
                                  length, kMaxKeyBytes));
  }
  if (length > in_.cursor.remaining()) return in_.Short(fmt::format("the name of {}", Place()));
  if (!in_.Keep(length + sizeof(Value) + 64)) return false;
  std::string name(length, '\0');
  if (!in_.cursor.TakeBytes(name.data(), length)) return in_.Short(Place());
  key_ = std::move(name);
  return true;
}

bool KeyReader::Alignment(std::uint32_t type) {
  if (type != kUint32) {
    return in_.Refuse(
        fmt::format("general.alignment is of type {}, not uint32", kValueTypes[type].name));
  }
  std::uint32_t alignment = 0;
  if (!in_.cursor.Take(alignment)) return in_.Short(Place());
  if (!std::has_single_bit(alignment)) {
    return in_.Refuse(fmt::format("general.alignment is {}, not a power of two", alignment));
  }
  alignment_ = alignment;
  values_.emplace(key_, std::uint64_t{alignment});
  return true;
}

template <typename T>
bool KeyReader::Scalar() {
  T value{};
  if (!in_.cursor.Take(value)) return in_.Short(Place());
  if constexpr (std::is_floating_point_v<T>) {
    values_.emplace(key_, static_cast<double>(value));
  } else if constexpr (std::is_signed_v<T>) {
    values_.emplace(key_, static_cast<std::int64_t>(value));
  } else {
    values_.emplace(key_, static_cast<std::uint64_t>(value));
  }
  return true;
}

bool KeyReader::ReadValue(std::uint32_t type) {
  switch (type) {
    case kUint8: return Scalar<std::uint8_t>();
    case kInt8: return Scalar<std::int8_t>();
    case kUint16: return Scalar<std::uint16_t>();
    case kInt16: return Scalar<std::int16_t>();
    case kUint32: return Scalar<std::uint32_t>();
    case kInt32: return Scalar<std::int32_t>();
    case kFloat32: return Scalar<float>();
    case kUint64: return Scalar<std::uint64_t>();
    case kInt64: return Scalar<std::int64_t>();
    case kFloat64: return Scalar<double>();
    case kString: return StringValue();
    case kArray: return ArrayValue();
    default: break;
  }
  // A bool. As a byte: one that is neither 0 nor 1 must not become one.
  std::uint8_t byte = 0;
  if (!in_.cursor.Take(byte)) return in_.Short(Place());
  values_.emplace(key_, byte != 0);
  return true;
}

bool KeyReader::StringLength(std::uint64_t& length) {
  if (!in_.cursor.Take(length)) return in_.Short(Place());
  if (length > kMaxStringBytes) {
    return in_.Refuse(fmt::format("{} holds a string of {} bytes; more than {} MiB are refused",
                                  Place(), length, kMaxStringBytes >> 20));
  }
  if (length > in_.cursor.remaining()) return in_.Short("a string of " + Place());
  return true;
}

bool KeyReader::StringValue() {
  std::uint64_t length = 0;
  if (!StringLength(length) || !in_.Keep(length)) return false;
  std::string value(length, '\0');
  if (!in_.cursor.TakeBytes(value.data(), length)) return in_.Short(Place());
  values_.emplace(key_, std::move(value));
  return true;
}

bool KeyReader::SkipStrings(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t length = 0;
    if (!StringLength(length)) return false;
    if (!in_.cursor.Skip(length)) return in_.Short(Place());
  }
  return true;
}

template <typename T>
bool KeyReader::Elements(Array& array) {
  for (std::uint64_t i = 0; i < array.count; ++i) {
    T value{};
    if (!in_.cursor.Take(value)) return in_.Short(Place());
    array.elements.push_back(static_cast<double>(value));
  }
  return true;
}

bool KeyReader::KeepElements(Array& array) {
  if (!in_.Keep(array.count * sizeof(double))) return false;
  array.elements.reserve(array.count);
  switch (array.element_type) {
    case kInt8: return Elements<std::int8_t>(array);
    case kUint16: return Elements<std::uint16_t>(array);
    case kInt16: return Elements<std::int16_t>(array);
    case kUint32: return Elements<std::uint32_t>(array);
    case kInt32: return Elements<std::int32_t>(array);
    case kFloat32: return Elements<float>(array);
    case kUint64: return Elements<std::uint64_t>(array);
    case kInt64: return Elements<std::int64_t>(array);
    case kFloat64: return Elements<double>(array);
    default: return Elements<std::uint8_t>(array);
  }
}

bool KeyReader::ArrayValue() {
  Array array;
  if (!in_.cursor.Take(array.element_type) || !in_.cursor.Take(array.count)) {
    return in_.Short(Place());
  }
  if (array.element_type == kArray) {
    return in_.Refuse(fmt::format("{} is an array of arrays, which is refused", Place()));
  }
  if (array.element_type >= kValueTypes.size()) {
    return in_.Refuse(fmt::format("{} is an array of type {}, which does not exist", Place(),
                                  array.element_type));
  }
  if (array.count > kMaxArrayElements - array_elements_) {
    return in_.Refuse(
        fmt::format("{} is an array of {} elements; more than {} in a file are refused", Place(),
                    array.count, kMaxArrayElements));
  }
  array_elements_ += array.count;
  const std::uint32_t type = array.element_type;
  if (type == kString) {
    // The shortest string is its length: refuse before walking over what cannot be there.
    if (array.count * sizeof(std::uint64_t) > in_.cursor.remaining()) return in_.Short(Place());
    if (!SkipStrings(array.count)) return false;
  } else if (array.count <= kMaxKeptElements) {
    if (array.count * kValueTypes[type].bytes > in_.cursor.remaining()) return in_.Short(Place());
    if (!KeepElements(array)) return false;
  } else if (!in_.cursor.Skip(array.count * kValueTypes[type].bytes)) {
    return in_.Short(Place());
  }
  values_.emplace(key_, std::move(array));
  return true;
}

}  // namespace rocm::gguf
