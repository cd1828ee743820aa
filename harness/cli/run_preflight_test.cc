// SPDX-License-Identifier: EUPL-1.2
// What cannot work is refused in one line before gigabytes are written or loaded: on a machine with
// two NVIDIA cards that a made-up driver library shows, and on software Vulkan where there is one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "harness/cli/bench_process.h"

namespace harness::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Preflight : public ::testing::Test {
 protected:
  // 8 GiB GPU-aaaa and 24 GiB GPU-bbbb, the latter with nothing free.
  void AddCards() {
    fs::create_symlink(
        std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/fake-nvml/libnvidia-ml.so.1",
        folder_.At("libnvidia-ml.so.1"));
    ::setenv("LD_LIBRARY_PATH", folder_.At("").c_str(), 1);
    ::setenv("ROCM_LLAMA_SERVER_PATH", mock_.c_str(), 1);
  }
  ~Preflight() override {
    ::unsetenv("LD_LIBRARY_PATH");
    ::unsetenv("ROCM_LLAMA_SERVER_PATH");
  }
  void Expect(int code, const ::testing::Matcher<std::string>& text,
              const std::vector<std::string>& arguments) {
    BenchProcess bench(arguments);
    EXPECT_EQ(bench.Wait(), code) << bench.err() << bench.out();
    EXPECT_THAT(bench.err(), text);
    EXPECT_EQ(std::ranges::count(bench.err(), '\n'), code == 0 ? 0 : 1) << bench.err();
  }
  [[nodiscard]] std::vector<std::string> Run(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"run",      SourcePath("scenarios/seed/decode.json"),
                                       "--target", "llama-server",
                                       "--out",    folder_.At("runs"),
                                       "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string Chain() {
    std::string file = folder_.At("chain.gguf");
    BenchProcess synth({"synth", "--chain", file});
    EXPECT_EQ(synth.Wait(), 0) << synth.err();
    return file;
  }

  const ScratchFolder folder_;
  const std::string mock_ = std::string(std::getenv("ROCM_TEST_BIN_DIR")) + "/mock-llama-server";
};

TEST_F(Preflight, ACheckOfTheChainModelWritesNothing) {
  const std::string file = folder_.Write("kept.gguf", "somebody's model");
  BenchProcess check({"synth", "--chain", "--check", file});
  EXPECT_EQ(check.Wait(), 0) << check.err();
  EXPECT_EQ(ReadAll(file), "somebody's model");
}

TEST_F(Preflight, ADeviceThatIsNotThere) {
  AddCards();
  const auto line = AllOf(HasSubstr("no device 'GPU-zzzz'; there are 0: GPU-aaaa NVIDIA Fake 8GB"),
                          HasSubstr("1: GPU-bbbb NVIDIA Fake 24GB"));
  Expect(2, line, Run({"--model", Chain(), "--backend", "cuda", "--device", "GPU-zzzz"}));
  Expect(2, line, {"synth", "--shape", "gemma3-1b", "--device", "GPU-zzzz", folder_.At("m.gguf")});
  Expect(2, line,
         {"estimate", "--shape", "gemma3-1b", "--backend", "cuda", "--device", "GPU-zzzz"});
  EXPECT_FALSE(fs::exists(folder_.At("m.gguf")));
  EXPECT_FALSE(fs::exists(folder_.At("runs")));
}

TEST_F(Preflight, ABinaryWithoutSupport) {
  AddCards();
  const auto line =
      HasSubstr(mock_ + " has no cuda support, or sees no such device: it lists none");
  Expect(3, line, Run({"--model", Chain(), "--device", "GPU-aaaa"}));
  Expect(3, line, {"synth", "--shape", "gemma3-1b", "--device", "GPU-aaaa", folder_.At("m.gguf")});
  Expect(3, line, {"estimate", "--shape", "gemma3-1b", "--server-binary", mock_});
  EXPECT_FALSE(fs::exists(folder_.At("m.gguf")));
}

