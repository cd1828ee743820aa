// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "mock_server/faults/fault.h"
#include "mock_server/options/options.h"
#include "mock_server/server/hardware_log.h"
#include "mock_server/server/log.h"
#include "mock_server/truth_log.h"

namespace mock {

// What goes wrong before the server is ready, and at its end.
class StartupFaults {
 public:
  StartupFaults(const Faults& faults, const Options& options, Log& log, TruthLog& truth)
      : faults_(faults), options_(options), log_(log), truth_(truth) {}

  // Floods stderr, leaves a grandchild behind, or lets a stranger take the port: `serve` is what
  // the stranger does with its own options, in a process of its own.
  void BeforeBind(const std::function<void(Options)>& serve);
  [[nodiscard]] bool BindFails() const { return Has("bind-failure"); }
  [[nodiscard]] bool NeverReady() const { return Has("never-ready"); }
  [[nodiscard]] bool IgnoresSigterm() const { return Has("ignore-sigterm"); }
  // How long into the load the process dies; nullopt: it does not.
  [[nodiscard]] std::optional<double> DiesAfterMs() const;
  // Dies as planned. Returns only when nothing of the kind was planned.
  void DieWhileLoading();
  // The reason for which the model is refused, if it is.
  [[nodiscard]] std::optional<std::string> RefusesModel() const;
  // Two devices where the environment shows both: the split that kills every load.
  void SplitOntoIntegratedGpu(const EngineConfig& engine, const ModelFile& model);

 private:
  [[nodiscard]] bool Has(std::string_view type) const {
    return FindFault(faults_, type) != nullptr;
  }

  const Faults& faults_;
  const Options& options_;
  Log& log_;
  TruthLog& truth_;
};

}  // namespace mock
