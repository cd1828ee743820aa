// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mock_server/engine/timing_model.h"
#include "mock_server/json.h"
#include "mock_server/options/flag_table.h"

namespace mock {

// The three builds whose flags, ports and log lines the mock can show.
struct Dialect {
  unsigned build = kCurrent;
  int number = 11'669;
  std::string_view commit = "Debian";
  int default_port = 9'931;
  int default_slots = -1;  // -1: four with a unified cache

  [[nodiscard]] std::string BuildInfo() const;  // "b11669-Debian"
};
[[nodiscard]] const Dialect* FindDialect(std::string_view name);  // old, mid, current

struct Options {
  Dialect dialect;

  std::string model;
  std::string alias;
  std::string host = "127.0.0.1";
  int port = -1;  // -1: the build's default
  int context = 0;
  int parallel = -1;
  std::optional<bool> kv_unified;
  std::string flash_attention = "auto";
  std::string cache_type_k = "f16";
  std::string cache_type_v = "f16";
  int gpu_layers = -1;
  int batch = 2'048;
  int micro_batch = 512;
  std::vector<std::string> api_keys;
  int threads_http = -1;
  double sse_ping_interval_s = 30.0;
  bool metrics = false;
  bool slots_endpoint = true;
  bool props_writable = false;
  bool warm_up = true;
  bool cache_prompt = true;
  int cache_ram_mib = 8'192;
  double slot_similarity = 0.1;
  int verbosity = 3;
  std::string api_prefix;
  Json settings;  // of sampling: what a request gets that does not say otherwise

  // Of the mock alone.
  std::uint64_t seed = 1;
  TimingModel timing;
  std::string truth_log;
  std::string fault_file;
  int tokens_per_chunk = 1;
  int events_per_write = 1;
  int reasoning_tokens = 0;
  int listening_fd = -1;  // closed when the socket listens

  bool help = false;
  bool version = false;
  bool list_devices = false;

  [[nodiscard]] bool unix_socket() const { return host.ends_with(".sock"); }
};

// What main() prints before it exits 1, in llama-server's words.
struct OptionsError {
  std::string text;
};

// Reads the flags, after the LLAMA_ARG_* variables, which they override. `environment` gives a
// variable's value or null.
[[nodiscard]] std::optional<OptionsError> ParseOptions(
    const std::vector<std::string>& arguments,
    const std::function<const char*(const std::string&)>& environment, Options& options);

[[nodiscard]] std::string HelpText(const Dialect& dialect);
[[nodiscard]] std::string VersionText(const Dialect& dialect);
// What --list-devices prints.
[[nodiscard]] std::string DevicesText(const TimingModel& hardware);

}  // namespace mock
