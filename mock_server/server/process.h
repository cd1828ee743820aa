// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "mock_server/options/options.h"

namespace mock {

// Everything from the first log line to the exit code.
[[nodiscard]] int RunServer(Options options);

}  // namespace mock
