// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/foreign_mock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

extern char** environ;

namespace harness::testing {
namespace {

// "… listening on http://127.0.0.1:41234": what follows the words, once the line is whole.
std::string AddressIn(const std::string& log) {
  constexpr std::string_view kWords = "listening on ";
  const std::size_t at = log.find(kWords);
  if (at == std::string::npos) return "";
  const std::size_t end = log.find('\n', at);
  if (end == std::string::npos) return "";
  return log.substr(at + kWords.size(), end - at - kWords.size());
}

}  // namespace

ForeignMock::ForeignMock(const ScratchFolder& folder, const std::string& name, Socket socket,
                         const std::vector<std::string>& more) {
  const char* bin = std::getenv("ROCM_TEST_BIN_DIR");
  const std::string path = folder.At(name + ".sock");
  const std::string log = folder.At(name + ".log");
  std::vector<std::string> words{std::string(bin == nullptr ? "." : bin) + "/mock-llama-server",
                                 "-np",
                                 "2",
                                 "-c",
                                 "512",
                                 "--mock-load-ms",
                                 "0"};
  if (socket == Socket::kUnix) {
    words.insert(words.end(), {"--host", path});
  } else {
    words.insert(words.end(), {"--host", "127.0.0.1", "--port", "0"});
  }
  words.insert(words.end(), more.begin(), more.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT, 0600);
  EXPECT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  EXPECT_TRUE(Eventually([&] { return !AddressIn(ReadAll(log)).empty(); })) << ReadAll(log);
  url_ = socket == Socket::kUnix ? "unix:" + path : AddressIn(ReadAll(log));
}

ForeignMock::~ForeignMock() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace harness::testing
