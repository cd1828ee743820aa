// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/bench_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

extern char** environ;

namespace harness::testing {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

namespace {

// State and parent from /proc/PID/stat; '\0' when there is no such process.
std::pair<char, pid_t> StateOf(pid_t pid) {
  const std::string stat = ReadAll("/proc/" + std::to_string(pid) + "/stat");
  const auto end = stat.rfind(')');
  if (end == std::string::npos) return {'\0', -1};
  std::istringstream rest(stat.substr(end + 1));
  char state = '\0';
  pid_t parent = -1;
  rest >> state >> parent;
  return {state, parent};
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "bench-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name) << text;
  return At(name);
}

std::string ScratchFolder::RunFile() const {
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    if (entry.path().extension() == ".jsonl") return entry.path().string();
  }
  return "";
}

BenchProcess::BenchProcess(std::vector<std::string> arguments, const std::string& input) {
  const char* bin = std::getenv("ROCM_TEST_BIN_DIR");
  if (bin == nullptr) std::abort();
  arguments.insert(arguments.begin(), std::string(bin) + "/rocm-bench");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, files_.Write("in", input).c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, files_.At("out").c_str(), O_WRONLY | O_CREAT,
                                     0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, files_.At("err").c_str(), O_WRONLY | O_CREAT,
                                     0600);
  if (::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
  ::posix_spawn_file_actions_destroy(&actions);
}

BenchProcess::~BenchProcess() {
  if (pid_ < 0 || ended_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void BenchProcess::Signal(int signal) const { ::kill(pid_, signal); }

int BenchProcess::Wait(std::chrono::seconds limit) {
  int status = 0;
  ended_ =
      pid_ >= 0 && Eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, limit);
  out_ = ReadAll(files_.At("out"));
  err_ = ReadAll(files_.At("err"));
  if (!ended_) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<pid_t> BenchProcess::Children() const {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = static_cast<pid_t>(std::stol(name));
    const auto [state, parent] = StateOf(pid);
    if (parent == pid_ && state != 'Z') children.push_back(pid);
  }
  return children;
}

bool IsAlive(pid_t pid) {
  const char state = StateOf(pid).first;
  return state != '\0' && state != 'Z' && state != 'X';
}

std::vector<nlohmann::json> ReadLines(const std::string& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    // A line that a killed writer left behind has no newline and may be no JSON.
    auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_discarded()) lines.push_back(std::move(json));
  }
  return lines;
}

std::vector<nlohmann::json> OfType(const std::vector<nlohmann::json>& lines,
                                   const std::string& type) {
  std::vector<nlohmann::json> found;
  for (const auto& line : lines) {
    if (line.value("type", "") == type) found.push_back(line);
  }
  return found;
}

std::string SourcePath(const std::string& relative) {
  const char* source = std::getenv("ROCM_TEST_SOURCE_DIR");
  if (source == nullptr) std::abort();
  return std::string(source) + "/" + relative;
}

void Pause() { ::poll(nullptr, 0, 5); }

}  // namespace harness::testing
