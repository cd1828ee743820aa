// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "backend/error.h"

namespace harness {

// A GPU as far as a fingerprint needs it. Empty: not known.
struct GpuFacts {
  std::string model;
  std::string uuid;
  std::string driver;             // "amdgpu 6.12", "nvidia 550.54"
  std::string runtime;            // "ROCm 7.2", "Mesa 25.1", "CUDA 12.4"
  std::string performance_level;  // "auto", "high"
  std::optional<double> power_cap_w;
};

struct ModelFacts {
  std::string sha256;  // of the file, or "synthetic:…" for one that we wrote ourselves
  std::int64_t bytes = 0;
  std::string architecture;
  std::string name;
  std::string quantisation;
};

// What only the caller knows.
struct FingerprintInput {
  std::string backend_kind;  // "rocm", "cuda", "vulkan", "cpu", "mock", "attached"
  std::vector<GpuFacts> gpus;
  std::optional<ModelFacts> model;
  std::string server_build;
  // The environment that the server gets; nullopt: our own. Only GGML_*, HSA_*, ROCBLAS_*, HIP_*,
  // ROCR_*, CUDA_VISIBLE_DEVICES and LLAMA_* are kept, no LLAMA_API_KEY or token.
  std::optional<std::map<std::string, std::string>> environment;
};

// Where and with what a run was made. `identity` names a series; `covariates` never split one, they
// are the first suspects when a change falls on a change of theirs.
struct Fingerprint {
  nlohmann::ordered_json identity = nlohmann::ordered_json::object();
  nlohmann::ordered_json covariates = nlohmann::ordered_json::object();
};

// Reads /proc and /sys below `root` (tests pass a folder of their own). What cannot be read is left
// out: never guessed.
[[nodiscard]] Fingerprint CollectFingerprint(const FingerprintInput& input,
                                             const std::filesystem::path& root = "/");

// 16 hex digits: the same for two summaries exactly when they belong to one trend.
[[nodiscard]] std::string SeriesKey(const Fingerprint& fingerprint, std::string_view scenario,
                                    std::string_view variant, std::string_view stage,
                                    const nlohmann::ordered_json& settings);

// SHA-256 of a whole model file. Reading 16 GB takes a minute, so the answer is kept in
// `cache_file` (JSON lines) under path, size and modification time; empty: no cache.
[[nodiscard]] rocm::Result<std::string> ModelSha256(const std::filesystem::path& model,
                                                    const std::filesystem::path& cache_file);
// $XDG_CACHE_HOME/rocm-bench/model-sha256.jsonl, or below ~/.cache.
[[nodiscard]] std::filesystem::path DefaultModelHashCache();

}  // namespace harness
