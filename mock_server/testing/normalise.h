// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

namespace mock::testing {

// Takes out of an answer what differs between two runs of one server: ids, times, rates, the floats
// of probabilities, and lengths that follow from them.
[[nodiscard]] std::string Normalise(std::string text);

}  // namespace mock::testing
