// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <mutex>
#include <optional>

#include "backend/error.h"
#include "backend/http/stream_types.h"
#include "backend/model.h"

namespace rocm {

// What the calls on one model have come to: the sums behind TextModel::Metrics() and the last
// error behind Err(). Thread-safe.
class CallLog {
 public:
  // A stream ended well, or by a stop token, with `completion`.
  void Succeeded(const Completion& completion, const http::StreamTimes& times);
  void Failed(const Error& error);

  [[nodiscard]] ModelMetrics metrics() const;
  [[nodiscard]] std::optional<Error> last_error() const;

 private:
  mutable std::mutex mutex_;
  ModelMetrics metrics_;
  std::optional<Error> last_error_;
};

}  // namespace rocm
