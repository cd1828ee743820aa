// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <string>

namespace mock::testing {

// Writes the head of a GGUF file with the chain model's size; its data is a hole.
void WriteTinyModel(const std::string& path, std::uint32_t context);

}  // namespace mock::testing
