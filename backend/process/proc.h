// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rocm::process {

// What /proc says about one process at one moment.
struct ProcessStat {
  pid_t pid = 0;
  char state = '?';  // R, S, D, T, Z …
  pid_t parent = 0;
  pid_t group = 0;
  std::uint64_t cpu_ticks = 0;    // of all its threads, user and kernel
  std::uint64_t start_ticks = 0;  // since boot; with the pid it names a process for good
};

// Empty when there is no such process.
[[nodiscard]] std::optional<ProcessStat> ReadStat(pid_t pid);
// Target of /proc/PID/exe; empty when it cannot be read.
[[nodiscard]] std::string ReadExe(pid_t pid);
// "NAME=value" entries the process was started with; empty when they cannot be read.
[[nodiscard]] std::vector<std::string> ReadEnvironment(pid_t pid);
// Bytes it has had fetched from storage so far; empty when that cannot be read.
[[nodiscard]] std::optional<std::uint64_t> ReadStorageBytes(pid_t pid);
// Every pid visible here.
[[nodiscard]] std::vector<pid_t> ListProcesses();
// Differs between boots; empty when unknown.
[[nodiscard]] const std::string& BootId();
// The number of our pid namespace: pids mean nothing outside it.
[[nodiscard]] std::uint64_t PidNamespace();

// At most `limit` bytes of a small file; empty when it cannot be read.
[[nodiscard]] std::optional<std::string> ReadSmallFile(const std::string& path, std::size_t limit);

}  // namespace rocm::process
