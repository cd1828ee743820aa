// SPDX-License-Identifier: EUPL-1.2
#include <cstdint>

#include "backend/base/testing/fuzzing.h"
#include "backend/gguf/estimate.h"
#include "backend/gguf/parser.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {
namespace {

using fuzzing::Require;

void CheckRefusal(const Error& error) {
  Require(error.code == ErrorCode::kModelInvalid);
  Require(!error.message.empty() && error.message.size() < 2000);
  for (const char c : error.message) Require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

// What is accepted keeps the promises that its users build on.
void CheckAccepted(const Metadata& metadata, std::uint64_t size) {
  Require(metadata.file_bytes == size);
  Require(metadata.version == 2 || metadata.version == 3);
  Require(metadata.tensor_bytes <= size);
  Require(metadata.layers >= 0 && metadata.context_length >= 0 && metadata.vocab_size >= 0);
  Require(metadata.bits_per_weight >= 0);
  std::uint64_t bytes = 0;
  std::uint64_t elements = 0;
  for (const TensorInfo& tensor : metadata.tensors) {
    Require(!tensor.name.empty() && tensor.name.size() <= kMaxTensorNameBytes);
    Require(tensor.shape.size() <= kMaxDimensions);
    Require(FindTraits(tensor.type) != nullptr);
    bytes += tensor.bytes;
    elements += tensor.elements();
  }
  Require(bytes == metadata.tensor_bytes && elements == metadata.parameters);
  for (const auto& [key, value] : metadata.values) {
    Require(!key.empty() && key.size() <= kMaxKeyBytes);
    if (const Array* array = metadata.ArrayAt(key)) {
      Require(array->elements.empty() || array->elements.size() == array->count);
      Require(array->elements.size() <= kMaxKeptElements);
    }
  }
}

// Whatever numbers the file states, the estimate is one or says that there is none.
void CheckEstimate(const Metadata& metadata) {
  const auto estimate = EstimateMemory(
      metadata, {.context_per_slot = 4096, .slots = 4, .gpu_layers = metadata.layers / 2});
  if (!estimate) return Require(estimate.error().code == ErrorCode::kModelUnsupported);
  Require(estimate->device.total() >= estimate->device.weights);
  Require(estimate->host.total() >= estimate->host.weights);
  Require(estimate->layers_on_device <= estimate->layers_total);
  if (metadata.layers > 64) return;  // slow, and nothing new
  const auto context = LargestContextThatFits(metadata, {}, std::uint64_t{1} << 34);
  Require(context && *context >= 0 && *context <= AutomaticContext(metadata));
}

}  // namespace
}  // namespace rocm::gguf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rocm::gguf;
  const auto result = ParseMetadata(MemoryInput(std::as_bytes(std::span(data, size))));
  if (result) {
    CheckAccepted(*result, size);
    CheckEstimate(*result);
  } else {
    CheckRefusal(result.error());
  }
  return 0;
}
