// SPDX-License-Identifier: EUPL-1.2
#include <sys/stat.h>

#include <cstdint>
#include <mutex>
#include <sstream>
#include <utility>

#include "backend/llama_server/capabilities.h"
#include "backend/llama_server/log_classifier.h"
#include "backend/process/run.h"

namespace rocm::llama_server {
namespace {

// Which file, and which build inside it.
struct Fingerprint {
  std::int64_t modified_ns = 0;
  std::int64_t size = 0;
  std::string version_text;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

struct Cache {
  std::mutex mutex;
  std::map<std::string, std::pair<Fingerprint, Capabilities>> by_path;
};

Cache& TheCache() {
  static Cache cache;
  return cache;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Result<std::string> RunWith(const std::string& binary, const char* flag,
                            const ProbeOptions& options) {
  auto output = process::Run({.executable = binary,
                              .arguments = {flag},
                              .environment = options.environment,
                              .timeout = options.timeout,
                              .stop = options.stop});
  if (!output) {
    Error error = output.error();
    if (error.code == ErrorCode::kDeadlineExceeded || error.code == ErrorCode::kLimitExceeded) {
      error.code = ErrorCode::kBinaryNotFound;
      error.message = binary + " is not a usable llama-server: " + flag + ": " + error.message;
    }
    return Fail(std::move(error));
  }
  std::string text = output->out + output->err;
  if (output->exit.exit_code == 0) return text;
  const std::vector<std::string> lines = Lines(text);
  Error error;
  error.code = ErrorCode::kBinaryNotFound;
  error.message = binary + " " + flag + " fails";
  // A missing library is more telling than the flag that found it.
  if (const auto verdict = ClassifyLog(lines)) error.message += ": " + verdict->message;
  error.exit = output->exit;
  const std::size_t skip = lines.size() > 20 ? lines.size() - 20 : 0;
  error.log_tail.assign(lines.begin() + static_cast<std::ptrdiff_t>(skip), lines.end());
  return Fail(std::move(error));
}

// GPU builds print their devices around it.
std::string VersionLine(const std::string& text) {
  const std::vector<std::string> lines = Lines(text);
  for (const std::string& line : lines) {
    if (line.starts_with("version")) return line;
  }
  return lines.empty() ? std::string() : lines.front();
}

}  // namespace

Result<Capabilities> Probe(const std::string& binary, const ProbeOptions& options) {
  struct stat info {};
  if (::stat(binary.c_str(), &info) != 0) {
    return Fail(ErrorCode::kBinaryNotFound, binary + " does not exist");
  }
  const auto version = RunWith(binary, "--version", options);
  if (!version) return Fail(version.error());
  const Fingerprint fingerprint{
      .modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
      .size = info.st_size,
      .version_text = VersionLine(*version)};
  Cache& cache = TheCache();
  {
    const std::lock_guard lock(cache.mutex);
    const auto known = cache.by_path.find(binary);
    if (known != cache.by_path.end() && known->second.first == fingerprint) {
      return known->second.second;
    }
  }
  const auto help = RunWith(binary, "--help", options);
  if (!help) return Fail(help.error());
  Capabilities capabilities(fingerprint.version_text, *help);
  if (!capabilities.Has("--model") || !capabilities.Has("--port")) {
    return Fail(ErrorCode::kBinaryNotFound,
                binary + " is not a llama-server: its --help names no --model and --port");
  }
  const std::lock_guard lock(cache.mutex);
  cache.by_path.insert_or_assign(binary, std::pair(fingerprint, capabilities));
  return capabilities;
}

}  // namespace rocm::llama_server
