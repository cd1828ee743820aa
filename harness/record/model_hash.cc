// SPDX-License-Identifier: EUPL-1.2
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "backend/base/unique_fd.h"
#include "harness/base/sha256.h"
#include "harness/record/fingerprint.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// What a file must not have changed for its hash to still hold.
struct Identity {
  std::string path;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t inode = 0;
  friend bool operator==(const Identity&, const Identity&) = default;
};

std::string FromCache(const fs::path& cache_file, const Identity& wanted) {
  std::ifstream file(cache_file);
  std::string found;
  for (std::string line; std::getline(file, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;  // torn or foreign: computing again is always right
    const Identity seen{entry.value("path", ""), entry.value("bytes", std::int64_t{0}),
                        entry.value("modified_ns", std::int64_t{0}),
                        entry.value("inode", std::int64_t{0})};
    if (seen == wanted) found = entry.value("sha256", "");
  }
  return found.size() == 64 ? found : std::string();
}

// Best effort: without a cache the next run only takes longer.
void ToCache(const fs::path& cache_file, const Identity& identity, const std::string& hash) {
  std::error_code ec;
  fs::create_directories(cache_file.parent_path(), ec);
  const nlohmann::ordered_json entry = {{"path", identity.path},
                                        {"bytes", identity.bytes},
                                        {"modified_ns", identity.modified_ns},
                                        {"inode", identity.inode},
                                        {"sha256", hash}};
  const std::string line =
      entry.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const rocm::UniqueFd fd(
      ::open(cache_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (fd && ::write(fd.get(), line.data(), line.size()) < 0) return;
}

}  // namespace

rocm::Result<std::string> ModelSha256(const fs::path& model, const fs::path& cache_file) {
  struct stat status {};
  std::error_code ec;
  const fs::path real = fs::canonical(model, ec);
  if (ec || ::stat(real.c_str(), &status) != 0) {
    return rocm::Fail(rocm::ErrorCode::kModelNotFound, "cannot find the model " + model.string());
  }
  const Identity identity{real.string(), status.st_size,
                          status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
                          static_cast<std::int64_t>(status.st_ino)};
  if (!cache_file.empty()) {
    if (std::string hash = FromCache(cache_file, identity); !hash.empty()) return hash;
  }
  auto hash = Sha256File(real);
  if (hash && !cache_file.empty()) ToCache(cache_file, identity, *hash);
  return hash;
}

fs::path DefaultModelHashCache() {
  const char* cache = std::getenv("XDG_CACHE_HOME");  // NOLINT(concurrency-mt-unsafe)
  const char* home = std::getenv("HOME");             // NOLINT(concurrency-mt-unsafe)
  const fs::path base = cache != nullptr && *cache != '\0' ? fs::path(cache)
                        : home != nullptr                  ? fs::path(home) / ".cache"
                                                           : fs::temp_directory_path();
  return base / "rocm-bench" / "model-sha256.jsonl";
}

}  // namespace harness
