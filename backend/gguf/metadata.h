// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backend/error.h"

namespace rocm::gguf {

// An array's elements are kept only where they are numbers or bools and few; `count` is always the
// file's.
struct Array {
  std::uint32_t element_type = 0;  // GGUF's number
  std::uint64_t count = 0;
  std::vector<double> elements;  // empty unless kept
};

using Value = std::variant<bool, std::uint64_t, std::int64_t, double, std::string, Array>;

struct TensorInfo {
  std::string name;
  std::vector<std::uint64_t> shape;  // row length first; empty is one element
  std::uint32_t type = 0;            // TraitsOf() knows it
  std::uint64_t bytes = 0;
  [[nodiscard]] std::uint64_t elements() const;
};

// What a GGUF file says about the model in it. A plain value.
struct Metadata {
  std::string path;
  int version = 0;
  int shards = 1;
  std::uint64_t file_bytes = 0;  // of all shards

  // From the keys; empty or 0 where the file does not say.
  std::string architecture;  // "gemma3"
  std::string name;
  std::string size_label;    // "4B"
  std::string quantisation;  // "Q4_K - Medium"; "(guessed) …" from the tensors where no key says
  int context_length = 0;
  int layers = 0;
  int hidden_size = 0;
  int vocab_size = 0;
  bool has_chat_template = false;

  // From the tensors.
  std::uint64_t parameters = 0;
  std::uint64_t tensor_bytes = 0;
  double bits_per_weight = 0;

  std::map<std::string, Value, std::less<>> values;
  std::vector<TensorInfo> tensors;

  // Of any numeric kind, as long as the value is one; nullopt where missing, of another kind, or
  // not representable.
  [[nodiscard]] std::optional<std::uint64_t> Unsigned(std::string_view key) const;
  [[nodiscard]] std::optional<double> Number(std::string_view key) const;
  [[nodiscard]] std::optional<bool> Bool(std::string_view key) const;
  [[nodiscard]] const std::string* String(std::string_view key) const;
  [[nodiscard]] const Array* ArrayAt(std::string_view key) const;
  // "context_length" of architecture "llama" is the key "llama.context_length".
  [[nodiscard]] std::string ArchitectureKey(std::string_view key) const;
};

// Reads a model's metadata, never its tensor data. A file that is one of several shards is read
// with the others, which must lie beside it, and must be the first. Fails with kModelNotFound,
// kModelInvalid (the message says what is wrong and where) or kIo. Memory is bounded whatever the
// file holds; a file that changes meanwhile can only make it fail. Thread-safe.
[[nodiscard]] Result<Metadata> ReadMetadata(const std::string& path);

// One file by itself, whether it is a shard or not.
[[nodiscard]] Result<Metadata> ReadMetadataOfFile(const std::string& path);

// What a reader accepts at most. Anything above it is an attack or damage, not a model.
inline constexpr std::uint64_t kMaxKeys = 64u << 10;
inline constexpr std::uint64_t kMaxKeyBytes = 64u << 10;
inline constexpr std::uint64_t kMaxStringBytes = 16u << 20;
inline constexpr std::uint64_t kMaxArrayElements = 64u << 20;  // of all arrays together
inline constexpr std::uint64_t kMaxKeptBytes = 64u << 20;      // of all that is kept in memory
inline constexpr std::uint64_t kMaxKeptElements = 4096;        // of one array
inline constexpr std::uint64_t kMaxTensors = 256u << 10;
inline constexpr std::uint64_t kMaxTensorNameBytes = 63;
inline constexpr std::uint32_t kMaxDimensions = 4;

}  // namespace rocm::gguf
