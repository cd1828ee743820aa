// SPDX-License-Identifier: EUPL-1.2
// The chain vocabulary and how its tokens become text.
#include <gtest/gtest.h>

#include <set>

#include "mock_server/faults/gzip.h"
#include "mock_server/text/assembler.h"
#include "mock_server/text/vocabulary.h"

namespace mock {
namespace {

Tokens Follow(TokenId from, int count) {
  Tokens tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(from = Successor(from));
  return tokens;
}

TEST(Vocabulary, IsTheChain) {
  EXPECT_EQ(Piece(598, false), " w333");
  EXPECT_EQ(Piece(1'399, false), " w1134");
  EXPECT_EQ(Piece(kFirstEnd + 2, false), " e2");
  EXPECT_EQ(Piece(kSpace, false), " ");
  EXPECT_EQ(Piece(kBos, false), "");
  EXPECT_EQ(Piece(kBos, true), "<s>");
  EXPECT_EQ(Successor(ByteToken('o')), 598);
  EXPECT_EQ(Successor(WordToken(1'134)), WordToken(0));
  EXPECT_EQ(Follow(ByteToken('!'), 4), (Tokens{262, 263, 264, kEos}));
  EXPECT_EQ(Follow(ByteToken('?'), 14),
            (Tokens{198, 172, 229, 133, 175, 243, 162, 155, 131, 258, 262, 263, 264, kEos}));
}

TEST(Vocabulary, EveryTokenHasASuccessorAndARankForEachOther) {
  for (TokenId id = 0; id < kVocabularySize; ++id) {
    ASSERT_TRUE(IsToken(Successor(id)));
    ASSERT_EQ(Candidate(id, 0), Successor(id));
  }
  for (const TokenId id : {TokenId{114}, TokenId{598}, TokenId{3}, TokenId{1'399}}) {
    std::set<TokenId> seen;
    float last = 1.0F;
    for (int rank = 0; rank < kVocabularySize; ++rank) {
      seen.insert(Candidate(id, rank));
      EXPECT_LT(LogProbability(id, rank), last);
      last = LogProbability(id, rank);
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kVocabularySize)) << id;
  }
}

TEST(Vocabulary, TokenisesBytesSpacesAndSpecials) {
  EXPECT_EQ(Tokenise("hi", true, true), (Tokens{kBos, 107, 108}));
  EXPECT_EQ(Tokenise(" w333<s>", false, true), (Tokens{259, 122, 54, 54, 54, 1}));
  EXPECT_EQ(Tokenise("<s>", false, false), (Tokens{63, 118, 65}));
  EXPECT_EQ(Tokenise("\xE2\x96\x81x  y", false, true), (Tokens{259, 123, 259, 259, 124}));
  EXPECT_EQ(Tokenise("é", false, true), (Tokens{198, 172}));
  EXPECT_EQ(Detokenise({1, 107, 598, 599}, true), "<s>h w333 w334");
  for (const std::string text : {"plain", "two  spaces", "é€😀", "<unk> </s>", ""}) {
    EXPECT_EQ(Detokenise(Tokenise(text, false, true), true), text);
  }
}

struct Sent {
  std::vector<std::string> events;
  bool stopped = false;
};

Sent Assemble(const Tokens& tokens, std::vector<std::string> stops) {
  TextAssembler assembler(std::move(stops));
  Sent sent;
  for (const TokenId id : tokens) {
    const TextAssembler::Step step = assembler.Add(id);
    if (step.sends) sent.events.push_back(step.text);
    sent.stopped = step.stopped;
    if (step.stopped) break;
  }
  return sent;
}

TEST(Assembler, HoldsIncompleteCharacters) {
  const Sent sent = Assemble(Follow(ByteToken('?'), 11), {});
  EXPECT_EQ(sent.events, (std::vector<std::string>{"é", "€", "😀", "\xFF", " e0"}));
}

TEST(Assembler, HoldsWhatMayBecomeAStop) {
  const Sent partial = Assemble(Follow(ByteToken('o'), 5), {"335 w336 XX"});
  EXPECT_EQ(partial.events,
            (std::vector<std::string>{"", " w333 w334", "", "", " w335 w336 w337"}));
  const Sent whole = Assemble(Follow(ByteToken('o'), 9), {"335 w336 w337"});
  EXPECT_EQ(whole.events, (std::vector<std::string>{"", " w333 w334", "", "", " w"}));
  EXPECT_TRUE(whole.stopped);
  EXPECT_TRUE(Assemble({598}, {""}).stopped) << "an empty stop string stops at once";
}

TEST(Assembler, TheTextIsWhatWasSentWhateverTheStops) {
  for (const std::string stop : {"w340", "40 w", "never", " ", "w33"}) {
    TextAssembler assembler({stop});
    std::string text;
    for (const TokenId id : Follow(ByteToken('o'), 12)) {
      const TextAssembler::Step step = assembler.Add(id);
      text += step.text;
      if (step.stopped) break;
    }
    EXPECT_EQ(text, assembler.text().substr(0, text.size())) << stop;
    EXPECT_EQ(text.find(stop), std::string::npos) << stop;
  }
}

TEST(Encoding, Base64AndGzip) {
  EXPECT_EQ(FromBase64("aGVsbG8="), "hello");
  EXPECT_EQ(FromBase64("//4A/w=="), std::string("\xFF\xFE\x00\xFF", 4));
  EXPECT_EQ(FromBase64("not base64!"), "");
  const std::string packed = Gzip("hello");
  EXPECT_EQ(packed.size(), 10U + 5U + 5U + 8U);
  // CRC-32 of "hello", little-endian.
  EXPECT_EQ(packed.substr(packed.size() - 8, 4), "\x86\xA6\x10\x36");
}

}  // namespace
}  // namespace mock
