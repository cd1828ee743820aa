// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <mutex>

namespace rocm::gpu {
namespace {

// The part of NVML's ABI that is used here; it is stable across drivers.
constexpr int kSuccess = 0;
constexpr int kInsufficientSize = 7;
constexpr unsigned kTemperatureGpu = 0;
constexpr unsigned kClockGraphics = 0;
constexpr unsigned kClockMemory = 2;
constexpr unsigned long long kNotAvailable = ~0ULL;
// Hardware slowdown, software and hardware thermal slowdown, power brake.
constexpr unsigned long long kThrottling = 0x8 | 0x20 | 0x40 | 0x80;
constexpr unsigned long long kPowerCap = 0x4;

struct MemoryInfo {
  unsigned long long total = 0;
  unsigned long long free = 0;
  unsigned long long used = 0;
};
struct PciInfo {
  std::array<char, 16> legacy_bus_id{};
  unsigned domain = 0;
  unsigned bus = 0;
  unsigned device = 0;
  unsigned device_id = 0;
  unsigned subsystem_id = 0;
  std::array<char, 32> bus_id{};
};
struct ProcessInfo {
  unsigned pid = 0;
  unsigned long long bytes = 0;
  unsigned gpu_instance = 0;
  unsigned compute_instance = 0;
};
struct Utilization {
  unsigned gpu = 0;
  unsigned memory = 0;
};

using Handle = void*;

}  // namespace

struct Nvml::Functions {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*by_index)(unsigned, Handle*) = nullptr;
  int (*by_uuid)(const char*, Handle*) = nullptr;
  int (*name)(Handle, char*, unsigned) = nullptr;
  int (*uuid)(Handle, char*, unsigned) = nullptr;
  int (*pci)(Handle, PciInfo*) = nullptr;
  int (*memory)(Handle, MemoryInfo*) = nullptr;
  int (*processes)(Handle, unsigned*, ProcessInfo*) = nullptr;
  // Those that may be missing.
  int (*temperature)(Handle, unsigned, unsigned*) = nullptr;
  int (*power)(Handle, unsigned*) = nullptr;
  int (*power_limit)(Handle, unsigned*) = nullptr;
  int (*clock)(Handle, unsigned, unsigned*) = nullptr;
  int (*utilization)(Handle, Utilization*) = nullptr;
  int (*throttle_reasons)(Handle, unsigned long long*) = nullptr;
};

namespace {

template <typename F>
bool Load(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  return function != nullptr;
}

// What a call that fills one number gives; nullopt where the driver has no such call or no answer.
template <typename T, typename F, typename... Args>
std::optional<double> Ask(F function, double scale, Args... args) {
  T value{};
  if (function == nullptr || function(args..., &value) != kSuccess) return std::nullopt;
  return static_cast<double>(value) * scale;
}

}  // namespace

std::shared_ptr<const Nvml> Nvml::Open(const std::string& library) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Nvml>> opened;
  const std::lock_guard lock(mutex);
  std::shared_ptr<const Nvml>& entry = opened[library];
  // A driver that was missing may have come since.
  if (entry == nullptr || !entry->problem().empty()) entry.reset(new Nvml(library));
  return entry;
}

Nvml::Nvml(const std::string& library) : call_(std::make_unique<Functions>()) {
  if (library.empty()) {
    problem_ = "NVIDIA's library was not asked for";
    return;
  }
  library_ = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library_ == nullptr) {
    problem_ = fmt::format("NVIDIA's {} cannot be loaded: no NVIDIA driver here", library);
    return;
  }
  Functions& f = *call_;
  const bool complete =
      Load(library_, "nvmlInit_v2", f.init) && Load(library_, "nvmlShutdown", f.shutdown) &&
      Load(library_, "nvmlErrorString", f.error_string) &&
      Load(library_, "nvmlDeviceGetCount_v2", f.count) &&
      Load(library_, "nvmlDeviceGetHandleByIndex_v2", f.by_index) &&
      Load(library_, "nvmlDeviceGetHandleByUUID", f.by_uuid) &&
      Load(library_, "nvmlDeviceGetName", f.name) && Load(library_, "nvmlDeviceGetUUID", f.uuid) &&
      Load(library_, "nvmlDeviceGetPciInfo_v3", f.pci) &&
      Load(library_, "nvmlDeviceGetMemoryInfo", f.memory) &&
      Load(library_, "nvmlDeviceGetComputeRunningProcesses_v3", f.processes);
  if (!complete) {
    problem_ = fmt::format("NVIDIA's {} lacks functions: too old a driver", library);
    return;
  }
  (void)Load(library_, "nvmlDeviceGetTemperature", f.temperature);
  (void)Load(library_, "nvmlDeviceGetPowerUsage", f.power);
  (void)Load(library_, "nvmlDeviceGetEnforcedPowerLimit", f.power_limit);
  (void)Load(library_, "nvmlDeviceGetClockInfo", f.clock);
  (void)Load(library_, "nvmlDeviceGetUtilizationRates", f.utilization);
  (void)Load(library_, "nvmlDeviceGetCurrentClocksThrottleReasons", f.throttle_reasons);
  if (const int rc = f.init(); rc != kSuccess) {
    problem_ = fmt::format("NVIDIA's driver does not answer: {}", f.error_string(rc));
  }
}

