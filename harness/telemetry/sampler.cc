// SPDX-License-Identifier: EUPL-1.2
#include "harness/telemetry/sampler.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "backend/base/clock.h"
#include "backend/gpu/vram.h"
#include "harness/telemetry/proc_counters.h"

namespace harness {

// What the next look is held against.
struct Sampler::Counters {
  std::int64_t at_ns = 0;
  std::optional<HostTimes> host;
  std::optional<double> server_cpu_s;
  std::optional<double> own_cpu_s;
  std::optional<double> gpu_watts;
  std::map<std::string, PackageEnergy> packages;
  int server_group = -1;
};

Sampler::Sampler(Config config)
    : config_(std::move(config)), before_(std::make_unique<Counters>()) {
  // What the next look is held against: taken here, so that it is over when this returns.
  (void)Look();
  thread_ = std::thread([this] { Work(); });
}

Sampler::~Sampler() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Energy Sampler::TakeEnergy() {
  const std::lock_guard lock(mutex_);
  (void)Look();
  return std::exchange(energy_, {});
}

std::vector<TelemetryFlag> Sampler::TakeFlags() {
  const std::lock_guard lock(mutex_);
  return std::exchange(flags_, {});
}

std::chrono::nanoseconds Sampler::cpu_time() const {
  clockid_t clock{};
  timespec used{};
  if (::pthread_getcpuclockid(thread_.native_handle(), &clock) != 0 ||
      ::clock_gettime(clock, &used) != 0) {
    return std::chrono::nanoseconds(0);
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void Sampler::Work() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, config_.interval, [this] { return quit_; })) {
    const TelemetrySample sample = Look();
    lock.unlock();
    config_.on_sample(sample);
    lock.lock();
  }
}

TelemetrySample Sampler::Look() {
  TelemetrySample sample;
  sample.at_ns = rocm::ToNs(rocm::Now());
  const double seconds =
      before_->at_ns == 0 ? 0 : static_cast<double>(sample.at_ns - before_->at_ns) * 1e-9;
  LookAtProcessors(seconds, sample);
  for (const rocm::gpu::Device& device : config_.devices) LookAtDevice(device, sample);
  AddEnergy(seconds, sample);
  before_->at_ns = sample.at_ns;
  return sample;
}

void Sampler::LookAtProcessors(double seconds, TelemetrySample& sample) {
  const auto host = ReadHostTimes(config_.places);
  const auto server = ReadProcess(config_.places, config_.server_pid);
  const auto own = ReadProcess(config_.places, ::getpid());
  if (server) {
    sample.server_rss_bytes = server->rss_bytes;
    before_->server_group = server->group;
    if (before_->server_cpu_s && seconds > 0) {
      sample.server_cpu_cores = (server->cpu_s - *before_->server_cpu_s) / seconds;
    }
  }
  // Counters of 10 ms: over a very short time they say nothing.
  const double total = host && before_->host ? host->total - before_->host->total : 0;
  if (total > 0) {
    const double busy = host->busy - before_->host->busy;
    sample.host_cpu_share = busy / total;
    const double ours = own && before_->own_cpu_s ? own->cpu_s - *before_->own_cpu_s : 0;
    const double servers =
        server && before_->server_cpu_s ? server->cpu_s - *before_->server_cpu_s : 0;
    if (seconds > 0) sample.other_cpu_cores = std::max(0.0, busy - ours - servers) / seconds;
  }
  before_->host = host;
  before_->server_cpu_s = server ? std::optional(server->cpu_s) : std::nullopt;
  before_->own_cpu_s = own ? std::optional(own->cpu_s) : std::nullopt;
}

void Sampler::LookAtDevice(const rocm::gpu::Device& device, TelemetrySample& sample) {
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
  int strangers = 0;
  for (const int pid : rocm::gpu::ProcessesOn(device, config_.places)) {
    if (pid == config_.server_pid) continue;
    const auto process = ReadProcess(config_.places, pid);
    // A driver may number processes as the host does: in a container one of them is our server.
    if (process ? process->group != before_->server_group : strangers++ > 0) {
      ++one.foreign_processes;
    }
  }
  one.sensors = rocm::gpu::ReadSensors(device, config_.places);
  if (one.sensors.throttled.value_or(false)) Flag(TelemetryFlag::Kind::kThrottled, one.device, 0);
  if (one.foreign_processes > 0) {
    Flag(TelemetryFlag::Kind::kForeignProcess, one.device, one.foreign_processes);
  }
  sample.devices.push_back(std::move(one));
}

void Sampler::AddEnergy(double seconds, TelemetrySample& sample) {
  std::optional<double> watts;
  for (const DeviceSample& device : sample.devices) {
    if (device.sensors.power_watts) watts = watts.value_or(0) + *device.sensors.power_watts;
  }
  if (watts && before_->gpu_watts && seconds > 0) {
    energy_.gpu_j = energy_.gpu_j.value_or(0) + (*watts + *before_->gpu_watts) / 2 * seconds;
  }
  before_->gpu_watts = watts;
  auto packages = ReadPackageEnergy(config_.places);
  if (seconds > 0) {
    if (const auto joules = JoulesBetween(before_->packages, packages)) {
      energy_.cpu_j = energy_.cpu_j.value_or(0) + *joules;
      sample.cpu_power_watts = *joules / seconds;
    }
  }
  before_->packages = std::move(packages);
}

void Sampler::Flag(TelemetryFlag::Kind kind, const std::string& device, int count) {
  auto flag = std::ranges::find_if(flags_, [&](const TelemetryFlag& known) {
    return known.kind == kind && known.device == device;
  });
  if (flag == flags_.end()) flag = flags_.insert(flag, TelemetryFlag{kind, device, 0, 0});
  ++flag->samples;
  flag->most = std::max(flag->most, count);
}

}  // namespace harness
