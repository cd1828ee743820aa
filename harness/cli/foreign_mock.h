// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "harness/cli/bench_process.h"

namespace harness::testing {

// A mock that somebody else started: its pid is ours to watch, not the run's to end. Ready when it
// is made; killed with it.
class ForeignMock {
 public:
  enum class Socket { kUnix, kTcp };
  ForeignMock(const ScratchFolder& folder, const std::string& name, Socket socket = Socket::kUnix,
              const std::vector<std::string>& more = {});
  ~ForeignMock();
  ForeignMock(const ForeignMock&) = delete;
  ForeignMock& operator=(const ForeignMock&) = delete;

  [[nodiscard]] std::string url() const { return url_; }
  [[nodiscard]] bool alive() const { return IsAlive(pid_); }

 private:
  std::string url_;
  pid_t pid_ = -1;
};

}  // namespace harness::testing
