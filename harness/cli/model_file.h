// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <filesystem>
#include <string>

#include "backend/error.h"
#include "harness/record/fingerprint.h"

namespace harness {

// $XDG_CACHE_HOME/rocm-bench, or below ~/.cache, or below the temporary folder. Made when missing.
[[nodiscard]] rocm::Result<std::filesystem::path> CacheDirectory();

// The chain model in the cache directory, written when it is not there yet: what the mock is given
// when the command line names no model.
[[nodiscard]] rocm::Result<std::string> CachedChainModel();

// What the fingerprint needs. Fails where the file is no usable model: one clear line before
// anything is started.
[[nodiscard]] rocm::Result<ModelFacts> ReadModelFacts(const std::string& path);

}  // namespace harness
