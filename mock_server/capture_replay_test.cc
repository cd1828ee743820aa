// SPDX-License-Identifier: EUPL-1.2
// What a real llama-server (0.7.0, build 11669) answered to a set of requests, asked again.
//
// Not replayed, with the reason: chat_gemma3, chat_qwen2 and ttft__* come from models with other
// weights, so their texts differ; of mid_kvoverflow_* only the end is compared, as the token at
// which the pool of cells is full depends on the order in which four clients arrive; ping_b was
// taken on another context size and has the shape of any completion. n_decode_total was off by one
// in metrics_after, when a poll fell between two steps.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "mock_server/testing/mock_process.h"
#include "mock_server/testing/normalise.h"
#include "mock_server/testing/raw_client.h"
#include "mock_server/testing/tiny_model.h"

namespace mock::testing {
namespace {

std::string CaptureFolder() {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  return std::string(source == nullptr ? "." : source) + "/mock_server/testdata/captures/";
}

struct Capture {
  std::string name;  // "=": not recorded, only to be asked
  std::string method;
  std::string path;
  std::string body;
};

std::vector<Capture> CapturesInOrder() {
  std::vector<Capture> captures;
  std::ifstream order(CaptureFolder() + "ORDER");
  for (std::string line; std::getline(order, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    Capture capture;
    words >> capture.name >> capture.method;
    if (capture.name == "=") {
      capture.path = std::exchange(capture.method, "POST");
      std::getline(words >> std::ws, capture.body);
    } else {
      words >> capture.path;
      capture.body = ReadWhole(CaptureFolder() + capture.name + ".request");
    }
    captures.push_back(capture);
  }
  return captures;
}

// As curl -i shows an answer: without the framing of chunks.
std::string Shown(const RawAnswer& answer) {
  const std::string head = answer.Head();
  if (head.find("Transfer-Encoding: chunked") == std::string::npos) return answer.Bytes();
  bool complete = false;
  const std::string payload = Dechunk(answer.Body(), &complete);
  EXPECT_TRUE(complete) << "no last chunk";
  return head + payload;
}

class Recorded : public ::testing::Test {
 protected:
  static std::vector<std::string> Arguments(const std::string& model, const std::string& context,
                                            const std::string& slots) {
    return {"-m", model, "-c", context, "-np", slots, "--metrics", "--props", "--no-ui"};
  }
  static StartOptions InFolder(const TemporaryFolder& folder, std::vector<std::string> arguments) {
    WriteTinyModel(folder.File("tiny-llama.gguf"), 4'096);
    StartOptions options;
    options.arguments = std::move(arguments);
    options.directory = folder.path();
    return options;
  }
};

TEST_F(Recorded, EveryAnswerIsByteIdentical) {
  const TemporaryFolder folder;
  const MockProcess server(InFolder(folder, Arguments("tiny-llama.gguf", "2048", "4")));
  int with_request = 0;
  for (const Capture& capture : CapturesInOrder()) {
    SCOPED_TRACE(capture.name);
    const RawAnswer answer = Ask(server.port(), capture.method, capture.path, capture.body);
    if (capture.name == "=") continue;
    const std::string wanted = ReadWhole(CaptureFolder() + capture.name + ".raw");
    ASSERT_FALSE(wanted.empty());
    EXPECT_EQ(Normalise(Shown(answer)), Normalise(wanted));
    if (capture.method == "POST" || capture.name == "err_method") ++with_request;
  }
  EXPECT_EQ(with_request, 66);
}

TEST_F(Recorded, LengthsAreTrue) {
  const TemporaryFolder folder;
  const MockProcess server(InFolder(folder, Arguments("tiny-llama.gguf", "2048", "4")));
  for (const Capture& capture : CapturesInOrder()) {
    SCOPED_TRACE(capture.name);
    const RawAnswer answer = Ask(server.port(), capture.method, capture.path, capture.body);
    const std::string head = answer.Head();
    const std::size_t length = head.find("Content-Length: ");
    if (length == std::string::npos) continue;
    EXPECT_EQ(std::to_string(answer.Body().size()),
              head.substr(length + 16, head.find("\r\n", length) - length - 16));
  }
}

TEST_F(Recorded, EveryEndpointWhileLoading) {
  // The log names a port only after the load: a Unix socket says where it is by itself.
  const TemporaryFolder folder;
  const std::string path = folder.File("m.sock");
  const MockProcess loading(WithoutWaiting({"--host", path, "--mock-load-ms", "60000"}));
  ASSERT_TRUE(loading.WaitForLog("loading model"));
  const std::vector<std::pair<std::string, std::string>> endpoints{
      {"loading_health", "/health"},      {"loading_metrics", "/metrics"},
      {"loading_props", "/props"},        {"loading_slots", "/slots"},
      {"loading_tokenize", "/tokenize"},  {"loading_v1_completions", "/v1/completions"},
      {"loading_v1_models", "/v1/models"}};
  for (const auto& [name, endpoint] : endpoints) {
    SCOPED_TRACE(name);
    const bool post = endpoint == "/tokenize" || endpoint == "/v1/completions";
    const RawClient client = RawClient::Unix(path);
    client.Send(HttpText(post ? "POST" : "GET", endpoint, post ? "{}" : ""));
    EXPECT_EQ(client.Read(5.0).Bytes(), ReadWhole(CaptureFolder() + name + ".raw"));
  }
}

std::string BlankNumber(std::string text, const std::string& key) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return text;
  const std::size_t from = at + key.size();
  return text.replace(from, text.find_first_not_of("0123456789", from) - from, "0");
}

TEST_F(Recorded, SlotsWhileOneIsBusy) {
  const TemporaryFolder folder;
  auto arguments = Arguments("tiny-llama.gguf", "4096", "2");
  arguments.insert(arguments.end(), {"--mock-token-ms", "20", "--mock-ttft-ms", "1"});
  const MockProcess server(InFolder(folder, arguments));
  const RawClient stream = RawClient::Tcp(server.port());
  stream.Send(HttpText("POST", "/completion",
                       R"({"prompt":"hello","n_predict":40,"temperature":0,"stream":true,)"
                       R"("ignore_eos":true})"));
  (void)stream.Read(5.0, "w340");
  std::string got = Ask(server.port(), "GET", "/slots", {}, "Connection: close\r\n").Bytes();
  std::string wanted = ReadWhole(CaptureFolder() + "slots_busy.raw");
  for (const char* key :
       {"Content-Length: ", "\"n_prompt_tokens\":", "\"n_remain\":", "\"n_decoded\":"}) {
    got = BlankNumber(got, key);
    wanted = BlankNumber(wanted, key);
  }
  EXPECT_EQ(got, wanted);
}

TEST_F(Recorded, MetricsAfterOneCompletion) {
  const TemporaryFolder folder;
  const MockProcess server(InFolder(folder, Arguments("tiny-llama.gguf", "4096", "2")));
  (void)Ask(server.port(), "POST", "/completion",
            R"({"prompt":"hello","n_predict":40,"stream":true,"ignore_eos":true})");
  const RawAnswer answer = Ask(server.port(), "GET", "/metrics", {}, "Connection: close\r\n");
  EXPECT_EQ(Normalise(answer.Bytes()), Normalise(ReadWhole(CaptureFolder() + "metrics_after.raw")));
}

TEST_F(Recorded, PromptTooLongWhileDeferred) {
  const MockProcess server({"-c", "65536", "-np", "1", "--mock-token-ms", "5"});
  const RawClient first = RawClient::Tcp(server.port());
  first.Send(HttpText("POST", "/completion",
                      R"({"prompt":"hello","n_predict":30,"stream":true,"ignore_eos":true})"));
  (void)first.Read(5.0, "data:");
  const std::string prompt(70'000, 'x');
  const RawAnswer answer = Ask(server.port(), "POST", "/v1/completions",
                               R"({"stream":true,"max_tokens":1,"prompt":")" + prompt + R"("})");
  EXPECT_EQ(answer.Bytes(), ReadWhole(CaptureFolder() + "ping_c-toolong-while-deferred.raw"));
}

TEST_F(Recorded, EveryStreamIsToldWhenTheUnifiedCacheIsFull) {
  for (const std::string api : {"native", "comp", "chat"}) {
    SCOPED_TRACE(api);
    const MockProcess server({"-c", "512", "-np", "4", "-kvu", "--mock-model", "step_ms=4"});
    std::vector<RawClient> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(RawClient::Tcp(server.port()));
      const char letter = static_cast<char>('a' + i);
      const std::string text = std::string("abcde") + letter;
      const std::string limits = R"(,"stream":true,"ignore_eos":true,"max_tokens":2000})";
      if (api == "chat") {
        clients.back().Send(
            HttpText("POST", "/v1/chat/completions",
                     R"({"messages":[{"role":"user","content":")" + text + "\"}]" + limits));
      } else {
        clients.back().Send(HttpText("POST", api == "native" ? "/completion" : "/v1/completions",
                                     R"({"prompt":")" + text + "\"" + limits));
      }
    }
    const std::string wanted = ReadWhole(CaptureFolder() + "mid_kvoverflow_" + api + "_0.raw");
    for (const RawClient& client : clients) {
      const RawAnswer answer = client.Read(10.0);
      EXPECT_EQ(answer.end, ReadEnd::kClosed);
      const std::string got = answer.Bytes();
      ASSERT_GT(got.size(), 500U);
      EXPECT_EQ(got.substr(got.rfind("60\r\n")), wanted.substr(wanted.rfind("60\r\n")));
    }
    EXPECT_EQ(Ask(server.port(), "GET", "/health").Status(), 200);
  }
}

}  // namespace
}  // namespace mock::testing
