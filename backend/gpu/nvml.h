// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/gpu/devices.h"
#include "backend/gpu/sensors.h"
#include "backend/gpu/vram.h"

namespace rocm::gpu {

// NVIDIA's management library, if this machine has one: opened at run time, so that nothing of
// NVIDIA's is needed to build or to run without. One instance a place, alive until the program
// ends. Thread-safe.
class Nvml {
 public:
  // Never null. Where the library or the driver is missing, problem() says what is wrong.
  static std::shared_ptr<const Nvml> Open(const std::string& library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  [[nodiscard]] const std::string& problem() const { return problem_; }  // empty: none
  [[nodiscard]] std::vector<Device> Devices() const;
  [[nodiscard]] std::optional<CardMemory> Memory(const std::string& uuid) const;
  [[nodiscard]] std::optional<std::uint64_t> ProcessMemory(const std::string& uuid, int pid) const;
  [[nodiscard]] std::vector<int> Processes(const std::string& uuid) const;
  [[nodiscard]] Sensors Read(const std::string& uuid) const;

 private:
  struct Functions;
  explicit Nvml(const std::string& library);
  [[nodiscard]] void* HandleOf(const std::string& uuid) const;
  struct Process {
    int pid = 0;
    std::optional<std::uint64_t> bytes;
  };
  [[nodiscard]] std::vector<Process> ProcessList(const std::string& uuid) const;

  void* library_ = nullptr;
  std::unique_ptr<Functions> call_;
  std::string problem_;
};

}  // namespace rocm::gpu
