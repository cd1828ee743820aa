// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "backend/error.h"
#include "backend/gguf/metadata.h"

namespace rocm::gguf {

struct FoundModel {
  std::string path;                // the file to load: the first shard
  std::vector<std::string> files;  // all shards, in order
  Metadata metadata;
};

struct SkippedFile {
  std::string path;
  std::string reason;  // one line
};

struct Discovery {
  std::vector<FoundModel> models;    // by path
  std::vector<SkippedFile> skipped;  // by path
};

// Looks at every *.gguf in `directory` and up to six folders below it (publisher/model/file.gguf
// and the like; links to folders are not followed). Shards of one model are one model.
// Projectors (mmproj), adapters, importance matrices, vocabularies without tensors, incomplete
// shard sets, files that are no GGUF and folders that may not be read are skipped, each with its
// reason. Fails where the directory itself cannot be read, or holds more than 100,000 entries.
[[nodiscard]] Result<Discovery> DiscoverModels(const std::string& directory);

}  // namespace rocm::gguf
