// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "harness/cli/exit_code.h"
#include "harness/cli/stop_signals.h"

namespace harness {

// What every command is given. Outlives the parsing.
struct CommandContext {
  StopSignals& signals;
  std::vector<std::string> argv;
  ExitCode exit = ExitCode::kPass;  // set by the command that ran
};

// Each adds its subcommand to `app`.
void AddRunCommand(CLI::App& app, CommandContext& context);
void AddSynthCommand(CLI::App& app, CommandContext& context);
// report and dashboard.
void AddReportCommand(CLI::App& app, CommandContext& context);
void AddCalibrateCommand(CLI::App& app, CommandContext& context);
void AddExportCommand(CLI::App& app, CommandContext& context);
void AddCompareCommand(CLI::App& app, CommandContext& context);
void AddChatCommand(CLI::App& app, CommandContext& context);
// devices, models and estimate.
void AddInspectCommands(CLI::App& app, CommandContext& context);
// runs and index.
void AddRunsCommands(CLI::App& app, CommandContext& context);
void AddHistoryCommand(CLI::App& app, CommandContext& context);
void AddGateCommand(CLI::App& app, CommandContext& context);
// baseline accept.
void AddBaselineCommand(CLI::App& app, CommandContext& context);

}  // namespace harness
