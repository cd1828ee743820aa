// SPDX-License-Identifier: EUPL-1.2
#include "harness/base/sha256.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace harness {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesEqualTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.HexDigest(), Sha256Hex("abc"));
}

TEST(Sha256, Files) {
  const auto path = std::filesystem::path(testing::TempDir()) / "sha256_test.bin";
  std::ofstream(path, std::ios::binary) << std::string(3'000'000, 'x');
  EXPECT_EQ(Sha256File(path).value(), Sha256Hex(std::string(3'000'000, 'x')));
  std::filesystem::remove(path);
  EXPECT_EQ(Sha256File(path).error().code, rocm::ErrorCode::kIo);
  EXPECT_EQ(Sha256File(testing::TempDir()).error().code, rocm::ErrorCode::kIo);
}

}  // namespace
}  // namespace harness
