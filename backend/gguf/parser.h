// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include "backend/error.h"
#include "backend/gguf/input.h"
#include "backend/gguf/metadata.h"

namespace rocm::gguf {

// Checks a whole GGUF file v2 or v3, its tensors' data being read not at all, and returns what it
// says: version, file_bytes, values, tensors and what follows from these. Every length is held
// against what remains and against the budgets of metadata.h before it is used. What llama.cpp
// refuses is refused.
[[nodiscard]] Result<Metadata> ParseMetadata(const Input& input);

// Fills in what follows from `values`, `tensors` and their sums.
void Summarise(Metadata& metadata);

}  // namespace rocm::gguf
