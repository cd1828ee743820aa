// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {

// Bytes of the tensors written so far, and in all. Called from the writing thread.
using WriteProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Composes a GGUF v3 file: keys and tensor descriptions first, then Write() asks for the data
// piece by piece, so that a file much larger than memory can be made. Not thread-safe.
class Writer {
 public:
  explicit Writer(std::string_view architecture);

  void AddUint32(std::string_view key, std::uint32_t value);
  void AddFloat(std::string_view key, float value);
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddStrings(std::string_view key, std::span<const std::string> values);
  void AddFloats(std::string_view key, std::span<const float> values);
  void AddInt32s(std::string_view key, std::span<const std::int32_t> values);

  // `shape` as GGUF has it: the row length first. The row length must be whole blocks of `type`.
  void AddTensor(std::string_view name, std::vector<std::uint64_t> shape, TensorType type);

  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    TensorType type = TensorType::kF32;
    std::uint64_t offset = 0;  // from the start of the data
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }
  [[nodiscard]] std::uint64_t FileBytes() const;
  // All that comes before the tensors' data, padding included.
  [[nodiscard]] std::string Header() const;

  // Fills the next piece of a tensor: whole blocks, in order, the whole tensor in the end.
  using Fill = std::function<void(const Tensor& tensor, std::span<std::byte> piece)>;

  // Writes beside `path` and renames, so that a half-written model never carries its name. Checks
  // before the first byte that the disk has room.
  [[nodiscard]] Result<void> Write(const std::string& path, const Fill& fill,
                                   const WriteProgress& progress = {}) const;

 private:
  void Key(std::string_view key, std::uint32_t type);

  std::string keys_;
  std::uint64_t key_count_ = 0;
  std::vector<Tensor> tensors_;
  std::uint64_t data_bytes_ = 0;
};

}  // namespace rocm::gguf
