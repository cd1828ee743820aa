// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/testing/tiny_model.h"

#include <filesystem>
#include <fstream>
#include <string_view>

namespace mock::testing {
namespace {

constexpr std::uint64_t kParameters = 653'952;
constexpr std::uint32_t kUint32 = 4;
constexpr std::uint32_t kString = 8;

class Writer {
 public:
  template <typename T>
  void Number(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void String(std::string_view text) {
    Number<std::uint64_t>(text.size());
    out_ += text;
  }
  [[nodiscard]] std::string Finish() {
    while (out_.size() % 32 != 0) out_ += '\0';
    return out_;
  }

 private:
  std::string out_ = "GGUF";
};

}  // namespace

void WriteTinyModel(const std::string& path, std::uint32_t context) {
  Writer file;
  file.Number<std::uint32_t>(3);
  file.Number<std::uint64_t>(1);  // tensors
  file.Number<std::uint64_t>(3);  // metadata
  file.String("general.architecture");
  file.Number(kString);
  file.String("llama");
  file.String("llama.context_length");
  file.Number(kUint32);
  file.Number(context);
  file.String("llama.embedding_length");
  file.Number(kUint32);
  file.Number<std::uint32_t>(128);
  file.String("all.weight");
  file.Number<std::uint32_t>(1);  // dimensions
  file.Number(kParameters);
  file.Number<std::uint32_t>(0);  // F32
  file.Number<std::uint64_t>(0);  // offset
  const std::string head = file.Finish();
  std::ofstream(path, std::ios::binary) << head;
  std::filesystem::resize_file(path, head.size() + kParameters * 4);
}

}  // namespace mock::testing
