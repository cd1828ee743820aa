// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/server_check.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "backend/gguf/metadata.h"
#include "harness/scenario/sweep.h"
#include "harness/target/preflight.h"

namespace harness {
namespace {

// Looks for each room, and reads each model, once.
class ServerChecker {
 public:
  [[nodiscard]] rocm::Result<void> Check(const TargetOptions& target,
                                         const ServerSettings& settings) {
    if (target.kind != TargetKind::kLlamaServer) return {};
    auto model = models_.find(target.model);
    if (model == models_.end()) {
      auto metadata = rocm::gguf::ReadMetadata(target.model);
      if (!metadata) return tl::unexpected(std::move(metadata.error()));
      model = models_.emplace(target.model, *std::move(metadata)).first;
    }
    const Place place{target.server_binary, settings.gpu_layers, settings.environment};
    auto room = rooms_.find(place);
    if (room == rooms_.end()) {
      auto found = FindRoom(target, settings);
      if (!found) return tl::unexpected(std::move(found.error()));
      room = rooms_.emplace(place, *std::move(found)).first;
    }
    return CheckFits(model->second, target, settings, room->second);
  }

 private:
  // What a room depends on: the binary, and of the settings these two.
  using Place = std::tuple<std::string, std::optional<int>, std::map<std::string, std::string>>;

  std::map<std::string, rocm::gguf::Metadata> models_;
  std::map<Place, Room> rooms_;
};

rocm::Result<void> Named(rocm::Result<void> fits, const Scenario& scenario,
                         std::string_view variant) {
  if (!fits) {
    fits.error().message = fmt::format("scenario {}{}{}: {}", scenario.name,
                                       variant.empty() ? "" : " ", variant, fits.error().message);
  }
  return fits;
}

}  // namespace

rocm::Result<void> CheckServers(const std::vector<Scenario>& scenarios, const TargetOptions& target,
                                const VariantBindings& bindings) {
  ServerChecker checker;
  for (const Scenario& scenario : scenarios) {
    for (const Variant& variant : Expand(scenario)) {
      const ServerSettings& settings = variant.scenario.server;
      if (!scenario.ab) {
        auto fits = Named(checker.Check(target, settings), scenario, variant.name);
        if (!fits) return fits;
        continue;
      }
      for (const AbVariant& side : scenario.ab->variants) {
        auto fits = Named(checker.Check(Bind(target, side, bindings), Merge(settings, side.server)),
                          scenario, SideName(variant.name, side));
        if (!fits) return fits;
      }
    }
  }
  return {};
}

}  // namespace harness
