// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "backend/base/unique_fd.h"

namespace rocm::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is written as it lies in memory");

constexpr std::uint64_t kAlignment = 32;
constexpr std::uint32_t kTypeUint32 = 4;
constexpr std::uint32_t kTypeInt32 = 5;
constexpr std::uint32_t kTypeFloat = 6;
constexpr std::uint32_t kTypeBool = 7;
constexpr std::uint32_t kTypeString = 8;
constexpr std::uint32_t kTypeArray = 9;
// A multiple of every block size and of the page size, about 8 MiB.
constexpr std::uint64_t kPieceUnit = 4096;
constexpr std::uint64_t kPieceBytes = 8u << 20;

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutString(std::string& out, std::string_view text) {
  Put(out, static_cast<std::uint64_t>(text.size()));
  out.append(text);
}

std::uint64_t Padded(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::string Reason(int error) { return std::strerror(error); }

Result<void> WriteAll(int fd, const void* data, std::uint64_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(fd, bytes, size);
    if (n < 0) {
      if (errno == EINTR) continue;
      return Fail(ErrorCode::kIo, Reason(errno));
    }
    bytes += n;
    size -= static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<void> CheckRoom(const std::string& path, std::uint64_t needed) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return Fail(ErrorCode::kIo, fmt::format("cannot write into {}: {}", folder, Reason(errno)));
  }
  const std::uint64_t room = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (room < needed) {
    return Fail(ErrorCode::kIo, fmt::format("{} needs {:.2f} GB, but {} has {:.2f} GB free", path,
                                            static_cast<double>(needed) / 1e9, folder,
                                            static_cast<double>(room) / 1e9));
  }
  return {};
}

// Whole blocks, and whole aligned units where the tensor is larger than a piece.
std::uint64_t PieceOf(TensorType type) {
  const auto block = static_cast<std::uint64_t>(TraitsOf(type).block_bytes);
  return kPieceBytes / (block * kPieceUnit) * (block * kPieceUnit);
}

}  // namespace

Writer::Writer(std::string_view architecture) { AddString("general.architecture", architecture); }

void Writer::Key(std::string_view key, std::uint32_t type) {
  PutString(keys_, key);
  Put(keys_, type);
  ++key_count_;
}

void Writer::AddUint32(std::string_view key, std::uint32_t value) {
  Key(key, kTypeUint32);
  Put(keys_, value);
}

void Writer::AddFloat(std::string_view key, float value) {
  Key(key, kTypeFloat);
  Put(keys_, value);
}

void Writer::AddBool(std::string_view key, bool value) {
  Key(key, kTypeBool);
  Put(keys_, static_cast<std::uint8_t>(value));
}

void Writer::AddString(std::string_view key, std::string_view value) {
  Key(key, kTypeString);
  PutString(keys_, value);
}

void Writer::AddStrings(std::string_view key, std::span<const std::string> values) {
  Key(key, kTypeArray);
  Put(keys_, kTypeString);
  Put(keys_, static_cast<std::uint64_t>(values.size()));
  for (const std::string& value : values) PutString(keys_, value);
}

void Writer::AddFloats(std::string_view key, std::span<const float> values) {
  Key(key, kTypeArray);
  Put(keys_, kTypeFloat);
  Put(keys_, static_cast<std::uint64_t>(values.size()));
  for (const float value : values) Put(keys_, value);
}

void Writer::AddInt32s(std::string_view key, std::span<const std::int32_t> values) {
  Key(key, kTypeArray);
  Put(keys_, kTypeInt32);
  Put(keys_, static_cast<std::uint64_t>(values.size()));
  for (const std::int32_t value : values) Put(keys_, value);
}

void Writer::AddTensor(std::string_view name, std::vector<std::uint64_t> shape, TensorType type) {
  const TensorTypeTraits& traits = TraitsOf(type);
  // A bug of the caller, in any build.
  if (shape.empty() || shape.front() % static_cast<std::uint64_t>(traits.block_elements) != 0) {
    std::abort();
  }
  std::uint64_t elements = 1;
  for (const std::uint64_t extent : shape) elements *= extent;
  Tensor tensor{std::string(name), std::move(shape), type, data_bytes_, 0};
  tensor.bytes = elements / static_cast<std::uint64_t>(traits.block_elements) *
                 static_cast<std::uint64_t>(traits.block_bytes);
  data_bytes_ += Padded(tensor.bytes);
  tensors_.push_back(std::move(tensor));
}

std::string Writer::Header() const {
  std::string out = "GGUF";
  Put(out, std::uint32_t{3});
  Put(out, static_cast<std::uint64_t>(tensors_.size()));
  Put(out, key_count_);
  out += keys_;
  for (const Tensor& tensor : tensors_) {
    PutString(out, tensor.name);
    Put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t extent : tensor.shape) Put(out, extent);
    Put(out, static_cast<std::uint32_t>(tensor.type));
    Put(out, tensor.offset);
  }
  out.resize(Padded(out.size()));
  return out;
}

std::uint64_t Writer::FileBytes() const { return Header().size() + data_bytes_; }

Result<void> Writer::Write(const std::string& path, const Fill& fill,
                           const WriteProgress& progress) const {
  const std::string header = Header();
  if (auto room = CheckRoom(path, header.size() + data_bytes_); !room) return room;

  const std::string aside = fmt::format("{}.{}.part", path, ::getpid());
  const UniqueFd fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) {
    return Fail(ErrorCode::kIo, fmt::format("cannot create {}: {}", aside, Reason(errno)));
  }
  const auto give_up = [&](const std::string& reason) {
    ::unlink(aside.c_str());
    return Fail(ErrorCode::kIo, fmt::format("cannot write {}: {}", path, reason));
  };
  if (auto written = WriteAll(fd.get(), header.data(), header.size()); !written) {
    return give_up(written.error().message);
  }
  std::vector<std::byte> buffer(kPieceBytes + kAlignment);
  std::uint64_t done = 0;
  for (const Tensor& tensor : tensors_) {
    const std::uint64_t piece = PieceOf(tensor.type);
    for (std::uint64_t at = 0; at < tensor.bytes; at += piece) {
      const std::uint64_t size = std::min(piece, tensor.bytes - at);
      fill(tensor, std::span(buffer).first(size));
      const std::uint64_t padding =
          at + size == tensor.bytes ? Padded(tensor.bytes) - tensor.bytes : 0;
      std::fill_n(buffer.begin() + static_cast<std::ptrdiff_t>(size), padding, std::byte{0});
      if (auto written = WriteAll(fd.get(), buffer.data(), size + padding); !written) {
        return give_up(written.error().message);
      }
      done += size + padding;
      if (progress) progress(done, data_bytes_);
    }
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) return give_up(Reason(errno));
  return {};
}

}  // namespace rocm::gguf
