// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/tensor_type.h"

#include <array>

namespace rocm::gguf {
namespace {

// Indexed by number; an empty name is a number that was retired or never used.
constexpr std::array<TensorTypeTraits, 43> kTraits = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"q4_0", 32, 18},
    {"q4_1", 32, 20},
    {},
    {},
    {"q5_0", 32, 22},
    {"q5_1", 32, 24},
    {"q8_0", 32, 34},
    {"q8_1", 32, 36},
    {"q2_K", 256, 84},
    {"q3_K", 256, 110},
    {"q4_K", 256, 144},
    {"q5_K", 256, 176},
    {"q6_K", 256, 210},
    {"q8_K", 256, 292},
    {"iq2_xxs", 256, 66},
    {"iq2_xs", 256, 74},
    {"iq3_xxs", 256, 98},
    {"iq1_s", 256, 50},
    {"iq4_nl", 32, 18},
    {"iq3_s", 256, 110},
    {"iq2_s", 256, 82},
    {"iq4_xs", 256, 136},
    {"i8", 1, 1},
    {"i16", 1, 2},
    {"i32", 1, 4},
    {"i64", 1, 8},
    {"f64", 1, 8},
    {"iq1_m", 256, 56},
    {"bf16", 1, 2},
    {},
    {},
    {},
    {"tq1_0", 256, 54},
    {"tq2_0", 256, 66},
    {},
    {},
    {},
    {"mxfp4", 32, 17},
    {"nvfp4", 64, 36},
    {"q1_0", 128, 18},
    {"q2_0", 64, 18},
}};

struct FileType {
  std::string_view name;
  int usual_tensor = -1;  // set where this is what llama.cpp guesses from that tensor type
};

constexpr std::array<FileType, 42> kFileTypes = {{
    {"all F32", 0},
    {"F16", 1},
    {"Q4_0", 2},
    {"Q4_1", 3},
    {},
    {},
    {},
    {"Q8_0", 8},
    {"Q5_0", 6},
    {"Q5_1", 7},
    {"Q2_K - Medium", 10},
    {"Q3_K - Small"},
    {"Q3_K - Medium", 11},
    {"Q3_K - Large"},
    {"Q4_K - Small"},
    {"Q4_K - Medium", 12},
    {"Q5_K - Small"},
    {"Q5_K - Medium", 13},
    {"Q6_K", 14},
    {"IQ2_XXS - 2.0625 bpw", 16},
    {"IQ2_XS - 2.3125 bpw", 17},
    {"Q2_K - Small"},
    {"IQ3_XS - 3.3 bpw"},
    {"IQ3_XXS - 3.0625 bpw", 18},
    {"IQ1_S - 1.5625 bpw", 19},
    {"IQ4_NL - 4.5 bpw", 20},
    {"IQ3_S - 3.4375 bpw", 21},
    {"IQ3_S mix - 3.66 bpw"},
    {"IQ2_S - 2.5 bpw", 22},
    {"IQ2_M - 2.7 bpw"},
    {"IQ4_XS - 4.25 bpw", 23},
    {"IQ1_M - 1.75 bpw", 29},
    {"BF16", 30},
    {},
    {},
    {},
    {"TQ1_0 - 1.69 bpw ternary", 34},
    {"TQ2_0 - 2.06 bpw ternary", 35},
    {"MXFP4 MoE", 39},
    {"NVFP4", 40},
    {"Q1_0", 41},
    {"Q2_0", 42},
}};

}  // namespace

const TensorTypeTraits* FindTraits(std::uint32_t type) {
  if (type >= kTraits.size() || kTraits[type].name.empty()) return nullptr;
  return &kTraits[type];
}

std::string_view FileTypeName(std::uint32_t file_type) {
  return file_type < kFileTypes.size() ? kFileTypes[file_type].name : std::string_view{};
}

std::optional<std::uint32_t> GuessFileType(std::uint32_t type) {
  for (std::uint32_t i = 0; i < kFileTypes.size(); ++i) {
    if (kFileTypes[i].usual_tensor == static_cast<int>(type)) return i;
  }
  return std::nullopt;
}

}  // namespace rocm::gguf
