// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/device_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::llama_server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kMiB = 1U << 20U;

TEST(ParseDeviceList, ReadsWhatLlamaServerPrints) {
  EXPECT_THAT(
      ParseDeviceList("ggml_cuda_init: found 1 ROCm devices:\n"
                      "  Device 0: AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no\n"
                      "Available devices:\n"
                      "  ROCm0: AMD Radeon RX 7800 XT (16368 MiB, 16214 MiB free)\n"
                      "  Vulkan0: llvmpipe (LLVM 22.1.8, 256 bits) (24105 MiB, 7 MiB free)\n"),
      ElementsAre(
          ListedDevice{"ROCm0", "AMD Radeon RX 7800 XT", 16368 * kMiB, 16214 * kMiB},
          ListedDevice{"Vulkan0", "llvmpipe (LLVM 22.1.8, 256 bits)", 24105 * kMiB, 7 * kMiB}));
}

TEST(ParseDeviceList, PassesOverAllElse) {
  EXPECT_THAT(ParseDeviceList(""), IsEmpty());
  EXPECT_THAT(ParseDeviceList("Available devices:\n  (none)\n"), IsEmpty());
  EXPECT_THAT(ParseDeviceList("  X: y (12 MiB)\n  X: y (a MiB, 3 MiB free)\n  : (1 MiB, 1 MiB"),
              IsEmpty());
}

}  // namespace
}  // namespace rocm::llama_server
