// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/server_backend.h"

#include "backend/llama_server/server.h"
#include "backend/rocm/availability.h"
#include "backend/rocm/load_plan.h"
#include "backend/rocm/server_model.h"

namespace rocm {
namespace {

class ServerBackend final : public Backend {
 public:
  explicit ServerBackend(BackendKind kind) : kind_(kind) {}

  [[nodiscard]] std::string_view Name() const override { return ToString(kind_); }
  [[nodiscard]] Availability Available() const override { return CheckAvailability(kind_); }
  [[nodiscard]] Result<std::unique_ptr<TextModel>> LoadModel(const std::string& path,
                                                             const LoadConfig& config) override {
    auto plan = PlanLoad(kind_, path, config);
    if (!plan) return Fail(std::move(plan.error()));
    auto model = ServerModel::Start(std::move(*plan));
    if (!model) return Fail(std::move(model.error()));
    return std::unique_ptr<TextModel>(std::move(*model));
  }

 private:
  const BackendKind kind_;
};

}  // namespace

std::shared_ptr<Backend> MakeServerBackend(BackendKind kind) {
  return std::make_shared<ServerBackend>(kind);
}

}  // namespace rocm
