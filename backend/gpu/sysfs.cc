// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/sysfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "backend/base/unique_fd.h"

namespace rocm::gpu {

std::optional<std::string> ReadText(const std::string& path) {
  constexpr std::size_t kMost = 64u << 10;
  // A driver's file can block or fail at any time, and need not say its size.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return std::nullopt;
  std::string text(kMost, '\0');
  std::size_t size = 0;
  while (size < kMost) {
    const ssize_t n = ::read(fd.get(), text.data() + size, kMost - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::optional<std::uint64_t> ParseUnsigned(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> ReadUnsigned(const std::string& path) {
  const std::optional<std::string> text = ReadText(path);
  return text ? ParseUnsigned(*text) : std::nullopt;
}

std::map<std::string, std::uint64_t> ReadProperties(const std::string& path) {
  std::map<std::string, std::uint64_t> properties;
  const std::string text = ReadText(path).value_or("");
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    if (const auto value = ParseUnsigned(line.substr(space + 1))) {
      properties.emplace(line.substr(0, space), *value);
    }
  }
  return properties;
}

std::vector<std::pair<int, std::string>> Numbered(const std::string& folder,
                                                  std::string_view prefix) {
  std::vector<std::pair<int, std::string>> found;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) return found;
  for (const std::filesystem::directory_iterator end; entries != end; entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    int number = -1;
    const char* const last = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), last, number);
    if (parsed.ec != std::errc{} || parsed.ptr != last || number < 0) continue;
    found.emplace_back(number, entries->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace rocm::gpu
