// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/run_record.h"

#include <charconv>

namespace rocm::process {
namespace {

template <typename T>
bool TakeNumber(std::string_view& text, T& value, char end) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || at == text.data() + text.size() || *at != end) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  return true;
}

bool TakeKey(std::string_view& text, std::string_view key) {
  if (!text.starts_with(key)) return false;
  text.remove_prefix(key.size());
  return true;
}

}  // namespace

std::string RunName::ToString() const {
  return std::to_string(pid_namespace) + "-" + std::to_string(pid) + "-" +
         std::to_string(start_ticks) + "-" + random;
}

std::optional<RunName> RunName::Parse(std::string_view name) {
  RunName parsed;
  if (!TakeNumber(name, parsed.pid_namespace, '-') || !TakeNumber(name, parsed.pid, '-') ||
      !TakeNumber(name, parsed.start_ticks, '-')) {
    return std::nullopt;
  }
  if (parsed.pid <= 0 || name.empty() ||
      name.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return std::nullopt;
  }
  parsed.random = name;
  return parsed;
}

std::string RunRecord::ToString() const {
  return "pid=" + std::to_string(pid) + "\nstart=" + std::to_string(start_ticks) +
         "\nboot=" + boot_id + "\nexe=" + exe + "\n";
}

std::optional<RunRecord> RunRecord::Parse(std::string_view text) {
  RunRecord parsed;
  if (!TakeKey(text, "pid=") || !TakeNumber(text, parsed.pid, '\n') || !TakeKey(text, "start=") ||
      !TakeNumber(text, parsed.start_ticks, '\n') || !TakeKey(text, "boot=")) {
    return std::nullopt;
  }
  const std::size_t boot_end = text.find('\n');
  if (boot_end == std::string_view::npos) return std::nullopt;
  parsed.boot_id = text.substr(0, boot_end);
  text.remove_prefix(boot_end + 1);
  if (!TakeKey(text, "exe=") || !text.ends_with('\n') || parsed.pid <= 0) return std::nullopt;
  parsed.exe = text.substr(0, text.size() - 1);
  return parsed;
}

}  // namespace rocm::process
