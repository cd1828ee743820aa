// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "backend/gguf/input.h"
#include "backend/gguf/parser.h"
#include "backend/gguf/printable.h"
#include "backend/gguf/shards.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {
namespace {

int ClampToInt(std::optional<std::uint64_t> value) {
  constexpr std::uint64_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(value.value_or(0), kMost));
}

std::string StringOr(const Metadata& metadata, std::string_view key) {
  const std::string* text = metadata.String(key);
  return text != nullptr ? *text : std::string();
}

// llama.cpp's way: the type that most tensors have, by number and not by size.
std::string GuessedQuantisation(const std::vector<TensorInfo>& tensors) {
  std::map<std::uint32_t, int> counts;
  std::uint32_t most = 0;
  int of_most = 0;
  for (const TensorInfo& tensor : tensors) {
    const int count = ++counts[tensor.type];
    if (count <= of_most) continue;
    most = tensor.type;
    of_most = count;
  }
  const auto file_type = of_most > 0 ? GuessFileType(most) : std::nullopt;
  return file_type ? fmt::format("(guessed) {}", FileTypeName(*file_type)) : std::string();
}

std::string Quantisation(const Metadata& metadata) {
  const std::optional<std::uint64_t> stated = metadata.Unsigned("general.file_type");
  if (!stated) return GuessedQuantisation(metadata.tensors);
  const std::string_view name =
      *stated <= 0xffff ? FileTypeName(static_cast<std::uint32_t>(*stated)) : std::string_view{};
  return name.empty() ? fmt::format("file type {}", *stated) : std::string(name);
}

std::uint64_t VocabularySize(const Metadata& metadata) {
  if (const Array* tokens = metadata.ArrayAt("tokenizer.ggml.tokens")) return tokens->count;
  return metadata.Unsigned(metadata.ArchitectureKey("vocab_size")).value_or(0);
}

Result<Metadata> AddShards(Metadata first, std::uint64_t count) {
  const std::optional<ShardName> name = ParseShardName(first.path);
  if (!name || name->count != count || name->index != 1) {
    return Fail(ErrorCode::kModelInvalid,
                fmt::format("{} is the first of {} shards and must be named so: "
                            "NAME-00001-of-{:05}.gguf",
                            Printable(first.path), count, count));
  }
  for (std::uint32_t i = 2; i <= name->count; ++i) {
    const std::string path = ShardPath(name->stem, i, name->count);
    Result<Metadata> shard = ReadMetadataOfFile(path);
    if (!shard) {
      shard.error().message =
          fmt::format("shard {} of {}: {}", i, name->count, shard.error().message);
      return shard;
    }
    if (shard->Unsigned("split.no").value_or(i) != i - 1 ||
        shard->Unsigned("split.count").value_or(0) != count) {
      return Fail(ErrorCode::kModelInvalid,
                  fmt::format("{} is not shard {} of {}", Printable(path), i, count));
    }
    first.file_bytes += shard->file_bytes;
    first.parameters += shard->parameters;
    first.tensor_bytes += shard->tensor_bytes;
    std::move(shard->tensors.begin(), shard->tensors.end(), std::back_inserter(first.tensors));
  }
  first.shards = static_cast<int>(count);
  Summarise(first);
  return first;
}

}  // namespace

std::uint64_t TensorInfo::elements() const {
  std::uint64_t product = 1;
  for (const std::uint64_t extent : shape) product *= extent;
  return product;
}

std::optional<std::uint64_t> Metadata::Unsigned(std::string_view key) const {
  const auto at = values.find(key);
  if (at == values.end()) return std::nullopt;
  if (const auto* value = std::get_if<std::uint64_t>(&at->second)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&at->second); value != nullptr && *value >= 0) {
    return static_cast<std::uint64_t>(*value);
  }
  return std::nullopt;
}

std::optional<double> Metadata::Number(std::string_view key) const {
  const auto at = values.find(key);
  if (at == values.end()) return std::nullopt;
  if (const auto* value = std::get_if<double>(&at->second)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&at->second)) {
    return static_cast<double>(*value);
  }
  if (const auto* value = std::get_if<std::int64_t>(&at->second)) {
    return static_cast<double>(*value);
  }
  return std::nullopt;
}

std::optional<bool> Metadata::Bool(std::string_view key) const {
  const auto at = values.find(key);
  if (at == values.end()) return std::nullopt;
  const auto* value = std::get_if<bool>(&at->second);
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

const std::string* Metadata::String(std::string_view key) const {
  const auto at = values.find(key);
  return at == values.end() ? nullptr : std::get_if<std::string>(&at->second);
}

const Array* Metadata::ArrayAt(std::string_view key) const {
  const auto at = values.find(key);
  return at == values.end() ? nullptr : std::get_if<Array>(&at->second);
}

std::string Metadata::ArchitectureKey(std::string_view key) const {
  return fmt::format("{}.{}", architecture, key);
}

void Summarise(Metadata& metadata) {
  metadata.architecture = StringOr(metadata, "general.architecture");
  metadata.name = StringOr(metadata, "general.name");
  metadata.size_label = StringOr(metadata, "general.size_label");
  metadata.quantisation = Quantisation(metadata);
  const auto number = [&](std::string_view key) {
    return ClampToInt(metadata.Unsigned(metadata.ArchitectureKey(key)));
  };
  metadata.context_length = number("context_length");
  metadata.layers = number("block_count");
  metadata.hidden_size = number("embedding_length");
  metadata.vocab_size = ClampToInt(VocabularySize(metadata));
  metadata.has_chat_template = metadata.String("tokenizer.chat_template") != nullptr;
  metadata.bits_per_weight = metadata.parameters > 0
                                 ? 8.0 * static_cast<double>(metadata.tensor_bytes) /
                                       static_cast<double>(metadata.parameters)
                                 : 0.0;
}

Result<Metadata> ReadMetadataOfFile(const std::string& path) {
  Result<FileInput> input = FileInput::Open(path);
  if (!input) return tl::unexpected(std::move(input.error()));
  Result<Metadata> metadata = ParseMetadata(*input);
  if (!metadata) {
    metadata.error().message = fmt::format("{}: {}", Printable(path), metadata.error().message);
    return metadata;
  }
  metadata->path = path;
  return metadata;
}

Result<Metadata> ReadMetadata(const std::string& path) {
  Result<Metadata> first = ReadMetadataOfFile(path);
  if (!first) return first;
  const std::uint64_t count = first->Unsigned("split.count").value_or(0);
  if (count <= 1) return first;
  if (count > kMaxShards) {
    return Fail(ErrorCode::kModelInvalid,
                fmt::format("{}: split into {} shards; more than {} are refused", Printable(path),
                            count, kMaxShards));
  }
  const std::uint64_t index = first->Unsigned("split.no").value_or(0);
  if (index != 0) {
    return Fail(ErrorCode::kModelInvalid, fmt::format("{} is shard {} of {}; load the first one",
                                                      Printable(path), index + 1, count));
  }
  return AddShards(std::move(*first), count);
}

}  // namespace rocm::gguf
