// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "mock_server/api/api_error.h"
#include "mock_server/faults/endless.h"
#include "mock_server/faults/gzip.h"

namespace mock {
namespace {

constexpr double kDefaultMib = 256.0;

std::uint64_t Limit(const Fault& fault) {
  return static_cast<std::uint64_t>(std::max(0.0, fault.Number("mib", kDefaultMib)) * 1048576.0);
}

const char* ErrorKind(int code) {
  switch (code) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 501: return "not_supported_error";
    case 503: return "unavailable_error";
    default: return code < 500 ? "invalid_request_error" : "server_error";
  }
}

void Reply(Exchange& exchange, const HttpReply& reply) {
  exchange.Send(
      ReplyHead(reply, {exchange.request().Header("origin"), exchange.keep_alive(), false}));
  exchange.Send(reply.body);
  const bool keep = exchange.keep_alive() && reply.status < 400;
  exchange.Finish(keep ? Ending::kKeepOpen : Ending::kClose);
}

HttpReply Status(const Fault& fault) {
  HttpReply reply;
  reply.status = static_cast<int>(fault.Int("code", 503));
  ApiError error;
  error.status = reply.status;
  error.message = fault.Text("message", StatusText(reply.status));
  error.type = fault.Text("kind", ErrorKind(reply.status));
  reply.body = fault.Text("body", error.Body());
  reply.content_type = fault.Text("content_type", reply.content_type);
  if (fault.Has("retry_after"))
    reply.extra.emplace_back("Retry-After", fault.Text("retry_after", ""));
  if (fault.Has("headers")) {
    for (const auto& [name, value] : fault.json()["headers"].items()) {
      reply.extra.emplace_back(name, value.is_string() ? value.get<std::string>() : Dump(value));
    }
  }
  return reply;
}

HttpReply Html(const Fault& fault) {
  HttpReply reply;
  reply.status = static_cast<int>(fault.Int("code", 502));
  reply.content_type = "text/html";
  reply.body = fmt::format(
      "<!DOCTYPE html>\n<html><head><title>{0} "
      "{1}</title></head>\n<body><h1>{1}</h1></body></html>\n",
      reply.status, StatusText(reply.status));
  return reply;
}

HttpReply Redirect(const Fault& fault, const HttpRequest& request) {
  HttpReply reply;
  reply.status = static_cast<int>(fault.Int("code", 307));
  // Without another place to go: a loop.
  reply.extra.emplace_back("Location", fault.Text("location", request.path));
  return reply;
}

HttpReply Gzipped() {
  HttpReply reply;
  reply.extra.emplace_back("Content-Encoding", "gzip");
  reply.body = Gzip(R"({"content":" w333","stop":true,"tokens_predicted":1})");
  return reply;
}

void Raw(const Fault& fault, Exchange& exchange) {
  const std::string bytes =
      fault.Has("base64") ? FromBase64(fault.Text("base64", "")) : fault.Text("bytes", "");
  const std::string ending = fault.Text("ending", "close");
  exchange.Send(bytes);
  if (ending == "stall") return;
  if (ending == "keep") {
    exchange.Finish(Ending::kKeepOpen);
  } else {
    exchange.Finish(ending == "reset" ? Ending::kReset : Ending::kClose);
  }
}

}  // namespace

void AnswerWithFault(const Fault& fault, const std::shared_ptr<Exchange>& exchange,
                     TimerQueue& timers) {
  if (fault.Is("status")) {
    Reply(*exchange, Status(fault));
  } else if (fault.Is("html")) {
    Reply(*exchange, Html(fault));
  } else if (fault.Is("redirect")) {
    Reply(*exchange, Redirect(fault, exchange->request()));
  } else if (fault.Is("gzip")) {
    Reply(*exchange, Gzipped());
  } else if (fault.Is("raw")) {
    Raw(fault, *exchange);
  } else if (fault.Is("endless-headers")) {
    exchange->Send("HTTP/1.1 200 OK\r\nServer: llama.cpp\r\n");
    Endless::Start(exchange, timers, "X-More: and more\r\n", Limit(fault));
  } else if (fault.Is("endless-header-line")) {
    exchange->Send("HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nX-More: ");
    Endless::Start(exchange, timers, "more", Limit(fault));
  } else if (fault.Is("endless-body")) {
    exchange->Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
    Endless::Start(exchange, timers, "more", Limit(fault));
  }
}

}  // namespace mock
