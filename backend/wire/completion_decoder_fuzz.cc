// SPDX-License-Identifier: EUPL-1.2
// Any stream, read as each Api: never a crash, never a success beside an error, sums within reason;
// and what the quick reader takes, the parser takes for the same.
#include <cstdint>
#include <string_view>

#include "backend/base/testing/fuzzing.h"
#include "backend/wire/completion_decoder.h"
#include "backend/wire/control_reply.h"
#include "backend/wire/error_reply.h"
#include "backend/wire/json.h"
#include "backend/wire/quick_event.h"
#include "backend/wire/sse_decoder.h"

namespace {

using namespace rocm::wire;
using rocm::fuzzing::Require;

void CheckQuickReader(Api api, std::string_view json) {
  CompletionDelta quick;
  EventFields quick_fields;
  const bool taken = api == Api::kNative ? ReadQuickNative(json, quick, quick_fields)
                                         : ReadQuickOpenAi(json, quick, quick_fields);
  if (!taken) return;
  simdjson::dom::element root;
  simdjson::dom::object event;
  Require(ParseJson(json, root) == simdjson::SUCCESS);
  Require(root.get_object().get(event) == simdjson::SUCCESS);
  CompletionDelta parsed;
  EventFields fields;
  if (api == Api::kNative) {
    ReadNativeEvent(event, parsed, fields);
  } else {
    ReadOpenAiEvent(event, parsed, fields);
  }
  Require(quick.text == parsed.text && quick.reasoning == parsed.reasoning);
  Require(quick.ids == parsed.ids && quick_fields.predicted == fields.predicted);
  Require(quick_fields.prompt_tokens == fields.prompt_tokens);
  Require(quick_fields.choice == fields.choice && quick_fields.has_choice == fields.has_choice);
  Require(quick_fields.role_only == fields.role_only);
  Require(!fields.is_error && !fields.has_message && !fields.progress && !fields.native_stop);
  Require(!parsed.finish_reason && !parsed.usage && !parsed.timings && parsed.tool_call.empty());
}

void CheckError(const rocm::Error& error) {
  Require(!error.message.empty() && error.message.size() < 1000);
  for (const char c : error.message) Require(static_cast<unsigned char>(c) >= 0x20);
}

void DecodeAs(Api api, std::string_view bytes) {
  SseDecoder sse({.max_event_bytes = 1U << 20, .report_error_lines = true});
  CompletionDecoder decoder(api);
  CompletionDelta delta;
  bool error = false;
  bool end = false;
  (void)sse.Feed(bytes, [&](const SseEvent& event) {
    CheckQuickReader(api, event.data);
    decoder.Decode(event, delta);
    if (delta.error) CheckError(*delta.error);
    Require(delta.count >= -1);
    Require(delta.count < 0 || delta.ids.size() <= static_cast<std::size_t>(delta.count));
    error = error || delta.error.has_value();
    end = end || delta.end;
    return true;
  });
  Require(decoder.complete() == (end && !error));
  Require(decoder.failed() == error);
  Require(decoder.tokens() >= 0);
  const rocm::Completion completion = decoder.completion();
  Require(completion.usage.completion_tokens >= 0 && completion.usage.prompt_tokens >= 0);
  (void)decoder.token_source();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const Api api : {Api::kNative, Api::kCompletion, Api::kChat}) DecodeAs(api, bytes);
  CheckError(ErrorFromReply({.status = 500, .body = bytes}));
  CheckError(ErrorFromEvent(bytes));
  if (const auto props = ParseProps(bytes); !props) CheckError(props.error());
  if (const auto tokens = ParseTokens(bytes); !tokens) CheckError(tokens.error());
  if (const auto models = ParseModels(bytes); !models) CheckError(models.error());
  if (const auto slots = ParseSlots(bytes); !slots) CheckError(slots.error());
  return 0;
}
