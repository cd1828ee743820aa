// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>

#include "mock_server/engine/timer_queue.h"
#include "mock_server/faults/fault.h"
#include "mock_server/http/exchange.h"

namespace mock {

// Gives the answer that a fault of FaultPlace::kAnswer stands for.
void AnswerWithFault(const Fault& fault, const std::shared_ptr<Exchange>& exchange,
                     TimerQueue& timers);

}  // namespace mock
