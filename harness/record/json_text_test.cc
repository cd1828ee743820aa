// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "harness/base/random.h"

namespace harness {
namespace {

std::string Text(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

std::string Number(double value) {
  std::string out;
  AppendJsonNumber(value, out);
  return out;
}

TEST(JsonText, Escapes) {
  EXPECT_EQ(Text("plain é 😀"), "\"plain é 😀\"");
  EXPECT_EQ(Text("a\"b\\c\n\t"), R"("a\"b\\c\n\u0009")");
  EXPECT_EQ(Text(std::string_view("\0\x7f", 2)), R"("\u0000\u007f")");
}

TEST(JsonText, InvalidUtf8BecomesReplacementCharacters) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(Text("\xff"), "\"" + r + "\"");
  EXPECT_EQ(Text("\xc3"), "\"" + r + "\"");                          // cut off
  EXPECT_EQ(Text("\xc0\xaf"), "\"" + r + r + "\"");                  // overlong
  EXPECT_EQ(Text("\xed\xa0\x80"), "\"" + r + r + r + "\"");          // surrogate
  EXPECT_EQ(Text("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");  // beyond U+10FFFF
  EXPECT_EQ(Text("\xe0\x9f\xbfz"), "\"" + r + r + r + "z\"");
}

// An independent parser must accept whatever bytes come, and read valid text back unchanged.
TEST(JsonText, AnyBytesAreAcceptedByAParser) {
  Random random(4);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(static_cast<std::size_t>(random.UniformInt(0, 40)), '\0');
    for (char& c : bytes) c = static_cast<char>(random.UniformInt(0, 255));
    const auto parsed = nlohmann::json::parse(Text(bytes), nullptr, false);
    ASSERT_TRUE(parsed.is_string()) << round;
    const std::string again = parsed.get<std::string>();
    EXPECT_EQ(nlohmann::json::parse(Text(again)).get<std::string>(), again);
  }
}

TEST(JsonText, NumbersReadBackExactly) {
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(std::nan("")), "null");
  EXPECT_EQ(Number(std::numeric_limits<double>::infinity()), "null");
  Random random(6);
  for (int i = 0; i < 2'000; ++i) {
    const double value = random.Normal(0, 1) * std::pow(10, random.Uniform(-300, 300));
    EXPECT_EQ(nlohmann::json::parse(Number(value)).get<double>(), value);
  }
  std::string out;
  AppendJsonNumber(std::numeric_limits<std::int64_t>::min(), out);
  EXPECT_EQ(out, "-9223372036854775808");
}

}  // namespace
}  // namespace harness
