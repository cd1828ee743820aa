// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/options/mock_flags.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <functional>

namespace mock {
namespace {

struct MockFlag {
  std::string_view name;
  std::string_view value;
  std::string_view help;
  std::function<bool(const std::string&, Options&)> apply;
};

template <typename T>
std::optional<T> Parse(std::string_view text, T min, T max) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value >= min && value <= max ? std::optional<T>(value) : std::nullopt;
}

template <typename T>
bool Store(std::string_view text, T min, T max, T& out) {
  const auto value = Parse<T>(text, min, max);
  if (value) out = *value;
  return value.has_value();
}

constexpr double kMostMs = 1e7;

bool Milliseconds(std::string_view text, double& out) {
  return Store<double>(text, 0.0, kMostMs, out);
}

bool ApplyPreset(const std::string& name, Options& options) {
  const TimingModel* preset = FindTimingPreset(name);
  if (preset != nullptr) options.timing = *preset;
  return preset != nullptr;
}

// A time to the first token and one for each further, on a clock of the slot's own.
bool ApplyTtft(const std::string& text, Options& options) {
  TimingModel& model = options.timing;
  model.batched = false;
  model.prefill_small_token_ms = 0.0;
  model.prefill_token_ms = 0.0;
  return Milliseconds(text, model.prefill_base_ms);
}

bool ApplyTokenMs(const std::string& text, Options& options) {
  TimingModel& model = options.timing;
  model.batched = false;
  model.step_sequence_ms = 0.0;
  model.step_context_us = 0.0;
  model.flash_cost = 0.0;
  return Milliseconds(text, model.step_ms);
}

bool ApplyModel(const std::string& text, Options& options) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return false;
  const std::string_view key = std::string_view(text).substr(0, equals);
  const std::string_view value = std::string_view(text).substr(equals + 1);
  TimingModel& m = options.timing;
  if (key == "batched") {
    m.batched = value == "1";
    return value == "0" || value == "1";
  }
  if (key == "device" || key == "description") {
    (key == "device" ? m.device : m.description) = value;
    return true;
  }
  const std::array<std::pair<std::string_view, double*>, 14> fields{
      {{"load_ms", &m.load_ms},
       {"warm_up_ms", &m.warm_up_ms},
       {"prefill_base_ms", &m.prefill_base_ms},
       {"prefill_small_token_ms", &m.prefill_small_token_ms},
       {"prefill_token_ms", &m.prefill_token_ms},
       {"step_ms", &m.step_ms},
       {"step_sequence_ms", &m.step_sequence_ms},
       {"step_context_us", &m.step_context_us},
       {"flash_gain", &m.flash_gain},
       {"flash_half_context", &m.flash_half_context},
       {"flash_cost", &m.flash_cost},
       {"device_mib", &m.device_mib},
       {"weights_mib", &m.weights_mib},
       {"kv_kib_per_token", &m.kv_kib_per_token}}};
  for (const auto& [name, field] : fields) {
    if (name == key) return Milliseconds(value, *field);
  }
  return false;
}

const std::vector<MockFlag>& MockFlags() {
  static const std::vector<MockFlag> flags{
      {"--mock-build", "BUILD", "flags and log lines of: old, mid, current",
       [](const std::string& text, Options&) { return FindDialect(text) != nullptr; }},
      {"--mock-preset", "NAME", "hardware: instant, tiny-cpu, rx7800xt-gemma3-4b, …", ApplyPreset},
      {"--mock-seed", "N", "of jitter, ids and faults",
       [](const std::string& text, Options& o) {
         return Store<std::uint64_t>(text, 0, ~std::uint64_t{0}, o.seed);
       }},
      {"--mock-truth-log", "FILE", "JSONL of what was sent when",
       [](const std::string& text, Options& o) { return !(o.truth_log = text).empty(); }},
      {"--mock-faults", "FILE", "script of faults",
       [](const std::string& text, Options& o) { return !(o.fault_file = text).empty(); }},
      {"--mock-load-ms", "MS", "time of loading, 503 meanwhile",
       [](const std::string& text, Options& o) {
         o.timing.warm_up_ms = 0.0;
         return Milliseconds(text, o.timing.load_ms);
       }},
      {"--mock-ttft-ms", "MS", "prefill of any prompt; each slot on its own clock", ApplyTtft},
      {"--mock-token-ms", "MS", "each further token; each slot on its own clock", ApplyTokenMs},
      {"--mock-jitter", "SPEC", "none, normal:SD or lognormal:SD, relative",
       [](const std::string& text, Options& o) {
         const auto jitter = ParseJitter(text);
         if (jitter) o.timing.jitter = *jitter;
         return jitter.has_value();
       }},
      {"--mock-model", "KEY=VALUE", "one number of the hardware model", ApplyModel},
      {"--mock-tokens-per-chunk", "N", "tokens in one event",
       [](const std::string& text, Options& o) {
         return Store(text, 1, 1'000, o.tokens_per_chunk);
       }},
      {"--mock-events-per-write", "N", "events collected into one HTTP chunk",
       [](const std::string& text, Options& o) {
         return Store(text, 1, 1'000, o.events_per_write);
       }},
      {"--mock-reasoning-tokens", "N", "so many of a chat's first tokens are reasoning",
       [](const std::string& text, Options& o) {
         return Store(text, 0, 1'000'000, o.reasoning_tokens);
       }},
  };
  return flags;
}

}  // namespace

std::optional<OptionsError> ReadDialect(const std::vector<std::string>& arguments,
                                        Options& options) {
  for (std::size_t at = 0; at + 1 < arguments.size(); ++at) {
    if (arguments[at] != "--mock-build") continue;
    const Dialect* dialect = FindDialect(arguments[at + 1]);
    if (dialect != nullptr) options.dialect = *dialect;
  }
  return std::nullopt;
}

std::optional<OptionsError> ParseMockFlag(const std::vector<std::string>& arguments,
                                          std::size_t& at, Options& options) {
  const std::string& name = arguments[at];
  for (const MockFlag& flag : MockFlags()) {
    if (flag.name != name) continue;
    if (++at >= arguments.size()) {
      return OptionsError{fmt::format("error: {} needs a value ({})\n", name, flag.value)};
    }
    if (flag.apply(arguments[at], options)) return std::nullopt;
    return OptionsError{fmt::format("error: {} cannot be '{}' ({}: {})\n", name, arguments[at],
                                    flag.value, flag.help)};
  }
  return OptionsError{fmt::format("error: invalid argument: {}\n", name)};
}

std::string MockHelp() {
  std::string text;
  for (const MockFlag& flag : MockFlags()) {
    text += fmt::format("{:<40}{}\n", fmt::format("{} {}", flag.name, flag.value), flag.help);
  }
  return text;
}

}  // namespace mock
