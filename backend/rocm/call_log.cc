// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/call_log.h"

#include <chrono>

namespace rocm {
namespace {

std::chrono::nanoseconds FromMs(double ms) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::milli>(ms));
}

}  // namespace

void CallLog::Succeeded(const Completion& completion, const http::StreamTimes& times) {
  const std::lock_guard lock(mutex_);
  last_error_.reset();
  metrics_.prompt_tokens += completion.usage.prompt_tokens;
  metrics_.generated_tokens += completion.usage.completion_tokens;
  metrics_.total_duration += times.finished - times.connect_started;
  if (!completion.timings) return;
  const Timings& t = *completion.timings;
  metrics_.prefill_duration += FromMs(t.prompt_ms);
  metrics_.decode_duration += FromMs(t.predicted_ms);
  if (t.prompt_ms > 0) metrics_.last_prefill_tokens_per_second = t.prompt_n / t.prompt_ms * 1e3;
  if (t.predicted_n > 1 && t.predicted_ms > 0) {
    metrics_.last_decode_tokens_per_second = (t.predicted_n - 1) / t.predicted_ms * 1e3;
  }
}

void CallLog::Failed(const Error& error) {
  const std::lock_guard lock(mutex_);
  last_error_ = error;
}

ModelMetrics CallLog::metrics() const {
  const std::lock_guard lock(mutex_);
  return metrics_;
}

std::optional<Error> CallLog::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

}  // namespace rocm
