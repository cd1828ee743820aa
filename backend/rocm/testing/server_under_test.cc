// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/testing/server_under_test.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "backend/gguf/chain_model.h"

namespace rocm::testing {
namespace {

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Removed with the process.
struct TemporaryModel {
  std::filesystem::path folder;
  std::string path;

  TemporaryModel() {
    std::string name = (std::filesystem::temp_directory_path() / "rocm-chain-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    folder = name;
    path = folder / "chain.gguf";
    const auto written = gguf::WriteChainModel(path);
    if (!written) {
      ADD_FAILURE() << ToString(written.error());
    }
  }
  ~TemporaryModel() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};

}  // namespace

ServerUnderTest FindServerUnderTest() {
  ServerUnderTest server;
  server.mock = FromEnvironment("ROCM_TEST_SERVER") == "mock";
  server.binary = server.mock ? FromEnvironment("ROCM_TEST_BIN_DIR") + "/mock-llama-server"
                              : FromEnvironment("ROCM_TEST_LLAMA_SERVER");
  if (server.binary.empty()) {
    server.missing = "no real llama-server: ROCM_TEST_LLAMA_SERVER is not set (ci/test.sh sets it)";
  } else if (::access(server.binary.c_str(), X_OK) != 0) {
    server.missing = server.binary + " cannot be executed";
  }
  return server;
}

const std::string& ChainModelPath() {
  static const TemporaryModel model;
  return model.path;
}

LoadConfig SmallConfig(int slots, int context_len) {
  LoadConfig config;
  config.server_binary = FindServerUnderTest().binary;
  config.context_len = context_len;
  config.parallel_slots = slots;
  config.gpu_layers = 0;
  config.threads = 1;
  return config;
}

std::string ChainText(char last, int tokens) {
  std::string text;
  const std::int32_t token = gguf::chain::ByteToken(static_cast<unsigned char>(last));
  for (const std::int32_t id : gguf::chain::Continuation(token, tokens)) {
    text += gguf::chain::Piece(id);
  }
  return text;
}

}  // namespace rocm::testing
