// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/stream_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace mock {
namespace {

constexpr std::string_view kData = "data: ";
constexpr std::int64_t kMaxDepth = 10'000'000;

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// {"a":1,…} over two data lines, which a client joins with a line feed.
void SplitData(std::string& events) {
  for (std::size_t at = events.find("data: {"); at != std::string::npos;
       at = events.find("data: {", at + 1)) {
    const std::size_t brace = at + kData.size();
    events.insert(brace + 1, "\ndata: ");
  }
}

std::string PrefixEach(std::string_view events, std::string_view prefix) {
  std::string out;
  while (!events.empty()) {
    const std::size_t end = std::min(events.find("\n\n"), events.size() - 2) + 2;
    out += prefix;
    out += events.substr(0, end);
    events.remove_prefix(end);
  }
  return out;
}

}  // namespace

Faults StreamFaults::Due(int after, int last) const {
  Faults due;
  std::copy_if(faults_.begin(), faults_.end(), std::back_inserter(due), [=](const Fault& fault) {
    const std::int64_t token = fault.Int("token", fault.place() == FaultPlace::kProcess ? 0 : 1);
    return token > after && token <= last;
  });
  return due;
}

std::string StreamFaults::Frame(std::string_view events) {
  std::string text(events);
  if (Find("multi-line") != nullptr) SplitData(text);
  if (const Fault* comments = Find("comments")) {
    text = PrefixEach(text, fmt::format(": {}\n", comments->Text("text", "a comment")));
  }
  if (const Fault* fields = Find("fields")) {
    std::string lines;
    if (fields->Has("event")) lines += "event: " + fields->Text("event", "") + "\n";
    if (fields->Has("id")) lines += "id: " + fields->Text("id", "") + "\n";
    if (fields->Has("retry")) lines += fmt::format("retry: {}\n", fields->Int("retry", 0));
    text = PrefixEach(text, lines);
  }
  if (const Fault* newlines = Find("newlines")) {
    ReplaceAll(text, "\n", newlines->Text("style", "crlf") == "cr" ? "\r" : "\r\n");
  }
  if (Find("bom") != nullptr && !framed_) text.insert(0, "\xEF\xBB\xBF");
  framed_ = true;
  return text;
}

std::string StreamFaults::EditUsage(const std::string& events) const {
  const Fault* fault = Find("usage");
  if (fault == nullptr) return events;
  const bool missing = fault->Text("mode", "missing") == "missing";
  std::string out;
  std::string_view rest = events;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\n\n");
    Json event = Json::parse(rest.substr(kData.size(), end - kData.size()));
    rest.remove_prefix(end + 2);
    if (missing) {
      for (const char* key : {"usage", "timings", "tokens_predicted", "tokens_evaluated"}) {
        event.erase(key);
      }
    } else {
      if (event.contains("usage")) event["usage"]["completion_tokens"] = 1'000'000;
      if (event.contains("timings")) event["timings"]["predicted_n"] = 1'000'000;
      if (event.contains("tokens_predicted")) event["tokens_predicted"] = 1'000'000;
    }
    // An event that had nothing but the usage is left out with it.
    if (missing && event.contains("choices") && event["choices"].empty()) continue;
    out += fmt::format("data: {}\n\n", Dump(event));
  }
  return out;
}

TokenEvent StreamFaults::Corrupt(TokenEvent event) const {
  const Fault* fault = Find("wrong-token");
  if (fault == nullptr || event.tokens.empty()) return event;
  const auto first = event.decoded - static_cast<int>(event.tokens.size());
  const std::int64_t from = fault->Int("token", 1);
  const std::int64_t count = fault->Int("tokens", 1);
  bool any = false;
  for (std::size_t i = 0; i < event.tokens.size(); ++i) {
    const std::int64_t token = first + static_cast<std::int64_t>(i) + 1;
    if (token < from || (count >= 0 && token >= from + count)) continue;
    GeneratedToken& wrong = event.tokens[i];
    const auto id = fault->Int("id", WordToken(wrong.id + 7));
    wrong.id = IsToken(id) ? static_cast<TokenId>(id) : kFirstWord;
    wrong.text = fault->Text("text", Piece(wrong.id, false));
    any = true;
  }
  if (!any) return event;
  event.text.clear();
  for (const GeneratedToken& each : event.tokens) event.text += each.text;
  return event;
}

std::string InjectedEvent(const Fault& fault) {
  if (fault.Is("deep-json")) {
    const auto depth = static_cast<std::size_t>(
        std::clamp<std::int64_t>(fault.Int("depth", 1'000'000), 1, kMaxDepth));
    return "data: " + std::string(depth, '[') + std::string(depth, ']') + "\n\n";
  }
  if (fault.Is("invalid-json")) return "data: {\"content\":\" w333\n\n";
  if (fault.Is("invalid-utf8")) {
    return "data: {\"index\":0,\"content\":\"\xC3\x28 \xFF\xFE "
           "\xED\xA0\x80\",\"tokens\":[],\"stop\":false}\n\n";
  }
  return {};
}

}  // namespace mock
