// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/parser.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "backend/gguf/key_reader.h"
#include "backend/gguf/printable.h"
#include "backend/gguf/reading.h"
#include "backend/gguf/tensor_reader.h"

namespace rocm::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in memory");

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"

struct Header {
  std::uint32_t version = 0;
  std::uint64_t tensors = 0;
  std::uint64_t keys = 0;
};

std::string WhatItIs(std::uint32_t magic) {
  std::array<char, 4> text{};
  std::memcpy(text.data(), &magic, text.size());
  const std::string_view start(text.data(), text.size());
  if (start == "vers") return "a Git LFS pointer, perhaps; fetch the file itself";
  if (start == "lmgg" || start == "fmgg" || start == "tjgg" || start == "algg") {
    return "the format before GGUF; convert it with llama.cpp's tools";
  }
  if (start == "FUGG") return "byte-swapped";
  if (start[0] == '<') return "a web page, perhaps; the download went wrong";
  return fmt::format("it starts with '{}'", Printable(start));
}

bool CheckVersion(Reading& in, std::uint32_t version) {
  if (version == 0) return in.Refuse("GGUF version 0 does not exist");
  if (version == 1) {
    return in.Refuse("GGUF version 1 is no longer supported; convert the model anew");
  }
  if ((version & 0xffff) == 0) {
    return in.Refuse("byte-swapped: a GGUF file for big-endian machines");
  }
  if (version > 3) {
    return in.Refuse(fmt::format("GGUF version {} is newer than what is known here (3)", version));
  }
  return true;
}

bool ReadHeader(Reading& in, Header& header) {
  if (in.size == 0) return in.Refuse("the file is empty");
  std::uint32_t magic = 0;
  if (!in.cursor.Take(magic)) return in.Short("the magic number");
  if (magic != kMagic) return in.Refuse("not a GGUF file: " + WhatItIs(magic));
  if (!in.cursor.Take(header.version)) return in.Short("the version");
  if (!CheckVersion(in, header.version)) return false;
  if (!in.cursor.Take(header.tensors)) return in.Short("the number of tensors");
  if (!in.cursor.Take(header.keys)) return in.Short("the number of keys");
  if (header.tensors > kMaxTensors) {
    return in.Refuse(
        fmt::format("{} tensors; more than {} are refused", header.tensors, kMaxTensors));
  }
  if (header.keys > kMaxKeys) {
    return in.Refuse(fmt::format("{} keys; more than {} are refused", header.keys, kMaxKeys));
  }
  if (header.keys * kSmallestKey + header.tensors * kSmallestTensor > in.cursor.remaining()) {
    return in.Refuse(fmt::format(
        "cut short: {} keys and {} tensors are announced, but the file ends after {} bytes",
        header.keys, header.tensors, in.size));
  }
  return true;
}

}  // namespace

Result<Metadata> ParseMetadata(const Input& input) {
  Reading in(input);
  Header header;
  if (!ReadHeader(in, header)) return tl::unexpected(std::move(in.error));
  KeyReader keys(in);
  if (!keys.Read(header.keys)) return tl::unexpected(std::move(in.error));
  TensorReader tensors(in, keys.alignment());
  if (!tensors.Read(header.tensors)) return tl::unexpected(std::move(in.error));

  Metadata out;
  out.version = static_cast<int>(header.version);
  out.file_bytes = in.size;
  out.values = std::move(keys.values());
  out.tensors = std::move(tensors.tensors());
  out.parameters = tensors.parameters();
  out.tensor_bytes = tensors.bytes();
  Summarise(out);
  return out;
}

}  // namespace rocm::gguf
