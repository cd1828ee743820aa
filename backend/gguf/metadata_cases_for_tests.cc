// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/metadata_cases_for_tests.h"

#include "backend/gguf/metadata.h"

namespace rocm::gguf {
namespace {

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_0 = 2;
constexpr std::uint64_t kMinusOne = ~std::uint64_t{0};

std::string Header(std::uint32_t version) { return RawFile(version, 0, 0).bytes(); }
RawFile OneKey() { return {3, 0, 1}; }
RawFile OneTensor() { return {3, 1, 0}; }
// Enough behind a single bad description that nothing is refused for being short.
std::string Rest(RawFile file) { return file.Data(4096).bytes(); }

void AddHeaders(std::vector<MetadataCase>& cases) {
  std::string bad_magic = Header(3);
  bad_magic[3] = 'X';
  std::string swapped_magic = Header(3);
  swapped_magic.replace(0, 4, "FUGG");
  cases.insert(
      cases.end(),
      {{"EmptyFile", "", "the file is empty"},
       {"BadMagic", bad_magic, "not a GGUF file: it starts with 'GGUX'"},
       {"BinaryMagic", std::string("\x01\n\xff\x00....................", 24),
        "'\\x01\\x0a\\xff\\x00'"},
       {"ByteSwappedMagic", swapped_magic, "not a GGUF file: byte-swapped"},
       {"LfsPointer", "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
       {"WebPage", "<!DOCTYPE html><html></html>", "a web page"},
       {"OldFormat", "tjgg\x03................", "the format before GGUF"},
       {"Version0", Header(0), "version 0 does not exist"},
       {"Version1", Header(1), "version 1 is no longer supported"},
       {"VersionOfTheFuture", Header(4), "version 4 is newer"},
       {"VersionByteSwapped", Header(0x03000000), "big-endian"},
       {"TensorCountNegative", RawFile(3, kMinusOne, 0).bytes(),
        "18446744073709551615 tensors; more than"},
       {"TensorCountOverBudget", RawFile(3, kMaxTensors + 1, 0).bytes(), "262145 tensors; more"},
       {"TensorCountBeyondTheFile", RawFile(3, 1000, 0).bytes(), "0 keys and 1000 tensors are"},
       {"KeyCountNegative", RawFile(3, 0, kMinusOne).bytes(), "18446744073709551615 keys; more"},
       {"KeyCountOverBudget", RawFile(3, 0, kMaxKeys + 1).bytes(), "65537 keys; more than"},
       {"KeyCountBeyondTheFile", RawFile(3, 0, 1000).bytes(), "1000 keys and 0 tensors are"},
       {"EmptyHeader", Header(3), ""},
       {"EmptyHeaderOfVersion2", Header(2), ""}});
}

void AddKeys(std::vector<MetadataCase>& cases) {
  cases.insert(
      cases.end(),
      {{"KeyNameBeyondTheFile", Rest(OneKey().Put(std::uint64_t{60000})), "the name of key 0"},
       {"KeyNameOverBudget", Rest(OneKey().Put(kMaxKeyBytes + 1)), "has a name of 65537 bytes"},
       {"KeyNameNegative", Rest(OneKey().Put(kMinusOne)), "a name of 18446744073709551615 bytes"},
       {"KeyEmpty", Rest(OneKey().Key("", 4).Put(1u)), "key 0 has no name"},
       {"KeyTypeBad", Rest(OneKey().Key("a", 13).Put(1u)), "key 'a' has type 13, which"},
       {"KeyTypeNegative", Rest(OneKey().Key("a", ~0u).Put(1u)), "has type 4294967295, which"},
       {"KeyTwice", Rest(RawFile(3, 0, 2).Uint32Key("b", 1).Uint32Key("b", 1)), "'b' occurs twice"},
       {"KeyNameHostile", Rest(OneKey().Key("x\ny\x1b[31m\xe2\x80\xae\xff", 99).Put(1u)),
        "key 'x\\x0ay\\x1b[31m\\xe2\\x80\\xae\\xff' has type 99"},
       {"StringBeyondTheFile", Rest(OneKey().Key("s", 8).Put(std::uint64_t{99999})),
        "inside a string of key 's'"},
       {"StringOverBudget", Rest(OneKey().Key("s", 8).Put(kMaxStringBytes + 1)),
        "holds a string of 16777217 bytes"},
       {"StringNegative", Rest(OneKey().Key("s", 8).Put(kMinusOne)),
        "holds a string of 18446744073709551615 bytes"},
       {"ArrayNested", Rest(OneKey().Key("n", 9).Put(9u).Put(std::uint64_t{1}).Put(4u)),
        "key 'n' is an array of arrays"},
       {"ArrayTypeBad", Rest(OneKey().Key("n", 9).Put(77u).Put(std::uint64_t{1})),
        "an array of type 77, which does not exist"},
       {"ArrayOverBudget", Rest(OneKey().Key("n", 9).Put(4u).Put(kMaxArrayElements + 1)),
        "an array of 67108865 elements"},
       {"ArrayNegative", Rest(OneKey().Key("n", 9).Put(12u).Put(kMinusOne)),
        "an array of 18446744073709551615 elements"},
       {"ArrayBeyondTheFile", Rest(OneKey().Key("few", 9).Put(10u).Put(std::uint64_t{4000})),
        "inside key 'few'"},
       {"LongArrayBeyondTheFile", Rest(OneKey().Key("many", 9).Put(0u).Put(std::uint64_t{60000})),
        "inside key 'many'"},
       {"StringsBeyondTheFile", Rest(OneKey().Key("words", 9).Put(8u).Put(std::uint64_t{4000})),
        "inside key 'words'"},
       {"StringInArrayOverBudget",
        Rest(OneKey().Key("t", 9).Put(8u).Put(std::uint64_t{2}).Text("a").Put(kMinusOne)),
        "key 't' holds a string of 18446744073709551615 bytes"},
       {"StringInArrayBeyondTheFile",
        Rest(OneKey().Key("t", 9).Put(8u).Put(std::uint64_t{2}).Text("a").Put(std::uint64_t{9999})),
        "inside a string of key 't'"},
       {"AlignmentWrongType", Rest(OneKey().Key("general.alignment", 10).Put(std::uint64_t{32})),
        "general.alignment is of type uint64, not uint32"},
       {"AlignmentZero", Rest(OneKey().Uint32Key("general.alignment", 0)), "is 0, not a power"},
       {"AlignmentOdd", Rest(OneKey().Uint32Key("general.alignment", 48)), "is 48, not a power"},
       {"ArchitectureLast",
        RawFile(3, 0, 2)
            .Uint32Key("llama.context_length", 7)
            .StringKey("general.architecture", "llama")
            .bytes(),
        ""},
       {"BoolNeitherZeroNorOne", OneKey().Key("b", 7).Put(std::uint8_t{0xcc}).bytes(), ""},
       {"EmptyArray", OneKey().Key("n", 9).Put(4u).Put(std::uint64_t{0}).bytes(), ""},
       {"KeysOfOtherKinds",
        RawFile(3, 0, 3)
            .Uint32Key("general.architecture", 5)
            .StringKey("general.file_type", "x")
            .StringKey("split.count", "3")
            .bytes(),
        ""}});
}

// All that an estimate reads, with windows, experts and heads that differ by layer.
std::string Transformer() {
  RawFile file(3, 3, 13);
  file.StringKey("general.architecture", "gemma3");
  file.Uint32Key("gemma3.block_count", 2);
  file.Uint32Key("gemma3.embedding_length", 64);
  file.Uint32Key("gemma3.context_length", 512);
  file.Uint32Key("gemma3.attention.head_count", 4);
  file.Key("gemma3.attention.head_count_kv", 9).Put(4u).Put(std::uint64_t{2}).Put(2u).Put(1u);
  file.Uint32Key("gemma3.attention.key_length", 16);
  file.Uint32Key("gemma3.attention.value_length", 16);
  file.Uint32Key("gemma3.attention.sliding_window", 32);
  file.Uint32Key("gemma3.feed_forward_length", 128);
  file.Uint32Key("gemma3.expert_used_count", 2);
  file.Uint32Key("gemma3.expert_feed_forward_length", 32);
  file.Uint32Key("gemma3.full_attention_interval", 1);
  file.Tensor("token_embd.weight", {64, 2}, kF32, 0);
  file.Tensor("blk.0.attn_q.weight", {64}, kQ4_0, 512);
  file.Tensor("blk.1.attn_q.weight", {64}, kQ4_0, 576);
  return file.Data(576 + 36).bytes();
}

void AddTensors(std::vector<MetadataCase>& cases) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;
  // The most that one tensor may have, in the densest type: 128 elements in 18 bytes.
  constexpr std::uint64_t kMany = (kHuge - 1) / 2048 * 2048 * 2;
  constexpr std::uint64_t kManyBytes = kMany / 128 * 18;
  static_assert(kManyBytes % 32 == 0);
  const std::string long_name(64, 'n');
  cases.insert(
      cases.end(),
      {{"TensorNameEmpty", Rest(OneTensor().Tensor("", {4}, kF32, 0)), "tensor 0 has no name"},
       {"TensorNameTooLong", Rest(OneTensor().Tensor(long_name, {4}, kF32, 0)),
        "tensor 0 has a name of 64 bytes"},
       {"TensorNameNegative", Rest(OneTensor().Put(kMinusOne)),
        "tensor 0 has a name of 18446744073709551615 bytes"},
       {"TensorTwice", Rest(RawFile(3, 2, 0).Tensor("a", {8}, kF32, 0).Tensor("a", {8}, kF32, 32)),
        "tensor 'a' occurs twice"},
       {"TooManyDimensions", Rest(OneTensor().Tensor("d", {1, 1, 1, 1, 1}, kF32, 0)),
        "tensor 'd' has 5 dimensions"},
       {"ExtentNegative", Rest(OneTensor().Tensor("e", {8, kMinusOne}, kF32, 0)),
        "tensor 'e' has a negative extent in dimension 1"},
       {"ExtentsTooBig", Rest(OneTensor().Tensor("e", {kHuge, 2}, kF32, 0)),
        "tensor 'e' has more elements than can be counted"},
       {"ExtentsTooBigBehindAZero", Rest(OneTensor().Tensor("z", {0, kHuge, 4}, kF32, 0)),
        "tensor 'z' has more elements than can be counted"},
       {"BytesTooBig", Rest(OneTensor().Tensor("big", {kHuge}, 28, 0)), "'big' is larger than can"},
       {"EndTooBig",
        Rest(RawFile(3, 2, 0).Tensor("a", {8}, kF32, 0).Tensor("end", {kHuge - 1}, kF32, 32)),
        "tensor 'end' ends beyond what can be counted"},
       {"ElementsTooManyInAll",
        Rest(RawFile(3, 3, 0)
                 .Tensor("a", {kMany}, 41, 0)
                 .Tensor("b", {kMany}, 41, kManyBytes)
                 .Tensor("c", {kMany}, 41, 2 * kManyBytes)),
        "the tensors have more elements than can be counted"},
       {"TypeUnknown", Rest(OneTensor().Tensor("t", {32}, 43, 0)), "tensor 't' has type 43, which"},
       {"TypeRetired", Rest(OneTensor().Tensor("t", {32}, 4, 0)), "tensor 't' has type 4, which"},
       {"RowsNotWholeBlocks", Rest(OneTensor().Tensor("q", {48, 2}, kQ4_0, 0)),
        "tensor 'q' has rows of 48 elements, not whole blocks of q4_0 (32)"},
       {"OffsetUnaligned", Rest(OneTensor().Tensor("o", {4}, kF32, 1)),
        "'o' lies at offset 1, not"},
       {"OffsetElsewhere", Rest(OneTensor().Tensor("o", {4}, kF32, 64)), "offset 64, expected 0"},
       {"OffsetsOfAnotherAlignment",
        Rest(RawFile(3, 2, 1)
                 .Uint32Key("general.alignment", 16)
                 .Tensor("a", {4}, kF32, 0)
                 .Tensor("b", {4}, kF32, 32)),
        "tensor 'b' lies at offset 32, expected 16"},
       {"DataCutShort", OneTensor().Tensor("data", {8}, kF32, 0).Data(31).bytes(),
        "cut short: tensor 'data' needs the file to have"},
       {"DataMissing", OneTensor().Tensor("data", {8, 100}, kF32, 0).bytes(),
        "cut short: tensor 'data' needs the file to have"},
       {"TensorWithoutDimensions", OneTensor().Tensor("scalar", {}, kF32, 0).Data(4).bytes(), ""},
       {"TensorOfNoElements", OneTensor().Tensor("none", {0, 5}, kF32, 0).bytes(), ""},
       {"Transformer", Transformer(), ""},
       {"NoPaddingAtTheEnd", OneTensor().Tensor("t", {3}, kF32, 0).Data(12).bytes(), ""},
       {"CustomAlignment",
        RawFile(3, 2, 1)
            .Uint32Key("general.alignment", 128)
            .Tensor("a", {4}, kF32, 0)
            .Tensor("b", {32}, kQ4_0, 128)
            .Data(128 + 18, 128)
            .bytes(),
        ""}});
}

}  // namespace

RawFile::RawFile(std::uint32_t version, std::uint64_t tensors, std::uint64_t keys)
    : bytes_("GGUF") {
  Put(version).Put(tensors).Put(keys);
}

RawFile& RawFile::Tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                         std::uint32_t type, std::uint64_t offset) {
  Text(name).Put(static_cast<std::uint32_t>(shape.size()));
  for (const std::uint64_t extent : shape) Put(extent);
  return Put(type).Put(offset);
}

