// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/tensor_reader.h"

#include <fmt/format.h>

#include <limits>
#include <string_view>
#include <utility>

#include "backend/gguf/printable.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {

std::string TensorReader::Place(std::string_view name) {
  return fmt::format("tensor '{}'", Printable(name, kShownName));
}

bool TensorReader::Read(std::uint64_t count) {
  if (!in_.Keep(count * sizeof(TensorInfo))) return false;
  tensors_.reserve(count);
  for (index_ = 0; index_ < count; ++index_) {
    if (!OneTensor()) return false;
  }
  return DataIsThere();
}

bool TensorReader::Name(std::string& name) {
  std::uint64_t length = 0;
  if (!in_.cursor.Take(length)) return in_.Short(fmt::format("tensor {}", index_));
  if (length == 0) return in_.Refuse(fmt::format("tensor {} has no name", index_));
  if (length > kMaxTensorNameBytes) {
    return in_.Refuse(fmt::format("tensor {} has a name of {} bytes; more than {} are refused",
                                  index_, length, kMaxTensorNameBytes));
  }
  name.resize(length);
  if (!in_.cursor.TakeBytes(name.data(), length))
    return in_.Short(fmt::format("tensor {}", index_));
  if (!in_.Keep(length + 64)) return false;
  if (!names_.insert(name).second) {
    return in_.Refuse(fmt::format("{} occurs twice", Place(name)));
  }
  return true;
}

bool TensorReader::Shape(TensorInfo& tensor, std::uint64_t& elements) {
  std::uint32_t dimensions = 0;
  if (!in_.cursor.Take(dimensions)) return in_.Short(Place(tensor.name));
  if (dimensions > kMaxDimensions) {
    return in_.Refuse(fmt::format("{} has {} dimensions; more than {} are refused",
                                  Place(tensor.name), dimensions, kMaxDimensions));
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::uint64_t product = 1;  // of what is not zero: a zero must not hide an overflow
  elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    std::uint64_t extent = 0;
    if (!in_.cursor.Take(extent)) return in_.Short(Place(tensor.name));
    if (extent > kMost) {
      return in_.Refuse(
          fmt::format("{} has a negative extent in dimension {}", Place(tensor.name), i));
    }
    if (extent > 0 && product > kMost / extent) {
      return in_.Refuse(
          fmt::format("{} has more elements than can be counted", Place(tensor.name)));
    }
    if (extent > 0) product *= extent;
    elements *= extent;
    tensor.shape.push_back(extent);
  }
  return true;
}

bool TensorReader::SizeOf(TensorInfo& tensor, std::uint64_t elements) {
  const TensorTypeTraits* traits = FindTraits(tensor.type);
  if (traits == nullptr) {
    return in_.Refuse(fmt::format("{} has type {}, which does not exist or was retired",
                                  Place(tensor.name), tensor.type));
  }
  const auto block = static_cast<std::uint64_t>(traits->block_elements);
  const std::uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.front();
  if (row % block != 0) {
    return in_.Refuse(fmt::format("{} has rows of {} elements, not whole blocks of {} ({})",
                                  Place(tensor.name), row, traits->name, block));
  }
  if (__builtin_mul_overflow(elements / block, static_cast<std::uint64_t>(traits->block_bytes),
                             &tensor.bytes)) {
    return in_.Refuse(fmt::format("{} is larger than can be counted", Place(tensor.name)));
  }
  return true;
}

// Tensors lie one after the other, each padded to the alignment.
bool TensorReader::Offset(const TensorInfo& tensor, std::uint64_t offset) {
  if (offset % alignment_ != 0) {
    return in_.Refuse(fmt::format("{} lies at offset {}, not a multiple of the alignment {}",
                                  Place(tensor.name), offset, alignment_));
  }
  if (offset != next_offset_) {
    return in_.Refuse(
        fmt::format("{} lies at offset {}, expected {}", Place(tensor.name), offset, next_offset_));
  }
  std::uint64_t end = 0;
  std::uint64_t padded = 0;
  if (__builtin_add_overflow(offset, tensor.bytes, &end) ||
      __builtin_add_overflow(end, alignment_ - 1, &padded)) {
    return in_.Refuse(fmt::format("{} ends beyond what can be counted", Place(tensor.name)));
  }
  next_offset_ = padded / alignment_ * alignment_;
  if (tensor.bytes > 0) {
    data_end_ = end;
    last_ = tensor.name;
  }
  return true;
}

bool TensorReader::OneTensor() {
  TensorInfo tensor;
  std::uint64_t elements = 0;
  if (!Name(tensor.name) || !Shape(tensor, elements)) return false;
  if (!in_.cursor.Take(tensor.type)) return in_.Short(Place(tensor.name));
  if (!SizeOf(tensor, elements)) return false;
  std::uint64_t offset = 0;
  if (!in_.cursor.Take(offset)) return in_.Short(Place(tensor.name));
  if (!Offset(tensor, offset)) return false;
  if (__builtin_add_overflow(parameters_, elements, &parameters_)) {
    return in_.Refuse("the tensors have more elements than can be counted");
  }
  bytes_ += tensor.bytes;
  tensors_.push_back(std::move(tensor));
  return true;
}

bool TensorReader::DataIsThere() {
  if (data_end_ == 0) return true;
  const std::uint64_t start = (in_.cursor.offset() + alignment_ - 1) / alignment_ * alignment_;
  std::uint64_t end = 0;
  if (__builtin_add_overflow(start, data_end_, &end)) {
    return in_.Refuse(fmt::format("{} ends beyond what can be counted", Place(last_)));
  }
  if (end > in_.size) {
    return in_.Refuse(fmt::format("cut short: {} needs the file to have {} bytes, but it has {}",
                                  Place(last_), end, in_.size));
  }
  return true;
}

}  // namespace rocm::gguf
