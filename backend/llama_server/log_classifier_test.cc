// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/log_classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

namespace rocm::llama_server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using Log = std::vector<std::string>;

struct Case {
  const char* name;
  Log log;
  ErrorCode code;
  const char* message;
};

// Build 11669 on a CPU, as it wrote them.
const Case kSeen[] = {
    {"absent model",
     {"0.00.017.004 I srv    load_model: loading model 'nope.gguf'",
      "0.00.017.122 E gguf_init_from_file: failed to open GGUF file 'nope.gguf' (No such file or "
      "directory)",
      "0.00.017.214 E llama_model_load: error loading model: llama_model_loader: failed to load "
      "model from nope.gguf",
      "0.00.017.668 E srv  llama_server: exiting due to model loading error"},
     ErrorCode::kModelNotFound,
     "the model file cannot be opened: failed to open GGUF file 'nope.gguf' (No such file or "
     "directory)"},
    {"unreadable model",
     {"0.00.017.122 E gguf_init_from_file: failed to open GGUF file 'x.gguf' (Permission denied)"},
     ErrorCode::kIo,
     "the model file cannot be opened: failed to open GGUF file 'x.gguf' (Permission denied)"},
    {"missing tensor",
     {"0.00.017.337 E llama_model_load: error loading model: check_tensor_dims: tensor "
      "'blk.1.ffn_up.weight' not found",
      "0.00.017.381 E common_fit_params: encountered an error while trying to fit params to free "
      "device memory: failed to load model",
      "0.00.018.240 E srv  llama_server: exiting due to model loading error"},
     ErrorCode::kModelInvalid,
     "the model file lacks a tensor: check_tensor_dims: tensor 'blk.1.ffn_up.weight' not found"},
    {"garbage",
     {"0.00.015.553 E gguf_init_from_reader: invalid magic characters: 'w?_?', expected 'GGUF'",
      "0.00.015.637 E llama_model_load: error loading model: llama_model_loader: failed to load "
      "model from garbage.gguf"},
     ErrorCode::kModelInvalid,
     "not a GGUF file: invalid magic characters: 'w?_?', expected 'GGUF'"},
    {"empty",
     {"0.00.016.716 E gguf_init_from_reader: failed to read magic"},
     ErrorCode::kModelInvalid,
     "not a GGUF file: failed to read magic"},
    {"truncated",
     {"0.00.016.558 E llama_model_load: error loading model: tensor 'token_embd.weight' data is "
      "not "
      "within the file bounds, model is corrupted or incomplete"},
     ErrorCode::kModelInvalid,
     "the model file is cut short: tensor 'token_embd.weight' data is not within the file bounds, "
     "model is corrupted or incomplete"},
    {"unknown architecture",
     {"0.00.016.294 E llama_model_load: error loading model: unknown model architecture: 'lxama'",
      "0.00.016.312 E llama_model_load_from_file_impl: failed to load model"},
     ErrorCode::kModelUnsupported,
     "this llama-server does not know the model's architecture: unknown model architecture: "
     "'lxama'"},
    {"unknown flag",
     {"error: invalid argument: --bogus-flag"},
     ErrorCode::kInvalidArgument,
     "the server refuses an argument: invalid argument: --bogus-flag"},
    {"bad value",
     {"error while handling argument \"-fa\": error: unknown value for --flash-attn: 'maybe'", "",
      "usage:"},
     ErrorCode::kInvalidArgument,
     "the server refuses an argument: error while handling argument \"-fa\": error: unknown value "
     "for --flash-attn: 'maybe'"},
    {"contradiction",
     {"0.00.016.904 E llama_init_from_model: quantized V cache requires flash_attn to be enabled",
      "0.00.017.831 E cmn  common_init_: failed to create context with model 'tiny.gguf'"},
     ErrorCode::kInvalidArgument,
     "the settings contradict each other: quantized V cache requires flash_attn to be enabled"},
    {"bind",
     {"0.00.014.893 E srv         start: couldn't bind HTTP server socket, hostname: 1.2.3.4, "
      "port: "
      "22",
      "0.00.014.972 E srv  llama_server: exiting due to HTTP server error"},
     ErrorCode::kPortInUse,
     "the address is taken: couldn't bind HTTP server socket, hostname: 1.2.3.4, port: 22"},
};

