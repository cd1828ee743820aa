// SPDX-License-Identifier: EUPL-1.2
#include "harness/base/wall_clock.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "harness/base/unique_id.h"

namespace harness {
namespace {

TEST(WallClock, Formats) {
  const WallTime leap{std::chrono::milliseconds{1'709'210'096'007}};
  EXPECT_EQ(FormatUtc(leap), "2024-02-29T12:34:56.007Z");
  EXPECT_EQ(FormatUtcCompact(leap), "20240229T123456Z");
  EXPECT_EQ(FormatUtc(WallTime{}), "1970-01-01T00:00:00.000Z");
}

TEST(WallClock, ParsesWhatItFormats) {
  for (const std::int64_t ms : {0LL, 1'709'210'096'007LL, 1'798'761'599'999LL, 951'782'400'000LL}) {
    const WallTime time{std::chrono::milliseconds{ms}};
    EXPECT_EQ(ParseUtc(FormatUtc(time)), time);
  }
  for (const char* bad :
       {"", "2024-02-30T00:00:00.000Z", "2024-02-29T24:00:00.000Z", "2024-02-29 12:00:00.000Z",
        "2024-02-29T12:00:00Z", "2O24-02-29T12:00:00.000Z"}) {
    EXPECT_FALSE(ParseUtc(bad)) << bad;
  }
}

TEST(UniqueId, IsHexAndDoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = UniqueId();
    EXPECT_EQ(id.size(), 16U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
}  // namespace harness
