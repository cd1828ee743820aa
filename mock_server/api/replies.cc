// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/api/replies.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace mock {
namespace {

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

// Nearly all texts are plain; the others take the slow road through the JSON library.
std::string Quoted(std::string_view text) {
  if (IsPlain(text)) return fmt::format(FMT_COMPILE("\"{}\""), text);
  return Dump(Json(text));
}

Json Bytes(std::string_view text) {
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Json Probability(TokenId id, std::string_view text, const char* name, float value) {
  return Json{{"id", id},
              {"token", std::string(text)},
              {"bytes", Bytes(text)},
              {name, static_cast<double>(value)}};
}

// What sampling leaves of a candidate: min-p removes all but the first at the usual settings.
float SampledProbability(TokenId after, int rank, const GenerationParams& params) {
  if (rank == 0) return 1.0F;
  if (params.temperature <= 0.0) return 0.0F;
  return std::exp(LogProbability(after, rank) / static_cast<float>(params.temperature));
}

Json Probabilities(const std::vector<GeneratedToken>& tokens, const GenerationParams& params) {
  const bool sampled = params.post_sampling_probs;
  const char* value_name = sampled ? "prob" : "logprob";
  const char* list_name = sampled ? "top_probs" : "top_logprobs";
  const int count = std::min<int>(params.n_probs, kVocabularySize);
  Json list = Json::array();
  for (const GeneratedToken& token : tokens) {
    const bool expected = token.id == Successor(token.after);
    const float own = expected ? (sampled ? 1.0F : 0.0F) : (sampled ? 1.0F : -60.0F);
    Json entry = Probability(token.id, token.text, value_name, own);
    Json top = Json::array();
    for (int rank = 0; rank < count; ++rank) {
      const TokenId id = Candidate(token.after, rank);
      const float value = sampled ? SampledProbability(token.after, rank, params)
                                  : LogProbability(token.after, rank);
      if (sampled && rank > 0 && static_cast<double>(value) < std::max(params.min_p, 1e-12)) break;
      top.push_back(Probability(id, Piece(id, false), value_name, value));
    }
    entry[list_name] = std::move(top);
    list.push_back(std::move(entry));
  }
  return list;
}

std::vector<GeneratedToken> Shown(const TokenEvent& event) {
  return {event.tokens.begin(), event.tokens.begin() + static_cast<std::ptrdiff_t>(event.shown)};
}

std::string TokenList(const TokenEvent& event) {
  std::string list;
  for (std::size_t i = 0; i < event.shown; ++i) {
    fmt::format_to(std::back_inserter(list), "{}{}", i == 0 ? "" : ",", event.tokens[i].id);
  }
  return list;
}

bool CarriesTimings(const Task& task, const TokenEvent& event) {
  return event.with_stop || task.params().timings_per_token;
}

// The native object of an event, less its closing brace.
std::string NativePartial(const Task& task, const TokenEvent& event) {
  return fmt::format(
      FMT_COMPILE(
          R"({{"index":{},"content":{},"tokens":[{}],"stop":false,"id_slot":-1,"tokens_predicted":{},"tokens_evaluated":{})"),
      task.index(), Quoted(event.text), TokenList(event), event.decoded, task.prompt().size());
}

std::string CompletionTail(const ReplyContext& context, std::int64_t created) {
  return fmt::format(
      FMT_COMPILE(
          R"("created":{},"model":{},"system_fingerprint":{},"object":"text_completion","id":"{}")"),
      created, Quoted(context.model), Quoted(context.build), context.id);
}

std::string ChatTail(const ReplyContext& context, std::int64_t created) {
  return fmt::format(
      FMT_COMPILE(
          R"("created":{},"id":"{}","model":{},"system_fingerprint":{},"object":"chat.completion.chunk")"),
      created, context.id, Quoted(context.model), Quoted(context.build));
}

std::string ChatDelta(int index, std::string_view delta, std::string_view logprobs) {
  return fmt::format(R"({{"choices":[{{"finish_reason":null,"index":{},"delta":{}{}}}],)", index,
                     delta, logprobs);
}

constexpr std::string_view kRoleDelta = R"({"role":"assistant","content":null})";

std::string ChatPartial(const ReplyContext& context, const Task& task, const TokenEvent& event,
                        std::int64_t created) {
  const std::string tail = ChatTail(context, created);
  const bool first = event.decoded == static_cast<int>(event.tokens.size());
  std::string logprobs;
  if (task.params().n_probs > 0) {
    logprobs =
        R"(,"logprobs":)" + Dump(Json{{"content", Probabilities(Shown(event), task.params())}});
  }
  std::string last;
  if (!event.text.empty()) {
    const bool reasoning = event.decoded <= context.reasoning_tokens;
    const std::string delta = fmt::format(
        R"({{"{}":{}}})", reasoning ? "reasoning_content" : "content", Quoted(event.text));
    last = ChatDelta(task.index(), delta, logprobs) + tail;
  }
  std::string timings;
  if (CarriesTimings(task, event)) timings = ",\"timings\":" + Dump(TimingsJson(task.timings()));
  std::string out;
  if (first && event.sends) {
    const bool alone = last.empty();
    out =
        SseEvent(fmt::format("{}{}{}}}", ChatDelta(task.index(), kRoleDelta, alone ? logprobs : ""),
                             tail, alone ? timings : ""));
  }
  if (!last.empty()) out += SseEvent(fmt::format("{}{}}}", last, timings));
  return out;
}

Json UsageJson(const Task& task) {
  const int completion = task.generation().decoded();
  const int prompt = static_cast<int>(task.prompt().size());
  return Json{{"completion_tokens", completion},
              {"prompt_tokens", prompt},
              {"total_tokens", completion + prompt},
              {"prompt_tokens_details", {{"cached_tokens", task.cached()}}}};
}

const char* StopName(StopType stop) {
  switch (stop) {
    case StopType::kNone: return "none";
    case StopType::kEosToken: return "eos";
    case StopType::kWord: return "word";
    case StopType::kLimit: return "limit";
  }
  return "none";
}

Json NativeFinal(const ReplyContext& context, const Task& task, std::string content,
                 const Tokens& ids) {
  const Generation& generation = task.generation();
  return Json{{"index", task.index()},
              {"content", std::move(content)},
              {"tokens", ids},
              {"id_slot", task.slot()},
              {"stop", true},
              {"model", context.model},
              {"tokens_predicted", generation.decoded()},
              {"tokens_evaluated", task.prompt().size()},
              {"generation_settings", task.params().settings},
              {"prompt", Detokenise(task.prompt(), true)},
              {"has_new_line", generation.text().has_new_line()},
              {"truncated", generation.truncated()},
              {"stop_type", StopName(generation.stop())},
              {"stopping_word", generation.text().stopping_word()},
              {"tokens_cached", task.tokens_in_slot()},
              {"timings", TimingsJson(task.timings())}};
}

std::string ChatFinal(const ReplyContext& context, const Task& task, std::int64_t created) {
  const std::string timings = ",\"timings\":" + Dump(TimingsJson(task.timings()));
  std::string verbose;
  if (task.params().verbose) {
    verbose = ",\"__verbose\":" + Dump(NativeFinal(context, task, "", {}));
  }
  const std::string tail = ChatTail(context, created);
  std::string finish =
      fmt::format(R"({{"choices":[{{"finish_reason":"{}","index":{},"delta":{{}}}}],{})",
                  FinishReason(task), task.index(), tail);
  if (!task.params().include_usage) {
    return SseEvent(fmt::format("{}{}{}}}", finish, timings, verbose));
  }
  return SseEvent(finish + "}") +
         SseEvent(fmt::format(R"({{"choices":[],{},"usage":{}{}{}}})", tail, Dump(UsageJson(task)),
                              timings, verbose));
}

Tokens Ids(const std::vector<GeneratedToken>& tokens) {
  Tokens ids;
  for (const GeneratedToken& token : tokens) ids.push_back(token.id);
  return ids;
}

// A stop string that ended the answer takes its tokens' probabilities with it.
Json ChoiceProbabilities(const FinishedChoice& choice) {
  const Task& task = *choice.task;
  if (task.params().n_probs <= 0) return Json::array();
  std::vector<GeneratedToken> tokens = choice.shown;
  if (task.generation().stop() == StopType::kWord) {
    const Tokens stop = Tokenise(task.generation().text().stopping_word(), false, true);
    tokens.resize(tokens.size() - std::min(tokens.size(), stop.size()));
  }
  return Probabilities(tokens, task.params());
}

Json ChoiceJson(const ReplyContext& context, const FinishedChoice& choice) {
  const Task& task = *choice.task;
  const Json probabilities = ChoiceProbabilities(choice);
  const Json logprobs = probabilities.empty() ? Json() : Json{{"content", probabilities}};
  if (context.api == Api::kCompletion) {
    return Json{{"text", task.generation().text().text()},
                {"index", task.index()},
                {"logprobs", logprobs},
                {"finish_reason", FinishReason(task)}};
  }
  std::string reasoning;
  std::string content = context.prefill;
  for (std::size_t i = 0; i < choice.shown.size() && context.reasoning_tokens > 0; ++i) {
    if (static_cast<int>(i) < context.reasoning_tokens) reasoning += choice.shown[i].text;
  }
  content += task.generation().text().text().substr(reasoning.size());
  Json message{{"role", "assistant"}, {"content", std::move(content)}};
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  Json json{{"finish_reason", FinishReason(task)},
            {"index", task.index()},
            {"message", std::move(message)}};
  if (!logprobs.is_null()) json["logprobs"] = logprobs;
  return json;
}

Json NativeChoice(const ReplyContext& context, const FinishedChoice& choice) {
  const Task& task = *choice.task;
  Json json = NativeFinal(context, task, task.generation().text().text(),
                          task.params().return_tokens ? Ids(choice.tokens) : Tokens());
  Json probabilities = ChoiceProbabilities(choice);
  if (!probabilities.empty()) json["completion_probabilities"] = std::move(probabilities);
  if (task.params().response_fields.empty()) return json;
  Json picked = Json::object();
  for (const std::string& field : task.params().response_fields) {
    const Json::json_pointer pointer("/" + field);
    if (json.contains(pointer)) picked[field] = json[pointer];
  }
  return picked;
}

}  // namespace

std::string SseEvent(std::string_view data) {
  return fmt::format(FMT_COMPILE("data: {}\n\n"), data);
}

bool EndsWithDone(Api api) { return api != Api::kNative; }

const char* FinishReason(const Task& task) {
  const StopType stop = task.generation().stop();
  return stop == StopType::kEosToken || stop == StopType::kWord ? "stop" : "length";
}

Json TimingsJson(const Timings& t) {
  const double decoded = t.predicted_n - 1;
  return Json{{"cache_n", t.cache_n},
              {"prompt_n", t.prompt_n},
              {"prompt_ms", t.prompt_ms},
              {"prompt_per_token_ms", t.prompt_ms / t.prompt_n},
              {"prompt_per_second", 1e3 / t.prompt_ms * t.prompt_n},
              {"predicted_n", t.predicted_n},
              {"predicted_ms", t.predicted_ms},
              {"predicted_per_token_ms", decoded > 0 ? t.predicted_ms / decoded : 0.0},
              {"predicted_per_second", decoded > 0 ? 1e3 / t.predicted_ms * decoded : 0.0}};
}

std::string PartialEvent(const ReplyContext& context, const Task& task, const TokenEvent& event,
                         std::int64_t created) {
  if (!event.sends) return {};
  if (context.api == Api::kChat) return ChatPartial(context, task, event, created);
  const bool probabilities = task.params().n_probs > 0;
  std::string timings;
  if (CarriesTimings(task, event)) timings = ",\"timings\":" + Dump(TimingsJson(task.timings()));
  if (context.api == Api::kNative) {
    std::string out = NativePartial(task, event) + timings;
    if (probabilities) {
      out += ",\"completion_probabilities\":" + Dump(Probabilities(Shown(event), task.params()));
    }
    return SseEvent(out + "}");
  }
  const std::string logprobs =
      probabilities ? Dump(Json{{"content", Probabilities(Shown(event), task.params())}}) : "null";
  std::string verbose;
  if (task.params().verbose) {
    verbose = ",\"__verbose\":" + NativePartial(task, event) + timings + "}";
  }
  return SseEvent(fmt::format(
      R"({{"choices":[{{"text":{},"index":{},"logprobs":{},"finish_reason":null}}],{}{}{}}})",
      Quoted(event.text), task.index(), logprobs, CompletionTail(context, created), verbose,
      timings));
}

std::string RoleEvent(const ReplyContext& context, int index, std::int64_t created) {
  return SseEvent(ChatDelta(index, kRoleDelta, "") + ChatTail(context, created) + "}");
}

std::string ProgressEvent(const ReplyContext& context, const Task& task, int processed,
                          Ns scheduled, std::int64_t created) {
  const std::string progress = fmt::format(
      R"("prompt_progress":{{"total":{},"cache":{},"processed":{},"time_ms":{}}})",
      task.prompt().size(), task.cached(), processed, (scheduled - task.started()) / kMillisecond);
  if (context.api == Api::kChat) {
    return SseEvent(fmt::format("{}{},{}}}", ChatDelta(task.index(), kRoleDelta, ""),
                                ChatTail(context, created), progress));
  }
  if (context.api == Api::kCompletion) {
    return SseEvent(fmt::format(
        R"({{"choices":[{{"text":"","index":{},"logprobs":null,"finish_reason":null}}],{},{}}})",
        task.index(), CompletionTail(context, created), progress));
  }
  // The token of a progress event is not a token; llama-server sends it all the same.
  return SseEvent(fmt::format(
      R"({{"index":{},"content":"","tokens":[0],"stop":false,"id_slot":-1,"tokens_predicted":0,"tokens_evaluated":{},{}}})",
      task.index(), task.prompt().size(), progress));
}

std::string FinalEvent(const ReplyContext& context, const Task& task, std::int64_t created) {
  if (context.api == Api::kNative) return SseEvent(Dump(NativeFinal(context, task, "", {})));
  if (context.api == Api::kChat) return ChatFinal(context, task, created);
  std::string verbose;
  if (task.params().verbose) {
    verbose = ",\"__verbose\":" + Dump(NativeFinal(context, task, "", {}));
  }
  return SseEvent(fmt::format(
      R"({{"choices":[{{"text":"","index":{},"logprobs":null,"finish_reason":"{}"}}],"created":{},"model":{},"system_fingerprint":{},"object":"text_completion","usage":{},"id":"{}"{},"timings":{}}})",
      task.index(), FinishReason(task), created, Quoted(context.model), Quoted(context.build),
      Dump(UsageJson(task)), context.id, verbose, Dump(TimingsJson(task.timings()))));
}

std::string WholeAnswer(const ReplyContext& context, const std::vector<FinishedChoice>& choices,
                        bool list, std::int64_t created) {
  if (context.api == Api::kNative) {
    Json array = Json::array();
    for (const FinishedChoice& choice : choices) array.push_back(NativeChoice(context, choice));
    return Dump(list ? array : array.front());
  }
  Json shown = Json::array();
  for (const FinishedChoice& choice : choices) shown.push_back(ChoiceJson(context, choice));
  const Task& first = *choices.front().task;
  const bool chat = context.api == Api::kChat;
  Json answer{{"choices", std::move(shown)},
              {"created", created},
              {"model", context.model},
              {"system_fingerprint", context.build},
              {"object", chat ? "chat.completion" : "text_completion"},
              {"usage", UsageJson(first)},
              {"id", context.id}};
  if (first.params().verbose) {
    answer["__verbose"] = NativeFinal(context, first, first.generation().text().text(), {});
  }
  answer["timings"] = TimingsJson(first.timings());
  return Dump(answer);
}

}  // namespace mock
