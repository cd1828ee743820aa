// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

#include "mock_server/json.h"

namespace mock {

class Service;

// Bodies of the GET endpoints.
[[nodiscard]] Json PropsDocument(Service& service);
[[nodiscard]] Json ModelsDocument(Service& service);
[[nodiscard]] Json SlotsDocument(Service& service);
[[nodiscard]] std::string MetricsDocument(Service& service);

}  // namespace mock
