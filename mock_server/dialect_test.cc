// SPDX-License-Identifier: EUPL-1.2
// A real llama-server and the mock are asked the same, in the same order, on the same model: the
// answers are byte-identical after normalising. Needs ROCM_TEST_LLAMA_SERVER, and rocm-bench or
// ROCM_TEST_CHAIN_MODEL for the model.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "mock_server/testing/mock_process.h"
#include "mock_server/testing/normalise.h"
#include "mock_server/testing/raw_client.h"

namespace mock::testing {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Empty when there is no way to have one.
std::string ChainModel(const TemporaryFolder& folder) {
  const std::string given = Environment("ROCM_TEST_CHAIN_MODEL");
  if (!given.empty()) return given;
  const std::string program = Environment("ROCM_TEST_BIN_DIR") + "/rocm-bench";
  if (!std::filesystem::exists(program)) return {};
  const std::string model = folder.File("chain.gguf");
  const std::string command = program + " synth --chain " + model + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0 ? model : std::string();
}

struct Probe {
  std::string method;
  std::string path;
  std::string body;
};

std::vector<Probe> Probes() {
  std::vector<Probe> probes;
  std::ifstream file(Environment("ROCM_TEST_SOURCE_DIR") + "/mock_server/testdata/probes.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t path = line.find(' ') + 1;
    const std::size_t body = line.find(' ', path);
    Probe probe;
    probe.method = line.substr(0, path - 1);
    probe.path = line.substr(path, body == std::string::npos ? body : body - path);
    if (body != std::string::npos) probe.body = line.substr(body + 1);
    probes.push_back(std::move(probe));
  }
  return probes;
}

// Task numbers count internal work too, which the mock has none of.
std::string WithoutTaskNumbers(std::string text) {
  for (std::size_t at = text.find("\"id_task\":"); at != std::string::npos;
       at = text.find("\"id_task\":", at + 1)) {
    const std::size_t from = at + 10;
    text.replace(from, text.find_first_not_of("0123456789", from) - from, "0");
  }
  return text;
}

std::string Asked(const MockProcess& server, const Probe& probe) {
  const RawAnswer answer = Ask(server.port(), probe.method, probe.path, probe.body);
  const std::string head = answer.Head();
  const bool chunked = head.find("chunked") != std::string::npos;
  return WithoutTaskNumbers(Normalise(head + (chunked ? Dechunk(answer.Body()) : answer.Body())));
}

TEST(Dialect, IsTheRealServersToTheByte) {
  const std::string real_server = Environment("ROCM_TEST_LLAMA_SERVER");
  if (real_server.empty()) GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
  const TemporaryFolder folder;
  const std::string model = ChainModel(folder);
  if (model.empty()) GTEST_SKIP() << "no chain model: rocm-bench is not built";
  StartOptions options;
  options.arguments = {"-m", model, "-c", "2048", "-np", "4", "--metrics", "--no-ui"};
  const MockProcess mock(options);
  options.program = real_server;
  options.arguments.insert(options.arguments.end(), {"-t", "1", "-tb", "1"});
  const MockProcess real(options);
  int probes = 0;
  for (const Probe& probe : Probes()) {
    SCOPED_TRACE(probe.method + " " + probe.path + " " + probe.body);
    EXPECT_EQ(Asked(mock, probe), Asked(real, probe));
    ++probes;
  }
  EXPECT_GT(probes, 140);
}

}  // namespace
}  // namespace mock::testing
