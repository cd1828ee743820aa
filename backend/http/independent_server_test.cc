// SPDX-License-Identifier: EUPL-1.2
// Against an HTTP server that is not ours.
#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

#include "backend/http/control_client.h"
#include "backend/http/stream_testing.h"

namespace rocm::http {
namespace {

class IndependentServer : public testing::Test {
 protected:
  void SetUp() override {
    server_.Get("/health", [](const httplib::Request&, httplib::Response& reply) {
      reply.set_content(R"({"status":"ok"})", "application/json");
    });
    server_.Post("/echo", [](const httplib::Request& request, httplib::Response& reply) {
      reply.set_content(request.get_header_value("Authorization") + "|" + request.body,
                        "text/plain");
    });
    server_.Post("/completion", [](const httplib::Request&, httplib::Response& reply) {
      reply.set_chunked_content_provider(
          "text/event-stream", [](std::size_t, httplib::DataSink& sink) {
            for (const std::string& event : RealEvents(wire::Api::kNative)) {
              sink.write(event.data(), event.size());
            }
            sink.done();
            return true;
          });
    });
    endpoint_.host = "127.0.0.1";
    endpoint_.port = static_cast<std::uint16_t>(server_.bind_to_any_port("127.0.0.1"));
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  void TearDown() override {
    // stop() before the loop runs is forgotten; an answered call proves that it does.
    EXPECT_TRUE(ControlClient(endpoint_).GetOk("/health"));
    server_.stop();
    thread_.join();
  }

  httplib::Server server_;
  std::thread thread_;
  Endpoint endpoint_;
};

TEST_F(IndependentServer, AnswersCalls) {
  endpoint_.api_key = "k";
  const ControlClient client(endpoint_);
  EXPECT_EQ(client.GetOk("/health")->body, R"({"status":"ok"})");
  const std::string long_body(1'000'000, 'x');
  EXPECT_EQ(client.PostOk("/echo", long_body)->body, "Bearer k|" + long_body);
  EXPECT_EQ(client.Get("/nothing")->status, 404);
}

TEST_F(IndependentServer, Streams) {
  const StreamResult result = RunStream(endpoint_, RequestFor(wire::Api::kNative));
  EXPECT_EQ(result.outcome(), "ok");
  EXPECT_EQ(result.text, RealText(wire::Api::kNative));
  EXPECT_EQ(RunStream(endpoint_, RequestFor(wire::Api::kChat)).outcome(), "bad_request");
}

}  // namespace
}  // namespace rocm::http
