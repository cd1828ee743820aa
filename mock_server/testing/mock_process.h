// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mock::testing {

// A folder of its own that goes away with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }
  // Writes the file and returns its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

[[nodiscard]] std::string ReadWhole(const std::string& path);

// How a process ended.
struct Exit {
  int code = -1;  // -1: by a signal
  int signal = 0;
};

struct StartOptions {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=VALUE, beside the test's own
  bool wait_until_listening = true;
  std::string program = "mock-llama-server";  // or a path
  std::string directory;                      // to run in; empty: the test's
};

// Of a server that may never listen.
[[nodiscard]] StartOptions WithoutWaiting(std::vector<std::string> arguments);

// A running mock-llama-server (or another program that logs as it does), killed at the end.
// Listens on a port of its own choice unless the arguments say otherwise.
class MockProcess {
 public:
  explicit MockProcess(StartOptions options);
  explicit MockProcess(std::vector<std::string> arguments);
  MockProcess() : MockProcess(std::vector<std::string>()) {}
  ~MockProcess();
  MockProcess(const MockProcess&) = delete;
  MockProcess& operator=(const MockProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string Log() const { return ReadWhole(folder_.File("stderr")); }
  [[nodiscard]] std::string Output() const { return ReadWhole(folder_.File("stdout")); }
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

  // Waits for a text in the log; false after ten seconds or at the process's end.
  [[nodiscard]] bool WaitForLog(const std::string& text) const;
  void Signal(int number) const;
  // nullopt: still running after the time.
  [[nodiscard]] std::optional<Exit> Wait(double seconds);

 private:
  void Start(const StartOptions& options);

  TemporaryFolder folder_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::optional<Exit> exit_;
};

}  // namespace mock::testing
