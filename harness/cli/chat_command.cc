// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/chat_command.h"

#include <unistd.h>

#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <vector>

#include "backend/backend.h"

namespace harness {
namespace {

constexpr std::size_t kMaxLineBytes = 1 << 20;

// What Ctrl-C ends: the answer of the moment, if there is one.
class CurrentAnswer {
 public:
  [[nodiscard]] std::stop_token Begin() {
    const std::lock_guard lock(mutex_);
    source_ = std::stop_source();
    return source_.get_token();
  }
  void Interrupt() {
    const std::lock_guard lock(mutex_);
    source_.request_stop();
  }

 private:
  std::mutex mutex_;
  std::stop_source source_;
};

nlohmann::ordered_json ToJson(const std::string& text, const rocm::Result<rocm::Completion>& end) {
  nlohmann::ordered_json line;
  line["role"] = "assistant";
  line["content"] = text;
  if (!end) {
    line["error"] = {{"class", rocm::ToString(end.error().code)}, {"message", end.error().message}};
    return line;
  }
  line["finish_reason"] = rocm::ToString(end->finish_reason);
  line["prompt_tokens"] = end->usage.prompt_tokens;
  line["completion_tokens"] = end->usage.completion_tokens;
  return line;
}

std::string Footer(const rocm::Completion& end) {
  std::string text = "[" + std::to_string(end.usage.completion_tokens) + " tokens";
  if (end.timings && end.timings->predicted_n > 1 && end.timings->predicted_ms > 0) {
    const double rate = (end.timings->predicted_n - 1) / end.timings->predicted_ms * 1e3;
    text += ", " + std::to_string(static_cast<int>(rate + 0.5)) + " tok/s";
  }
  return text + ", " + std::string(rocm::ToString(end.finish_reason)) + "]";
}

class Conversation {
 public:
  Conversation(const ChatOptions& options, std::istream& in, std::ostream& out, std::ostream& err)
      : options_(options), in_(in), out_(out), err_(err) {
    terminal_ = &in == &std::cin && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  }

  ExitCode Run() {
    const auto backend = rocm::GetBackend(options_.backend);
    if (backend == nullptr) {
      err_ << "chat: there is no backend '" << options_.backend << "'\n";
      return ExitCode::kBadInput;
    }
    rocm::LoadConfig load = options_.load;
    load.stop = answer_.Begin();  // Ctrl-C while loading ends the load
    auto model = backend->LoadModel(options_.model, load);
    if (!model) return Report(model.error());
    if (terminal_) out_ << (*model)->ModelType() << " is ready. Ctrl-D ends.\n";
    return Converse(**model);
  }

  void Interrupt() { answer_.Interrupt(); }

 private:
  ExitCode Converse(rocm::TextModel& model) {
    std::vector<rocm::Message> messages;
    if (!options_.system.empty()) messages.push_back({"system", options_.system});
    bool failed = false;
    for (std::string line;;) {
      if (terminal_) out_ << "> " << std::flush;
      if (!std::getline(in_, line)) break;
      if (line.empty()) continue;
      if (line.size() > kMaxLineBytes) {
        err_ << "chat: a message of " << line.size() << " bytes is too long\n";
        continue;
      }
      messages.push_back({"user", line});
      std::string text;
      const auto end = Answer(model, messages, text);
      failed = !end && end.error().code != rocm::ErrorCode::kCancelled;
      if (!model.Alive()) break;
      // What was said stays said, also when it was cut short; an answer that failed does not.
      if (failed) {
        messages.pop_back();
      } else {
        messages.push_back({"assistant", text});
      }
    }
    if (terminal_) out_ << '\n';
    return failed ? ExitCode::kBackendFailed : ExitCode::kPass;
  }

  rocm::Result<rocm::Completion> Answer(rocm::TextModel& model,
                                        const std::vector<rocm::Message>& messages,
                                        std::string& text) {
    rocm::GenerateConfig config = options_.generate;
    config.cancel = answer_.Begin();
    auto stream = model.Chat(messages, config);
    rocm::Result<rocm::Completion> end = rocm::Completion{};
    if (stream) {
      for (const rocm::Token& token : *stream) {
        text += token.text;
        if (!options_.json) out_ << token.reasoning << token.text << std::flush;
      }
      end = stream->Finish();
    } else {
      end = rocm::Fail(stream.error());
    }
    Conclude(text, end);
    return end;
  }

  void Conclude(const std::string& text, const rocm::Result<rocm::Completion>& end) {
    if (options_.json) {
      // Text of a model may be cut in the middle of a character.
      out_ << ToJson(text, end).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
           << '\n'
           << std::flush;
      return;
    }
    out_ << '\n';
    if (end) {
      if (terminal_) out_ << Footer(*end) << '\n';
    } else if (end.error().code == rocm::ErrorCode::kCancelled) {
      out_ << "[cut short]\n";
    } else {
      err_ << "chat: " << rocm::ToString(end.error()) << '\n';
    }
  }

  const ChatOptions& options_;
  std::istream& in_;
  std::ostream& out_;
  std::ostream& err_;
  CurrentAnswer answer_;
  bool terminal_ = false;
};

}  // namespace

ExitCode RunChat(const ChatOptions& options, StopSignals& signals, std::istream& in,
                 std::ostream& out, std::ostream& err) {
  Conversation conversation(options, in, out, err);
  signals.OnInterrupt([&conversation] { conversation.Interrupt(); });
  const ExitCode exit = conversation.Run();
  signals.OnInterrupt({});
  return exit;
}

}  // namespace harness