// A build that can, and a card that is too small.
TEST_F(Preflight, ACardTooSmall) {
  AddCards();
  const std::string build =
      folder_.Write("llama-server",
                    "#!/bin/sh\ncase $1 in --list-devices) echo '  "
                    "CUDA0: NVIDIA Fake 8GB (8192 MiB, 8092 MiB free)';;\n*) exec " +
                        mock_ + " \"$@\";; esac\n");
  fs::permissions(build, fs::perms::owner_all);
  const std::vector<std::string> where{"--server-binary", build, "--device", "GPU-aaaa"};
  const auto with = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), where.begin(), where.end());
    return arguments;
  };
  const std::string file = folder_.At("m.gguf");
  const auto line = AllOf(HasSubstr("gemma3-27b q4_0 needs 1"), HasSubstr("weights 1"),
                          HasSubstr("GPU-aaaa NVIDIA Fake 8GB"), HasSubstr("has 7.9 GiB free"));
  Expect(3, line, with({"synth", "--shape", "gemma3-27b", file}));
  Expect(3, line, with({"synth", "--shape", "gemma3-27b", "--check", file}));
  Expect(0, HasSubstr(""), with({"synth", "--shape", "gemma3-4b", "--check", file}));
  EXPECT_FALSE(fs::exists(file));
  Expect(3, line, with({"estimate", "--shape", "gemma3-27b"}));
  Expect(0, HasSubstr(""), with({"estimate", "--shape", "gemma3-4b"}));

  // A whole run is refused for the one server in it that would not fit.
  const std::string scenario = folder_.Write("big.json", R"({
    "schema": 1, "name": "big", "why": "Too many slots.", "kind": "load",
    "server": {"slots": 1, "context_per_slot": 65536},
    "workload": {"api": "native", "prompt": {"text": "x"}, "output_tokens": {"fixed": 1}},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 1}, "requests": 1}],
    "sweep": {"parameter": "slots", "values": [1, 4096]}})");
  Expect(3, AllOf(HasSubstr("scenario big slots=4096: "), HasSubstr("has 7.9 GiB free")),
         with({"run", scenario, "--target", "llama-server", "--model", Chain(), "--quiet", "--out",
               folder_.At("runs")}));
  // And for the side of a comparison that would not.
  const std::string pair = folder_.Write("pair.json", R"({
    "schema": 1, "name": "pair", "why": "One side is too large.", "kind": "ab",
    "server": {"slots": 1, "context_per_slot": 65536},
    "workload": {"api": "native", "prompt": {"text": "x"}, "output_tokens": {"fixed": 1}},
    "stages": [{"name": "s", "closed_loop": {"concurrency": 1}, "requests": 1}],
    "ab": {"variants": [{"name": "few", "server": {"gpu_layers": 0}}, {"name": "many", "server": {"slots": 4096}}],
           "metrics": ["e2e_ms.p50"]}})");
  Expect(3, AllOf(HasSubstr("scenario pair many: "), HasSubstr("has 7.9 GiB free")),
         with({"run", pair, "--target", "llama-server", "--model", Chain(), "--quiet", "--out",
               folder_.At("runs")}));
  EXPECT_FALSE(fs::exists(folder_.At("runs")));
}

TEST_F(Preflight, DiskThatDoesNotSuffice) {
  struct Guard {
    std::string path;
    ~Guard() { fs::remove(path); }
  };
  // No file system has room for it twice: /dev/shm is at most the machine's memory.
  const Guard guard{"/dev/shm/rocm-bench-preflight.gguf"};
  if (fs::space("/dev/shm").available > 50'000'000'000U) GTEST_SKIP() << "/dev/shm is too large";
  Expect(2, AllOf(HasSubstr("needs 5"), HasSubstr("but /dev/shm has ")),
         {"synth", "--shape", "gemma3-27b", "--type", "f16", "--ignore-estimate", guard.path});
  EXPECT_FALSE(fs::exists(guard.path));
}

// The same on a device that a real build of llama-server sees.
TEST_F(Preflight, SoftwareVulkan) {
  const char* plain = std::getenv("ROCM_TEST_LLAMA_SERVER");
  const std::string build =
      plain == nullptr ? "" : fs::path(plain).replace_filename("llama-server-vulkan").string();
  if (!fs::exists(build)) GTEST_SKIP() << "no llama-server-vulkan beside ROCM_TEST_LLAMA_SERVER";
  const std::vector<std::string> vulkan{"--model", Chain(), "--backend", "vulkan"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), vulkan.begin(), vulkan.end());
    return Run(more);
  };
  Expect(2, AllOf(HasSubstr("no device '7'; "), HasSubstr("lists Vulkan0 (llvmpipe")),
         with({"--server-binary", build, "--device", "7"}));
  Expect(3, HasSubstr("has no vulkan support, or sees no such device: it lists none; take a build"),
         with({"--server-binary", plain}));
  Expect(0, HasSubstr(""),
         {"synth", "--shape", "gemma3-1b", "--check", "--backend", "vulkan", "--server-binary",
          build, folder_.At("m.gguf")});
  // 54 GB are more than llvmpipe says this machine has, or than a machine of tests has.
  Expect(3, AllOf(HasSubstr("gemma3-27b f16 needs 5"), HasSubstr("Vulkan0: llvmpipe")),
         {"synth", "--shape", "gemma3-27b", "--type", "f16", "--backend", "vulkan",
          "--server-binary", build, folder_.At("m.gguf")});
}

}  // namespace
}  // namespace harness::testing
