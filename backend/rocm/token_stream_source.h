// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backend/config.h"
#include "backend/http/blocking_stream.h"
#include "backend/model.h"
#include "backend/rocm/model_core.h"

namespace rocm {

// `text`, which ends before the first of the `stops`, without the part that a stop token gave it.
// `piece`: that token, detokenised; of a token that is but part of a character, a replacement
// character.
[[nodiscard]] std::string WithoutStopToken(const std::string& text,
                                           const Result<std::string>& piece,
                                           const std::vector<std::string>& stops);

// The implementation of TokenStream: one BlockingStream, watched for stop tokens, its failure
// joined with the fate of the server process. One thread at a time, except Cancel().
class TokenStream::Source {
 public:
  Source(std::shared_ptr<ModelCore> core, std::shared_ptr<llama_server::Server> server,
         http::StreamRequest request, const GenerateConfig& config);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] const Token* Next();
  [[nodiscard]] Result<Completion> Finish();
  void Cancel() { stream_.Cancel(ErrorCode::kCancelled); }

 private:
  // False when nothing of the delta is to be handed out.
  bool TakeDelta(const wire::CompletionDelta& delta);
  void StopAtToken(const wire::CompletionDelta& delta, std::size_t position);
  void Conclude();
  [[nodiscard]] Error Explain(Error error) const;

  std::shared_ptr<ModelCore> core_;
  std::shared_ptr<llama_server::Server> server_;
  std::vector<std::int32_t> stop_tokens_;
  std::vector<std::string> stops_;  // for which the server holds text back
  std::stop_token cancel_;
  http::BlockingStream stream_;
  bool registered_ = false;
  std::optional<std::stop_callback<std::function<void()>>> on_cancel_;
  Token token_;
  int generated_ = 0;
  std::optional<std::int32_t> matched_token_;
  std::optional<Result<Completion>> result_;
};

}  // namespace rocm
