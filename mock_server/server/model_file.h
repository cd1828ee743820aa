// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mock {

// What the mock takes from a GGUF file; the defaults are the chain model's.
struct ModelFile {
  std::string architecture = "llama";
  std::string name = "chain";
  std::int64_t context = 65'536;
  std::int64_t embedding = 128;
  std::int64_t parameters = 653'952;
  std::int64_t bytes = 2'615'808;  // of the tensors
  std::int64_t tensors = 21;
  std::string file_type = "all F32";
};

struct ModelFileError {
  std::string reason;  // the line that llama-server logs first
};

// Reads header, metadata and tensor table. A file of less than 64 bytes that starts with the magic
// is taken for a stub and passes with the defaults. Returns an error or fills `model`.
[[nodiscard]] std::optional<ModelFileError> ReadModelFile(const std::string& path,
                                                          ModelFile& model);

}  // namespace mock
