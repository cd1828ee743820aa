// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/truth_log.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_map>

namespace harness {

rocm::Result<std::map<std::uint32_t, TrueRequest>> ReadTruthLog(const std::string& path) {
  std::ifstream file(path);
  if (!file) return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("{}: cannot be read", path));
  std::map<std::uint32_t, TrueRequest> truth;
  std::unordered_map<std::int64_t, std::uint32_t> seeds;
  std::int64_t number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    try {
      const auto line = nlohmann::json::parse(text);
      const std::string type = line.at("type");
      if (type == "received" && line.at("stream").get<bool>()) {
        const auto seed = line.at("seed").get<std::uint32_t>();
        seeds[line.at("request")] = seed;
        const auto [entry, fresh] = truth.emplace(seed, TrueRequest{});
        if (!fresh) {
          return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                            fmt::format("{}:{}: the seed {} came twice", path, number, seed));
        }
        entry->second.received_ns = line.at("at_ns");
      }
      const auto known = line.contains("request") ? seeds.find(line.at("request")) : seeds.end();
      if (known == seeds.end()) continue;
      TrueRequest& request = truth[known->second];
      if (type == "chunk" && line.at("sent").get<bool>()) {
        request.stream.sent_ns.push_back(line.at("sent_ns"));
      }
      if (type == "finished") request.tokens = line.at("tokens");
    } catch (const nlohmann::json::exception& error) {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("{}:{}: not a line of a truth log", path, number));
    }
  }
  return truth;
}

}  // namespace harness
