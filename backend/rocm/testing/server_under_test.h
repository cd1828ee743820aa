// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>

#include "backend/config.h"
#include "backend/error.h"

namespace rocm::testing {

// The server that the suite runs on: the real one (ROCM_TEST_LLAMA_SERVER) or, with
// ROCM_TEST_SERVER=mock, mock-llama-server out of ROCM_TEST_BIN_DIR. The same tests hold for both.
struct ServerUnderTest {
  std::string binary;
  std::string missing;  // why there is none; empty when there is
  bool mock = false;
};
[[nodiscard]] ServerUnderTest FindServerUnderTest();

// The chain model, written once per process into a temporary folder.
[[nodiscard]] const std::string& ChainModelPath();

// Small, one thread, no GPU.
[[nodiscard]] LoadConfig SmallConfig(int slots = 1, int context_len = 2048);

// What the chain model answers to a prompt that ends in `last`, as text.
[[nodiscard]] std::string ChainText(char last, int tokens);

}  // namespace rocm::testing
