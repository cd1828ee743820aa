// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
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
  // Processes that compute on it and are none of the server's.
  int foreign_processes = 0;
  rocm::gpu::Sensors sensors;
};

// One look at the machine while streams run.
struct TelemetrySample {
  std::int64_t at_ns = 0;
  std::optional<double> host_cpu_share;    // of all cores, since the sample before
  std::optional<double> server_cpu_cores;  // cores that the server kept busy
  // Cores kept busy by neither the server nor this process.
  std::optional<double> other_cpu_cores;
  std::optional<std::int64_t> server_rss_bytes;
  // Of the processors' packages, by RAPL, since the sample before.
  std::optional<double> cpu_power_watts;
  std::vector<DeviceSample> devices;
};

// What was used in joules; nullopt where nothing says its power.
struct Energy {
  std::optional<double> gpu_j;  // of all cards: power x time, by trapezoids
  std::optional<double> cpu_j;  // of all packages, by the processor's own counters
};

// Something that makes the times of a run doubtful.
struct TelemetryFlag {
  enum class Kind { kThrottled, kForeignProcess };
  Kind kind = Kind::kThrottled;
  std::string device;  // as in DeviceSample
  int samples = 0;     // that showed it
  int most = 0;        // processes at once
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

  // One look now, and what was used since the last call. Milliseconds: not while streams run.
  [[nodiscard]] Energy TakeEnergy();
  // What was seen since the last call.
  [[nodiscard]] std::vector<TelemetryFlag> TakeFlags();
  // Processor time that the sampler's own thread has taken so far.
  [[nodiscard]] std::chrono::nanoseconds cpu_time() const;

 private:
  struct Counters;
  void Work();
  // With mutex_ held.
  [[nodiscard]] TelemetrySample Look();
  void LookAtProcessors(double seconds, TelemetrySample& sample);
  void LookAtDevice(const rocm::gpu::Device& device, TelemetrySample& sample);
  void AddEnergy(double seconds, TelemetrySample& sample);
  void Flag(TelemetryFlag::Kind kind, const std::string& device, int count);

  const Config config_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool quit_ = false;
  Energy energy_;
  std::vector<TelemetryFlag> flags_;
  std::unique_ptr<Counters> before_;
  mutable std::thread thread_;  // its clock is asked for through a handle that is not const
};

}  // namespace harness
