// SPDX-License-Identifier: EUPL-1.2
// A library with NVML's functions and two made-up GPUs, for tests of the code that opens the real
// one. FAKE_NVML_FAIL=init makes the driver refuse.
#include <cstdlib>
#include <cstring>

namespace {

struct Memory {
  unsigned long long total, free, used;
};
struct Pci {
  char legacy[16];
  unsigned domain, bus, device, device_id, subsystem;
  char bus_id[32];
};
struct Process {
  unsigned pid;
  unsigned long long bytes;
  unsigned gpu_instance, compute_instance;
};
struct Utilization {
  unsigned gpu, memory;
};
struct Gpu {
  const char* uuid;
  const char* name;
  unsigned bus;
  unsigned long long total, used;
};

constexpr unsigned long long kMiB = 1u << 20;
Gpu gpus[] = {{"GPU-aaaa", "NVIDIA Fake 8GB", 0x21, 8192 * kMiB, 100 * kMiB},
              {"GPU-bbbb", "NVIDIA Fake 24GB", 0x41, 24576 * kMiB, 99999 * kMiB}};
constexpr int kNotFound = 6;
constexpr int kInsufficientSize = 7;
constexpr int kDriverNotLoaded = 9;

Gpu& Of(void* handle) { return *static_cast<Gpu*>(handle); }

}  // namespace

extern "C" {

int nvmlInit_v2() {
  const char* fail = std::getenv("FAKE_NVML_FAIL");
  return fail != nullptr && std::strcmp(fail, "init") == 0 ? kDriverNotLoaded : 0;
}
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int rc) { return rc == kDriverNotLoaded ? "Driver Not Loaded" : "?"; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  if (index >= 2) return kNotFound;
  *handle = &gpus[index];
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) {
  for (Gpu& gpu : gpus) {
    if (std::strcmp(gpu.uuid, uuid) != 0) continue;
    *handle = &gpu;
    return 0;
  }
  return kNotFound;
}
int nvmlDeviceGetName(void* handle, char* out, unsigned size) {
  std::strncpy(out, Of(handle).name, size);
  return 0;
}
int nvmlDeviceGetUUID(void* handle, char* out, unsigned size) {
  std::strncpy(out, Of(handle).uuid, size);
  return 0;
}
int nvmlDeviceGetPciInfo_v3(void* handle, Pci* pci) {
  std::memset(pci, 0, sizeof(*pci));
  pci->bus = Of(handle).bus;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
  const Gpu& gpu = Of(handle);
  *memory = {gpu.total, 0, gpu.used};
  return 0;
}
// Seventy processes, so that the first guess at their number is too small.
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, Process* out) {
  const unsigned room = *count;
  *count = 70;
  if (room < 70) return kInsufficientSize;
  for (unsigned i = 0; i < 70; ++i) out[i] = {1000 + i, i * kMiB, 0, 0};
  out[69].bytes = ~0ULL;  // not available, as in a container
  return 0;
}
int nvmlDeviceGetTemperature(void*, unsigned sensor, unsigned* out) {
  *out = 55;
  return sensor == 0 ? 0 : kNotFound;
}
int nvmlDeviceGetPowerUsage(void*, unsigned* out) {
  *out = 312500;
  return 0;
}
int nvmlDeviceGetClockInfo(void*, unsigned type, unsigned* out) {
  *out = type == 0 ? 1980 : 10501;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void*, Utilization* out) {
  *out = {88, 41};
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* handle, unsigned long long* out) {
  *out = Of(handle).bus == 0x21 ? 0x1 : 0x24;  // idle; power cap and heat
  return 0;
}

}  // extern "C"
