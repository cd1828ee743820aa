// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/page_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "backend/base/unique_fd.h"
#include "backend/gguf/shards.h"

namespace harness {
namespace {

// A few pages always come back: somebody reads the file's head.
constexpr double kColdShare = 0.01;
constexpr double kWarmShare = 0.99;

std::vector<std::string> FilesOf(const std::string& model) {
  const auto shard = rocm::gguf::ParseShardName(model);
  if (!shard || shard->count > rocm::gguf::kMaxShards) return {model};
  std::vector<std::string> files;
  for (std::uint32_t i = 1; i <= shard->count; ++i) {
    files.push_back(rocm::gguf::ShardPath(shard->stem, i, shard->count));
  }
  return files;
}

// The kernel tells only those who may write a file, or own it, and calls all of it resident for
// everybody else.
bool MayAsk(const std::string& path, const struct stat& status) {
  return status.st_uid == ::geteuid() || ::geteuid() == 0 || ::access(path.c_str(), W_OK) == 0;
}

struct Residency {
  double bytes = 0;
  double resident = 0;
  bool known = true;
};

void AddResidency(const std::string& path, int fd, Residency& sum) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_size <= 0 || !MayAsk(path, status)) {
    sum.known = false;
    return;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) {
    sum.known = false;
    return;
  }
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  if (::mincore(map, size, pages.data()) == 0) {
    const auto resident =
        std::ranges::count_if(pages, [](unsigned char p) { return (p & 1) != 0; });
    sum.bytes += static_cast<double>(pages.size());
    sum.resident += static_cast<double>(resident);
  } else {
    sum.known = false;
  }
  ::munmap(map, size);
}

bool Drop(int fd) {
  // Pages that are not on the disk yet cannot be dropped.
  (void)::fdatasync(fd);
  return ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
}

bool ReadAll(int fd, const std::stop_token& stop) {
  std::vector<char> buffer(4 << 20);
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  for (off_t at = 0; !stop.stop_requested();) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), at);
    if (n == 0) return true;
    if (n < 0) return false;
    at += n;
  }
  return false;
}

}  // namespace

PageCacheReport PreparePageCache(const std::string& model, PageCache wanted,
                                 const std::stop_token& stop) {
  PageCacheReport report;
  Residency sum;
  for (const std::string& path : FilesOf(model)) {
    const rocm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
      report.problem = fmt::format("cannot open {}", path);
      return report;
    }
    const bool done = wanted == PageCache::kCold   ? Drop(fd.get())
                      : wanted == PageCache::kWarm ? ReadAll(fd.get(), stop)
                                                   : true;
    if (!done) report.problem = fmt::format("the page cache of {} was not prepared", path);
    AddResidency(path, fd.get(), sum);
  }
  if (sum.known && sum.bytes > 0) report.resident_share = sum.resident / sum.bytes;
  if (!report.problem.empty() || wanted == PageCache::kAsItIs) return report;
  if (!report.resident_share) {
    report.problem = "what is in the page cache cannot be verified by this user";
  } else if (wanted == PageCache::kCold && *report.resident_share > kColdShare) {
    report.problem = fmt::format("asked for a cold page cache, but {:.0f} % of the model stayed",
                                 *report.resident_share * 100);
  } else if (wanted == PageCache::kWarm && *report.resident_share < kWarmShare) {
    report.problem = fmt::format("asked for a warm page cache, but only {:.0f} % of the model fit",
                                 *report.resident_share * 100);
  }
  return report;
}

}  // namespace harness
