// SPDX-License-Identifier: EUPL-1.2
// The estimate held against the buffers that a real llama-server logs, on the CPU and on software
// Vulkan.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <regex>

#include "backend/gguf/estimate.h"
#include "backend/gguf/real_server_for_tests.h"
#include "backend/gguf/synthetic_model.h"
#include "backend/gguf/temporary_folder_for_tests.h"

namespace rocm::gguf {
namespace {

double Mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1u << 20); }

// "Vulkan0 KV buffer size = 38.00 MiB" and its like, summed by what and where.
class Buffers {
 public:
  explicit Buffers(const std::string& log) {
    static const std::regex kLine(
        R"((\S+)\s+(model|KV|compute|output) buffer size =\s+([\d.]+) MiB)");
    for (std::sregex_iterator it(log.begin(), log.end(), kLine), end; it != end; ++it) {
      const std::string where = (*it)[1];
      const bool device = where.starts_with("Vulkan") && !where.ends_with("_Host");
      sums_[std::string((*it)[2]) + (device ? " device" : " host")] += std::stod((*it)[3]);
    }
  }
  [[nodiscard]] double operator[](const std::string& which) const {
    const auto at = sums_.find(which);
    return at == sums_.end() ? 0.0 : at->second;
  }

 private:
  std::map<std::string, double> sums_;
};

struct Case {
  std::string name;
  std::string_view shape;
  std::uint32_t layers;
  std::uint32_t width;
  MemoryRequest request;
  std::vector<std::string> arguments;
  friend void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }
};

std::vector<Case> Cases() {
  MemoryRequest plain{.context_per_slot = 4096, .gpu_layers = 0};
  MemoryRequest four{.context_per_slot = 1024, .slots = 4, .gpu_layers = 0};
  MemoryRequest unified = four;
  unified.unified_kv = true;
  MemoryRequest quantised = plain;
  quantised.kv_type_k = quantised.kv_type_v = "q8_0";
  MemoryRequest plainly = plain;
  plainly.flash_attention = false;
  MemoryRequest small = plain;
  small.micro_batch = 128;
  return {
      {"Gemma3", "gemma3-1b", 12, 384, plain, {}},
      {"Gemma3FourSlots", "gemma3-1b", 12, 384, four, {}},
      {"Gemma3Unified", "gemma3-1b", 12, 384, unified, {"-kvu"}},
      {"Gemma3SmallBatch", "gemma3-1b", 12, 384, small, {"-ub", "128"}},
      {"MistralQuantisedKv", "mistral-7b", 2, 1024, quantised, {"-ctk", "q8_0", "-ctv", "q8_0"}},
      {"MistralNoFlashAttention", "mistral-7b", 2, 1024, plainly, {}},
      {"Qwen25", "qwen2.5-7b", 2, 896, plain, {}},
      {"Qwen3", "qwen3-8b", 2, 1024, plain, {}},
      {"Llama2", "llama-2-7b", 2, 1024, plain, {}},
  };
}

class EstimateServer : public ::testing::TestWithParam<Case> {
 protected:
  // What the server logs with the case's model on `layers` device layers.
  static std::string LogOf(const std::string& executable, int layers) {
    const Case& one = GetParam();
    const TemporaryFolder folder;
    EXPECT_TRUE(WriteSyntheticModel(folder / "m.gguf", Shape(), WeightType::kQ4_0));
    const MemoryRequest& request = one.request;
    std::vector<std::string> arguments = {
        "-m",          folder / "m.gguf",
        "-c",          std::to_string(request.context_per_slot * request.slots),
        "-np",         std::to_string(request.slots),
        "-ngl",        std::to_string(layers),
        "-fa",         request.flash_attention ? "on" : "off",
        "-t",          "1",
        "-lv",         "4",
        "--no-warmup", "-fit",
        "off",         "--no-repack"};
    arguments.insert(arguments.end(), one.arguments.begin(), one.arguments.end());
    RealServer server(executable, arguments);
    EXPECT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
    return server.Log();
  }

  static ModelShape Shape() {
    ModelShape shape = *FindModelShape(GetParam().shape);
    shape.layers = GetParam().layers;
    shape.width = GetParam().width;
    // Qwen 2 takes its queries' width from the model's.
    if (shape.architecture == "qwen2") shape.head_width = shape.width / shape.heads;
    shape.vocabulary = 16384;
    return shape;
  }

  static MemoryEstimate Estimate(int layers) {
    MemoryRequest request = GetParam().request;
    request.gpu_layers = layers;
    return EstimateMemory(SyntheticModelMetadata(Shape(), WeightType::kQ4_0), request).value();
  }

  static void Report(const std::string& what, double estimated, double logged) {
    fmt::print("{}: {} {:.2f} MiB estimated, {:.2f} logged ({:+.1f} %)\n", GetParam().name, what,
               estimated, logged, 100.0 * (estimated - logged) / logged);
  }
};

TEST_P(EstimateServer, AgreesOnTheCpu) {
  const auto executable = RealServer::Find();
  if (!executable) GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
  const Buffers logged(LogOf(*executable, 0));
  const MemoryEstimate estimate = Estimate(0);
  EXPECT_NEAR(Mib(estimate.host.weights), logged["model host"], 0.05);
  EXPECT_NEAR(Mib(estimate.host.kv), logged["KV host"], 0.05);
  const double compute = logged["compute host"] + logged["output host"];
  Report("compute", Mib(estimate.host.compute), compute);
  EXPECT_NEAR(Mib(estimate.host.compute) / compute, 1.0, 0.06);
}

TEST_P(EstimateServer, AgreesOnSoftwareVulkan) {
  const auto executable = RealServer::FindVulkan();
  if (!executable) GTEST_SKIP() << "no llama-server-vulkan beside ROCM_TEST_LLAMA_SERVER";
  // llvmpipe takes no buffer above 128 MiB: llama.cpp then leaves that part on the host. (So it
  // does with the output of a large vocabulary: 512 tokens of more than 65,536 logits.)
  if (!GetParam().request.flash_attention) {
    GTEST_SKIP() << "the attention's scores are too large a buffer for llvmpipe";
  }
  const Buffers logged(LogOf(*executable, 99));
  const MemoryEstimate estimate = Estimate(-1);
  EXPECT_NEAR(Mib(estimate.device.kv), logged["KV device"], 0.05);
  EXPECT_NEAR(Mib(estimate.device.weights), logged["model device"], 0.05);
  EXPECT_NEAR(Mib(estimate.host.weights), logged["model host"], 0.05);
  Report("device compute", Mib(estimate.device.compute), logged["compute device"]);
  EXPECT_NEAR(Mib(estimate.device.compute) / logged["compute device"], 1.0, 0.1);
  const double device = Mib(estimate.device.total() - estimate.device.overhead);
  const double in_all = logged["model device"] + logged["KV device"] + logged["compute device"];
  Report("device in all", device, in_all);
  EXPECT_NEAR(device / in_all, 1.0, 0.03);
}

INSTANTIATE_TEST_SUITE_P(Gguf, EstimateServer, ::testing::ValuesIn(Cases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace rocm::gguf
