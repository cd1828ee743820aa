// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "mock_server/options/options.h"

namespace mock {

// Applies --mock-build, wherever it stands.
[[nodiscard]] std::optional<OptionsError> ReadDialect(const std::vector<std::string>& arguments,
                                                      Options& options);
// Applies the --mock-… flag at `at`, which moves on to its value.
[[nodiscard]] std::optional<OptionsError> ParseMockFlag(const std::vector<std::string>& arguments,
                                                        std::size_t& at, Options& options);
[[nodiscard]] std::string MockHelp();

}  // namespace mock
