// SPDX-License-Identifier: EUPL-1.2
#include "backend/rocm/token_stream_source.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string_view>

#include "backend/http/control_client.h"
#include "backend/wire/completion_request.h"
#include "backend/wire/control_reply.h"

namespace rocm {
namespace {

// A broken connection is seen before the process's death is: how long the death may take to show.
constexpr std::chrono::milliseconds kDeathNotice{250};

// Whether the server process may be the cause.
bool MayBeDeath(ErrorCode code) {
  switch (code) {
    case ErrorCode::kConnectionRefused:
    case ErrorCode::kConnectionReset:
    case ErrorCode::kTruncated:
    case ErrorCode::kProtocol: return true;
    default: return false;
  }
}

}  // namespace

std::string WithoutStopToken(const std::string& text, const Result<std::string>& piece,
                             const std::vector<std::string>& stops) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  // Better to lose text than to deliver what the caller asked not to see.
  if (!piece || piece->find(kReplacement) != std::string::npos) return {};
  std::string own = *piece;
  for (const std::string& stop : stops) own.resize(std::min(own.find(stop), own.size()));
  // The server gives text whole or not at all: a token that the text does not end in, one that ends
  // the generation, added nothing to it.
  if (!text.ends_with(own)) return text;
  return text.substr(0, text.size() - own.size());
}

TokenStream::Source::Source(std::shared_ptr<ModelCore> core,
                            std::shared_ptr<llama_server::Server> server,
                            http::StreamRequest request, const GenerateConfig& config)
    : core_(std::move(core)),
      server_(std::move(server)),
      stop_tokens_(config.stop_tokens),
      stops_(config.stop),
      cancel_(config.cancel),
      stream_(server_->endpoint(), std::move(request)) {
  registered_ = core_->streams.Add(&stream_);
  if (!registered_) stream_.Cancel(ErrorCode::kClosed);
  if (cancel_.stop_possible()) on_cancel_.emplace(cancel_, [this] { Cancel(); });
}

TokenStream::Source::~Source() {
  on_cancel_.reset();
  if (registered_) core_->streams.Remove(&stream_);
}

const Token* TokenStream::Source::Next() {
  if (result_) return nullptr;
  while (const http::StreamEvent* event = stream_.Next()) {
    if (TakeDelta(event->delta)) return &token_;
    if (matched_token_) break;
  }
  Conclude();
  return nullptr;
}

Result<Completion> TokenStream::Source::Finish() {
  while (Next() != nullptr) {
  }
  return *result_;
}

bool TokenStream::Source::TakeDelta(const wire::CompletionDelta& delta) {
  generated_ += std::max(delta.count, 0);
  if (!delta.has_content() && delta.ids.empty() && delta.count <= 0) return false;
  const auto stop = std::find_first_of(delta.ids.begin(), delta.ids.end(), stop_tokens_.begin(),
                                       stop_tokens_.end());
  token_.ids.assign(delta.ids.begin(), stop);
  token_.id = token_.ids.empty() ? -1 : token_.ids.back();
  token_.text = delta.text;
  token_.reasoning = delta.reasoning;
  token_.count = std::max(delta.count, 0);
  token_.top_logprobs = delta.top_logprobs;
  if (stop == delta.ids.end()) return true;
  StopAtToken(delta, static_cast<std::size_t>(stop - delta.ids.begin()));
  return !token_.text.empty() || !token_.ids.empty();
}

// The connection closes at once: the server must not go on generating. The stop token's own text
// goes; text of earlier tokens that arrived with it, held back for a stop string, stays.
void TokenStream::Source::StopAtToken(const wire::CompletionDelta& delta, std::size_t position) {
  matched_token_ = delta.ids[position];
  stream_.Cancel(ErrorCode::kCancelled);
  token_.count = static_cast<int>(token_.ids.size());
  token_.text.clear();
  if (stops_.empty() || delta.text.empty()) return;
  const std::int32_t id = *matched_token_;
  const http::ControlClient client(server_->endpoint());
  const auto reply = client.PostOk("/detokenize", wire::BuildDetokenize({&id, 1}));
  const auto piece = reply ? wire::ParseDetokenized(reply->body) : Fail(reply.error());
  token_.text = WithoutStopToken(delta.text, piece, stops_);
}

void TokenStream::Source::Conclude() {
  if (result_) return;
  const http::StreamEnd& end = stream_.End();
  if (registered_) {
    core_->streams.Remove(&stream_);
    registered_ = false;
  }
  if (end.error && !matched_token_) {
    result_ = Fail(Explain(*end.error));
    core_->calls.Failed(result_->error());
    return;
  }
  Completion completion = end.completion;
  if (matched_token_) {
    completion.finish_reason = FinishReason::kStopToken;
    completion.matched_stop = std::to_string(*matched_token_);
    completion.usage.completion_tokens = generated_;
  }
  core_->calls.Succeeded(completion, end.times);
  result_ = std::move(completion);
}

Error TokenStream::Source::Explain(Error error) const {
  if (!MayBeDeath(error.code)) return error;
  return server_->Explain(std::move(error), kDeathNotice);
}

TokenStream::TokenStream(std::unique_ptr<Source> source) : source_(std::move(source)) {}
TokenStream::TokenStream(TokenStream&&) noexcept = default;
TokenStream& TokenStream::operator=(TokenStream&&) noexcept = default;
TokenStream::~TokenStream() = default;
const Token* TokenStream::Next() { return source_->Next(); }
Result<Completion> TokenStream::Finish() { return source_->Finish(); }
void TokenStream::Cancel() { source_->Cancel(); }

}  // namespace rocm
