// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <initializer_list>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"

namespace rocm::llama_server {

// How one build of llama-server wants things said.
enum class FlashAttentionDialect { kNone, kBare, kValued };
enum class LoadModeDialect { kNone, kMmapFlags, kLoadMode };
enum class UiDialect { kNone, kNoWebui, kNoUi };

// What one llama-server binary understands, from its --version and --help. A value.
class Capabilities {
 public:
  Capabilities() = default;
  // From the texts alone.
  Capabilities(std::string version_text, std::string_view help_text);

  // Whether the build knows the flag ("--flash-attn", "-fa"), and whether a value follows it.
  [[nodiscard]] bool Has(std::string_view flag) const;
  [[nodiscard]] bool TakesValue(std::string_view flag) const;
  // The first of `spellings` that the build knows; empty if none.
  [[nodiscard]] std::string_view FirstKnown(
      std::initializer_list<std::string_view> spellings) const;

  [[nodiscard]] FlashAttentionDialect flash_attention() const;
  [[nodiscard]] LoadModeDialect load_mode() const;
  [[nodiscard]] UiDialect ui() const;
  [[nodiscard]] bool unix_sockets() const { return unix_sockets_; }
  // The key may come as LLAMA_API_KEY in the environment.
  [[nodiscard]] bool api_key_in_environment() const { return api_key_in_environment_; }

  // --n-gpu-layers understands "all".
  [[nodiscard]] bool all_layers_by_name() const { return all_layers_by_name_; }
  // At --log-verbosity 4 it logs devices, buffers and contexts, and nothing per token.
  [[nodiscard]] bool trace_verbosity() const { return trace_verbosity_; }

  // "version: 0.7.0 (build 11669, commit Debian)"
  [[nodiscard]] const std::string& version_text() const { return version_text_; }
  [[nodiscard]] int build() const { return build_; }  // 11669; -1 where it does not say
  [[nodiscard]] const std::string& commit() const { return commit_; }

  friend bool operator==(const Capabilities&, const Capabilities&) = default;

 private:
  std::map<std::string, bool, std::less<>> flags_;  // flag, and whether it takes a value
  std::string version_text_;
  std::string commit_;
  int build_ = -1;
  bool unix_sockets_ = false;
  bool api_key_in_environment_ = false;
  bool all_layers_by_name_ = false;
  bool trace_verbosity_ = false;
};

struct ProbeOptions {
  // "NAME=value"; the probe must see the same device pin as the server later.
  std::vector<std::string> environment{};
  std::chrono::milliseconds timeout{30'000};  // of each run
  std::stop_token stop{};
};

// Runs `binary --version`, and `--help` unless path, time, size and version text (a wrapper hides a
// changed binary) are those of an earlier probe. Thread-safe.
[[nodiscard]] Result<Capabilities> Probe(const std::string& binary,
                                         const ProbeOptions& options = {});

}  // namespace rocm::llama_server
