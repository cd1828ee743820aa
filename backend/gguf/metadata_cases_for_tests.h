// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace rocm::gguf {

// Bytes of a GGUF file, put together by hand: independent of the writer, and able to be wrong.
class RawFile {
 public:
  RawFile() = default;
  // Magic, version and the two counts.
  RawFile(std::uint32_t version, std::uint64_t tensors, std::uint64_t keys);

  template <typename T>
  RawFile& Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  RawFile& Text(std::string_view text) {
    Put(static_cast<std::uint64_t>(text.size()));
    bytes_.append(text);
    return *this;
  }
  // A key's name and type; its value is what is put next.
  RawFile& Key(std::string_view name, std::uint32_t type) { return Text(name).Put(type); }
  RawFile& StringKey(std::string_view name, std::string_view value) {
    return Key(name, 8).Text(value);
  }
  RawFile& Uint32Key(std::string_view name, std::uint32_t value) { return Key(name, 4).Put(value); }
  RawFile& Tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                  std::uint32_t type, std::uint64_t offset);
  // Zeroes up to the alignment, then `count` more.
  RawFile& Data(std::uint64_t count, std::uint64_t alignment = 32);
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct MetadataCase {
  std::string name;
  std::string bytes;
  std::string refusal;  // part of the message; empty where the file must pass
  friend void PrintTo(const MetadataCase& one, std::ostream* out) { *out << one.name; }
};

// Every way in which a file must be refused, and the unusual ones that must pass.
[[nodiscard]] std::vector<MetadataCase> MetadataCases();

// A sound file with a key of every type, arrays, and tensors of several types; nothing behind its
// last tensor.
[[nodiscard]] std::string EveryKindOfKey(std::uint32_t version);

}  // namespace rocm::gguf
