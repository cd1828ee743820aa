// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <exception>

#include "harness/cli/commands.h"
#include "harness/cli/version.h"

namespace {

// Each stream is a descriptor, and a login shell allows a thousand.
void AllowManyDescriptors() {
  constexpr rlim_t kMany = 65'536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kMany) return;
  limit.rlim_cur = std::min(limit.rlim_max, kMany);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  AllowManyDescriptors();
  // Before any thread: see StopSignals.
  harness::StopSignals signals;
  harness::CommandContext context{.signals = signals, .argv = {argv, argv + argc}};
  CLI::App app("Measures llama-server, and says how far the figures can be trusted.", "rocm-bench");
  app.set_version_flag("--version", harness::kToolVersion);
  app.require_subcommand(1);
  harness::AddRunCommand(app, context);
  harness::AddSynthCommand(app, context);
  harness::AddReportCommand(app, context);
  harness::AddCalibrateCommand(app, context);
  harness::AddExportCommand(app, context);
  harness::AddRunsCommands(app, context);
  harness::AddHistoryCommand(app, context);
  harness::AddGateCommand(app, context);
  harness::AddBaselineCommand(app, context);
  harness::AddInspectCommands(app, context);
  harness::AddCompareCommand(app, context);
  harness::AddChatCommand(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked_for = error.get_exit_code() == 0;  // --help, --version
    const int code = app.exit(error);
    return asked_for ? code : static_cast<int>(harness::ExitCode::kBadInput);
  } catch (const std::exception& error) {
    fmt::print(stderr, "rocm-bench: {}\n", error.what());
    return static_cast<int>(harness::ExitCode::kBackendFailed);
  }
  return static_cast<int>(context.exit);
}
