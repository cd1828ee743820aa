// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "backend/gpu/devices.h"
#include "backend/gpu/places.h"
#include "harness/cli/fault_trigger.h"
#include "harness/cli/load_memory.h"
#include "harness/measure/fault_summary.h"

namespace harness {

// After a server's end: when its device memory was free again. A driver frees it late, and a new
// server that starts meanwhile may find no room. Looks only where the server held any.
class ReleaseWatch {
 public:
  // `before`: while it lived. `watch` must outlive this.
  ReleaseWatch(std::vector<rocm::gpu::Device> devices, MemoryInUse before, ExitWatch& watch,
               rocm::gpu::Places places = {});
  ~ReleaseWatch();
  ReleaseWatch(const ReleaseWatch&) = delete;
  ReleaseWatch& operator=(const ReleaseWatch&) = delete;
  // All of it was free.
  [[nodiscard]] bool done() const { return released_ns_ != 0; }
  // Ends the looking and says what was seen.
  void Finish(Injection& injection);

 private:
  void Watch();
  // Bytes that are free now and were in use before.
  [[nodiscard]] std::int64_t Released() const;

  const std::vector<rocm::gpu::Device> devices_;
  const MemoryInUse before_;
  ExitWatch& watch_;
  const rocm::gpu::Places places_;
  std::int64_t held_ = 0;
  std::int64_t released_bytes_ = 0;
  std::atomic<std::int64_t> released_ns_{0};
  std::atomic<bool> quit_{false};
  std::thread thread_;
};

}  // namespace harness
