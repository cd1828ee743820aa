// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/base/unique_fd.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMaxDepth = 64;
constexpr std::size_t kBlock = std::size_t{1} << 18U;

rocm::Error IoError(std::string_view what, const fs::path& path) {
  rocm::Error error;
  error.code = rocm::ErrorCode::kIo;
  error.message = fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno));
  return error;
}

// Deep nesting crashes nlohmann when such a value is destroyed or printed, so it is cut off while
// parsing. Discarded when the text is no JSON object.
json ParseLine(std::string_view text) {
  bool too_deep = false;
  const auto guard = [&](int depth, json::parse_event_t, json&) {
    too_deep |= depth > kMaxDepth;
    return depth <= kMaxDepth;
  };
  json line = json::parse(text, guard, false);
  if (too_deep || !line.is_object() || !line.contains("type") || !line["type"].is_string()) {
    return json(json::value_t::discarded);
  }
  return line;
}

// Reads whole lines of an open file, from `offset` on, without holding more than one.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  // False at the end or on an error (errno then says which). `whole` is false for bytes without a
  // newline and for lines that are too long.
  bool Next(std::string& line, bool& whole) {
    line.clear();
    bool too_long = false;
    for (;;) {
      const auto newline = buffer_.find('\n', at_);
      const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
      if (static_cast<std::int64_t>(line.size() + end - at_) > kMaxRunLine) too_long = true;
      if (!too_long) line.append(buffer_, at_, end - at_);
      at_ = end;
      if (newline != std::string::npos) {
        ++at_;
        whole = !too_long;
        return true;
      }
      if (!Fill()) {
        whole = false;
        return !line.empty() || too_long;
      }
    }
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  bool Fill() {
    buffer_.resize(kBlock);
    at_ = 0;
    for (;;) {
      const ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      failed_ = got < 0;
      buffer_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      return got > 0;
    }
  }

  int fd_;
  std::string buffer_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

rocm::Result<rocm::UniqueFd> OpenRegular(const fs::path& path, std::int64_t* bytes) {
  rocm::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return rocm::Fail(IoError("open", path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return rocm::Fail(IoError("stat", path));
  if (!S_ISREG(status.st_mode)) {
    return rocm::Fail(rocm::ErrorCode::kIo, path.string() + " is not a regular file");
  }
  if (bytes != nullptr) *bytes = status.st_size;
  return fd;
}

// The last whole line, read backwards.
std::string LastLine(int fd, std::int64_t bytes) {
  std::string tail;
  std::int64_t from = bytes;
  while (from > 0 && bytes - from < kMaxRunLine) {
    const std::int64_t step = std::min<std::int64_t>(from, static_cast<std::int64_t>(kBlock));
    std::string block(static_cast<std::size_t>(step), '\0');
    from -= step;
    if (::pread(fd, block.data(), block.size(), from) != step) return {};
    tail.insert(0, block);
    const auto end = tail.rfind('\n');
    if (end == std::string::npos) continue;
    const auto start = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    if (start != std::string::npos) return tail.substr(start + 1, end - start - 1);
    if (from == 0) return tail.substr(0, end);
  }
  return {};
}

void TakeHeader(const json& header, RunInfo& info) {
  info.run_id = TextOr(header, "run_id", info.run_id);
  info.started_at = TextOr(header, "started_at");
  info.target = TextOr(header, "target");
  info.suite = TextOr(header, "suite");
  const auto scenarios = header.find("scenarios");
  if (scenarios == header.end() || !scenarios->is_array()) return;
  for (const json& scenario : *scenarios) {
    if (scenario.is_object()) info.scenarios.push_back(TextOr(scenario, "name"));
  }
}

void TakeEnd(const json& end, RunInfo& info) {
  info.state = TextOr(end, "status", "partial");
  info.requests = IntOr(end, "requests", -1);
  const auto reasons = end.find("reasons");
  if (reasons == end.end() || !reasons->is_array()) return;
  for (const json& reason : *reasons) {
    if (reason.is_string()) info.reasons.push_back(reason.get<std::string>());
  }
}

// The summary of a single round, but not of the first one.
bool IsLaterRound(std::string_view line) {
  constexpr std::string_view kSummary = R"({"type":"summary",)";
  constexpr std::string_view kRound = R"(,"round":)";  // in no string: its quotes are bare
  if (!line.starts_with(kSummary)) return false;
  const auto at = line.find(kRound);
  return at != std::string_view::npos && at + kRound.size() < line.size() &&
         line[at + kRound.size()] >= '1' && line[at + kRound.size()] <= '9';
}

}  // namespace

std::string TextOr(const json& object, std::string_view key, std::string fallback) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::move(fallback);
}

std::int64_t IntOr(const json& object, std::string_view key, std::int64_t fallback) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<std::int64_t>() : fallback;
}

rocm::Result<RunDamage> ReadRun(const fs::path& path,
                                const std::function<void(const json& line)>& on_line,
                                RunParts parts) {
  // As RunWriter begins them. Others are recognised after parsing.
  constexpr std::string_view kRequest = R"({"type":"request",)";
  auto fd = OpenRegular(path, nullptr);
  if (!fd) return rocm::Fail(std::move(fd.error()));
  RunDamage damage;
  LineReader reader(fd->get());
  std::string text;
  bool whole = false;
  while (reader.Next(text, whole)) {
    if (!whole) {
      damage.torn_end = true;
      continue;
    }
    if (parts == RunParts::kTotals && (text.starts_with(kRequest) || IsLaterRound(text))) continue;
    const json line = ParseLine(text);
    if (line.is_discarded()) {
      ++damage.broken_lines;
    } else {
      on_line(line);
    }
  }
  if (reader.failed()) return rocm::Fail(IoError("read", path));
  return damage;
}

rocm::Result<RunInfo> InspectRun(const fs::path& path) {
  RunInfo info;
  info.path = path;
  info.run_id = path.stem().string();
  auto fd = OpenRegular(path, &info.bytes);
  if (!fd) return rocm::Fail(std::move(fd.error()));
  LineReader reader(fd->get());
  std::string text;
  bool whole = false;
  const bool any = reader.Next(text, whole);
  if (reader.failed()) return rocm::Fail(IoError("read", path));
  const json header = any && whole ? ParseLine(text) : json(json::value_t::discarded);
  const bool running = ::flock(fd->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const json end = ParseLine(LastLine(fd->get(), info.bytes));
  info.state = "partial";
  if (!header.is_discarded() && header["type"] == "header") {
    TakeHeader(header, info);
  } else {
    info.state = "damaged";
  }
  if (!end.is_discarded() && end["type"] == "end") {
    TakeEnd(end, info);
  } else if (running) {
    info.state = "running";
  }
  return info;
}

rocm::Result<std::vector<RunInfo>> ListRuns(const fs::path& directory) {
  std::vector<RunInfo> runs;
  std::error_code ec;
  if (!fs::exists(directory, ec)) return runs;
  fs::directory_iterator entries(directory, ec);
  if (ec) {
    return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("cannot read the directory {}: {}",
                                                        directory.string(), ec.message()));
  }
  for (const auto& entry : entries) {
    if (entry.path().extension() != ".jsonl") continue;
    auto info = InspectRun(entry.path());
    if (info) runs.push_back(*std::move(info));  // one that vanished or is no file is no run
  }
  std::ranges::sort(runs, [](const RunInfo& a, const RunInfo& b) {
    return std::pair(a.started_at, a.run_id) > std::pair(b.started_at, b.run_id);
  });
  return runs;
}

}  // namespace harness
