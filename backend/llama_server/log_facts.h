// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocm::llama_server {

// A device as the server's log names it: "Vulkan0", "ROCm0", "CUDA0".
struct LoggedDevice {
  std::string name;
  std::string description;               // "AMD Radeon RX 7800 XT"
  std::optional<std::int64_t> free_mib;  // at the time of the line
  std::optional<std::int64_t> total_mib;
  bool used = false;  // the model was put on it, not only listed

  friend bool operator==(const LoggedDevice&, const LoggedDevice&) = default;
};

// One allocation: which buffer, on which device.
struct LoggedBuffer {
  enum class Kind { kModel, kKvCache, kCompute, kOutput, kOther };
  Kind kind = Kind::kOther;
  std::string device;  // "ROCm0", "CPU", "CPU_Mapped", "Vulkan_Host"
  double mib = 0;

  friend bool operator==(const LoggedBuffer&, const LoggedBuffer&) = default;
};

// What a llama-server says about itself in its log. Empty or -1 where it did not say.
struct LogFacts {
  std::string build;
  std::vector<LoggedDevice> devices;
  std::vector<LoggedBuffer> buffers;
  int layers_offloaded = -1;
  int layers_total = -1;
  std::string flash_attention;  // "on", "off" or "auto", as applied
  int context_total = -1;
  int context_per_slot = -1;
  int slots = -1;
  std::string kv_type_k;
  std::string kv_type_v;
  int port = 0;  // of the listening line
  bool listening = false;
  bool model_loaded = false;

  friend bool operator==(const LogFacts&, const LogFacts&) = default;
};

// Reads one more clean line of a log into `facts`. Lines it does not know change nothing. Knows the
// wordings of several years of llama.cpp.
void ReadLogLine(std::string_view line, LogFacts& facts);

}  // namespace rocm::llama_server
