// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// A fuzz target; it is linked into its replay test too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// For fuzz targets and the tests that replay them without a fuzzer.
namespace rocm::fuzzing {

// A promise of a target; a broken one ends it.
inline void Require(bool held) {
  if (!held) std::abort();
}

// Where to cut an input, decided by its own bytes: what was found once is found again.
class Cuts {
 public:
  explicit Cuts(std::string_view bytes) {
    for (const char c : bytes) state_ = (state_ ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  // The length of the next piece, 0 to `longest`.
  std::size_t Next(std::size_t longest) {
    state_ = state_ * 1664525U + 1013904223U;
    return (state_ >> 16U) % (longest + 1);
  }

 private:
  std::uint32_t state_ = 2166136261U;
};

inline void Replay(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

// Every file below a folder of the sources whose name ends so, in a fixed order.
inline std::vector<std::string> Corpus(const std::string& folder, std::string_view ending = "") {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(source == nullptr ? "." : source) / folder)) {
    if (entry.is_regular_file() && entry.path().native().ends_with(ending)) {
      paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace rocm::fuzzing
