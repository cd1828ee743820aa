// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>

#include "backend/gguf/synthetic_model.h"
#include "backend/gguf/writer.h"

namespace rocm::gguf {

// Adds a tokeniser of the family with exactly `size` tokens: its kind, its special tokens at their
// usual ids, all bytes, and invented words of two and four letters, reachable by its merges. Any
// text can be tokenised, and almost any token is text. `size` is at least 2,048.
void AddVocabulary(Writer& writer, TokeniserFamily family, std::uint32_t size);

}  // namespace rocm::gguf