Nvml::~Nvml() {
  if (problem_.empty()) call_->shutdown();
  if (library_ != nullptr) ::dlclose(library_);
}

std::vector<Device> Nvml::Devices() const {
  std::vector<Device> devices;
  unsigned count = 0;
  if (!problem_.empty() || call_->count(&count) != kSuccess) return devices;
  for (unsigned i = 0; i < count; ++i) {
    Handle handle = nullptr;
    std::array<char, 96> text{};
    // A GPU that has fallen off the bus keeps its index.
    if (call_->by_index(i, &handle) != kSuccess) continue;
    Device device;
    device.vendor = Vendor::kNvidia;
    device.ordinal = static_cast<int>(i);
    if (call_->name(handle, text.data(), text.size()) == kSuccess) device.name = text.data();
    if (call_->uuid(handle, text.data(), text.size()) == kSuccess) device.uuid = text.data();
    PciInfo pci;
    if (call_->pci(handle, &pci) == kSuccess) {
      device.pci_address = fmt::format("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device);
    }
    MemoryInfo memory;
    if (call_->memory(handle, &memory) == kSuccess) device.memory_bytes = memory.total;
    devices.push_back(std::move(device));
  }
  return devices;
}

void* Nvml::HandleOf(const std::string& uuid) const {
  Handle handle = nullptr;
  if (!problem_.empty() || call_->by_uuid(uuid.c_str(), &handle) != kSuccess) return nullptr;
  return handle;
}

std::optional<CardMemory> Nvml::Memory(const std::string& uuid) const {
  Handle handle = HandleOf(uuid);
  MemoryInfo memory;
  if (handle == nullptr || call_->memory(handle, &memory) != kSuccess) return std::nullopt;
  return CardMemory{memory.total, std::min(memory.used, memory.total)};
}

std::vector<Nvml::Process> Nvml::ProcessList(const std::string& uuid) const {
  std::vector<Process> out;
  Handle handle = HandleOf(uuid);
  if (handle == nullptr) return out;
  std::vector<ProcessInfo> infos(64);
  for (int attempt = 0; attempt < 4; ++attempt) {
    auto count = static_cast<unsigned>(infos.size());
    const int rc = call_->processes(handle, &count, infos.data());
    if (rc == kSuccess) {
      infos.resize(std::min<std::size_t>(count, infos.size()));
      for (const ProcessInfo& info : infos) {
        Process process{static_cast<int>(info.pid), std::nullopt};
        if (info.bytes != kNotAvailable) process.bytes = info.bytes;
        out.push_back(process);
      }
      return out;
    }
    if (rc != kInsufficientSize || count > 65536) return out;
    infos.resize(count + 64);  // more may start meanwhile
  }
  return out;
}

std::optional<std::uint64_t> Nvml::ProcessMemory(const std::string& uuid, int pid) const {
  for (const Process& process : ProcessList(uuid)) {
    if (process.pid == pid) return process.bytes;
  }
  return std::nullopt;
}

std::vector<int> Nvml::Processes(const std::string& uuid) const {
  std::vector<int> pids;
  for (const Process& process : ProcessList(uuid)) pids.push_back(process.pid);
  return pids;
}

Sensors Nvml::Read(const std::string& uuid) const {
  Sensors sensors;
  Handle handle = HandleOf(uuid);
  if (handle == nullptr) return sensors;
  const Functions& f = *call_;
  sensors.temperature_celsius = Ask<unsigned>(f.temperature, 1, handle, kTemperatureGpu);
  sensors.power_watts = Ask<unsigned>(f.power, 1e-3, handle);
  sensors.power_cap_watts = Ask<unsigned>(f.power_limit, 1e-3, handle);
  sensors.core_clock_mhz = Ask<unsigned>(f.clock, 1, handle, kClockGraphics);
  sensors.memory_clock_mhz = Ask<unsigned>(f.clock, 1, handle, kClockMemory);
  Utilization busy;
  if (f.utilization != nullptr && f.utilization(handle, &busy) == kSuccess) {
    sensors.busy_percent = busy.gpu;
  }
  unsigned long long reasons = 0;
  if (f.throttle_reasons != nullptr && f.throttle_reasons(handle, &reasons) == kSuccess) {
    sensors.throttled = (reasons & kThrottling) != 0;
    sensors.power_limited = (reasons & kPowerCap) != 0;
  }
  return sensors;
}

}  // namespace rocm::gpu
