// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace rocm {

struct Message {
  std::string role;  // "system", "user" or "assistant"
  std::string content{};
};

enum class FlashAttention { kServerDefault, kAuto, kOn, kOff };

// What a load is doing. `fraction` is in [0, 1] where the server's log lets us know it.
struct LoadProgress {
  enum class State { kChecking, kSpawning, kLoading, kVerifying, kReady };
  State state = State::kChecking;
  std::optional<double> fraction{};
  std::string detail{};
};

// After the server dies by itself. Off by default. Never applies to a bad model, to missing memory
// or to a timeout.
struct RestartPolicy {
  int max_restarts = 0;  // within `window`
  std::chrono::milliseconds window{60'000};
  std::chrono::milliseconds initial_backoff{250};  // doubles each time, resets after `window`
  std::chrono::milliseconds max_backoff{10'000};
};

struct LoadConfig {
  // Path of llama-server. Empty: ROCM_LLAMA_SERVER_PATH, else PATH.
  std::string server_binary{};
  // Context of one slot, in tokens. 0: min(the model's own, 4096), less where the estimate says
  // that this does not fit. The server is given context_len x parallel_slots.
  int context_len = 0;
  // Layers on the GPU; -1: all of them.
  int gpu_layers = -1;
  // Requests served at the same time; 0: one.
  int parallel_slots = 0;
  FlashAttention flash_attention = FlashAttention::kServerDefault;
  // "f16", "q8_0", …; empty: the server's default.
  std::string kv_type_k{};
  std::string kv_type_v{};
  // One device: a ROCm uuid ("GPU-…"), an ordinal ("0"), or a name as llama-server's
  // --list-devices prints it. Empty: the discrete GPU with the most memory.
  std::string device{};
  // llama-server threads; 0: the server's default.
  int threads = 0;
  // Streams that may be open at once; sizes the server's HTTP threads. 0: twice the slots.
  int expected_streams = 0;
  // Appended to the command line. What this library decides (host, port, model, key …) is refused
  // with kInvalidArgument.
  std::vector<std::string> extra_args{};
  // Added to the server's environment, over the allowlisted part of ours.
  std::map<std::string, std::string> environment{};
  // kStartTimeout when it has neither logged, nor read from storage, nor become ready for this long
  std::chrono::milliseconds stall_timeout{120'000};
  // … or is not ready after this long, log or not.
  std::chrono::milliseconds load_timeout{600'000};
  // From SIGTERM to SIGKILL when closing.
  std::chrono::milliseconds stop_grace{5'000};
  // False refuses a model that the estimate says does not fit; true lets the server try.
  bool ignore_estimate = false;
  RestartPolicy restart{};
  // Called from the loading thread.
  std::function<void(const LoadProgress&)> on_progress{};
  // Ends a load with kCancelled.
  std::stop_token stop{};
};

struct GenerateConfig {
  int max_tokens = 256;
  // Sampling. Greedy by default. What is set is sent, 0 included; what is not set is sent at its
  // neutral value, so that no server default (top_k 40, top_p 0.95, min_p 0.05) slips in.
  double temperature = 0.0;
  std::optional<int> top_k{};
  std::optional<double> top_p{};
  std::optional<double> min_p{};
  std::optional<double> repeat_penalty{};
  std::optional<double> presence_penalty{};
  std::optional<double> frequency_penalty{};
  std::optional<std::uint32_t> seed{};
  // Generation ends before the first of these strings; the text never contains it.
  std::vector<std::string> stop{};
  // Generation ends at the first of these token ids; the token itself is not delivered.
  std::vector<std::int32_t> stop_tokens{};
  bool ignore_eos = false;
  // Reuse the slot's prompt cache. Measurements switch it off.
  bool cache_prompt = true;
  // GBNF grammar, or a JSON schema as JSON text; at most one of the two.
  std::string grammar{};
  std::string json_schema{};
  // Log-probabilities of the N most likely tokens; 0: none. Costs the server speed.
  int logprobs = 0;
  std::vector<std::pair<std::int32_t, double>> logit_bias{};
  // Whole call, from the request to the last token; 0: none but the stall timeout.
  std::chrono::milliseconds deadline{0};
  // No byte from the server for this long (comment pings count as bytes) fails with kStalled.
  std::chrono::milliseconds stall_timeout{300'000};
  // Ends the call with kCancelled.
  std::stop_token cancel{};
  // Chat only: use the server's own /v1/chat/completions (reasoning and tool parsing), which
  // carries no token ids, instead of /apply-template + /completion.
  bool server_chat = false;
};

}  // namespace rocm
