// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/truth_log.h"

#include <fcntl.h>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "mock_server/json.h"

namespace mock {
namespace {

constexpr std::size_t kFull = 4U << 20U;

std::string Quoted(std::string_view text) { return Dump(Json(text)); }

}  // namespace

TruthLog::~TruthLog() {
  Flush();
  if (fd_ >= 0) ::close(fd_);
}

bool TruthLog::Open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  return fd_ >= 0;
}

void TruthLog::EndLine() {
  buffer_.append(std::string_view("}\n"));
  if (buffer_.size() >= kFull) Flush();
}

void TruthLog::Start(std::string_view model, std::uint64_t seed, Ns at) {
  if (!enabled()) return;
  fmt::format_to(fmt::appender(buffer_),
                 R"({{"type":"start","schema":1,"model":{},"seed":{},"pid":{},"at_ns":{})",
                 Quoted(model), seed, ::getpid(), at);
  EndLine();
}

void TruthLog::Received(const Arrival& arrival, Ns at) {
  if (!enabled()) return;
  fmt::format_to(
      fmt::appender(buffer_),
      R"({{"type":"received","request":{},"endpoint":{},"stream":{},"seed":{},"peer":{},"client_id":{},"reply_id":{},"at_ns":{})",
      arrival.request, Quoted(arrival.endpoint), arrival.stream, arrival.seed, Quoted(arrival.peer),
      Quoted(arrival.client_id), Quoted(arrival.reply_id), at);
  EndLine();
}

void TruthLog::SlotAssigned(std::int64_t request, int index, int slot, Ns at) {
  if (!enabled()) return;
  fmt::format_to(fmt::appender(buffer_),
                 R"({{"type":"slot","request":{},"index":{},"slot":{},"at_ns":{})", request, index,
                 slot, at);
  EndLine();
}

void TruthLog::Prefilled(std::int64_t request, int index, int prompt_tokens, int cached_tokens,
                         Ns scheduled, Ns at) {
  if (!enabled()) return;
  fmt::format_to(
      fmt::appender(buffer_),
      R"({{"type":"prefilled","request":{},"index":{},"prompt_tokens":{},"cached_tokens":{},"scheduled_ns":{},"at_ns":{})",
      request, index, prompt_tokens, cached_tokens, scheduled, at);
  EndLine();
}

void TruthLog::Chunk(std::int64_t request, int index, std::int64_t sequence,
                     const TokenEvent& event, bool sent, Ns scheduled, Ns at) {
  if (!enabled()) return;
  // The one line that is written for each token: its format is compiled.
  const auto out = fmt::appender(buffer_);
  fmt::format_to(
      out,
      FMT_COMPILE("{{\"type\":\"chunk\",\"request\":{},\"index\":{},\"sequence\":{},\"ids\":["),
      request, index, sequence);
  bool first = true;
  for (const GeneratedToken& token : event.tokens) {
    if (!std::exchange(first, false)) buffer_.push_back(',');
    fmt::format_to(out, FMT_COMPILE("{}"), token.id);
  }
  fmt::format_to(out, FMT_COMPILE("],\"tokens\":{},\"sent\":{},\"scheduled_ns\":{},\"sent_ns\":{}"),
                 event.decoded, sent, scheduled, at);
  EndLine();
}

void TruthLog::Finished(std::int64_t request, int index, std::string_view reason, int tokens,
                        Ns scheduled, Ns at) {
  if (!enabled()) return;
  fmt::format_to(
      fmt::appender(buffer_),
      R"({{"type":"finished","request":{},"index":{},"reason":"{}","tokens":{},"scheduled_ns":{},"at_ns":{})",
      request, index, reason, tokens, scheduled, at);
  EndLine();
}

void TruthLog::Failed(std::int64_t request, int status, std::string_view message, Ns at) {
  if (!enabled()) return;
  fmt::format_to(fmt::appender(buffer_),
                 R"({{"type":"failed","request":{},"status":{},"message":{},"at_ns":{})", request,
                 status, Quoted(message), at);
  EndLine();
}

void TruthLog::Disconnected(std::int64_t request, std::int64_t chunks, Ns at) {
  if (!enabled()) return;
  fmt::format_to(fmt::appender(buffer_),
                 R"({{"type":"disconnected","request":{},"chunks":{},"at_ns":{})", request, chunks,
                 at);
  EndLine();
}

void TruthLog::Fault(std::int64_t request, std::string_view fault, Ns at) {
  if (!enabled()) return;
  fmt::format_to(fmt::appender(buffer_), R"({{"type":"fault","request":{},"fault":{},"at_ns":{})",
                 request, Quoted(fault), at);
  EndLine();
}

void TruthLog::End(std::string_view how, Ns at) {
  if (!enabled()) return;
  fmt::format_to(fmt::appender(buffer_), R"({{"type":"end","how":{},"at_ns":{})", Quoted(how), at);
  EndLine();
  Flush();
}

void TruthLog::Flush() {
  std::string_view rest(buffer_.data(), buffer_.size());
  while (fd_ >= 0 && !rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;  // a full disk loses truth, never the server
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

}  // namespace mock
