// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <charconv>
#include <map>
#include <thread>
#include <vector>

#include "backend/base/clock.h"
#include "backend/gpu/sysfs.h"
#include "harness/telemetry/memory_bandwidth.h"

namespace harness {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLeastBuffer = 512 * kMiB;
constexpr std::uint64_t kLargestBuffer = 2048 * kMiB;
constexpr int kLeastPasses = 3;
constexpr int kMostThreads = 256;

int Processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::clamp(CPU_COUNT(&set), 1, kMostThreads);
}

// "266240K", "4M".
std::uint64_t ParseCacheSize(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || number > (std::uint64_t{1} << 40)) return 0;
  const char unit = parsed.ptr == text.data() + text.size() ? ' ' : *parsed.ptr;
  return number << (unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0);
}

// "MemAvailable:   23467000 kB"
std::uint64_t AvailableMemory(const rocm::gpu::Places& places) {
  constexpr std::string_view kName = "MemAvailable:";
  const std::string text = rocm::gpu::ReadText(places.At("/proc/meminfo")).value_or("");
  std::uint64_t available = 0;
  if (const auto at = text.find(kName); at != std::string::npos) {
    const auto digits = text.find_first_of("0123456789", at);
    if (digits != std::string::npos) {
      std::from_chars(text.data() + digits, text.data() + text.size(), available);
      available *= 1024;
    }
  }
  // A container may have less, and is killed where a machine would only swap.
  const auto limit = rocm::gpu::ReadUnsigned(places.At("/sys/fs/cgroup/memory.max"));
  const auto used = rocm::gpu::ReadUnsigned(places.At("/sys/fs/cgroup/memory.current"));
  if (limit && used) available = std::min(available, *limit - std::min(*used, *limit));
  return available;
}

// Pages that one thread touches first, so that they lie near the processor that reads them.
class Pages {
 public:
  explicit Pages(std::size_t bytes) : bytes_(bytes) {
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
    // Memory is to be measured, not the walk through page tables; refused, it costs accuracy only.
    (void)::madvise(at, bytes, MADV_HUGEPAGE);
    data_ = static_cast<std::uint64_t*>(at);
    std::fill_n(data_, words(), 0x5bd1e9955bd1e995U);
  }
  ~Pages() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  [[nodiscard]] const std::uint64_t* data() const { return data_; }
  [[nodiscard]] std::size_t words() const { return bytes_ / sizeof(std::uint64_t); }

 private:
  const std::size_t bytes_;
  std::uint64_t* data_ = nullptr;
};

// Independent sums in wide registers: the loop must wait for memory and for nothing else.
std::uint64_t Sum(const std::uint64_t* data, std::size_t words) {
  using Wide = std::uint64_t __attribute__((vector_size(16), may_alias));
  constexpr std::size_t kLanes = 8;
  const auto* wide = reinterpret_cast<const Wide*>(data);
  const std::size_t n = words / 2 / kLanes * kLanes;
  Wide sums[kLanes] = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += wide[i + lane];
  }
  Wide all = {};
  for (const Wide& sum : sums) all += sum;
  return all[0] + all[1];
}

}  // namespace

std::uint64_t LastLevelCacheBytes(const rocm::gpu::Places& places) {
  std::uint64_t last = 0;
  std::map<std::string, std::uint64_t> caches;  // of the last level, by who shares them
  for (const auto& [cpu, folder] :
       rocm::gpu::Numbered(places.At("/sys/devices/system/cpu"), "cpu")) {
    for (const auto& [index, cache] : rocm::gpu::Numbered(folder + "/cache", "index")) {
      const std::uint64_t level = rocm::gpu::ReadUnsigned(cache + "/level").value_or(0);
      if (level < last || level == 0) continue;
      if (level > last) caches.clear();
      last = level;
      caches[rocm::gpu::ReadText(cache + "/shared_cpu_list").value_or(cache)] =
          ParseCacheSize(rocm::gpu::ReadText(cache + "/size").value_or(""));
    }
  }
  std::uint64_t sum = 0;
  for (const auto& [shared, bytes] : caches) sum += bytes;
  return sum;
}

rocm::Result<MemoryBandwidth> MeasureHostBandwidth(const ReadTest& test) {
  const std::uint64_t cache = LastLevelCacheBytes(test.places);
  std::uint64_t bytes = test.buffer_bytes;
  if (bytes == 0) {
    const std::uint64_t room = AvailableMemory(test.places) / 4;
    bytes = std::min({std::clamp(4 * cache, kLeastBuffer, kLargestBuffer), room});
    if (bytes < 2 * cache || bytes < 64 * kMiB) {
      return rocm::Fail(rocm::ErrorCode::kInsufficientMemory,
                        fmt::format("no room to measure memory bandwidth: {} MiB can be spared and "
                                    "the caches hold {} MiB; give it with --bandwidth",
                                    room / kMiB, cache / kMiB));
    }
  }
  const int threads = test.threads > 0 ? test.threads : Processors();
  const std::size_t part = bytes / static_cast<std::uint64_t>(threads) / 4096 * 4096;
  std::atomic<bool> broken{false}, over{false};
  std::atomic<std::uint64_t> sink{0};
  std::vector<double> rates;
  rocm::TimePoint deadline{};
  rocm::TimePoint begin{};
  const double all_bytes = static_cast<double>(part) * threads;
  const auto turn = [&]() noexcept {
    const rocm::TimePoint now = rocm::Now();
    if (begin == rocm::TimePoint{}) {
      deadline = now + test.time;
    } else {
      rates.push_back(all_bytes / std::chrono::duration<double>(now - begin).count());
      over = now >= deadline && rates.size() >= kLeastPasses;
    }
    begin = now;
  };
  rates.reserve(1 << 16);
  std::barrier pass(threads, turn);
  const auto work = [&] {
    const Pages pages(part);
    if (pages.data() == nullptr) broken = true;
    pass.arrive_and_wait();
    while (!over && !broken && rates.size() < rates.capacity()) {
      sink += Sum(pages.data(), pages.words());
      pass.arrive_and_wait();
    }
  };
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back(work);
  }
  if (broken || rates.empty()) {
    return rocm::Fail(rocm::ErrorCode::kInsufficientMemory,
                      fmt::format("no room for {} MiB to measure memory bandwidth with; give it "
                                  "with --bandwidth",
                                  bytes / kMiB));
  }
  MemoryBandwidth result;
  result.bytes_per_second = *std::ranges::max_element(rates);
  result.source = fmt::format("measured: {} threads read {} MiB, best of {} passes", threads,
                              bytes / kMiB, rates.size());
  return result;
}

}  // namespace harness
