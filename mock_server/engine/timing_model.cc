// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/engine/timing_model.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mock {
namespace {

// Everything of the card that its presets share; rates come from published runs on it.
TimingModel Rx7800Xt(std::string name) {
  TimingModel model;
  model.name = std::move(name);
  model.load_ms = 5'700.0;
  model.warm_up_ms = 300.0;
  model.device = "ROCm0";
  model.description = "AMD Radeon RX 7800 XT";
  model.device_mib = 16'368.0;
  model.compute_mib = 517.0;
  return model;
}

// Decode 109 tok/s; four streams of 32 tokens 238.9 tok/s together (prompts cached, as they were
// measured); 16 uncached tokens 40 ms and "Hello" 14 ms to the first token.
TimingModel Gemma3_4b() {
  TimingModel model = Rx7800Xt("rx7800xt-gemma3-4b");
  model.prefill_base_ms = 13.7;
  model.prefill_small_token_ms = 0.05;
  model.prefill_token_ms = 1'000.0 / 396.0;
  model.step_ms = 6.67;
  model.step_sequence_ms = 2.34;
  model.step_context_us = 0.7;
  model.weights_mib = 2'368.0;
  model.kv_kib_per_token = 136.0;
  model.layers = 34;
  return model;
}

TimingModel Llama31_8b() {
  TimingModel model = Rx7800Xt("rx7800xt-llama-3.1-8b");
  model.prefill_base_ms = 16.0;
  model.prefill_small_token_ms = 0.1;
  model.prefill_token_ms = 3.2;
  model.step_ms = 9.26;
  model.step_sequence_ms = 3.49;
  model.step_context_us = 0.9;
  model.weights_mib = 4'685.0;
  model.kv_kib_per_token = 128.0;
  model.layers = 32;
  return model;
}

TimingModel Qwen25_7b() {
  TimingModel model = Rx7800Xt("rx7800xt-qwen2.5-7b");
  model.prefill_base_ms = 15.0;
  model.prefill_small_token_ms = 0.1;
  model.prefill_token_ms = 3.0;
  model.step_ms = 8.32;
  model.step_sequence_ms = 3.35;
  model.step_context_us = 0.6;
  model.weights_mib = 4'168.0;
  model.kv_kib_per_token = 56.0;
  model.layers = 28;
  return model;
}

// The chain model on one core of an ordinary processor.
TimingModel TinyCpu() {
  TimingModel model;
  model.name = "tiny-cpu";
  model.load_ms = 12.0;
  model.warm_up_ms = 2.0;
  model.prefill_base_ms = 0.25;
  model.prefill_small_token_ms = 0.02;
  model.prefill_token_ms = 0.04;
  model.step_ms = 0.15;
  model.step_sequence_ms = 0.05;
  model.step_context_us = 0.05;
  return model;
}

TimingModel Instant() {
  TimingModel model;
  model.name = "instant";
  model.batched = false;
  return model;
}

double BytesPerElement(std::string_view type) {
  if (type == "f32") return 4.0;
  if (type == "q8_0") return 34.0 / 32.0;
  if (type == "q5_1") return 24.0 / 32.0;
  if (type == "q5_0") return 22.0 / 32.0;
  if (type == "q4_1") return 20.0 / 32.0;
  if (type == "q4_0" || type == "iq4_nl") return 18.0 / 32.0;
  return 2.0;
}

}  // namespace

double Jitter::Draw(Random& random) const {
  switch (kind) {
    case Kind::kNone: return 1.0;
    case Kind::kNormal: return std::max(0.05, 1.0 + deviation * random.Normal());
    case Kind::kLognormal: {
      const double sigma = std::sqrt(std::log1p(deviation * deviation));
      return std::exp(sigma * random.Normal() - sigma * sigma / 2.0);
    }
  }
  return 1.0;
}

std::optional<Jitter> ParseJitter(std::string_view text) {
  Jitter jitter;
  if (text == "none") return jitter;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view kind = text.substr(0, colon);
  const std::string_view value = text.substr(colon + 1);
  if (kind == "normal") {
    jitter.kind = Jitter::Kind::kNormal;
  } else if (kind == "lognormal") {
    jitter.kind = Jitter::Kind::kLognormal;
  } else {
    return std::nullopt;
  }
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), jitter.deviation);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  if (!whole || !(jitter.deviation >= 0.0) || jitter.deviation > 10.0) return std::nullopt;
  return jitter;
}

double TimingModel::PrefillMs(int tokens) const {
  if (tokens <= 0) return 0.0;
  const double small =
      prefill_base_ms + prefill_small_token_ms * std::min(tokens, prefill_small_tokens);
  return tokens <= prefill_small_tokens ? small : std::max(small, prefill_token_ms * tokens);
}

double TimingModel::StepMs(int sequences, double context, bool flash_attention) const {
  if (sequences <= 0) return 0.0;
  double attention_ms = step_context_us * context / 1e3;
  double work_ms = step_ms + step_sequence_ms * sequences;
  if (flash_attention) {
    const double each = context / sequences;
    attention_ms *= 1.0 - flash_gain * each / (each + flash_half_context);
    work_ms *= 1.0 + flash_cost * flash_half_context / (each + flash_half_context);
  }
  return work_ms + attention_ms;
}

double TimingModel::KvMib(double tokens, std::string_view type_k, std::string_view type_v) const {
  const double scale = (BytesPerElement(type_k) + BytesPerElement(type_v)) / 4.0;
  return tokens * kv_kib_per_token * scale / 1024.0;
}

const std::vector<TimingModel>& TimingPresets() {
  static const std::vector<TimingModel> presets{Instant(), TinyCpu(), Gemma3_4b(), Llama31_8b(),
                                                Qwen25_7b()};
  return presets;
}

const TimingModel* FindTimingPreset(std::string_view name) {
  for (const TimingModel& preset : TimingPresets()) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

}  // namespace mock
