// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/log_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::llama_server {
namespace {

using ::testing::ElementsAre;
using Kind = LoggedBuffer::Kind;

LogFacts Read(std::initializer_list<std::string_view> lines) {
  LogFacts facts;
  for (const std::string_view line : lines) ReadLogLine(line, facts);
  return facts;
}

// Build 11669 on software Vulkan, -ngl 99 -np 2 -c 1024 -lv 4, as it wrote them.
TEST(LogFactsTest, ReadsACurrentLog) {
  const LogFacts facts = Read({
      "0.00.069.600 I cmn  common_param: common_params_print_info: build 11669 (Debian) with GNU "
      "16.2.0 for Linux x86_64",
      "0.00.069.868 I cmn  common_param: device_info:",
      "0.00.069.931 I cmn  common_param:   - Vulkan0 : llvmpipe (LLVM 22.1.8, 256 bits) (24105 "
      "MiB, "
      "23724 MiB free)",
      "0.00.069.945 I cmn  common_param:   - CPU     : Intel(R) Xeon(R) Processor (24105 MiB, "
      "24105 "
      "MiB free)",
      "0.00.135.324 I common_memory_breakdown_print: |   - Vulkan0 (llvmpipe (LLVM 22.1.8, 256 "
      "bits)) | 24105 = 23708 + (   2 =     0 +       0 +       1) +         394 |",
      "0.00.135.883 I llama_prepare_model_devices: using device Vulkan0 (llvmpipe (LLVM 22.1.8, "
      "256 "
      "bits)) (unknown id) - 23708 MiB free",
      "0.00.136.453 I load_tensors: offloading 1 repeating layers to GPU",
      "0.00.136.453 I load_tensors: offloaded 3/3 layers to GPU",
      "0.00.136.455 I load_tensors:   CPU_Mapped model buffer size =     0.07 MiB",
      "0.00.136.456 I load_tensors:      Vulkan0 model buffer size =     0.36 MiB",
      "0.00.136.944 I llama_context: n_seq_max             = 2",
      "0.00.136.944 I llama_context: n_ctx                 = 1024",
      "0.00.136.944 I llama_context: n_ctx_seq             = 512",
      "0.00.136.946 I llama_context: flash_attn            = auto",
      "0.00.136.950 I llama_context: n_ctx_seq (512) < n_ctx_train (4096) -- the full capacity of "
      "the model will not be utilized",
      "0.00.136.974 I llama_context: Vulkan_Host  output buffer size =     0.00 MiB",
      "0.00.137.003 I llama_kv_cache:    Vulkan0 KV buffer size =     0.25 MiB",
      "0.00.137.256 I llama_kv_cache: size =    0.25 MiB (   512 cells,   2 layers,  2/2 seqs), K "
      "(f16):    0.12 MiB, V (q8_0):    0.12 MiB",
      "0.00.137.730 I resolve_fused_ops: Flash Attention enabled",
      "0.00.138.756 I sched_reserve:    Vulkan0 compute buffer size =     1.51 MiB",
      "0.02.796.447 I srv    load_model: initializing, n_slots = 2, n_ctx_slot = 512, kv_unified = "
      "'false'",
      "0.02.798.890 I srv  llama_server: model loaded",
      "0.02.798.894 I srv  llama_server: listening on http://127.0.0.1:39975",
  });
  EXPECT_EQ(facts.build, "11669 (Debian)");
  EXPECT_THAT(
      facts.devices,
      ElementsAre(LoggedDevice{"Vulkan0", "llvmpipe (LLVM 22.1.8, 256 bits)", 23708, 24105, true},
                  LoggedDevice{"CPU", "Intel(R) Xeon(R) Processor", 24105, 24105, false}));
  EXPECT_THAT(facts.buffers, ElementsAre(LoggedBuffer{Kind::kModel, "CPU_Mapped", 0.07},
                                         LoggedBuffer{Kind::kModel, "Vulkan0", 0.36},
                                         LoggedBuffer{Kind::kOutput, "Vulkan_Host", 0.0},
                                         LoggedBuffer{Kind::kKvCache, "Vulkan0", 0.25},
                                         LoggedBuffer{Kind::kCompute, "Vulkan0", 1.51}));
  EXPECT_EQ(facts.layers_offloaded, 3);
  EXPECT_EQ(facts.layers_total, 3);
  EXPECT_EQ(facts.flash_attention, "on");
  EXPECT_EQ(facts.context_total, 1024);
  EXPECT_EQ(facts.context_per_slot, 512);
  EXPECT_EQ(facts.slots, 2);
  EXPECT_EQ(facts.kv_type_k, "f16");
  EXPECT_EQ(facts.kv_type_v, "q8_0");
  EXPECT_EQ(facts.port, 39975);
  EXPECT_TRUE(facts.listening);
  EXPECT_TRUE(facts.model_loaded);
}

// The wording of 2024 and 2025 on ROCm.
TEST(LogFactsTest, ReadsAnOlderLog) {
  const LogFacts facts = Read({
      "ggml_cuda_init: found 2 ROCm devices:",
      "  Device 0: AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no, Wave Size: 32",
      "  Device 1: AMD Radeon Graphics, gfx1036 (0x1036), VMM: no, Wave Size: 32",
      "build: 5092 (d3bd719b) with cc (GCC) 14.2.1 for x86_64-linux-gnu",
      "main: HTTP server is listening, hostname: 127.0.0.1, port: 38080, http threads: 11",
      "llama_model_load_from_file_impl: using device ROCm0 (AMD Radeon RX 7800 XT) - 16238 MiB "
      "free",
      "load_tensors: offloaded 35/35 layers to GPU",
      "load_tensors:        ROCm0 model buffer size =  2368.18 MiB",
      "llama_init_from_model: n_ctx         = 8192",
      "llama_init_from_model: n_ctx_per_seq = 2048",
      "llama_context: flash_attn    = 0",
      "init:      ROCm0 KV buffer size =  1088.00 MiB",
      "main: model loaded",
      "main: server is listening on http://127.0.0.1:38080 - starting the main loop",
  });
  EXPECT_EQ(facts.build, "5092 (d3bd719b)");
  ASSERT_EQ(facts.devices.size(), 2u);
  EXPECT_EQ(facts.devices[0],
            (LoggedDevice{"ROCm0", "AMD Radeon RX 7800 XT", 16238, std::nullopt, true}));
  EXPECT_EQ(facts.devices[1].name, "ROCm1");
  EXPECT_FALSE(facts.devices[1].used);
  EXPECT_THAT(facts.buffers, ElementsAre(LoggedBuffer{Kind::kModel, "ROCm0", 2368.18},
                                         LoggedBuffer{Kind::kKvCache, "ROCm0", 1088.0}));
  EXPECT_EQ(facts.layers_offloaded, 35);
  EXPECT_EQ(facts.flash_attention, "off");
  EXPECT_EQ(facts.context_total, 8192);
  EXPECT_EQ(facts.context_per_slot, 2048);
  EXPECT_EQ(facts.port, 38080);
  EXPECT_TRUE(facts.listening);
  EXPECT_TRUE(facts.model_loaded);
}

TEST(LogFactsTest, KnowsUnixSockets) {
  const LogFacts facts = Read({"0.00.1 I srv  llama_server: listening on unix:///run/x:9.sock"});
  EXPECT_TRUE(facts.listening);
  EXPECT_EQ(facts.port, 0);
}

TEST(LogFactsTest, BadLinesChangeNothing) {
  const LogFacts facts = Read({
      "",
      " ",
      "using device ",
      "offloaded x/y layers",
      "buffer size = MiB",
      " = ",
      "K ( V (",
      "listening",
      "n_slots",
      "n_ctx_slot =",
      "- : ( MiB free)",
      " : - ( MiB free)",
      "Device : ",
      "Device x: y",
      "build: x with",
      "flash_attn",
      "offloaded 3",
      "port: ",
      "(, MiB free)",
      "offloaded /  layers to GPU",
      "model buffer size = 99999999999999999999999999e999 MiB",
  });
  EXPECT_EQ(facts.port, 0);
  EXPECT_EQ(facts.slots, -1);
  EXPECT_TRUE(facts.buffers.empty());
  EXPECT_TRUE(facts.flash_attention.empty());
}

TEST(LogFactsTest, IsBounded) {
  LogFacts facts;
  for (int i = 0; i < 5000; ++i) {
    const std::string n = std::to_string(i);
    ReadLogLine("load_tensors:  ROCm" + n + " model buffer size = 1.00 MiB", facts);
    ReadLogLine("x: using device ROCm" + n + " (y) - 1 MiB free", facts);
  }
  EXPECT_LE(facts.buffers.size(), 256u);
  EXPECT_LE(facts.devices.size(), 256u);
}

// Every line, cut at every byte: nothing may break.
TEST(LogFactsTest, SurvivesCutLines) {
  for (const std::string_view line :
       {"0.00.135.883 I x: using device Vulkan0 (llvmpipe (LLVM)) (unknown id) - 23708 MiB free",
        "  - Vulkan0 : llvmpipe (LLVM) (24105 MiB, 23724 MiB free)",
        "  Device 0: AMD Radeon RX 7800 XT, gfx1101 (0x1101), VMM: no",
        "a: size = 0.25 MiB ( 512 cells), K (f16): 0.12 MiB, V (q8_0): 0.12 MiB",
        "load_tensors:      Vulkan0 model buffer size =     0.36 MiB",
        "build: 5092 (d3bd719b) with cc", "listening on http://127.0.0.1:39975"}) {
    for (std::size_t i = 0; i <= line.size(); ++i) {
      LogFacts facts;
      ReadLogLine(line.substr(0, i), facts);
      ReadLogLine(line.substr(i), facts);
    }
  }
}

}  // namespace
}  // namespace rocm::llama_server
