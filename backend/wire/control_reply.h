// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"

namespace rocm::wire {

// The bodies of llama-server's control endpoints. Fields that a build does not send keep their
// defaults; a body that is not such an answer at all is kProtocol.

struct ServerProps {  // GET /props
  std::string model_alias;
  std::string model_path;
  std::string build_info;  // "b11669-Debian"
  std::string bos_token;
  std::string eos_token;
  std::string chat_template;
  int total_slots = -1;
  int context_per_slot = -1;
};
[[nodiscard]] Result<ServerProps> ParseProps(std::string_view body);

struct SlotState {  // GET /slots
  int id = -1;
  int context = -1;
  bool processing = false;
};
[[nodiscard]] Result<std::vector<SlotState>> ParseSlots(std::string_view body);

struct ServedModel {  // GET /v1/models
  std::string id;
  std::vector<std::string> aliases;
  int vocabulary = -1;
  int context = -1;
  int context_train = -1;
  int embedding = -1;
  std::int64_t parameters = -1;
  std::int64_t bytes = -1;
};
[[nodiscard]] Result<std::vector<ServedModel>> ParseModels(std::string_view body);

// POST /tokenize, with or without pieces.
[[nodiscard]] Result<std::vector<std::int32_t>> ParseTokens(std::string_view body);
// POST /detokenize.
[[nodiscard]] Result<std::string> ParseDetokenized(std::string_view body);
// POST /apply-template.
[[nodiscard]] Result<std::string> ParseTemplated(std::string_view body);

}  // namespace rocm::wire