// Other builds and devices, from their sources and from reports of their users.
const Case kKnown[] = {
    {"ROCm launch failure",
     {"ggml_cuda_compute_forward: MUL_MAT failed", "ROCm error: unspecified launch failure",
      "  current device: 0, in function ggml_backend_cuda_buffer_set_tensor at ggml-cuda.cu:621",
      "/src/ggml/src/ggml-cuda/ggml-cuda.cu:88: ROCm error"},
     ErrorCode::kDeviceError,
     "the GPU failed: ROCm error: unspecified launch failure"},
    {"ROCm out of memory",
     {"ggml_backend_cuda_buffer_type_alloc_buffer: allocating 30000.00 MiB on device 0: cudaMalloc "
      "failed: out of memory",
      "llama_model_load: error loading model: unable to allocate ROCm0 buffer"},
     ErrorCode::kOutOfMemory,
     "out of device memory: allocating 30000.00 MiB on device 0: cudaMalloc failed: out of memory"},
    {"CUDA out of memory", {"CUDA error: out of memory"}, ErrorCode::kOutOfMemory, "out of device"},
    {"KV cache",
     {"llama_kv_cache_init: failed to allocate buffer for kv cache",
      "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv "
      "cache"},
     ErrorCode::kOutOfMemory,
     "out of memory: failed to allocate buffer for kv cache"},
    {"Vulkan device lost",
     {"terminate called after throwing an instance of 'vk::DeviceLostError'",
      "  what():  vk::Queue::submit: ErrorDeviceLost"},
     ErrorCode::kDeviceError,
     "the GPU was lost"},
    {"memory access fault",
     {"Memory access fault by GPU node-1 (Agent handle: 0x55) on address 0x7f. Reason: Unknown."},
     ErrorCode::kDeviceError,
     "the GPU failed: Memory access fault by GPU node-1"},
    {"rocBLAS without the iGPU",
     {"rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file "
      "or "
      "directory for GPU arch : gfx1036"},
     ErrorCode::kDeviceError,
     "rocBLAS does not know this GPU"},
    {"missing library",
     {"llama-server: error while loading shared libraries: libhipblas.so.2: cannot open shared "
      "object file: No such file or directory"},
     ErrorCode::kBinaryNotFound,
     "a library is missing: "},
    {"old libc",
     {"llama-server: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by "
      "llama-server)"},
     ErrorCode::kBinaryNotFound,
     "a library is of another version"},
    {"old bind",
     {"main: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080"},
     ErrorCode::kPortInUse,
     "the address is taken: couldn't bind HTTP server socket"},
    {"old missing tensor",
     {"llama_model_load: error loading model: missing tensor 'output_norm.weight'"},
     ErrorCode::kModelInvalid,
     "the model file lacks a tensor: missing tensor 'output_norm.weight'"},
    {"assertion",
     {"/src/ggml/src/ggml.c:100: GGML_ASSERT(a->ne[0] == b->ne[0]) failed"},
     ErrorCode::kServerExited,
     "the server found a fault in itself: /src/ggml"},
};

class LogClassifierTest : public ::testing::TestWithParam<Case> {};

TEST_P(LogClassifierTest, TellsTheReason) {
  const auto verdict = ClassifyLog(GetParam().log);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->code, GetParam().code) << ToString(verdict->code);
  EXPECT_THAT(verdict->message, StartsWith(GetParam().message));
  EXPECT_EQ(verdict->message.find('\n'), std::string::npos);
}

std::string Name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (c == ' ') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Seen, LogClassifierTest, ::testing::ValuesIn(kSeen), Name);
INSTANTIATE_TEST_SUITE_P(Known, LogClassifierTest, ::testing::ValuesIn(kKnown), Name);

TEST(ClassifyLogTest, SaysNothingAboutAnOrdinaryLog) {
  EXPECT_FALSE(ClassifyLog(Log{}));
  EXPECT_FALSE(ClassifyLog(Log{
      "0.00.028.457 I srv    load_model: initializing, n_slots = 2, n_ctx_slot = 512",
      "0.00.022.213 W srv  llama_server: security: no API key is set and CORS allows all origins",
      "0.00.030.422 I srv  llama_server: listening on http://127.0.0.1:46655",
      "0.00.124.107 I slot print_timing: id  0 | task 0 | prompt eval time = 0.55 ms / 4 tokens"}));
}

TEST(DescribeDeathTest, FallsBackOnHowItEnded) {
  const ExitInfo killed{.exit_code = std::nullopt, .signal = SIGKILL};
  const Error error = DescribeDeath("llama-server ended", killed, Log{"srv  x: all is well"});
  EXPECT_EQ(error.code, ErrorCode::kServerExited);
  EXPECT_EQ(error.exit, killed);
  EXPECT_THAT(error.message, HasSubstr("killed"));
  EXPECT_EQ(error.log_tail, Log{"srv  x: all is well"});

  const ExitInfo left{.exit_code = 3, .signal = std::nullopt};
  EXPECT_EQ(DescribeDeath("it ended", left, Log{"a", "0.00.001.000 E srv  x: last words"}).message,
            "it ended: last words");
  EXPECT_EQ(DescribeDeath("it ended", left, Log{}).message, "it ended");
}

TEST(DescribeDeathTest, CarriesTheLastTwentyLines) {
  Log log;
  for (int i = 0; i < 50; ++i) log.push_back("line " + std::to_string(i));
  const Error error = DescribeDeath("x", {.exit_code = 1, .signal = {}}, log);
  ASSERT_EQ(error.log_tail.size(), 20u);
  EXPECT_EQ(error.log_tail.front(), "line 30");
  EXPECT_EQ(error.log_tail.back(), "line 49");
}

TEST(DescribeDeathTest, CutsLongLinesBetweenCharacters) {
  std::string line = "GGML_ASSERT(";
  for (int i = 0; i < 200; ++i) line += "\xE2\x82\xAC";
  const Error error = DescribeDeath("x", {.exit_code = 1, .signal = {}}, Log{line});
  EXPECT_LT(error.message.size(), 400u);
  EXPECT_TRUE(error.message.ends_with("\xE2\x82\xAC…"));
}

TEST(StripLogPrefixTest, KeepsWhatIsSaid) {
  EXPECT_EQ(StripLogPrefix("0.00.017.281 E srv    load_model: failed to load model, 'x'"),
            "failed to load model, 'x'");
  EXPECT_EQ(StripLogPrefix("llama_model_load: error loading model: tensor"),
            "error loading model: tensor");
  EXPECT_EQ(StripLogPrefix("plain: words"), "plain: words");
  EXPECT_EQ(StripLogPrefix("ROCm error: bad"), "ROCm error: bad");
  EXPECT_EQ(StripLogPrefix(""), "");
  EXPECT_EQ(StripLogPrefix("   "), "");
}

}  // namespace
}  // namespace rocm::llama_server
