// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/log_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rocm::process {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LogRingTest, KeepsTheLastLines) {
  LogRing ring(3, 1000);
  EXPECT_THAT(ring.Tail(5), IsEmpty());
  for (const char* line : {"a", "b", "c", "d"}) ring.Add(line);
  EXPECT_THAT(ring.Tail(5), ElementsAre("b", "c", "d"));
  EXPECT_THAT(ring.Tail(2), ElementsAre("c", "d"));
  EXPECT_THAT(ring.Tail(0), IsEmpty());
  EXPECT_EQ(ring.total(), 4u);
}

TEST(LogRingTest, IsBoundedInBytesToo) {
  LogRing ring(100, 10);
  ring.Add("12345");
  ring.Add("67890");
  ring.Add("x");
  EXPECT_THAT(ring.Tail(100), ElementsAre("67890", "x"));
  ring.Add(std::string(50, 'y'));
  EXPECT_THAT(ring.Tail(100), ElementsAre(std::string(50, 'y')));
}

}  // namespace
}  // namespace rocm::process
