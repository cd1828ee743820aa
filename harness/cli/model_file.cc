// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/model_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <system_error>

#include "backend/gguf/chain_model.h"
#include "backend/gguf/metadata.h"

namespace harness {
namespace {

std::filesystem::path CacheRoot() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg != nullptr && *xdg == '/') return xdg;
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::filesystem::path(home) / ".cache";
  std::error_code error;
  return std::filesystem::temp_directory_path(error);
}

}  // namespace

rocm::Result<std::filesystem::path> CacheDirectory() {
  const auto directory = CacheRoot() / "rocm-bench";
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return rocm::Fail(rocm::ErrorCode::kIo,
                      fmt::format("cannot make {}: {}", directory.string(), error.message()));
  }
  return directory;
}

rocm::Result<std::string> CachedChainModel() {
  const auto directory = CacheDirectory();
  if (!directory) return tl::unexpected(directory.error());
  const std::string path = (*directory / "chain.gguf").string();
  // An older version's file is as good as none.
  if (rocm::gguf::ReadMetadata(path)) return path;
  // Beside it and then renamed: another run never sees half a model.
  const std::string fresh = fmt::format("{}.{}", path, ::getpid());
  const auto written = rocm::gguf::WriteChainModel(fresh);
  std::error_code error;
  if (!written) {
    std::filesystem::remove(fresh, error);
    return tl::unexpected(written.error());
  }
  std::filesystem::rename(fresh, path, error);
  if (error) {
    return rocm::Fail(rocm::ErrorCode::kIo,
                      fmt::format("cannot write {}: {}", path, error.message()));
  }
  return path;
}

rocm::Result<ModelFacts> ReadModelFacts(const std::string& path) {
  const auto metadata = rocm::gguf::ReadMetadata(path);
  if (!metadata) return tl::unexpected(metadata.error());
  ModelFacts facts;
  facts.bytes = static_cast<std::int64_t>(metadata->file_bytes);
  facts.architecture = metadata->architecture;
  facts.name = metadata->name;
  facts.quantisation = metadata->quantisation;
  const auto hash = ModelSha256(path, DefaultModelHashCache());
  if (!hash) return tl::unexpected(hash.error());
  facts.sha256 = *hash;
  return facts;
}

}  // namespace harness
