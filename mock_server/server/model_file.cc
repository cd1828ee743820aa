// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/model_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>
#include <vector>

namespace mock {
namespace {

constexpr std::uint64_t kMaxString = 1U << 24U;
constexpr std::uint64_t kMaxCount = 1U << 26U;
constexpr std::size_t kStubSize = 64;

// Thrown inside this file only, where the input ends or makes no sense.
struct Malformed {};

class Reader {
 public:
  explicit Reader(std::ifstream& file) : file_(file) {}

  template <typename T>
  T Number() {
    T value{};
    file_.read(reinterpret_cast<char*>(&value), sizeof value);
    if (!file_) throw Malformed{};
    return value;
  }
  std::string String() {
    const auto size = Number<std::uint64_t>();
    if (size > kMaxString) throw Malformed{};
    std::string text(size, '\0');
    file_.read(text.data(), static_cast<std::streamsize>(size));
    if (!file_) throw Malformed{};
    return text;
  }
  void Skip(std::uint64_t bytes) {
    if (bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
      throw Malformed{};
    }
    file_.ignore(static_cast<std::streamsize>(bytes));
    if (file_.gcount() != static_cast<std::streamsize>(bytes)) throw Malformed{};
  }

 private:
  std::ifstream& file_;
};

constexpr std::array<std::uint64_t, 13> kSizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;

// An integer value, or 0 for any other type, which is skipped.
std::int64_t ReadValue(Reader& in, std::uint32_t type, std::string& text) {
  if (type == kString) {
    text = in.String();
    return 0;
  }
  if (type == kArray) {
    const auto element = in.Number<std::uint32_t>();
    const auto count = in.Number<std::uint64_t>();
    if (element >= kSizes.size() || element == kArray || count > kMaxCount) throw Malformed{};
    if (element == kString) {
      for (std::uint64_t i = 0; i < count; ++i) in.Skip(in.Number<std::uint64_t>());
    } else {
      in.Skip(kSizes[element] * count);
    }
    return 0;
  }
  if (type >= kSizes.size()) throw Malformed{};
  if (type == 4) return in.Number<std::uint32_t>();
  if (type == 5) return in.Number<std::int32_t>();
  if (type == 10 || type == 11) return in.Number<std::int64_t>();
  in.Skip(kSizes[type]);
  return 0;
}

struct TypeTrait {
  std::uint32_t id;
  std::string_view name;
  std::int64_t block;
  std::int64_t bytes;
};
constexpr std::array<TypeTrait, 12> kTypes{{{0, "all F32", 1, 4},
                                            {1, "F16", 1, 2},
                                            {2, "Q4_0", 32, 18},
                                            {3, "Q4_1", 32, 20},
                                            {6, "Q5_0", 32, 22},
                                            {7, "Q5_1", 32, 24},
                                            {8, "Q8_0", 32, 34},
                                            {11, "Q3_K - Medium", 256, 110},
                                            {12, "Q4_K - Medium", 256, 144},
                                            {13, "Q5_K - Medium", 256, 176},
                                            {14, "Q6_K", 256, 210},
                                            {30, "BF16", 1, 2}}};

void ReadMetadata(Reader& in, std::uint64_t count, ModelFile& model) {
  if (count > kMaxCount) throw Malformed{};
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = in.String();
    std::string text;
    const std::int64_t number = ReadValue(in, in.Number<std::uint32_t>(), text);
    if (key == "general.architecture") model.architecture = text;
    if (key == "general.name") model.name = text;
    if (key.ends_with(".context_length")) model.context = number;
    if (key.ends_with(".embedding_length")) model.embedding = number;
  }
}

// The tensors' size in the file; the type of most parameters names the file's type.
std::int64_t ReadTensors(Reader& in, std::uint64_t count, ModelFile& model,
                         std::string& past_the_end, std::int64_t data_size) {
  if (count > kMaxCount) throw Malformed{};
  std::array<std::int64_t, kTypes.size()> parameters{};
  model.parameters = 0;
  model.bytes = 0;
  model.tensors = static_cast<std::int64_t>(count);
  std::int64_t end = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = in.String();
    const auto dimensions = in.Number<std::uint32_t>();
    if (dimensions > 4) throw Malformed{};
    std::int64_t elements = 1;
    for (std::uint32_t d = 0; d < dimensions; ++d) {
      const auto size = in.Number<std::int64_t>();
      if (size < 0 || (size > 0 && elements > (std::int64_t{1} << 50) / size)) throw Malformed{};
      elements *= size;
    }
    const auto type = in.Number<std::uint32_t>();
    const auto offset = static_cast<std::int64_t>(in.Number<std::uint64_t>());
    // Of a type that is not in the table only the place is checked.
    std::int64_t bytes = 0;
    for (std::size_t t = 0; t < kTypes.size(); ++t) {
      if (kTypes[t].id != type) continue;
      bytes = elements / kTypes[t].block * kTypes[t].bytes;
      parameters[t] += elements;
    }
    if (offset < 0 || offset > (std::int64_t{1} << 50)) throw Malformed{};
    if (offset + bytes > data_size && past_the_end.empty()) past_the_end = name;
    end = std::max(end, offset + bytes);
    model.parameters += elements;
    model.bytes += bytes;
  }
  std::size_t most = 0;
  for (std::size_t t = 0; t < kTypes.size(); ++t) {
    if (parameters[t] > parameters[most]) most = t;
  }
  model.file_type = kTypes[most].name;
  return end;
}

