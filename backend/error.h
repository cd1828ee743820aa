// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace rocm {

// What went wrong, as a stable class. ToString() gives the name that records, metrics and exit
// codes use; names are never reused or changed.
enum class ErrorCode {
  // The caller.
  kInvalidArgument,
  kCancelled,         // by the caller's stop token, Cancel() or the stream's destructor
  kClosed,            // the model was closed while the call ran, or before it
  kDeadlineExceeded,  // the call's own deadline
  // Before a server runs.
  kBackendUnavailable,  // no usable device, or the platform is not supported
  kBinaryNotFound,
  kModelNotFound,
  kModelInvalid,        // not a GGUF file, or a damaged one
  kModelUnsupported,    // an architecture or type that this llama-server does not know
  kInsufficientMemory,  // by the estimate, before loading
  // While it starts or lives.
  kOutOfMemory,  // the server said so
  kDeviceError,  // GPU fault, device lost, or not the device that was pinned
  kPortInUse,
  kStartTimeout,  // no progress within the stall timeout, or the hard cap was reached
  kServerExited,  // died, by exit code or signal: see Error::exit
  kWrongServer,   // something else answers on our endpoint
  // On the wire.
  kConnectionRefused,
  kConnectionReset,
  kTruncated,      // the stream ended without its end marker
  kProtocol,       // malformed HTTP, SSE or JSON
  kLimitExceeded,  // a header, line, event or body larger than we accept
  kStalled,        // no byte within the stall timeout
  // What the server answered.
  kBadRequest,       // 400, 404, 405, 413, 422 and other 4xx
  kUnauthorised,     // 401, 403
  kContextExceeded,  // prompt or generation does not fit the context
  kRateLimited,      // 429
  kUnavailable,      // 503, among them "Loading model"
  kServerError,      // 500, 501 and other 5xx; also an error event in mid-stream
  kRedirected,       // 3xx: never followed
  // This machine, or us.
  kIo,
  kInternal,
};

// The stable snake_case name: "connection_reset".
[[nodiscard]] std::string_view ToString(ErrorCode code);

// How a process ended. Exactly one of the two is set.
struct ExitInfo {
  std::optional<int> exit_code;
  std::optional<int> signal;

  friend bool operator==(const ExitInfo&, const ExitInfo&) = default;
};

// "exit code 1" or "signal 9 (Killed)".
[[nodiscard]] std::string ToString(const ExitInfo& exit);

// A value type; safe to copy between threads.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  // One line for a person: what, where, and the way out. Holds no newline.
  std::string message;
  // The HTTP status, or 0 where there was none.
  int http_status = 0;
  // Set when the server process had ended by the time of the error.
  std::optional<ExitInfo> exit;
  // The server's last log lines (at most 20), oldest first.
  std::vector<std::string> log_tail;
  // True when the same call may succeed later without any change by the caller.
  bool retryable = false;
};

// "server_exited: llama-server died while streaming (signal 9 (Killed))". Without the log tail.
[[nodiscard]] std::string ToString(const Error& error);

template <typename T>
using Result = tl::expected<T, Error>;

// `return Fail(ErrorCode::kIo, "cannot open x");` in any function that returns a Result.
[[nodiscard]] inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  Error error;
  error.code = code;
  error.message = std::move(message);
  return tl::unexpected<Error>(std::move(error));
}
[[nodiscard]] inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace rocm
