// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "backend/base/errno_text.h"
#include "harness/cli/commands.h"
#include "harness/cli/version.h"
#include "harness/record/history_file.h"
#include "harness/record/run_index.h"

namespace harness {
namespace {

// By its path: another python3 on PATH would not see the distribution's modules.
constexpr char kPython[] = "/usr/bin/python3";

struct ReportArguments {
  std::vector<std::string> runs;
  std::string out = "report";
  std::string format = "findings";
  std::string title;
  std::string append;
  std::string previous;
  bool no_plots = false;
};

struct DashboardArguments {
  std::vector<std::string> runs;
  std::string out = "dashboard.html";
  std::string history;
  std::string title;
};

// Installed beside the program, or in the source tree that it was built from.
rocm::Result<std::filesystem::path> FindScript(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path().parent_path() / "share/rocm-bench/reports";
  for (const auto& folder : {beside, std::filesystem::path(ROCM_SOURCE_DIR) / "reports"}) {
    if (std::filesystem::exists(folder / name, error)) return folder / name;
  }
  return rocm::Fail(rocm::ErrorCode::kIo, fmt::format("{} is neither in {} nor in the source tree",
                                                      name, beside.string()));
}

// Becomes the script: returns only when that is not possible.
ExitCode Become(const std::string& name, const std::vector<std::string>& arguments) {
  const auto script = FindScript(name);
  if (!script) return Report(script.error());
  std::vector<std::string> words{kPython, script->string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  StopSignals::Unblock();
  ::execv(kPython, argv.data());
  return Report(rocm::Fail(rocm::ErrorCode::kIo,
                           fmt::format("cannot run {}: {}", kPython, rocm::ErrnoText(errno)))
                    .value());
}

void AddOption(std::vector<std::string>& words, const char* name, const std::string& value) {
  if (!value.empty()) words.insert(words.end(), {name, value});
}

ExitCode Execute(const ReportArguments& arguments) {
  std::vector<std::string> words;
  AddOption(words, "--format", arguments.format);
  if (arguments.format == "findings") AddOption(words, "--out", arguments.out);
  AddOption(words, "--title", arguments.title);
  AddOption(words, "--append", arguments.append);
  AddOption(words, "--previous", arguments.previous);
  if (arguments.no_plots) words.emplace_back("--no-plots");
  words.emplace_back("--");
  words.insert(words.end(), arguments.runs.begin(), arguments.runs.end());
  return Become("report.py", words);
}

// The trends of a folder, judged, in a file that lives as long as this process: its path.
rocm::Result<std::string> WriteHistory(const std::filesystem::path& folder) {
  const std::filesystem::path index = folder / "index.sqlite";
  const auto updated = UpdateIndex(folder, index);
  if (!updated) return tl::unexpected(updated.error());
  const HistoryQuery query;
  const auto history = LoadHistory(index, query);
  if (!history) return tl::unexpected(history.error());
  const std::string lines = HistoryLines(*history, query, folder.string(), kToolVersion);
  const int file = ::memfd_create("history", 0);  // stays open over exec
  for (std::size_t at = 0; file >= 0 && at < lines.size();) {
    const ssize_t written = ::write(file, lines.data() + at, lines.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return rocm::Fail(rocm::ErrorCode::kIo, "no memory for the history of the runs");
    }
    at += static_cast<std::size_t>(written);
  }
  if (file < 0) return rocm::Fail(rocm::ErrorCode::kIo, "no file for the history of the runs");
  return fmt::format("/proc/self/fd/{}", file);
}

ExitCode Execute(const DashboardArguments& arguments) {
  std::vector<std::string> words;
  AddOption(words, "--out", arguments.out);
  std::string history = arguments.history;
  std::error_code error;
  if (history.empty() && arguments.runs.size() == 1 &&
      std::filesystem::is_directory(arguments.runs.front(), error)) {
    auto written = WriteHistory(arguments.runs.front());
    if (!written) return Report(written.error());
    history = *std::move(written);
  }
  AddOption(words, "--history", history);
  AddOption(words, "--title", arguments.title);
  words.emplace_back("--");
  words.insert(words.end(), arguments.runs.begin(), arguments.runs.end());
  return Become("dashboard.py", words);
}

}  // namespace

void AddReportCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<ReportArguments>();
  ReportArguments& a = *arguments;
  CLI::App* report =
      app.add_subcommand("report", "Write FINDINGS.md and plots, or rows for other tools");
  report->add_option("runs", a.runs, "Run files, or folders of them")->required();
  report->add_option("--out", a.out, "Folder for FINDINGS.md and plots")->capture_default_str();
  report
      ->add_option("--format", a.format,
                   "findings, or printed: llama-bench-md, llama-bench-jsonl, llama-cpp-pr (two "
                   "runs: before, after), csv")
      ->capture_default_str();
  report->add_option("--title", a.title, "Of the document or section");
  report->add_option("--append", a.append, "Append a dated section to this cumulative log");
  report->add_option("--previous", a.previous, "The run to hold the first one against");
  report->add_flag("--no-plots", a.no_plots, "No pictures");
  report->callback([arguments, &context] { context.exit = Execute(*arguments); });

  auto page_arguments = std::make_shared<DashboardArguments>();
  DashboardArguments& d = *page_arguments;
  CLI::App* page = app.add_subcommand(
      "dashboard", "Write one static HTML page: verdict, tiles, trends, runs, A/B");
  page->add_option("runs", d.runs, "Run files, or folders of them")->required();
  page->add_option("--out", d.out, "The page")->capture_default_str();
  page->add_option("--history", d.history,
                   "From rocm-bench history --out; of a single folder it is made here");
  page->add_option("--title", d.title, "Of the page");
  page->callback([page_arguments, &context] { context.exit = Execute(*page_arguments); });
}

}  // namespace harness
