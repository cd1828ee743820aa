// SPDX-License-Identifier: EUPL-1.2
// chat in a terminal, and with its input from a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "backend/base/clock.h"
#include "backend/base/unique_fd.h"
#include "backend/gguf/chain_model.h"
#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string Program(const std::string& name) {
  const char* bin = std::getenv("ROCM_TEST_BIN_DIR");
  return bin == nullptr ? name : std::string(bin) + "/" + name;
}

std::vector<std::string> ChatArguments(const ScratchFolder& folder, const std::string& token_ms,
                                       const std::string& max_tokens) {
  const std::string model = folder.At("chain.gguf");
  EXPECT_TRUE(rocm::gguf::WriteChainModel(model).has_value());
  return {"chat",
          "--model",
          model,
          "--backend",
          "cpu",
          "--server-binary",
          Program("mock-llama-server"),
          "--server-arg=--mock-token-ms",
          "--server-arg=" + token_ms,
          "--max-tokens",
          max_tokens};
}

// A person at a terminal.
class Terminal {
 public:
  explicit Terminal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Program("rocm-bench"));
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int fd = -1;
    pid_ = ::forkpty(&fd, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    fd_.reset(fd);
  }
  ~Terminal() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Type(std::string_view keys) {
    ASSERT_EQ(::write(fd_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  // Forgets what was on the screen up to and with `text`; false when it does not come.
  bool Sees(const std::string& text) {
    return Eventually([&] {
      pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      char bytes[4096];
      while (::poll(&ready, 1, 0) > 0) {
        const ssize_t n = ::read(fd_.get(), bytes, sizeof bytes);
        if (n <= 0) break;
        screen_.append(bytes, static_cast<std::size_t>(n));
      }
      const auto at = screen_.find(text);
      if (at == std::string::npos) return false;
      screen_.erase(0, at + text.size());
      return true;
    });
  }
  int Wait() {
    int status = 0;
    ended_ = Eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    return ended_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] const std::string& screen() const { return screen_; }

 private:
  pid_t pid_ = -1;
  rocm::UniqueFd fd_;
  bool ended_ = false;
  std::string screen_;
};

TEST(Chat, CtrlCCutsTheAnswerAndNotTheSession) {
  const ScratchFolder folder;
  Terminal terminal(ChatArguments(folder, "10", "60"));
  ASSERT_TRUE(terminal.Sees("is ready")) << terminal.screen();
  ASSERT_TRUE(terminal.Sees("> "));
  terminal.Type("Hello\n");
  ASSERT_TRUE(terminal.Sees(" w")) << terminal.screen();  // it streams
  terminal.Type("\x03");
  ASSERT_TRUE(terminal.Sees("[cut short]")) << terminal.screen();
  ASSERT_TRUE(terminal.Sees("> "));
  terminal.Type("Again\n");
  ASSERT_TRUE(terminal.Sees("[60 tokens")) << terminal.screen();
  ASSERT_TRUE(terminal.Sees("length]")) << terminal.screen();
  ASSERT_TRUE(terminal.Sees("> "));
  terminal.Type("\x04");
  EXPECT_EQ(terminal.Wait(), 0);
}

TEST(Chat, PrintsOneObjectAnAnswer) {
  const ScratchFolder folder;
  auto arguments = ChatArguments(folder, "0.1", "5");
  arguments.emplace_back("--json");
  BenchProcess bench(arguments, "Hello\n\nHi\n");
  ASSERT_EQ(bench.Wait(), 0) << bench.err();
  const auto lines = bench.out();
  const auto end = lines.find('\n');
  for (const std::string& line : {lines.substr(0, end), lines.substr(end + 1)}) {
    const json answer = json::parse(line);
    EXPECT_EQ(answer["role"], "assistant");
    EXPECT_EQ(answer["completion_tokens"], 5);
    EXPECT_EQ(answer["finish_reason"], "length");
    EXPECT_THAT(answer["content"].get<std::string>(), HasSubstr(" w"));
  }
}

TEST(Chat, WithABackendThatIsNotThereIsBadInput) {
  BenchProcess bench({"chat", "--model", "x.gguf", "--backend", "abacus"});
  EXPECT_EQ(bench.Wait(), 2);
  EXPECT_THAT(bench.err(), HasSubstr("abacus"));
}

}  // namespace
}  // namespace harness::testing
