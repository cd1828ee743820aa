// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/base/testing/soak.h"
#include "backend/http/blocking_stream.h"
#include "backend/http/scripted_server.h"
#include "backend/wire/testing.h"

namespace rocm::http {

inline constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n"
    "X-Accel-Buffering: no\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    "Keep-Alive: timeout=5, max=100\r\n\r\n";

inline const std::vector<wire::Api> kApis = {wire::Api::kNative, wire::Api::kCompletion,
                                             wire::Api::kChat};

// How late an end may be seen. The promise is 250 ms, held to in full runs; a crowded CI machine
// may not even run us for that long.
inline std::chrono::milliseconds Slack() {
  return std::chrono::milliseconds(QuickOrFull(2'500, 250));
}

// The events of a real answer, each with its blank line.
inline std::vector<std::string> RealEvents(wire::Api api) {
  const char* file = api == wire::Api::kNative       ? "completion_stream.http"
                     : api == wire::Api::kCompletion ? "completions_stream.http"
                                                     : "chat_stream.http";
  std::string body = wire::BodyOf(wire::ReadTestData(file));
  std::vector<std::string> events;
  for (std::size_t end = 0; (end = body.find("\n\n")) != std::string::npos;) {
    events.push_back(body.substr(0, end + 2));
    body.erase(0, end + 2);
  }
  return events;
}

// A real answer, framed as llama-server frames it: a chunk an event.
inline std::string RealStream(wire::Api api) {
  std::string out(kStreamHead);
  for (const std::string& event : RealEvents(api)) out += Chunk(event);
  return out + "0\r\n\r\n";
}

inline std::string RealText(wire::Api api) {
  return api == wire::Api::kCompletion ? " w333 w334 w335 w336" : " w333 w334 w335";
}

inline StreamRequest RequestFor(wire::Api api) {
  StreamRequest request;
  request.api = api;
  request.body = R"({"prompt":"hello","stream":true})";
  // A test that hangs fails by this, and by its class.
  request.deadline = std::chrono::seconds(20);
  return request;
}

struct StreamResult {
  std::string text;
  std::vector<StreamEvent> events;
  StreamEnd end;

  [[nodiscard]] std::string outcome() const {
    return end.error ? std::string(ToString(end.error->code)) : "ok";
  }
};

inline StreamResult RunStream(const Endpoint& endpoint, const StreamRequest& request) {
  BlockingStream stream(endpoint, request);
  StreamResult result;
  while (const StreamEvent* event = stream.Next()) {
    result.text += event->delta.text;
    result.events.push_back(*event);
  }
  result.end = stream.End();
  return result;
}

}  // namespace rocm::http
