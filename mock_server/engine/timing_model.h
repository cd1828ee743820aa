// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mock_server/clock.h"
#include "mock_server/engine/random.h"

namespace mock {

// Multiplies a duration; its mean is 1.
struct Jitter {
  enum class Kind { kNone, kNormal, kLognormal };
  Kind kind = Kind::kNone;
  double deviation = 0.0;  // relative

  [[nodiscard]] double Draw(Random& random) const;
};

// "none", "normal:0.1", "lognormal:0.3".
[[nodiscard]] std::optional<Jitter> ParseJitter(std::string_view text);

// How long the imagined hardware takes. All times are of the machine, before jitter.
struct TimingModel {
  std::string name;

  // Slots share decode steps, as in llama-server. Otherwise each slot keeps its own time, as if it
  // had a machine to itself: phases then spread as the arrivals do.
  bool batched = true;

  double load_ms = 0.0;
  double warm_up_ms = 0.0;

  // Prefill: a few tokens go through the same kernels as a decode step and cost about as much;
  // more are limited by arithmetic.
  double prefill_base_ms = 0.0;
  double prefill_small_token_ms = 0.0;
  int prefill_small_tokens = 8;
  double prefill_token_ms = 0.0;

  // A decode step: weights are read once, each further sequence adds its own work, and attention
  // grows with the tokens in the context of all of them.
  double step_ms = 0.0;
  double step_sequence_ms = 0.0;
  double step_context_us = 0.0;

  // Flash attention makes the context's share smaller, by up to `flash_gain`, half of it reached
  // at `flash_half_context` tokens; at short contexts it costs `flash_cost` of the step instead.
  double flash_gain = 0.5;
  double flash_half_context = 8192.0;
  double flash_cost = 0.01;

  Jitter jitter;

  // What the log says about memory.
  std::string device;       // "" on a machine without a GPU
  std::string description;  // of the device
  double device_mib = 0.0;
  double reserved_mib = 154.0;  // of it, by the system
  double weights_mib = 2.49;
  double kv_kib_per_token = 0.5;
  double compute_mib = 66.27;
  int layers = 2;

  [[nodiscard]] double PrefillMs(int tokens) const;
  // `context` is the sum over all sequences.
  [[nodiscard]] double StepMs(int sequences, double context, bool flash_attention) const;
  [[nodiscard]] double KvMib(double tokens, std::string_view type_k, std::string_view type_v) const;
};

[[nodiscard]] const std::vector<TimingModel>& TimingPresets();
[[nodiscard]] const TimingModel* FindTimingPreset(std::string_view name);

}  // namespace mock
