// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/config.h"
#include "backend/error.h"
#include "backend/model.h"

namespace rocm {

// Whether a backend can be used here and, if not, why: each reason names the thing and the way
// out.
struct Availability {
  bool available = false;
  std::vector<std::string> reasons;  // empty when available
};

// A way to run models. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual std::string_view Name() const = 0;
  [[nodiscard]] virtual Availability Available() const = 0;
  // Blocks until the model answers, or the load failed. See LoadConfig for progress, timeouts and
  // cancelling. The calling thread need not outlive the model.
  [[nodiscard]] virtual Result<std::unique_ptr<TextModel>> LoadModel(
      const std::string& path, const LoadConfig& config = {}) = 0;
};

// The registry. "rocm" (the default), "cuda", "vulkan", "sycl" and "cpu" are always there.
// Thread-safe; a registered backend lives until the program ends.
void RegisterBackend(std::shared_ptr<Backend> backend);
// nullptr when there is none of that name.
[[nodiscard]] std::shared_ptr<Backend> GetBackend(std::string_view name);
[[nodiscard]] std::vector<std::string> ListBackends();
[[nodiscard]] std::shared_ptr<Backend> DefaultBackend();

}  // namespace rocm
