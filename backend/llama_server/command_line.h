// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "backend/config.h"
#include "backend/error.h"
#include "backend/llama_server/capabilities.h"

namespace rocm::llama_server {

struct CommandLineRequest {
  const Capabilities& capabilities;
  const LoadConfig& load;
  std::string model_path;
  int context_per_slot = 0;  // 0: the server decides
  int slots = 1;
  std::string device_argument{};  // for --device
  std::string alias{};
  std::string socket_path{};   // empty: 127.0.0.1, a port of the server's choice
  std::string api_key_file{};  // for builds that do not read the key from their environment
};

// The arguments after argv[0] in the words of this build, load.extra_args last.
// kInvalidArgument, naming the argument, for settings out of range, for those that this build
// cannot express, and for extra arguments that this library decides about.
[[nodiscard]] Result<std::vector<std::string>> BuildCommandLine(const CommandLineRequest& request);

// Refuses variables that would steer the server behind our back: LLAMA_ARG_*, LLAMA_API_KEY.
[[nodiscard]] Result<void> CheckEnvironment(const std::map<std::string, std::string>& environment);

}  // namespace rocm::llama_server
