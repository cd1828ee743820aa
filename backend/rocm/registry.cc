// SPDX-License-Identifier: EUPL-1.2
#include <map>
#include <mutex>

#include "backend/backend.h"
#include "backend/rocm/server_backend.h"

namespace rocm {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Backend>, std::less<>> backends;

  Registry() {
    for (const BackendKind kind : {BackendKind::kRocm, BackendKind::kCuda, BackendKind::kVulkan,
                                   BackendKind::kSycl, BackendKind::kCpu}) {
      backends.emplace(ToString(kind), MakeServerBackend(kind));
    }
  }
};

// Leaked on purpose: a model may outlive static destructors.
Registry& TheRegistry() {
  static auto* const registry = new Registry;
  return *registry;
}

}  // namespace

std::string_view ToString(BackendKind kind) {
  switch (kind) {
    case BackendKind::kRocm: return "rocm";
    case BackendKind::kCuda: return "cuda";
    case BackendKind::kVulkan: return "vulkan";
    case BackendKind::kSycl: return "sycl";
    case BackendKind::kCpu: return "cpu";
  }
  return "rocm";
}

void RegisterBackend(std::shared_ptr<Backend> backend) {
  if (backend == nullptr) return;
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const std::string name(backend->Name());
  registry.backends[name] = std::move(backend);
}

std::shared_ptr<Backend> GetBackend(std::string_view name) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto it = registry.backends.find(name);
  return it == registry.backends.end() ? nullptr : it->second;
}

std::vector<std::string> ListBackends() {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  std::vector<std::string> names;
  names.reserve(registry.backends.size());
  for (const auto& [name, backend] : registry.backends) names.push_back(name);
  return names;
}

std::shared_ptr<Backend> DefaultBackend() { return GetBackend("rocm"); }

}  // namespace rocm