RawFile& RawFile::Data(std::uint64_t count, std::uint64_t alignment) {
  bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment + count, '\0');
  return *this;
}

std::vector<MetadataCase> MetadataCases() {
  std::vector<MetadataCase> cases;
  AddHeaders(cases);
  AddKeys(cases);
  AddTensors(cases);
  return cases;
}

std::string EveryKindOfKey(std::uint32_t version) {
  RawFile file(version, 3, 19);
  file.Key("t.context_length", 10).Put(std::uint64_t{8192});
  file.Key("k.uint8", 0).Put(std::uint8_t{200});
  file.Key("k.int8", 1).Put(std::int8_t{-100});
  file.Key("k.uint16", 2).Put(std::uint16_t{60000});
  file.Key("k.int16", 3).Put(std::int16_t{-30000});
  file.Key("t.block_count", 4).Put(std::uint32_t{4000000000});
  file.Key("k.int32", 5).Put(std::int32_t{-2000000000});
  file.Key("k.float32", 6).Put(1.5F);
  file.Key("k.bool", 7).Put(std::uint8_t{1});
  file.StringKey("general.name", "a name");
  file.Key("k.int64", 11).Put(std::int64_t{-5000000000});
  file.Key("k.float64", 12).Put(2.25);
  file.Uint32Key("general.file_type", 15);
  file.Key("t.embedding_length", 5).Put(std::int32_t{64});
  file.Key("tokenizer.ggml.tokens", 9).Put(8u).Put(std::uint64_t{3}).Text("a").Text("").Text("cde");
  file.Key("k.int16s", 9).Put(3u).Put(std::uint64_t{2}).Put(std::int16_t{-1}).Put(std::int16_t{2});
  file.Key("k.floats", 9).Put(6u).Put(std::uint64_t{1}).Put(0.5F);
  file.Key("k.long", 9).Put(0u).Put(kMaxKeptElements + 1);
  for (std::uint64_t i = 0; i <= kMaxKeptElements; ++i) file.Put(std::uint8_t{7});
  file.StringKey("general.architecture", "t");
  file.Tensor("token_embd.weight", {64, 3}, kF32, 0);
  file.Tensor("blk.0.attn_q.weight", {64, 64}, kQ4_0, 768);
  file.Tensor("blk.0.norm", {1}, kF32, 768 + 64 * 64 / 32 * 18);
  return file.Data(768 + 64 * 64 / 32 * 18 + 4).bytes();
}

}  // namespace rocm::gguf
