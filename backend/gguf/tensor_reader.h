// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "backend/gguf/metadata.h"
#include "backend/gguf/reading.h"

namespace rocm::gguf {

// The shortest tensor description: length and one byte of name, number of dimensions, type, offset.
inline constexpr std::uint64_t kSmallestTensor = 8 + 1 + 4 + 4 + 8;

// Reads a file's tensor descriptions and checks that their data lies within the file.
class TensorReader {
 public:
  TensorReader(Reading& reading, std::uint64_t alignment) : in_(reading), alignment_(alignment) {}
  // False with in.error set when something is wrong.
  [[nodiscard]] bool Read(std::uint64_t count);
  [[nodiscard]] std::vector<TensorInfo>& tensors() { return tensors_; }
  [[nodiscard]] std::uint64_t parameters() const { return parameters_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] static std::string Place(std::string_view name);
  bool OneTensor();
  bool Name(std::string& name);
  bool Shape(TensorInfo& tensor, std::uint64_t& elements);
  bool SizeOf(TensorInfo& tensor, std::uint64_t elements);
  bool Offset(const TensorInfo& tensor, std::uint64_t offset);
  bool DataIsThere();

  Reading& in_;
  std::uint64_t alignment_;
  std::vector<TensorInfo> tensors_;
  std::unordered_set<std::string> names_;
  std::uint64_t index_ = 0;
  std::uint64_t parameters_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t next_offset_ = 0;  // behind the last tensor's padding
  std::uint64_t data_end_ = 0;     // behind the last tensor that has bytes
  std::string last_;               // its name
};

}  // namespace rocm::gguf
