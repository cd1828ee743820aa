// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/server_counters.h"

#include <charconv>

#include "backend/http/control_client.h"

namespace harness {
namespace {

// The value of a metric without labels: a line "NAME VALUE".
std::optional<double> Find(std::string_view text, std::string_view name) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(name) || line.size() <= name.size() + 1 || line[name.size()] != ' ') {
      continue;
    }
    const std::string_view number = line.substr(name.size() + 1);
    double value = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
    if (parsed.ec == std::errc()) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ServerCounters> ParseServerCounters(std::string_view text) {
  const auto prompt = Find(text, "llamacpp:prompt_tokens_total");
  const auto prompt_s = Find(text, "llamacpp:prompt_seconds_total");
  const auto predicted = Find(text, "llamacpp:tokens_predicted_total");
  const auto predicted_s = Find(text, "llamacpp:tokens_predicted_seconds_total");
  if (!prompt || !predicted) return std::nullopt;
  ServerCounters counters;
  counters.prompt_tokens = *prompt;
  counters.prompt_seconds = prompt_s.value_or(0);
  counters.predicted_tokens = *predicted;
  counters.predicted_seconds = predicted_s.value_or(0);
  return counters;
}

std::optional<ServerCounters> ReadServerCounters(const rocm::http::Endpoint& endpoint) {
  rocm::http::CallOptions options;
  options.deadline = std::chrono::seconds(2);
  const auto reply = rocm::http::ControlClient(endpoint).GetOk("/metrics", options);
  if (!reply) return std::nullopt;
  return ParseServerCounters(reply->body);
}

}  // namespace harness
