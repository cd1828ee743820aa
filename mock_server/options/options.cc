// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/options/options.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <stdexcept>

#include "mock_server/api/generation_params.h"
#include "mock_server/options/mock_flags.h"

namespace mock {
namespace {

// A value that a flag cannot take; the text is llama-server's.
struct BadValue {
  std::string text;
};

int ToInt(const std::string& text) {
  try {
    return std::stoi(text);
  } catch (const std::logic_error&) {
    throw BadValue{"stoi"};
  }
}

double ToDouble(const std::string& text) {
  try {
    return std::stod(text);
  } catch (const std::logic_error&) {
    throw BadValue{"stod"};
  }
}

bool IsTrue(const std::string& text) {
  return text == "1" || text == "true" || text == "on" || text == "enabled";
}

std::string OnOffAuto(const std::string& text, std::string_view flag) {
  if (text == "on" || text == "enabled" || text == "true" || text == "1") return "on";
  if (text == "off" || text == "disabled" || text == "false" || text == "0") return "off";
  if (text == "auto" || text == "-1") return "auto";
  throw BadValue{fmt::format("error: unknown value for {}: '{}'\n", flag, text)};
}

std::string CacheType(const std::string& text) {
  for (const std::string_view type :
       {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"}) {
    if (text == type) return text;
  }
  throw BadValue{"Unsupported cache type: " + text};
}

int GpuLayers(const std::string& text) {
  if (text == "auto") return -1;
  if (text == "all") return 1'000;
  return ToInt(text);
}

void AddKeys(const std::string& list, std::vector<std::string>& keys) {
  std::size_t from = 0;
  while (from <= list.size()) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    if (comma > from) keys.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
}

void AddKeyFile(const std::string& path, std::vector<std::string>& keys) {
  std::ifstream file(path);
  if (!file) throw BadValue{fmt::format("error: failed to open file '{}'\n", path)};
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') keys.push_back(line);
  }
}

struct SamplingFlag {
  std::string_view name;
  std::string_view setting;
  bool integer;
};
constexpr std::array<SamplingFlag, 11> kSampling{
    {{"--temp", "temperature", false},
     {"--top-k", "top_k", true},
     {"--top-p", "top_p", false},
     {"--min-p", "min_p", false},
     {"--typical", "typical_p", false},
     {"--repeat-last-n", "repeat_last_n", true},
     {"--repeat-penalty", "repeat_penalty", false},
     {"--presence-penalty", "presence_penalty", false},
     {"--frequency-penalty", "frequency_penalty", false},
     {"--mirostat", "mirostat", true},
     {"--keep", "n_keep", true}}};

// Flags with a meaning for the mock; true when `flag` was one of them.
bool ApplyServer(const Flag& flag, const std::string& value, bool on, Options& o) {
  if (flag.Has("--model")) {
    o.model = value;
  } else if (flag.Has("--alias")) {
    o.alias = value;
  } else if (flag.Has("--host")) {
    o.host = value;
  } else if (flag.Has("--port")) {
    o.port = ToInt(value);
  } else if (flag.Has("--ctx-size")) {
    o.context = ToInt(value);
  } else if (flag.Has("--parallel")) {
    o.parallel = ToInt(value);
  } else if (flag.Has("--kv-unified")) {
    o.kv_unified = on;
  } else if (flag.Has("--flash-attn")) {
    o.flash_attention = flag.values() == 0 ? "on" : OnOffAuto(value, "--flash-attn");
  } else if (flag.Has("--cache-type-k")) {
    o.cache_type_k = CacheType(value);
  } else if (flag.Has("--cache-type-v")) {
    o.cache_type_v = CacheType(value);
  } else if (flag.Has("--n-gpu-layers")) {
    o.gpu_layers = GpuLayers(value);
  } else if (flag.Has("--batch-size")) {
    o.batch = std::max(1, ToInt(value));
  } else if (flag.Has("--ubatch-size")) {
    o.micro_batch = std::max(1, ToInt(value));
  } else if (flag.Has("--api-key")) {
    AddKeys(value, o.api_keys);
  } else if (flag.Has("--api-key-file")) {
    AddKeyFile(value, o.api_keys);
  } else if (flag.Has("--threads-http")) {
    o.threads_http = ToInt(value);
  } else if (flag.Has("--sse-ping-interval")) {
    o.sse_ping_interval_s = ToInt(value);
  } else if (flag.Has("--metrics")) {
    o.metrics = true;
  } else if (flag.Has("--slots")) {
    o.slots_endpoint = on;
  } else if (flag.Has("--props")) {
    o.props_writable = true;
  } else {
    return false;
  }
  return true;
}

void ApplyOther(const Flag& flag, const std::string& value, bool on, Options& o) {
  if (flag.Has("--warmup")) {
    o.warm_up = on;
  } else if (flag.Has("--cache-prompt")) {
    o.cache_prompt = on;
  } else if (flag.Has("--cache-ram")) {
    o.cache_ram_mib = ToInt(value);
  } else if (flag.Has("--slot-prompt-similarity")) {
    o.slot_similarity = ToDouble(value);
  } else if (flag.Has("--log-verbosity")) {
    o.verbosity = ToInt(value);
  } else if (flag.Has("--log-verbose")) {
    o.verbosity = 99;
  } else if (flag.Has("--api-prefix")) {
    o.api_prefix = value;
  } else if (flag.Has("--predict")) {
    o.settings["n_predict"] = ToInt(value);
    o.settings["max_tokens"] = ToInt(value);
  } else if (flag.Has("--ignore-eos")) {
    o.settings["ignore_eos"] = true;
  } else if (flag.Has("--seed")) {
    o.settings["seed"] = static_cast<std::uint32_t>(ToInt(value));
  } else if (flag.Has("--help")) {
    o.help = true;
  } else if (flag.Has("--version")) {
    o.version = true;
  } else if (flag.Has("--list-devices")) {
    o.list_devices = true;
  } else {
    for (const SamplingFlag& sampling : kSampling) {
      if (!flag.Has(sampling.name)) continue;
      o.settings[std::string(sampling.setting)] =
          sampling.integer ? Json(ToInt(value))
                           : Json(static_cast<double>(static_cast<float>(ToDouble(value))));
    }
  }
}

void Apply(const Flag& flag, const std::string& value, bool on, Options& options) {
  if (!ApplyServer(flag, value, on, options)) ApplyOther(flag, value, on, options);
}

bool MeansOff(std::string_view name) {
  return name.starts_with("--no-") || name.starts_with("-no-") || name == "-nkvo" ||
         name == "-nocb" || name == "-nr";
}

// Of the flags whose description tells a client what this build can do.
std::string_view Meaning(const Flag& flag, unsigned build) {
  if (flag.Has("--host") && build != kOld) {
    return "address to listen on, or a UNIX socket path ending in .sock";
  }
  if (flag.Has("--n-gpu-layers") && build == kCurrent) {
    return "layers to keep on the device: a number, 'auto', or 'all'";
  }
  if (flag.Has("--log-verbosity") && build == kCurrent) {
    return "0: output, 1: errors, 2: warnings, 3: info, 4: trace, 5: debug";
  }
  return {};
}

std::string Usage(const Flag& flag, unsigned build) {
  std::string names(flag.names);
  for (std::size_t at = names.find(' '); at != std::string::npos; at = names.find(' ', at + 2)) {
    names.replace(at, 1, ", ");
  }
  std::string text = flag.value.empty() ? names : fmt::format("{} {}", names, flag.value);
  const std::string_view meaning = Meaning(flag, build);
  if (!meaning.empty()) text += fmt::format("\n{:40}{}", "", meaning);
  if (!flag.environment.empty()) {
    text += fmt::format("\n{:40}(env: {})", "", flag.environment);
  }
  return text + "\n";
}

OptionsError ValueError(std::string_view name, const Flag& flag, std::string_view reason,
                        unsigned build) {
  return {
      fmt::format("error while handling argument \"{}\": {}\n\nusage:\n{}\n\nto show complete "
                  "usage, run with -h\n",
                  name, reason, Usage(flag, build))};
}

std::optional<OptionsError> ParseOne(const std::vector<std::string>& arguments, std::size_t& at,
                                     Options& options) {
  const std::string name = arguments[at];
  if (name.starts_with("--mock-")) return ParseMockFlag(arguments, at, options);
  const Flag* flag = FindFlag(name, options.dialect.build);
  if (flag == nullptr) return OptionsError{fmt::format("error: invalid argument: {}\n", name)};
  std::string value;
  for (int i = 0; i < flag->values(); ++i) {
    if (++at >= arguments.size()) {
      return ValueError(name, *flag, "expected value for argument", options.dialect.build);
    }
    value = arguments[at];
  }
  try {
    Apply(*flag, value, !MeansOff(name), options);
  } catch (const BadValue& bad) {
    return ValueError(name, *flag, bad.text, options.dialect.build);
  }
  return std::nullopt;
}

std::optional<OptionsError> ReadEnvironment(
    const std::function<const char*(const std::string&)>& environment, Options& options) {
  for (const Flag& flag : AllFlags()) {
    if ((flag.builds & options.dialect.build) == 0 || flag.environment.empty()) continue;
    const std::string name(flag.environment);
    const char* value = environment(name);
    if (value == nullptr) continue;
    try {
      if (flag.values() > 0) {
        Apply(flag, value, true, options);
      } else {
        Apply(flag, "", IsTrue(value), options);
      }
    } catch (const BadValue& bad) {
      return OptionsError{
          fmt::format("error while handling environment variable \"{}\": {}\n\n", name, bad.text)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string Dialect::BuildInfo() const { return fmt::format("b{}-{}", number, commit); }

const Dialect* FindDialect(std::string_view name) {
  static const Dialect old{kOld, 4'000, "46c69e0e", 8'080, 1};
  static const Dialect mid{kMid, 6'700, "3c3635d2", 8'080, 1};
  static const Dialect current{};
  if (name == "old") return &old;
  if (name == "mid") return &mid;
  return name == "current" ? &current : nullptr;
}

std::optional<OptionsError> ParseOptions(
    const std::vector<std::string>& arguments,
    const std::function<const char*(const std::string&)>& environment, Options& options) {
  options.settings = DefaultSettings();
  options.timing = *FindTimingPreset("tiny-cpu");
  // The build decides which flags there are, so it is read before all others.
  if (auto error = ReadDialect(arguments, options)) return error;
  if (auto error = ReadEnvironment(environment, options)) return error;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    if (auto error = ParseOne(arguments, at, options)) return error;
  }
  if (options.port < 0) options.port = options.dialect.default_port;
  if (options.parallel == 0 || options.parallel < -1) options.parallel = -1;
  if (options.parallel == -1) {
    options.parallel = options.dialect.default_slots;
    if (options.parallel == -1) {
      options.parallel = 4;
      if (!options.kv_unified) options.kv_unified = true;
    }
  }
  return std::nullopt;
}

std::string HelpText(const Dialect& dialect) {
  std::string text = "----- common params -----\n\n";
  for (const Flag& flag : AllFlags()) {
    if ((flag.builds & dialect.build) != 0) text += Usage(flag, dialect.build);
  }
  return text + "\n----- mock params -----\n\n" + MockHelp();
}

std::string VersionText(const Dialect& dialect) {
  if (dialect.build == kCurrent) {
    return fmt::format(
        "version: 0.7.0 (build {}, commit {})\nbuilt with GNU 12.2.0 for Linux "
        "x86_64\n",
        dialect.number, dialect.commit);
  }
  return fmt::format(
      "version: {} ({})\nbuilt with cc (Debian 12.2.0) 12.2.0 for "
      "x86_64-linux-gnu\n",
      dialect.number, dialect.commit);
}

std::string DevicesText(const TimingModel& hardware) {
  if (hardware.device.empty()) return "Available devices:\n  (none)\n";
  return fmt::format("Available devices:\n  {}: {} ({:.0f} MiB, {:.0f} MiB free)\n",
                     hardware.device, hardware.description, hardware.device_mib,
                     hardware.device_mib - hardware.reserved_mib);
}

}  // namespace mock
