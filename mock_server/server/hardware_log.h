// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

#include "mock_server/engine/scheduler.h"
#include "mock_server/options/options.h"
#include "mock_server/server/log.h"
#include "mock_server/server/model_file.h"

namespace mock {

// The lines about devices and memory that a server of the chosen build writes while it loads. The
// current build writes them from verbosity 4 on, older ones always.
class HardwareLog {
 public:
  HardwareLog(Log& log, const Options& options) : log_(log), options_(options) {}

  void Devices();
  // Weights, KV cache and compute buffers; `split_mib` of the weights go to a second device.
  void Load(const EngineConfig& engine, const ModelFile& model, double split_mib);

 private:
  [[nodiscard]] int verbosity() const { return options_.dialect.build == kCurrent ? 4 : 3; }
  [[nodiscard]] bool on_gpu() const {
    return !options_.timing.device.empty() && options_.gpu_layers != 0;
  }

  Log& log_;
  const Options& options_;
};

}  // namespace mock
