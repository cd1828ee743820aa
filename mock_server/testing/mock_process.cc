// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/testing/mock_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "mock_server/clock.h"

namespace mock::testing {
namespace {

constexpr Ns kStartDeadline = 20 * kSecond;

void Pause() { ::poll(nullptr, 0, 1); }

std::string ProgramPath(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* folder = std::getenv("ROCM_TEST_BIN_DIR");
  if (folder == nullptr) throw std::runtime_error("ROCM_TEST_BIN_DIR is not set");
  return std::string(folder) + "/" + program;
}

bool Contains(const std::vector<std::string>& list, const std::string& text) {
  for (const std::string& item : list) {
    if (item == text) return true;
  }
  return false;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "mock-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& content) const {
  std::ofstream(File(name), std::ios::binary) << content;
  return File(name);
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

StartOptions WithoutWaiting(std::vector<std::string> arguments) {
  StartOptions options;
  options.arguments = std::move(arguments);
  options.wait_until_listening = false;
  return options;
}

MockProcess::MockProcess(StartOptions options) { Start(options); }

MockProcess::MockProcess(std::vector<std::string> arguments) {
  StartOptions options;
  options.arguments = std::move(arguments);
  Start(options);
}

void MockProcess::Start(const StartOptions& options) {
  std::vector<std::string> words{ProgramPath(options.program)};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  if (!Contains(options.arguments, "--port")) {
    words.emplace_back("--port");
    words.emplace_back("0");
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> envp;
  std::vector<std::string> own = options.environment;
  for (std::string& variable : own) envp.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
  envp.push_back(nullptr);
  const std::string out = folder_.File("stdout");
  const std::string err = folder_.File("stderr");
  pid_ = ::fork();
  if (pid_ == 0) {
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    ::dup2(::open(out.c_str(), flags, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), flags, 0600), STDERR_FILENO);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  if (!options.wait_until_listening) return;
  if (!WaitForLog("listening on ")) {
    throw std::runtime_error("the server does not listen:\n" + Log());
  }
  const std::string log = Log();
  const std::size_t at = log.find("listening on http://");
  if (at == std::string::npos) return;
  const std::size_t colon = log.find(':', at + 20);
  port_ = static_cast<std::uint16_t>(std::strtoul(log.c_str() + colon + 1, nullptr, 10));
}

MockProcess::~MockProcess() {
  if (exit_ || pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  (void)Wait(10.0);
}

bool MockProcess::WaitForLog(const std::string& text) const {
  const Ns end = Now() + kStartDeadline;
  while (Now() < end) {
    const std::string log = Log();
    const std::size_t at = log.find(text);
    // The whole line, as more of it may be read.
    if (at != std::string::npos && log.find('\n', at) != std::string::npos) return true;
    if (::kill(pid_, 0) != 0) return false;
    siginfo_t info{};
    const auto id = static_cast<id_t>(pid_);
    if (::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_) {
      return Log().find(text) != std::string::npos;
    }
    Pause();
  }
  return false;
}

void MockProcess::Signal(int number) const { ::kill(pid_, number); }

std::optional<Exit> MockProcess::Wait(double seconds) {
  const Ns end = Now() + FromMs(seconds * 1e3);
  while (!exit_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_ = WIFEXITED(status) ? Exit{WEXITSTATUS(status), 0} : Exit{-1, WTERMSIG(status)};
    } else if (Now() > end) {
      return std::nullopt;
    } else {
      Pause();
    }
  }
  return exit_;
}

}  // namespace mock::testing
