// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/real_server_for_tests.h"

#include <fcntl.h>
#include <httplib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "backend/base/clock.h"

namespace rocm::gguf {

std::optional<std::string> RealServer::Find() {
  const char* path = std::getenv("ROCM_TEST_LLAMA_SERVER");
  if (path == nullptr || *path == '\0') return std::nullopt;
  return path;
}

std::optional<std::string> RealServer::FindVulkan() {
  const std::optional<std::string> plain = Find();
  if (!plain) return std::nullopt;
  const auto path = std::filesystem::path(*plain).replace_filename("llama-server-vulkan");
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path.string();
}

RealServer::RealServer(const std::string& executable, std::vector<std::string> arguments,
                       const std::vector<std::string>& environment) {
  arguments.insert(arguments.begin(), executable);
  arguments.insert(arguments.end(), {"--host", "127.0.0.1", "--port", "0"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // The first of two entries of one name is the one that counts.
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  std::vector<char*> envp;
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);

  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  const int parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  reader_ = std::thread([this, fd = ends[0]] { Drain(fd); });
}

RealServer::~RealServer() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  reader_.join();
}

void RealServer::Drain(int fd) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    const std::lock_guard lock(mutex_);
    if (n > 0) {
      log_.append(buffer.data(), static_cast<std::size_t>(n));
    } else {
      ended_ = true;
    }
    changed_.notify_all();
    if (n <= 0) break;
  }
  ::close(fd);
}

bool RealServer::Ready(std::chrono::seconds timeout) {
  const TimePoint deadline = Now() + timeout;
  constexpr std::string_view kSaid = "listening on http://127.0.0.1:";
  std::unique_lock lock(mutex_);
  const auto listening = [&] {
    const std::size_t at = log_.find(kSaid);
    return at != std::string::npos && log_.find('\n', at) != std::string::npos;
  };
  if (!changed_.wait_until(lock, deadline, [&] { return ended_ || listening(); })) return false;
  if (!listening()) return false;
  port_ = std::atoi(log_.c_str() + log_.find(kSaid) + kSaid.size());
  // It listens before the model is loaded; each further attempt waits for a further log line, or a
  // little, as the last of them can come before readiness.
  while (!ended_ && Now() < deadline) {
    lock.unlock();
    httplib::Client client("127.0.0.1", port_);
    const auto answer = client.Get("/health");
    lock.lock();
    if (answer && answer->status == 200) return true;
    changed_.wait_for(lock, std::chrono::milliseconds(10));
  }
  return false;
}

std::string RealServer::Log() {
  const std::lock_guard lock(mutex_);
  return log_;
}

}  // namespace rocm::gguf
