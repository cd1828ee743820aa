// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/log_facts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "backend/base/trim.h"

namespace rocm::llama_server {
namespace {

using std::string_view;

// A log is as long as its writer likes; what we keep of it is not.
constexpr std::size_t kMaxEntries = 256;

std::optional<string_view> After(string_view line, string_view words) {
  const std::size_t at = line.find(words);
  if (at == string_view::npos) return std::nullopt;
  return line.substr(at + words.size());
}

template <typename T>
std::optional<T> LeadingNumber(string_view text) {
  text = Trim(text);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

// "name = 5", with any blanks around the sign.
std::optional<int> Assigned(string_view line, string_view name) {
  const auto rest = After(line, name);
  if (!rest) return std::nullopt;
  const string_view value = Trim(*rest);
  if (!value.starts_with('=')) return std::nullopt;
  return LeadingNumber<int>(value.substr(1));
}

LoggedDevice* DeviceNamed(LogFacts& facts, string_view name) {
  const auto found = std::ranges::find(facts.devices, name, &LoggedDevice::name);
  if (found != facts.devices.end()) return &*found;
  if (facts.devices.size() >= kMaxEntries || name.empty()) return nullptr;
  facts.devices.emplace_back().name = name;
  return &facts.devices.back();
}

// "using device ROCm0 (AMD Radeon RX 7800 XT) (0000:03:00.0) - 16000 MiB free"
bool ReadUsedDevice(string_view line, LogFacts& facts) {
  const auto rest = After(line, "using device ");
  if (!rest) return false;
  const std::size_t blank = rest->find(' ');
  LoggedDevice* device = DeviceNamed(facts, rest->substr(0, blank));
  if (device == nullptr || blank == string_view::npos) return true;
  device->used = true;
  const std::size_t dash = rest->rfind(" - ");
  if (dash != string_view::npos)
    device->free_mib = LeadingNumber<std::int64_t>(rest->substr(dash + 3));
  string_view inside = rest->substr(blank + 1, dash == string_view::npos ? dash : dash - blank - 1);
  // A bus address, or "unknown id", may follow the description in parentheses of its own.
  const std::size_t second = inside.rfind(") (");
  if (second != string_view::npos) inside = inside.substr(0, second + 1);
  if (inside.size() >= 2 && inside.front() == '(' && inside.back() == ')') {
    device->description = inside.substr(1, inside.size() - 2);
  }
  return true;
}

// "  - Vulkan0 : llvmpipe (LLVM 22.1.8, 256 bits) (24105 MiB, 23724 MiB free)"
bool ReadListedDevice(string_view line, LogFacts& facts) {
  constexpr string_view kEnd = " MiB free)";
  if (!line.ends_with(kEnd)) return false;
  const std::size_t open = line.rfind(" (");
  const std::size_t colon = line.find(" : ");
  const std::size_t dash = line.rfind("- ", colon);
  if (open == string_view::npos || colon == string_view::npos || dash == string_view::npos ||
      open < colon) {
    return false;
  }
  LoggedDevice* device = DeviceNamed(facts, Trim(line.substr(dash + 2, colon - dash - 2)));
  if (device == nullptr) return true;
  device->description = Trim(line.substr(colon + 3, open - colon - 3));
  device->total_mib = LeadingNumber<std::int64_t>(line.substr(open + 2));
  const std::size_t comma = line.find(',', open);
  if (comma != string_view::npos) {
    device->free_mib = LeadingNumber<std::int64_t>(line.substr(comma + 1));
  }
  return true;
}

// "  Device 0: AMD Radeon RX 7800 XT, gfx1100 (0x1100), VMM: no, Wave Size: 32"; the line before
// says whose: "ggml_cuda_init: found 1 ROCm devices:".
bool ReadInitialisedDevice(string_view line, LogFacts& facts) {
  const auto rest = After(line, "Device ");
  if (!rest || !Trim(line).starts_with("Device ")) return false;
  const auto number = LeadingNumber<int>(*rest);
  const std::size_t colon = rest->find(": ");
  if (!number || colon == string_view::npos) return false;
  const string_view description = rest->substr(colon + 2);
  LoggedDevice* device =
      DeviceNamed(facts, (description.find("gfx") != string_view::npos ? "ROCm" : "CUDA") +
                             std::to_string(*number));
  if (device != nullptr && device->description.empty()) {
    device->description = description.substr(0, description.find(','));
  }
  return true;
}

// "load_tensors:      ROCm0 model buffer size =  2368.18 MiB"
bool ReadBuffer(string_view line, LogFacts& facts) {
  constexpr auto kKinds = std::to_array<std::pair<string_view, LoggedBuffer::Kind>>({
      {" model buffer size", LoggedBuffer::Kind::kModel},
      {" KV buffer size", LoggedBuffer::Kind::kKvCache},
      {" compute buffer size", LoggedBuffer::Kind::kCompute},
      {" output buffer size", LoggedBuffer::Kind::kOutput},
      {" RS buffer size", LoggedBuffer::Kind::kOther},
      {" buffer size", LoggedBuffer::Kind::kModel},  // before 2025
  });
  const auto kind = std::ranges::find_if(
      kKinds, [&](const auto& k) { return line.find(k.first) != string_view::npos; });
  if (kind == kKinds.end()) return false;
  const std::size_t at = line.find(kind->first);
  const std::size_t equals = line.find('=', at);
  if (equals == string_view::npos || line.find("MiB", equals) == string_view::npos) return false;
  const auto mib = LeadingNumber<double>(line.substr(equals + 1));
  const std::size_t colon = line.rfind(": ", at);
  const string_view device = Trim(line.substr(colon == string_view::npos ? 0 : colon + 2,
                                              at - (colon == string_view::npos ? 0 : colon + 2)));
  if (mib && !device.empty() && facts.buffers.size() < kMaxEntries) {
    facts.buffers.push_back({.kind = kind->second, .device = std::string(device), .mib = *mib});
  }
  return true;
}

// "… K (f16):    0.12 MiB, V (q8_0):    0.12 MiB"
bool ReadKvTypes(string_view line, LogFacts& facts) {
  const auto type_after = [&](string_view words) -> std::string {
    const auto rest = After(line, words);
    return rest ? std::string(rest->substr(0, rest->find(')'))) : std::string();
  };
  std::string k = type_after(" K (");
  std::string v = type_after(" V (");
  if (k.empty() || v.empty() || line.find("MiB") == string_view::npos) return false;
  facts.kv_type_k = std::move(k);
  facts.kv_type_v = std::move(v);
  return true;
}

bool ReadFlashAttention(string_view line, LogFacts& facts) {
  if (const auto value = After(line, "flash_attn")) {
    const string_view word = Trim(*value);
    if (!word.starts_with('=')) return false;
    const string_view setting = Trim(word.substr(1));
    if (setting.starts_with("auto")) facts.flash_attention = "auto";
    if (setting.starts_with("enabled") || setting == "1") facts.flash_attention = "on";
    if (setting.starts_with("disabled") || setting == "0") facts.flash_attention = "off";
    return true;
  }
  const auto said = [&](string_view words) { return line.find(words) != string_view::npos; };
  if (said("Flash Attention enabled") || said("Flash Attention was auto, set to enabled")) {
    facts.flash_attention = "on";
  } else if (said("Flash Attention disabled") || said("Flash Attention not supported") ||
             said("Flash Attention was auto, set to disabled")) {
    facts.flash_attention = "off";
  } else {
    return false;
  }
  return true;
}

// "offloaded 27/27 layers to GPU"
bool ReadLayers(string_view line, LogFacts& facts) {
  const auto rest = After(line, "offloaded ");
  if (!rest || rest->find(" layers to GPU") == string_view::npos) return false;
  const std::size_t slash = rest->find('/');
  if (slash == string_view::npos) return false;
  facts.layers_offloaded = LeadingNumber<int>(*rest).value_or(-1);
  facts.layers_total = LeadingNumber<int>(rest->substr(slash + 1)).value_or(-1);
  return true;
}

bool ReadContext(string_view line, LogFacts& facts) {
  bool known = false;
  const auto take = [&](string_view name, int& into) {
    if (const auto value = Assigned(line, name)) {
      into = *value;
      known = true;
    }
  };
  take("n_slots", facts.slots);
  take("n_seq_max", facts.slots);
  take("n_ctx_slot", facts.context_per_slot);
  take("n_ctx_seq", facts.context_per_slot);
  take("n_ctx_per_seq", facts.context_per_slot);
  take(": n_ctx", facts.context_total);
  return known;
}

// "listening on http://127.0.0.1:40563", "listening on unix:///x.sock", and before 2025
// "HTTP server is listening, hostname: 127.0.0.1, port: 40563, http threads: 7".
bool ReadListening(string_view line, LogFacts& facts) {
  if (const auto url = After(line, "listening on ")) {
    facts.listening = true;
    const string_view place = url->substr(0, url->find(' '));
    if (const std::size_t colon = place.rfind(':');
        place.starts_with("http") && colon != string_view::npos) {
      facts.port = LeadingNumber<int>(place.substr(colon + 1)).value_or(facts.port);
    }
    return true;
  }
  if (line.find("server is listening") == string_view::npos) return false;
  facts.listening = true;
  if (const auto port = After(line, "port: ")) {
    facts.port = LeadingNumber<int>(*port).value_or(facts.port);
  }
  return true;
}

// "build 11669 (Debian) with …", "build: 5092 (d3bd719b) with …"
bool ReadBuild(string_view line, LogFacts& facts) {
  for (const string_view words : {": build ", "build: "}) {
    const auto rest = After(line, words);
    if (!rest || !LeadingNumber<int>(*rest)) continue;
    const std::size_t with = rest->find(" with ");
    if (with == string_view::npos) continue;
    facts.build = rest->substr(0, with);
    return true;
  }
  return false;
}

}  // namespace

void ReadLogLine(string_view line, LogFacts& facts) {
  constexpr std::array kReaders{
      ReadUsedDevice,     ReadListedDevice, ReadInitialisedDevice, ReadBuffer, ReadKvTypes,
      ReadFlashAttention, ReadLayers,       ReadListening,         ReadBuild,  ReadContext};
  for (const auto& reader : kReaders) {
    if (reader(line, facts)) return;
  }
  if (line.ends_with(": model loaded") || line.find("main: model loaded") != string_view::npos) {
    facts.model_loaded = true;
  }
}

}  // namespace rocm::llama_server
