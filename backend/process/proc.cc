// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>

#include "backend/base/unique_fd.h"

namespace rocm::process {
namespace {

std::string ProcPath(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> ReadSmallFile(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < limit) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  if (text.size() > limit) text.resize(limit);
  return text;
}

std::optional<ProcessStat> ReadStat(pid_t pid) {
  const auto text = ReadSmallFile(ProcPath(pid, "stat"), 4096);
  if (!text) return std::nullopt;
  // The second field is the name in parentheses, which may itself hold spaces and parentheses.
  const std::size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return std::nullopt;
  std::string_view rest = std::string_view(*text).substr(name_end + 2);
  std::array<std::string_view, 20> fields;  // from the third, the state, to the 22nd, the start
  for (auto& field : fields) {
    const std::size_t end = rest.find(' ');
    field = rest.substr(0, end);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const auto parent = ParseNumber<pid_t>(fields[1]);
  const auto group = ParseNumber<pid_t>(fields[2]);
  const auto user = ParseNumber<std::uint64_t>(fields[11]);
  const auto kernel = ParseNumber<std::uint64_t>(fields[12]);
  const auto start = ParseNumber<std::uint64_t>(fields[19]);
  if (fields[0].size() != 1 || !parent || !group || !user || !kernel || !start) return std::nullopt;
  return ProcessStat{.pid = pid,
                     .state = fields[0][0],
                     .parent = *parent,
                     .group = *group,
                     .cpu_ticks = *user + *kernel,
                     .start_ticks = *start};
}

std::string ReadExe(pid_t pid) {
  std::array<char, 4096> buffer;
  const ssize_t n = ::readlink(ProcPath(pid, "exe").c_str(), buffer.data(), buffer.size());
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
}

std::vector<std::string> ReadEnvironment(pid_t pid) {
  std::vector<std::string> entries;
  const auto text = ReadSmallFile(ProcPath(pid, "environ"), std::size_t{1} << 20);
  if (!text) return entries;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\0');
    if (end != 0) entries.emplace_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return entries;
}

std::optional<std::uint64_t> ReadStorageBytes(pid_t pid) {
  const auto text = ReadSmallFile(ProcPath(pid, "io"), 4096);
  if (!text) return std::nullopt;
  constexpr std::string_view kKey = "\nread_bytes: ";
  const std::size_t at = text->find(kKey);
  if (at == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(*text).substr(at + kKey.size());
  return ParseNumber<std::uint64_t>(rest.substr(0, rest.find('\n')));
}

std::vector<pid_t> ListProcesses() {
  std::vector<pid_t> pids;
  struct Close {
    void operator()(DIR* d) const { ::closedir(d); }
  };
  const std::unique_ptr<DIR, Close> dir(::opendir("/proc"));
  if (!dir) return pids;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (const auto pid = ParseNumber<pid_t>(entry->d_name)) pids.push_back(*pid);
  }
  return pids;
}

const std::string& BootId() {
  static const std::string id = [] {
    std::string text = ReadSmallFile("/proc/sys/kernel/random/boot_id", 64).value_or("");
    text.erase(text.find_last_not_of(" \n") + 1);
    return text;
  }();
  return id;
}

std::uint64_t PidNamespace() {
  struct stat info {};
  return ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

}  // namespace rocm::process
