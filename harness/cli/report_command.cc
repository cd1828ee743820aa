// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "harness/cli/commands.h"

namespace harness {
namespace {

// By its path: another python3 on PATH would not see the distribution's modules.
constexpr char kPython[] = "/usr/bin/python3";

struct ReportArguments {
  std::vector<std::string> runs;
  std::string out = "report";
  std::vector<std::string> more;
};

// Installed beside the program, or in the source tree that it was built from.
rocm::Result<std::filesystem::path> FindReportScript() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path().parent_path() / "share/rocm-bench/reports";
  for (const auto& folder : {beside, std::filesystem::path(ROCM_SOURCE_DIR) / "reports"}) {
    if (std::filesystem::exists(folder / "report.py", error)) return folder / "report.py";
  }
  return rocm::Fail(
      rocm::ErrorCode::kIo,
      fmt::format("the report scripts are neither in {} nor in the source tree", beside.string()));
}

ExitCode Execute(const ReportArguments& arguments) {
  const auto script = FindReportScript();
  if (!script) return Report(script.error());
  std::vector<std::string> words{kPython, script->string()};
  words.insert(words.end(), arguments.runs.begin(), arguments.runs.end());
  words.insert(words.end(), {"--out", arguments.out});
  words.insert(words.end(), arguments.more.begin(), arguments.more.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  StopSignals::Unblock();
  ::execv(kPython, argv.data());
  return Report(
      rocm::Fail(rocm::ErrorCode::kIo,
                 fmt::format("cannot run {}: {}", kPython, std::generic_category().message(errno)))
          .value());
}

}  // namespace

void AddReportCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<ReportArguments>();
  ReportArguments& a = *arguments;
  CLI::App* report =
      app.add_subcommand("report", "Write FINDINGS.md and plots from run files alone");
  report->add_option("runs", a.runs, "Run files, or folders of them")->required();
  report->add_option("--out", a.out, "Folder for the report")->capture_default_str();
  report->add_option("--reports-arg", a.more, "Passed on to the report scripts")->take_all();
  report->callback([arguments, &context] { context.exit = Execute(*arguments); });
}

}  // namespace harness
