// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "backend/gpu/devices.h"
#include "backend/gpu/places.h"
#include "backend/gpu/sensors.h"

namespace harness {

// One look at one card. What the driver does not say is nullopt.
struct DeviceSample {
  std::string device;  // its uuid, or its name where it has none
  std::string name;
  std::optional<std::uint64_t> memory_used_bytes;
  std::optional<std::uint64_t> memory_total_bytes;
  std::optional<std::uint64_t> server_memory_bytes;  // of the server's process
  rocm::gpu::Sensors sensors;
};

// One look at the machine while streams run.
struct TelemetrySample {
  std::int64_t at_ns = 0;
  std::optional<double> host_cpu_share;    // of all cores, since the sample before
  std::optional<double> server_cpu_cores;  // cores that the server kept busy
  std::optional<std::int64_t> server_rss_bytes;
  std::vector<DeviceSample> devices;
};

// Looks at cards, processor and the server's process in a fixed interval, on a thread of its own.
// Sensors are files and cost milliseconds: never on a load thread.
class Sampler {
 public:
  struct Config {
    int server_pid = -1;  // -1: none of ours
    std::chrono::milliseconds interval{1'000};
    rocm::gpu::Places places;
    std::vector<rocm::gpu::Device> devices;  // Inventory::devices
    // On the sampler's thread.
    std::function<void(const TelemetrySample&)> on_sample;
  };
  explicit Sampler(Config config);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // What the cards used since the last call, in joules: the sum over power × time. nullopt where no
  // card says its power.
  [[nodiscard]] std::optional<double> TakeEnergy();

 private:
  struct CpuTimes {
    double busy = 0;
    double total = 0;
  };
  void Work();
  [[nodiscard]] TelemetrySample Look();
  [[nodiscard]] std::optional<CpuTimes> HostCpu() const;

  const Config config_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool quit_ = false;
  std::optional<double> energy_j_;
  std::optional<CpuTimes> host_before_;
  std::optional<double> server_cpu_before_s_;
  std::int64_t before_ns_ = 0;
  std::thread thread_;
};

}  // namespace harness
