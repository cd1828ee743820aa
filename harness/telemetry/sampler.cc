// SPDX-License-Identifier: EUPL-1.2
#include "harness/telemetry/sampler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "backend/base/clock.h"
#include "backend/gpu/vram.h"

namespace harness {
namespace {

struct ProcessTimes {
  double cpu_s = 0;
  std::int64_t rss_bytes = 0;
};

// Fields 14, 15 and 24 of /proc/PID/stat; the name in field 2 may hold anything, even ')'.
std::optional<ProcessTimes> ReadProcess(const rocm::gpu::Places& places, int pid) {
  std::ifstream file(places.At(fmt::format("/proc/{}/stat", pid)));
  std::string line;
  if (pid < 0 || !std::getline(file, line)) return std::nullopt;
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  double user = 0, system = 0;
  rest >> user >> system;
  for (int field = 16; field < 24; ++field) rest >> skipped;
  std::int64_t pages = 0;
  rest >> pages;
  if (!rest) return std::nullopt;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ProcessTimes{(user + system) / ticks, pages * ::sysconf(_SC_PAGESIZE)};
}

}  // namespace

Sampler::Sampler(Config config) : config_(std::move(config)), thread_([this] { Work(); }) {}

Sampler::~Sampler() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<double> Sampler::TakeEnergy() {
  const std::lock_guard lock(mutex_);
  return std::exchange(energy_j_, std::nullopt);
}

void Sampler::Work() {
  // The first look is what the next ones are held against.
  (void)Look();
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, config_.interval, [this] { return quit_; })) {
    lock.unlock();
    const TelemetrySample sample = Look();
    config_.on_sample(sample);
    lock.lock();
  }
}

std::optional<Sampler::CpuTimes> Sampler::HostCpu() const {
  std::ifstream file(config_.places.At("/proc/stat"));
  std::string name;
  if (!(file >> name) || name != "cpu") return std::nullopt;
  CpuTimes times;
  for (int field = 0; field < 8; ++field) {
    double ticks = 0;
    if (!(file >> ticks)) return std::nullopt;
    times.total += ticks;
    if (field != 3 && field != 4) times.busy += ticks;  // idle, iowait
  }
  return times;
}

TelemetrySample Sampler::Look() {
  TelemetrySample sample;
  sample.at_ns = rocm::ToNs(rocm::Now());
  const double seconds = static_cast<double>(sample.at_ns - before_ns_) * 1e-9;
  const auto host = HostCpu();
  if (host && host_before_ && host->total > host_before_->total) {
    sample.host_cpu_share = (host->busy - host_before_->busy) / (host->total - host_before_->total);
  }
  host_before_ = host;
  const auto process = ReadProcess(config_.places, config_.server_pid);
  if (process) {
    sample.server_rss_bytes = process->rss_bytes;
    if (server_cpu_before_s_ && seconds > 0) {
      sample.server_cpu_cores = (process->cpu_s - *server_cpu_before_s_) / seconds;
    }
    server_cpu_before_s_ = process->cpu_s;
  }
  double watts = 0;
  bool powered = false;
  for (const rocm::gpu::Device& device : config_.devices) {
    DeviceSample one;
    one.device = device.uuid.empty() ? device.name : device.uuid;
    one.name = device.name;
    if (const auto memory = rocm::gpu::ReadCardMemory(device, config_.places)) {
      one.memory_used_bytes = memory->used;
      one.memory_total_bytes = memory->total;
    }
    if (config_.server_pid >= 0) {
      one.server_memory_bytes =
          rocm::gpu::ReadProcessMemory(device, config_.server_pid, config_.places);
    }
    one.sensors = rocm::gpu::ReadSensors(device, config_.places);
    if (one.sensors.power_watts) {
      watts += *one.sensors.power_watts;
      powered = true;
    }
    sample.devices.push_back(std::move(one));
  }
  if (powered && before_ns_ != 0) {
    const std::lock_guard lock(mutex_);
    energy_j_ = energy_j_.value_or(0) + watts * seconds;
  }
  before_ns_ = sample.at_ns;
  return sample;
}

}  // namespace harness
