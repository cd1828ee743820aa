// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <span>
#include <string>
#include <vector>

#include "backend/model.h"

namespace rocm {

// Many prompts on one model, at most `parallel` at a time, each on a thread of this call. Results
// are in the order of the prompts; a failure concerns its own prompt only.
[[nodiscard]] std::vector<Result<Generation>> BatchGenerate(TextModel& model,
                                                            std::span<const std::string> prompts,
                                                            const GenerateConfig& config,
                                                            int parallel);
[[nodiscard]] std::vector<Result<Classification>> Classify(TextModel& model,
                                                           std::span<const std::string> prompts,
                                                           const GenerateConfig& config,
                                                           int parallel);

}  // namespace rocm
