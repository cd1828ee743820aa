// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace harness::testing {

// A folder of the test's own, removed at its end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] std::string At(const std::string& name) const { return (path_ / name).string(); }
  std::string Write(const std::string& name, const std::string& text) const;
  // The only *.jsonl in it; "" when there is none.
  [[nodiscard]] std::string RunFile() const;

 private:
  std::filesystem::path path_;
};

// rocm-bench as a user runs it. Killed when it outlives the object.
class BenchProcess {
 public:
  explicit BenchProcess(std::vector<std::string> arguments, const std::string& input = "");
  ~BenchProcess();
  BenchProcess(const BenchProcess&) = delete;
  BenchProcess& operator=(const BenchProcess&) = delete;

  void Signal(int signal) const;
  // The exit code; 128 + the signal that killed it; -1 when it does not end in time.
  int Wait(std::chrono::seconds limit = std::chrono::seconds(60));
  // After Wait().
  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] const std::string& err() const { return err_; }
  // Children that are alive, zombies not among them.
  [[nodiscard]] std::vector<pid_t> Children() const;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  ScratchFolder files_;
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string out_;
  std::string err_;
};

// True as soon as `condition` is; false after `limit`.
template <typename Condition>
bool Eventually(Condition&& condition,
                std::chrono::milliseconds limit = std::chrono::milliseconds(20'000));

[[nodiscard]] bool IsAlive(pid_t pid);  // and no zombie
// Empty where there is no such file.
[[nodiscard]] std::string ReadAll(const std::string& path);
[[nodiscard]] std::vector<nlohmann::json> ReadLines(const std::string& file);
[[nodiscard]] std::string SourcePath(const std::string& relative);
// The lines of a type.
[[nodiscard]] std::vector<nlohmann::json> OfType(const std::vector<nlohmann::json>& lines,
                                                 const std::string& type);
void Pause();

template <typename Condition>
bool Eventually(Condition&& condition, std::chrono::milliseconds limit) {
  for (std::chrono::milliseconds waited{0}; waited < limit;
       waited += std::chrono::milliseconds(5)) {
    if (condition()) return true;
    Pause();
  }
  return condition();
}

}  // namespace harness::testing
