// SPDX-License-Identifier: EUPL-1.2
#include "backend/gguf/discovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "backend/gguf/printable.h"
#include "backend/gguf/shards.h"

namespace rocm::gguf {
namespace {

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Result<std::vector<std::string>> GgufFiles(const std::string& directory) {
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("cannot read the folder {}: {}", Printable(directory),
                                            error.message()));
  }
  std::vector<std::string> files;
  for (const std::filesystem::directory_iterator end; entries != end; entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (LowerCase(name).ends_with(".gguf")) files.push_back(entries->path().string());
  }
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("cannot read the folder {}: {}", Printable(directory),
                                            error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Why a sound GGUF file is not a model to be loaded; nullopt where it is one.
std::optional<std::string> NotALanguageModel(const Metadata& metadata) {
  const std::string* type = metadata.String("general.type");
  const std::string file = std::filesystem::path(metadata.path).filename().string();
  if ((type != nullptr && *type == "mmproj") || metadata.architecture == "clip" ||
      LowerCase(file).find("mmproj") != std::string::npos) {
    return "a projector (mmproj) for another model";
  }
  if (type != nullptr && *type == "adapter") return "an adapter (LoRA) for another model";
  if (type != nullptr && *type == "imatrix") return "an importance matrix";
  if (metadata.architecture.empty()) return "it names no architecture (general.architecture)";
  if (metadata.tensors.empty()) return "it has no tensors, only a vocabulary";
  return std::nullopt;
}

class Finder {
 public:
  void Look(const std::string& path) {
    if (const std::optional<ShardName> shard = ParseShardName(path); shard && shard->count > 1) {
      // Its first shard, or the lack of one, speaks for all.
      shard_sets_[{shard->stem, shard->count}].push_back(path);
      return;
    }
    Take(path, {path});
  }

  Discovery Finish() {
    for (const auto& [set, files] : shard_sets_) {
      const std::string first = ShardPath(set.first, 1, set.second);
      if (files.front() == first) {
        Take(first, files);
      } else {
        Skip(files.front(), fmt::format("the first of its {} shards is missing", set.second));
      }
    }
    const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    std::sort(found_.models.begin(), found_.models.end(), by_path);
    std::sort(found_.skipped.begin(), found_.skipped.end(), by_path);
    return std::move(found_);
  }

 private:
  void Take(const std::string& path, std::vector<std::string> files) {
    Result<Metadata> metadata = ReadMetadata(path);
    if (!metadata) return Skip(path, metadata.error().message);
    if (auto reason = NotALanguageModel(*metadata)) return Skip(path, *std::move(reason));
    found_.models.push_back({path, std::move(files), std::move(*metadata)});
  }
  void Skip(const std::string& path, std::string reason) {
    found_.skipped.push_back({path, std::move(reason)});
  }

  Discovery found_;
  std::map<std::pair<std::string, std::uint32_t>, std::vector<std::string>> shard_sets_;
};

}  // namespace

Result<Discovery> DiscoverModels(const std::string& directory) {
  Result<std::vector<std::string>> files = GgufFiles(directory);
  if (!files) return tl::unexpected(std::move(files.error()));
  Finder finder;
  for (const std::string& path : *files) finder.Look(path);
  return finder.Finish();
}

}  // namespace rocm::gguf
