// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/sse_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "backend/base/testing/soak.h"
#include "backend/wire/testing.h"

namespace rocm::wire {
namespace {

struct Seen {
  std::string data;
  std::string type;
  std::string id;
  friend bool operator==(const Seen&, const Seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << "{data " << testing::PrintToString(seen.data) << ", type " << seen.type << ", id "
               << seen.id << "}";
  }
};

struct Outcome {
  std::vector<Seen> events;
  std::int64_t retry = -1;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Decode(const std::vector<std::string_view>& pieces) {
  SseDecoder decoder;
  Outcome out;
  for (const std::string_view piece : pieces) {
    // A copy of its own: a view that outlives the call is then seen by the sanitizer.
    const std::vector<char> bytes(piece.begin(), piece.end());
    const auto status = decoder.Feed({bytes.data(), bytes.size()}, [&](const SseEvent& event) {
      out.events.push_back(
          {std::string(event.data), std::string(event.type), std::string(event.id)});
      return true;
    });
    EXPECT_EQ(status, SseDecoder::Status::kMore);
  }
  if (decoder.retry()) out.retry = decoder.retry()->count();
  return out;
}

std::vector<std::string_view> CutAt(std::string_view text, const std::vector<std::size_t>& cuts) {
  std::vector<std::string_view> pieces;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    pieces.push_back(text.substr(from, cut - from));
    from = cut;
  }
  pieces.push_back(text.substr(from));
  return pieces;
}

std::vector<std::string_view> EachByte(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

std::vector<std::string_view> RandomPieces(std::string_view text, std::mt19937& random) {
  std::vector<std::size_t> cuts;
  std::size_t at = 0;
  for (;;) {
    at += random() % 9;
    if (at >= text.size()) return CutAt(text, cuts);
    cuts.push_back(at);
  }
}

struct Fixture {
  std::string name;
  std::string input;
  Outcome expected;
};

// JSON strings of the fixtures stand for bytes, one code point a byte.
std::string Bytes(const std::string& utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    auto c = static_cast<unsigned char>(utf8[i]);
    if (c >= 0xC0) {
      c = static_cast<unsigned char>(((c & 0x03U) << 6U) |
                                     (static_cast<unsigned char>(utf8[++i]) & 0x3FU));
    }
    out.push_back(static_cast<char>(c));
  }
  return out;
}

std::vector<Fixture> LoadFixtures() {
  std::vector<Fixture> fixtures;
  for (const auto& entry : nlohmann::json::parse(ReadTestData("sse_fixtures.json"))) {
    Fixture& fixture = fixtures.emplace_back();
    fixture.name = entry["name"];
    fixture.input = Bytes(entry["input"]);
    fixture.expected.retry = entry["retry"];
    for (const auto& event : entry["events"]) {
      fixture.expected.events.push_back(
          {Bytes(event["data"]), Bytes(event["type"]), Bytes(event["id"])});
    }
  }
  return fixtures;
}

TEST(SseDecoder, AgreesWithTheOracleAtEverySplit) {
  const auto fixtures = LoadFixtures();
  ASSERT_GE(fixtures.size(), 62U);
  std::mt19937 random(1);
  for (const Fixture& fixture : fixtures) {
    SCOPED_TRACE(fixture.name);
    ASSERT_EQ(Decode({fixture.input}), fixture.expected);
    ASSERT_EQ(Decode(EachByte(fixture.input)), fixture.expected);
    for (std::size_t cut = 0; cut <= fixture.input.size(); ++cut) {
      ASSERT_EQ(Decode(CutAt(fixture.input, {cut})), fixture.expected) << "cut at " << cut;
    }
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(Decode(RandomPieces(fixture.input, random)), fixture.expected);
    }
  }
}

// The WHATWG algorithm word for word, on a whole text.
Outcome Reference(std::string_view text) {
  Outcome out;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string data;
  std::string type;
  std::string id;
  while (true) {
    const std::size_t end = text.find_first_of("\r\n");
    if (end == std::string_view::npos) return out;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    if (line.empty()) {
      if (!data.empty()) {
        data.pop_back();
        out.events.push_back({data, type, id});
      }
      data.clear();
      type.clear();
      continue;
    }
    if (line[0] == ':') continue;
    const std::size_t colon = line.find(':');
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") type = value;
    if (field == "data") data.append(value).push_back('\n');
    if (field == "id" && value.find('\0') == std::string_view::npos) id = value;
    if (field == "retry" && !value.empty() && value.size() < 10 &&
        value.find_first_not_of("0123456789") == std::string_view::npos) {
      out.retry = std::stoll(std::string(value));
    }
  }
}

TEST(SseDecoder, AgreesWithTheStandardOnRandomStreams) {
  static const std::vector<std::string> kParts = {
      "data",      "data:",        "data: ", "event: ", "id: ",
      "id",        "retry: ",      "12",     "x",       ":",
      " ",         "\n",           "\r",     "\r\n",    "\n\n",
      "\r\r",      "\xEF\xBB\xBF", "\xEF",   "é",       std::string(1, '\0'),
      "error: {}", "\r\n\r\n",     "[DONE]"};
  std::mt19937 random(7);
  const int rounds = QuickOrFull(20'000, 400'000);
  for (int round = 0; round < rounds; ++round) {
    std::string text;
    for (auto n = random() % 24; n > 0; --n) text += kParts[random() % kParts.size()];
    // The standard's last line may end in a CR whose LF never comes: both readings agree on it.
    ASSERT_EQ(Decode(RandomPieces(text, random)), Reference(text)) << testing::PrintToString(text);
  }
}

TEST(SseDecoder, StopsWhenTheSinkSaysSo) {
  SseDecoder decoder;
  int seen = 0;
  const auto status = decoder.Feed("data: a\n\ndata: b\n\ndata: c\n\n",
                                   [&](const SseEvent&) { return ++seen < 2; });
  EXPECT_EQ(status, SseDecoder::Status::kStopped);
  EXPECT_EQ(seen, 2);
}

TEST(SseDecoder, ReportsErrorLinesOnlyWhenAsked) {
  const std::string_view text = "error: {\"code\":500}\n\ndata: [DONE]\n\n";
  EXPECT_EQ(Decode({text}).events.size(), 1U);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SseDecoder decoder({.report_error_lines = true});
    std::vector<std::string> errors;
    std::vector<std::string> data;
    for (const auto piece : CutAt(text, {cut})) {
      ASSERT_EQ(decoder.Feed(piece,
                             [&](const SseEvent& event) {
                               if (!event.error.empty()) errors.emplace_back(event.error);
                               if (!event.data.empty()) data.emplace_back(event.data);
                               return true;
                             }),
                SseDecoder::Status::kMore);
    }
    EXPECT_THAT(errors, testing::ElementsAre("{\"code\":500}"));
    EXPECT_THAT(data, testing::ElementsAre("[DONE]"));
  }
}

