// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/line_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace rocm::process {
namespace {

using testing::ElementsAre;

std::vector<std::string> Split(std::string_view text, std::size_t max, std::size_t step) {
  LineSplitter splitter(max);
  std::vector<std::string> lines;
  const auto sink = [&](std::string_view line) { lines.emplace_back(line); };
  while (!text.empty()) {
    splitter.Feed(text.substr(0, step), sink);
    text.remove_prefix(std::min(step, text.size()));
  }
  splitter.Flush(sink);
  return lines;
}

TEST(LineSplitterTest, SplitsTheSameWhereverTheBytesAreCut) {
  const std::string text = "one\r\n\ntw\xC3\xA9o\n\x1b[31mred\x1b[0m\nlast";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    EXPECT_THAT(Split(text, 100, step), ElementsAre("one", "", "tw\xC3\xA9o", "red", "last"));
  }
}

TEST(LineSplitterTest, CutsLongLinesAndSaysSo) {
  for (const std::size_t step : {1, 3, 100}) {
    EXPECT_THAT(Split("0123456789\n01234\nx\n", 5, step),
                ElementsAre("01234 [5 more bytes]", "01234", "x"));
  }
}

TEST(LineSplitterTest, DeliversNothingForNothing) {
  EXPECT_TRUE(Split("", 10, 1).empty());
  EXPECT_THAT(Split("\n", 10, 1), ElementsAre(""));
}

TEST(CleanLineTest, LeavesGoodTextAlone) {
  EXPECT_EQ(CleanLine("plain \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "plain \xE2\x82\xAC \xF0\x9F\x98\x80");
}

TEST(CleanLineTest, RemovesEscapesAndControls) {
  EXPECT_EQ(CleanLine("a\tb\x07"), "a b");
  EXPECT_EQ(CleanLine("\x1b]0;title\x07text"), "text");
  EXPECT_EQ(CleanLine("\x1b]0;title\x1b\\text"), "text");
  EXPECT_EQ(CleanLine("text\x1b["), "text");
  EXPECT_EQ(CleanLine(std::string_view("a\0b", 3)), "a b");
  EXPECT_EQ(CleanLine("x \r"), "x");
}

TEST(CleanLineTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(CleanLine("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(CleanLine("\xC3"), "\xEF\xBF\xBD");
  EXPECT_EQ(CleanLine("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
  EXPECT_EQ(CleanLine("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  EXPECT_EQ(CleanLine("\xF4\x90\x80\x80").size(), 12u);                          // too large
}

TEST(CleanLineTest, CleansAnyBytes) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string raw(random() % 40, '\0');
    for (char& c : raw) c = static_cast<char>(random());
    const std::string clean = CleanLine(raw);
    EXPECT_EQ(CleanLine(clean), clean);
    for (const char c : clean) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  }
}

}  // namespace
}  // namespace rocm::process
