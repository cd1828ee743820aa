// SPDX-License-Identifier: EUPL-1.2
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "backend/llama_server/server.h"

namespace rocm::llama_server {
namespace {

constexpr const char* kVariable = "ROCM_LLAMA_SERVER_PATH";
constexpr const char* kProgram = "llama-server";

// What is wrong with `path` as a program; empty: nothing.
std::string Defect(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "does not exist";
  if (S_ISDIR(info.st_mode)) return "is a directory; name the file in it";
  if (!S_ISREG(info.st_mode)) return "is not a regular file";
  if (::access(path.c_str(), X_OK) != 0) return "is not executable";
  return {};
}

Result<std::string> Named(const std::string& path, const std::string& by) {
  const std::string defect = Defect(path);
  if (defect.empty()) return path;
  return Fail(ErrorCode::kBinaryNotFound, "llama-server: " + path + " (" + by + ") " + defect);
}

Result<std::string> OnPath() {
  const char* value = std::getenv("PATH");
  std::string_view rest = value != nullptr ? value : "";
  std::string unusable;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    if (folder.empty()) continue;  // would mean the working directory
    const std::string path = std::string(folder) + "/" + kProgram;
    const std::string defect = Defect(path);
    if (defect.empty()) return path;
    if (unusable.empty() && defect != "does not exist") {
      unusable.append("; ").append(path).append(" ").append(defect);
    }
  }
  return Fail(ErrorCode::kBinaryNotFound, std::string("no ") + kProgram + " on PATH, and " +
                                              kVariable + " is not set" + unusable);
}

}  // namespace

Result<std::string> FindServerBinary(const std::string& configured) {
  if (!configured.empty()) return Named(configured, "as configured");
  if (const char* variable = std::getenv(kVariable); variable != nullptr && *variable != '\0') {
    return Named(variable, std::string("from ") + kVariable);
  }
  return OnPath();
}

}  // namespace rocm::llama_server
