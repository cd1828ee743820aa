// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/config.h"
#include "backend/error.h"

namespace rocm {

struct TokenLogprob {
  std::int32_t id = -1;
  std::string text;
  double logprob = 0.0;
};

// One step of a stream: text, and the ids that it came from. The text of a step may be empty: the
// token that ends a generation, or text held back because it may become a stop string.
struct Token {
  // The id, or the last one where the text came from several. -1 where the server gave none.
  std::int32_t id = -1;
  std::string text;
  // Reasoning, where the server separates it; `text` is then empty.
  std::string reasoning;
  // All ids known for this text. Shorter than `count` where the server showed only the last id of
  // a character made of several tokens.
  std::vector<std::int32_t> ids;
  // How many tokens were generated for this step, never guessed from the number of events: 0 where
  // the server does not say (GenerateConfig::server_chat).
  int count = 1;
  // Every id of this step is known.
  [[nodiscard]] bool complete() const { return count > 0 && static_cast<int>(ids.size()) == count; }
  // The most likely tokens, before any grammar; then the one chosen, where it is not among them.
  std::vector<TokenLogprob> top_logprobs;
};

enum class FinishReason { kStop, kLength, kStopToken, kStopString, kToolCalls };
[[nodiscard]] std::string_view ToString(FinishReason reason);

struct Usage {
  int prompt_tokens = 0;
  int cached_tokens = 0;  // of the prompt, taken from the slot's cache
  int completion_tokens = 0;
};

// The server's own figures. `predicted` excludes the first token, which belongs to the prompt
// (llama.cpp's definition): predicted_per_second = (predicted_n - 1) / predicted time.
struct Timings {
  int cache_n = 0;
  int prompt_n = 0;
  double prompt_ms = 0;
  int predicted_n = 0;
  double predicted_ms = 0;
};

// What is known once a stream has ended well.
struct Completion {
  FinishReason finish_reason = FinishReason::kStop;
  // The stop string, or the stop token's id in decimal, that ended it.
  std::string matched_stop;
  Usage usage;
  std::optional<Timings> timings;
  bool truncated = false;  // the server dropped part of the context
};

// A running generation. Move-only; used by one thread at a time, except Cancel(). Destroying it
// cancels: the connection closes, the server frees the slot and goes on.
//
//   for (const Token& token : *stream) std::cout << token.text;
//   Result<Completion> end = stream->Finish();
class TokenStream {
 public:
  class Source;  // the implementation's side
  explicit TokenStream(std::unique_ptr<Source> source);
  TokenStream(TokenStream&&) noexcept;
  TokenStream& operator=(TokenStream&&) noexcept;
  ~TokenStream();

  // Blocks until the next token; nullptr at the end, good or bad: Finish() tells which. The
  // pointer is valid until the next call.
  [[nodiscard]] const Token* Next();

  // Reads what is left and says how it ended. May be called again: same answer.
  [[nodiscard]] Result<Completion> Finish();

  // From any thread: the stream ends with kCancelled.
  void Cancel();

  // A single-pass input range.
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Token;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(TokenStream* stream) : stream_(stream), token_(stream->Next()) {}
    const Token& operator*() const { return *token_; }
    const Token* operator->() const { return token_; }
    Iterator& operator++() {
      token_ = stream_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return it.token_ == nullptr;
    }

   private:
    TokenStream* stream_ = nullptr;
    const Token* token_ = nullptr;
  };
  [[nodiscard]] Iterator begin() { return Iterator(this); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  std::unique_ptr<Source> source_;
};

// Text and end of a whole generation.
struct Generation {
  std::string text;
  std::vector<std::int32_t> ids;
  Completion completion;
};

// One label out of several, by the likelihood of its first token after the prompt.
struct Classification {
  std::int32_t token_id = -1;
  std::string text;
  double logprob = 0.0;
};

// What was asked for and what the server says it applied; -1 or empty where it does not say.
struct AppliedSettings {
  int context_per_slot = -1;
  int slots = -1;
  int gpu_layers = -1;
  std::string flash_attention;
  std::string kv_type_k;
  std::string kv_type_v;
  std::vector<std::string> devices;
};

struct ModelInfo {
  std::string architecture;
  std::string name;
  std::string quantisation;  // "Q4_K - Medium", from the file type
  std::int64_t file_bytes = 0;
  std::int64_t parameters = 0;
  int vocab_size = 0;
  int layers = 0;
  int hidden_size = 0;
  int context_length = 0;  // the model's own maximum
  double bits_per_weight = 0;
  std::string backend;       // "rocm", "cuda", …
  std::string server_build;  // "b11669-Debian"
  LoadConfig requested;
  AppliedSettings applied;
};

// Sums over the model's life, except where it says last.
struct ModelMetrics {
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  std::chrono::nanoseconds prefill_duration{0};
  std::chrono::nanoseconds decode_duration{0};
  std::chrono::nanoseconds total_duration{0};
  double last_prefill_tokens_per_second = 0;
  double last_decode_tokens_per_second = 0;
  std::chrono::nanoseconds load_duration{0};
  std::int64_t peak_memory_bytes = 0;  // of the server process on its device, else its RSS
  std::int64_t active_memory_bytes = 0;
  int restarts = 0;
};

// A loaded model. Thread-safe: any number of threads may generate at once.
class TextModel {
 public:
  virtual ~TextModel() = default;
  TextModel() = default;
  TextModel(const TextModel&) = delete;
  TextModel& operator=(const TextModel&) = delete;

  [[nodiscard]] virtual Result<TokenStream> Generate(std::string_view prompt,
                                                     const GenerateConfig& config = {}) = 0;
  [[nodiscard]] virtual Result<TokenStream> Chat(std::span<const Message> messages,
                                                 const GenerateConfig& config = {}) = 0;
  // The most likely next token of each prompt. Results are in the order of the prompts.
  [[nodiscard]] virtual std::vector<Result<Classification>> Classify(
      std::span<const std::string> prompts, const GenerateConfig& config = {}) = 0;
  // Runs as many at once as there are slots. Results are in the order of the prompts.
  [[nodiscard]] virtual std::vector<Result<Generation>> BatchGenerate(
      std::span<const std::string> prompts, const GenerateConfig& config = {}) = 0;

  // The architecture in the GGUF metadata: "gemma3", "qwen2", "llama".
  [[nodiscard]] virtual std::string ModelType() const = 0;
  [[nodiscard]] virtual ModelInfo Info() const = 0;
  // Views over the calls so far; for decisions about one call use what that call returned.
  [[nodiscard]] virtual ModelMetrics Metrics() const = 0;
  [[nodiscard]] virtual std::optional<Error> Err() const = 0;
  // False from the moment the server process ended.
  [[nodiscard]] virtual bool Alive() const = 0;

  // Ends running streams with kClosed, stops the server and waits until it is gone. Idempotent.
  // The destructor calls it.
  virtual Result<void> Close() = 0;
};

}  // namespace rocm
