// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "mock_server/clock.h"
#include "mock_server/engine/generation.h"

namespace mock {

// What the mock really did and when, one JSON object a line; docs/mock-server.md lists the types.
// Lines are collected in memory and written when the server has nothing due, before it dies by its
// own hand, and when the memory is full. Not thread-safe.
class TruthLog {
 public:
  TruthLog() = default;
  ~TruthLog();
  TruthLog(const TruthLog&) = delete;
  TruthLog& operator=(const TruthLog&) = delete;

  // Truncates the file; false with errno when that fails.
  [[nodiscard]] bool Open(const std::string& path);
  [[nodiscard]] bool enabled() const { return fd_ >= 0; }

  void Start(std::string_view model, std::uint64_t seed, Ns at);
  struct Arrival {
    std::int64_t request = 0;
    std::string_view endpoint;
    std::string_view peer;
    std::string_view client_id;  // the X-Request-Id header
    std::string_view reply_id;   // "chatcmpl-…", empty for the native API
    bool stream = false;
    std::uint32_t seed = 0;
  };
  void Received(const Arrival& arrival, Ns at);
  void SlotAssigned(std::int64_t request, int index, int slot, Ns at);
  void Prefilled(std::int64_t request, int index, int prompt_tokens, int cached_tokens,
                 Ns scheduled, Ns at);
  // `sequence` counts the events of the request; `at` was taken just before the bytes were handed
  // to the kernel. Not `sent`: nothing left, as within a character or a whole answer.
  void Chunk(std::int64_t request, int index, std::int64_t sequence, const TokenEvent& event,
             bool sent, Ns scheduled, Ns at);
  void Finished(std::int64_t request, int index, std::string_view reason, int tokens, Ns scheduled,
                Ns at);
  void Failed(std::int64_t request, int status, std::string_view message, Ns at);
  void Disconnected(std::int64_t request, std::int64_t chunks, Ns at);
  void Fault(std::int64_t request, std::string_view fault, Ns at);
  // Of a process that ends on purpose.
  void End(std::string_view how, Ns at);

  // Writes what is collected. Async-signal-unsafe.
  void Flush();
  [[nodiscard]] bool pending() const { return buffer_.size() > 0; }

 private:
  void EndLine();

  int fd_ = -1;
  fmt::memory_buffer buffer_;
};

}  // namespace mock