TEST(SseDecoder, KnowsWhenItIsWithinAnEvent) {
  SseDecoder decoder;
  const auto sink = [](const SseEvent&) { return true; };
  EXPECT_FALSE(decoder.mid_event());
  (void)decoder.Feed("data: a\n\n", sink);
  EXPECT_FALSE(decoder.mid_event());
  (void)decoder.Feed("data: b\n", sink);
  EXPECT_TRUE(decoder.mid_event());
  (void)decoder.Feed("\nda", sink);
  EXPECT_TRUE(decoder.mid_event());
}

SseDecoder::Status FeedAll(SseDecoder& decoder, std::string_view text, std::size_t piece) {
  while (!text.empty()) {
    const auto status = decoder.Feed(text.substr(0, piece), [](const SseEvent&) { return true; });
    if (status != SseDecoder::Status::kMore) return status;
    text.remove_prefix(std::min(piece, text.size()));
  }
  return SseDecoder::Status::kMore;
}

TEST(SseDecoder, BoundsEveryKindOfEvent) {
  const std::string x(200, 'x');
  const std::vector<std::string> too_long = {
      "data: " + x,
      ":" + x,
      "event: " + x,
      "id: " + x,
      "foo: " + x,
      x,
      "data: " + x + "\n\n",
      ":" + x + "\n",
      "data: " + x.substr(0, 60) + "\ndata: " + x.substr(0, 60) + "\n\n"};
  for (const std::string& text : too_long) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, text.size()}) {
      SseDecoder decoder({.max_event_bytes = 100});
      EXPECT_EQ(FeedAll(decoder, text, piece), SseDecoder::Status::kLimitExceeded) << text;
      // For good.
      EXPECT_EQ(FeedAll(decoder, "\n\ndata: a\n\n", 3), SseDecoder::Status::kLimitExceeded);
    }
  }
  SseDecoder decoder({.max_event_bytes = 100});
  const std::string fits = "data: " + x.substr(0, 94) + "\n\n";
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(FeedAll(decoder, fits, 13), SseDecoder::Status::kMore);
  }
}

// Quadratic scanning would take hours here.
TEST(SseDecoder, IsLinearOnHostileLineEnds) {
  for (const std::string& unit : {std::string("\r"), std::string("data:\r"), std::string(":\r")}) {
    std::string storm;
    while (storm.size() < (4U << 20)) storm += unit;
    storm += "\n";
    SseDecoder decoder({.max_event_bytes = 8U << 20});
    EXPECT_EQ(decoder.Feed(storm, [](const SseEvent&) { return true; }), SseDecoder::Status::kMore);
  }
}

}  // namespace
}  // namespace rocm::wire
