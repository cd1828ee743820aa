// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <nlohmann/json.hpp>

namespace harness {

// Members keep the order in which they were written: people read these files.
using Json = nlohmann::ordered_json;

}  // namespace harness
