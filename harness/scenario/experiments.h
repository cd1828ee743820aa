// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/config.h"

namespace harness {

// Of the model's file, before a server is started. kCold: dropped from it; kWarm: read into it.
enum class PageCache { kAsItIs, kCold, kWarm };

// How a server that we start is started. What is not set is left to the backend's own rules. Where
// we attach to a running server none of it applies, and the records say so.
struct ServerSettings {
  std::optional<int> slots;
  std::optional<int> context_per_slot;
  std::optional<rocm::FlashAttention> flash_attention;
  std::optional<std::string> kv_type_k;
  std::optional<std::string> kv_type_v;
  std::optional<int> gpu_layers;
  std::optional<std::string> split_mode;    // over several GPUs: "none", "layer", "row", "tensor"
  std::optional<std::string> tensor_split;  // their shares: "3,1"
  std::optional<int> threads;
  std::optional<int> batch_size;   // of the prompt, logical
  std::optional<int> ubatch_size;  // of the prompt, physical
  std::vector<std::string> args;   // appended
  std::map<std::string, std::string> environment;
  PageCache page_cache = PageCache::kAsItIs;
  friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

// `over` where it is set, else `base`; arguments are appended.
[[nodiscard]] ServerSettings Merge(const ServerSettings& base, const ServerSettings& over);

enum class SweepParameter {
  kConcurrency,     // of every recorded closed-loop stage
  kRate,            // of every recorded open-loop stage, per second
  kPromptTokens,    // synthetic prompts
  kDepth,           // synthetic prompts
  kOutputTokens,    //
  kContextPerSlot,  // this and those below start the server anew
  kSlots,
  kBatchSize,
  kThreads,
  kGpuLayers,
  kSplitMode,    // this and those below have words
  kTensorSplit,  //
  kPageCache,
};
[[nodiscard]] std::string_view ToString(SweepParameter parameter);
[[nodiscard]] bool HasWords(SweepParameter parameter);

struct SweepAxis {
  SweepParameter parameter = SweepParameter::kConcurrency;
  std::vector<double> values;
  // Rates only: stop after the first value that the server could not keep up with.
  bool until_saturation = false;
  std::vector<std::string> words = {};  // instead of values, see HasWords()
  [[nodiscard]] std::size_t size() const { return words.empty() ? values.size() : words.size(); }
};

// One side of a comparison: what differs from the scenario's own server.
struct AbVariant {
  std::string name;
  ServerSettings server;
  // A name that the command line binds to a binary, model or URL: --variant NAME=…
  std::string binding;
};

struct AbPlan {
  std::vector<AbVariant> variants;  // two; the first is the baseline
  // Of both; as many again confirm what is suspect.
  int rounds = 10;
  double margin = 0.03;              // smaller effects are no change
  std::vector<std::string> metrics;  // judged, with Holm's correction
  // True: greedy answers that differ are a regression. False: it is told where they part, since
  // another kernel may round otherwise.
  bool equal_answers = false;
};

// kUnmask: no signal; a server that is started with every GPU in sight, integrated ones too.
enum class FaultAction { kKill, kSegv, kAbort, kStop, kTerm, kUnmask };
[[nodiscard]] std::string_view ToString(FaultAction action);
enum class FaultMoment { kLoad, kPrefill, kDecode, kIdle };
[[nodiscard]] std::string_view ToString(FaultMoment moment);

// What is done to the server, when, and how soon it must serve again. It strikes in the first
// recorded stage, or after it (kIdle), or in a start before all stages (kLoad); the recorded stages
// that follow run on the new server.
struct FaultPlan {
  FaultAction action = FaultAction::kKill;
  FaultMoment moment = FaultMoment::kDecode;
  int after_tokens = 1;  // decode only
  int repeat = 1;
  std::chrono::milliseconds recover_within{30'000};
  // Nothing from a server for this long: it hangs, and is killed.
  std::chrono::milliseconds hang_after{2'000};
  // The backend's, for deaths after the load. Without one in the file: as many as there are faults,
  // at once.
  rocm::RestartPolicy restart;
};

}  // namespace harness
