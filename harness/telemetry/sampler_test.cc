// SPDX-License-Identifier: EUPL-1.2
#include "harness/telemetry/sampler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "backend/base/clock.h"
#include "backend/gpu/fake_machine_for_tests.h"
#include "harness/telemetry/proc_counters.h"

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
  [[nodiscard]] std::size_t count() {
    const std::lock_guard lock(mutex_);
    return samples_.size();
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
  EXPECT_EQ(sampler.TakeEnergy().gpu_j, std::nullopt);
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

using rocm::gpu::FakeMachine;

// A machine with an RX 7800 XT, its sensors, and the server's process 100 in a group of its own.
class SamplerOnGpu : public ::testing::Test {
 protected:
  static constexpr const char* kCard = "/sys/devices/pci0000:00/0000:03:00.0/";
  SamplerOnGpu() {
    machine_.AddGpu(FakeMachine::Rx7800Xt());
    config_.devices = rocm::gpu::Probe(machine_.places()).devices;
    config_.places = machine_.places();
    config_.server_pid = 100;
    config_.interval = std::chrono::hours(1);  // looks are asked for
    config_.on_sample = [](const TelemetrySample&) {};
    Process(100, 100);
  }
  void Process(int pid, int group) {
    machine_.Write("/proc/" + std::to_string(pid) + "/stat",
                   std::to_string(pid) + " (x) S 1 " + std::to_string(group) +
                       " 3 4 5 6 7 8 9 10 250 150 0 0 20 0 3 0 99 1000 42 0\n");
  }
  void Holds(int pid) {
    machine_.Write("/sys/class/kfd/kfd/proc/" + std::to_string(pid) + "/vram_" +
                       std::to_string(config_.devices.at(0).kfd_gpu_id),
                   "4096\n");
  }
  void Power(int watts) {
    machine_.Write(std::string(kCard) + "hwmon/hwmon1/power1_average",
                   std::to_string(watts) + "000000\n");
  }
  FakeMachine machine_;
  Sampler::Config config_;
};

TEST_F(SamplerOnGpu, StrangersOnTheCardAreSeenAndTheServersOwnAreNot) {
  Holds(100);
  Process(101, 100);  // a helper of the server's
  Holds(101);
  Sampler sampler(config_);
  (void)sampler.TakeEnergy();
  EXPECT_TRUE(sampler.TakeFlags().empty());
  Process(200, 7);
  Holds(200);
  (void)sampler.TakeEnergy();
  (void)sampler.TakeEnergy();
  const auto flags = sampler.TakeFlags();
  ASSERT_EQ(flags.size(), 1u);
  EXPECT_EQ(flags[0].kind, TelemetryFlag::Kind::kForeignProcess);
  EXPECT_EQ(flags[0].samples, 2);
  EXPECT_EQ(flags[0].most, 1);
  EXPECT_EQ(flags[0].device, config_.devices[0].uuid);
  EXPECT_TRUE(sampler.TakeFlags().empty()) << "taken";
}

TEST_F(SamplerOnGpu, OneProcessOfAnotherNumberingMayBeOurServer) {
  Holds(4711);  // not in /proc: the driver numbers as the host does
  Sampler sampler(config_);
  (void)sampler.TakeEnergy();
  EXPECT_TRUE(sampler.TakeFlags().empty());
  Holds(4712);
  (void)sampler.TakeEnergy();
  EXPECT_EQ(sampler.TakeFlags().size(), 1u);
}

TEST_F(SamplerOnGpu, HeatIsFlaggedAndAPowerCapIsNot) {
  const auto status = [&](int bit) {
    std::string metrics(120, '\0');
    metrics[2] = 1;
    metrics[3] = 3;
    metrics[static_cast<std::size_t>(112 + bit / 8)] = static_cast<char>(1 << bit % 8);
    machine_.Write(std::string(kCard) + "gpu_metrics", metrics);
  };
  status(0);
  Sampler sampler(config_);
  (void)sampler.TakeEnergy();
  EXPECT_TRUE(sampler.TakeFlags().empty());
  status(32);
  (void)sampler.TakeEnergy();
  const auto flags = sampler.TakeFlags();
  ASSERT_EQ(flags.size(), 1u);
  EXPECT_EQ(flags[0].kind, TelemetryFlag::Kind::kThrottled);
}

TEST_F(SamplerOnGpu, EnergyIsPowerOverTime) {
  Power(100);
  Sampler sampler(config_);
  (void)sampler.TakeEnergy();
  const rocm::TimePoint begin = rocm::Now();
  (void)sampler.TakeEnergy();
  const rocm::TimePoint middle = rocm::Now();
  while (rocm::Now() - middle < std::chrono::milliseconds(20)) std::this_thread::yield();
  Power(300);
  const auto energy = sampler.TakeEnergy();
  const std::chrono::duration<double> least = std::chrono::milliseconds(20);
  const std::chrono::duration<double> most = rocm::Now() - begin;
  ASSERT_TRUE(energy.gpu_j);
  EXPECT_GE(*energy.gpu_j, 200 * least.count() * 0.999);
  EXPECT_LE(*energy.gpu_j, 200 * most.count());
  EXPECT_EQ(energy.cpu_j, std::nullopt);
}

TEST_F(SamplerOnGpu, PackagesCountTheirOwnEnergy) {
  const auto zone = [&](const char* number, const char* name, std::uint64_t microjoules) {
    const std::string at = std::string("/sys/class/powercap/intel-rapl:") + number;
    machine_.Write(at + "/name", name);
    machine_.Write(at + "/energy_uj", std::to_string(microjoules));
    machine_.Write(at + "/max_energy_range_uj", "1000000000");
  };
  zone("0", "package-0", 999'000'000);
  zone("0:0", "core", 5);
  zone("1", "package-1", 1'000'000);
  zone("2", "psys", 77);
  Sampler sampler(config_);
  (void)sampler.TakeEnergy();
  zone("0", "package-0", 2'000'000);  // past its range
  zone("1", "package-1", 5'000'000);
  zone("2", "psys", 900'000'000);
  const auto energy = sampler.TakeEnergy();
  ASSERT_TRUE(energy.cpu_j);
  EXPECT_NEAR(*energy.cpu_j, 3 + 4, 1e-9);
}

// At one look a second, 5 ms of processor time a look are 0.5 % of a core.
TEST(SamplerCost, OfEightCards) {
  FakeMachine machine;
  for (int i = 0; i < 8; ++i) machine.AddGpu(FakeMachine::Mi300X(i));
  for (int i = 0; i < 8; ++i) {
    const std::string card =
        "/sys/devices/pci0000:00/0000:" + std::string(1, "0123456789abcdef"[i]) + "c:00.0/";
    machine.Write(card + "hwmon/hwmon1/power1_average", "300000000\n");
    machine.Write(card + "gpu_busy_percent", "90\n");
  }
  Samples samples;
  Sampler::Config config;
  config.devices = rocm::gpu::Probe(machine.places()).devices;
  ASSERT_EQ(config.devices.size(), 8u);
  config.places = machine.places();
  config.server_pid = ::getpid();
  config.interval = milliseconds(1);
  config.on_sample = [&](const TelemetrySample& sample) { samples.Add(sample); };
  const Sampler sampler(config);
  ASSERT_TRUE(samples.WaitFor(50));
  const double looks = static_cast<double>(samples.count());
  const double ms = std::chrono::duration<double, std::milli>(sampler.cpu_time()).count() / looks;
  RecordProperty("cpu_ms_per_look", std::to_string(ms));
  std::printf("cpu per look, 8 cards: %.3f ms\n", ms);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(ms, 5);
#endif
}

}  // namespace
}  // namespace harness
