// SPDX-License-Identifier: EUPL-1.2
#include "backend/error.h"

#include <csignal>
#include <cstring>

namespace rocm {

std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kClosed: return "closed";
    case ErrorCode::kDeadlineExceeded: return "deadline_exceeded";
    case ErrorCode::kBackendUnavailable: return "backend_unavailable";
    case ErrorCode::kBinaryNotFound: return "binary_not_found";
    case ErrorCode::kModelNotFound: return "model_not_found";
    case ErrorCode::kModelInvalid: return "model_invalid";
    case ErrorCode::kModelUnsupported: return "model_unsupported";
    case ErrorCode::kInsufficientMemory: return "insufficient_memory";
    case ErrorCode::kOutOfMemory: return "out_of_memory";
    case ErrorCode::kDeviceError: return "device_error";
    case ErrorCode::kPortInUse: return "port_in_use";
    case ErrorCode::kStartTimeout: return "start_timeout";
    case ErrorCode::kServerExited: return "server_exited";
    case ErrorCode::kWrongServer: return "wrong_server";
    case ErrorCode::kConnectionRefused: return "connection_refused";
    case ErrorCode::kConnectionReset: return "connection_reset";
    case ErrorCode::kTruncated: return "truncated";
    case ErrorCode::kProtocol: return "protocol";
    case ErrorCode::kLimitExceeded: return "limit_exceeded";
    case ErrorCode::kStalled: return "stalled";
    case ErrorCode::kBadRequest: return "bad_request";
    case ErrorCode::kUnauthorised: return "unauthorised";
    case ErrorCode::kContextExceeded: return "context_exceeded";
    case ErrorCode::kRateLimited: return "rate_limited";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kServerError: return "server_error";
    case ErrorCode::kRedirected: return "redirected";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

std::string ToString(const ExitInfo& exit) {
  if (exit.signal) {
    const char* name = ::strsignal(*exit.signal);
    return "signal " + std::to_string(*exit.signal) + " (" + (name ? name : "unknown") + ")";
  }
  return "exit code " + std::to_string(exit.exit_code.value_or(-1));
}

std::string ToString(const Error& error) {
  std::string out(ToString(error.code));
  out += ": " + error.message;
  if (error.http_status != 0) out += " (HTTP " + std::to_string(error.http_status) + ")";
  if (error.exit) out += " (" + ToString(*error.exit) + ")";
  return out;
}

}  // namespace rocm
