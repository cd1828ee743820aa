// SPDX-License-Identifier: EUPL-1.2
// The names of GGUF's file types are those that a real llama-server gives them.
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/gguf/chain_model.h"
#include "backend/gguf/metadata.h"
#include "backend/gguf/real_server_for_tests.h"
#include "backend/gguf/temporary_folder_for_tests.h"
#include "backend/gguf/tensor_type.h"

namespace rocm::gguf {
namespace {

// Overwrites the number behind the key.
void SetFileType(const std::string& path, std::uint32_t type) {
  constexpr std::string_view kKey = "general.file_type";
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  std::string start(4096, '\0');
  file.read(start.data(), static_cast<long>(start.size()));
  const std::size_t at = start.find(kKey);
  ASSERT_NE(at, std::string::npos);
  file.seekp(static_cast<long>(at + kKey.size() + sizeof(std::uint32_t)));
  file.write(reinterpret_cast<const char*>(&type), sizeof(type));
}

TEST(FileTypeServer, NamesAgree) {
  const auto executable = RealServer::Find();
  if (!executable) GTEST_SKIP() << "ROCM_TEST_LLAMA_SERVER names no llama-server";
  const TemporaryFolder folder;
  const std::string model = folder / "m.gguf";
  ASSERT_TRUE(WriteChainModel(model));
  int compared = 0;
  for (std::uint32_t type = 0; type < 64; ++type) {
    if (FileTypeName(type).empty()) continue;
    SetFileType(model, type);
    ASSERT_EQ(ReadMetadata(model)->quantisation, FileTypeName(type));
    RealServer server(*executable,
                      {"-m", model, "-c", "256", "-np", "1", "-t", "1", "--no-warmup"});
    ASSERT_TRUE(server.Ready(std::chrono::seconds(240))) << server.Log();
    const auto answer = httplib::Client("127.0.0.1", server.port()).Get("/props");
    ASSERT_TRUE(answer);
    EXPECT_EQ(nlohmann::json::parse(answer->body).value("model_ftype", ""), FileTypeName(type))
        << type;
    ++compared;
  }
  EXPECT_GE(compared, 30);
}

}  // namespace
}  // namespace rocm::gguf
