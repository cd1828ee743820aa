// SPDX-License-Identifier: EUPL-1.2
#include "backend/http/control_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <utility>

#include "backend/http/exchange.h"
#include "backend/wire/error_reply.h"

namespace rocm::http {
namespace {

namespace asio = boost::asio;

Result<Reply> Block(const Endpoint& endpoint, CallRequest request, const CallOptions& options) {
  request.deadline = options.deadline;
  request.max_body_bytes = options.max_body_bytes;
  const auto canceller = std::make_shared<StreamCanceller>();
  const std::stop_callback on_stop(options.cancel,
                                   [&] { canceller->Cancel(ErrorCode::kCancelled); });
  Result<Reply> reply = Fail(ErrorCode::kInternal, "the call did not run");
  asio::io_context io(1);
  asio::co_spawn(io, Call(endpoint, std::move(request), canceller),
                 [&](std::exception_ptr thrown, Result<Reply> result) {
                   if (!thrown) reply = std::move(result);
                 });
  io.run();
  return reply;
}

Result<Reply> OkOnly(const Endpoint& endpoint, std::string_view path, Result<Reply> reply) {
  if (!reply || reply->ok()) return reply;
  Error error = wire::ErrorFromReply({.status = reply->status,
                                      .content_type = reply->content_type,
                                      .body = reply->body,
                                      .retry_after = reply->retry_after,
                                      .location = reply->location});
  error.message = std::string(path) + ": " + error.message;
  if (!endpoint.api_key.empty() && error.message.find(endpoint.api_key) != std::string::npos) {
    error.message = std::string(path) + ": HTTP " + std::to_string(reply->status);
  }
  return Fail(std::move(error));
}

}  // namespace

ControlClient::ControlClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

Result<Reply> ControlClient::Get(std::string_view path, const CallOptions& options) const {
  CallRequest request;
  request.path = path;
  return Block(endpoint_, std::move(request), options);
}

Result<Reply> ControlClient::Post(std::string_view path, std::string_view json,
                                  const CallOptions& options) const {
  CallRequest request;
  request.method = "POST";
  request.path = path;
  request.body = json;
  return Block(endpoint_, std::move(request), options);
}

Result<Reply> ControlClient::GetOk(std::string_view path, const CallOptions& options) const {
  return OkOnly(endpoint_, path, Get(path, options));
}

Result<Reply> ControlClient::PostOk(std::string_view path, std::string_view json,
                                    const CallOptions& options) const {
  return OkOnly(endpoint_, path, Post(path, json, options));
}

}  // namespace rocm::http
