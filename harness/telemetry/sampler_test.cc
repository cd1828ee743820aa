// SPDX-License-Identifier: EUPL-1.2
#include "harness/telemetry/sampler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace harness {
namespace {

using std::chrono::milliseconds;

// Collects samples until there are `n`; false after ten seconds.
class Samples {
 public:
  void Add(const TelemetrySample& sample) {
    const std::lock_guard lock(mutex_);
    samples_.push_back(sample);
    changed_.notify_all();
  }
  [[nodiscard]] bool WaitFor(std::size_t n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return samples_.size() >= n; });
  }
  [[nodiscard]] TelemetrySample last() {
    const std::lock_guard lock(mutex_);
    return samples_.back();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<TelemetrySample> samples_;
};

TEST(Sampler, SeesThisMachineAndThisProcess) {
  Samples samples;
  Sampler::Config config;
  config.server_pid = ::getpid();
  config.interval = milliseconds(20);
  config.on_sample = [&](const TelemetrySample& sample) { samples.Add(sample); };
  const Sampler sampler(config);
  ASSERT_TRUE(samples.WaitFor(3));
  const TelemetrySample sample = samples.last();
  EXPECT_GT(sample.at_ns, 0);
  ASSERT_TRUE(sample.server_rss_bytes);
  EXPECT_GT(*sample.server_rss_bytes, 1 << 20);
  ASSERT_TRUE(sample.server_cpu_cores);
  EXPECT_GE(*sample.server_cpu_cores, 0);
}

TEST(Sampler, SaysNothingOfAProcessThatIsGone) {
  Samples samples;
  Sampler::Config config;
  config.server_pid = 1 << 30;
  config.interval = milliseconds(5);
  config.on_sample = [&](const TelemetrySample& sample) { samples.Add(sample); };
  Sampler sampler(config);
  ASSERT_TRUE(samples.WaitFor(2));
  EXPECT_EQ(samples.last().server_rss_bytes, std::nullopt);
  EXPECT_EQ(samples.last().server_cpu_cores, std::nullopt);
  EXPECT_EQ(sampler.TakeEnergy(), std::nullopt);
}

TEST(Sampler, ReadsAStatLineWithAnOddName) {
  std::string root = (std::filesystem::temp_directory_path() / "sampler-XXXXXX").string();
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  std::filesystem::create_directories(root + "/proc/7");
  std::ofstream(root + "/proc/7/stat")
      << "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 3 0 99 1000 42 0\n";
  std::ofstream(root + "/proc/stat") << "cpu 10 0 10 80 0 0 0 0\n";
  Samples samples;
  Sampler::Config config;
  config.server_pid = 7;
  config.places.root = root;
  config.places.nvml = "";
  config.interval = milliseconds(5);
  config.on_sample = [&](const TelemetrySample& sample) { samples.Add(sample); };
  {
    const Sampler sampler(config);
    ASSERT_TRUE(samples.WaitFor(1));
  }
  EXPECT_EQ(samples.last().server_rss_bytes, 42 * ::sysconf(_SC_PAGESIZE));
  // The counters stand still, so nothing was busy, and no share can be said.
  EXPECT_EQ(samples.last().server_cpu_cores, 0.0);
  EXPECT_EQ(samples.last().host_cpu_share, std::nullopt);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace harness