std::string Printable(std::array<char, 4> magic) {
  for (char& c : magic) {
    if (c < ' ' || c > '~') c = '?';
  }
  return {magic.begin(), magic.end()};
}

}  // namespace

std::optional<ModelFileError> ReadModelFile(const std::string& path, ModelFile& model) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return ModelFileError{fmt::format("gguf_init_from_file: failed to open GGUF file '{}' ({})",
                                      path, std::strerror(errno))};
  }
  const auto size = static_cast<std::int64_t>(file.tellg());
  file.seekg(0);
  std::array<char, 4> magic{};
  file.read(magic.data(), magic.size());
  if (!file) return ModelFileError{"gguf_init_from_reader: failed to read magic"};
  if (std::string_view(magic.data(), 4) != "GGUF") {
    return ModelFileError{
        fmt::format("gguf_init_from_reader: invalid magic characters: '{}', expected 'GGUF'",
                    Printable(magic))};
  }
  if (static_cast<std::size_t>(size) < kStubSize) return std::nullopt;
  std::string past_the_end;
  try {
    Reader in(file);
    const auto version = in.Number<std::uint32_t>();
    if (version < 2 || version > 3) {
      return ModelFileError{
          fmt::format("gguf_init_from_reader: failed to read header: "
                      "GGUFv{} is not supported",
                      version)};
    }
    const auto tensors = in.Number<std::uint64_t>();
    const auto pairs = in.Number<std::uint64_t>();
    ReadMetadata(in, pairs, model);
    const auto table = file.tellg();
    // Twice: the data's size is known only after the table of tensors.
    (void)ReadTensors(in, tensors, model, past_the_end, std::numeric_limits<std::int64_t>::max());
    const auto data_size = size - (static_cast<std::int64_t>(file.tellg()) + 31) / 32 * 32;
    file.seekg(table);
    (void)ReadTensors(in, tensors, model, past_the_end, data_size);
  } catch (const Malformed&) {
    return ModelFileError{"gguf_init_from_reader: failed to read key-value pairs"};
  }
  if (!past_the_end.empty()) {
    return ModelFileError{
        fmt::format("llama_model_load: error loading model: tensor '{}' data is not within the "
                    "file bounds, model is corrupted or incomplete",
                    past_the_end)};
  }
  return std::nullopt;
}

}  // namespace mock
