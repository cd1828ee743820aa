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

constexpr int kLevels = 6;
constexpr int kMaxEntries = 100'000;

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
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

// The *.gguf of a folder and of those below it.
class GgufFiles {
 public:
  // What kept `directory` itself from being read.
  [[nodiscard]] std::error_code Collect(const std::filesystem::path& directory, int levels) {
    std::error_code error;
    std::filesystem::directory_iterator entry(directory, error);
    const std::filesystem::directory_iterator end;
    for (; !error && entry != end && entries_ < kMaxEntries; entry.increment(error)) {
      ++entries_;
      std::error_code ignored;
      const std::string path = entry->path().string();
      if (entry->symlink_status(ignored).type() == std::filesystem::file_type::directory) {
        const std::error_code below = levels > 0 ? Collect(path, levels - 1) : std::error_code();
        if (below) unreadable.push_back({path, below.message()});
      } else if (LowerCase(entry->path().filename().string()).ends_with(".gguf")) {
        files.push_back(path);
      }
    }
    return error;
  }
  [[nodiscard]] bool too_many() const { return entries_ >= kMaxEntries; }

  std::vector<std::string> files;
  std::vector<SkippedFile> unreadable;

 private:
  int entries_ = 0;
};

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

  // `skipped` so far.
  Discovery Finish(std::vector<SkippedFile> skipped) {
    for (SkippedFile& file : skipped) found_.skipped.push_back(std::move(file));
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
  GgufFiles found;
  const std::error_code error = found.Collect(directory, kLevels);
  if (error || found.too_many()) {
    return Fail(
        ErrorCode::kIo,
        fmt::format("cannot read the folder {}: {}", Printable(directory),
                    error ? error.message()
                          : fmt::format("more than {} entries in and below it", kMaxEntries)));
  }
  std::sort(found.files.begin(), found.files.end());
  Finder finder;
  for (const std::string& path : found.files) finder.Look(path);
  return finder.Finish(std::move(found.unreadable));
}

}  // namespace rocm::gguf
