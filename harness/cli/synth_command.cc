// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>

#include "backend/gguf/chain_model.h"
#include "backend/gguf/synthetic_model.h"
#include "harness/cli/commands.h"
#include "harness/target/preflight.h"

namespace harness {
namespace {

struct SynthArguments {
  bool chain = false;
  std::string shape;
  std::string type = "q4_0";
  std::string file;
  std::uint64_t seed = 1;
  bool check_only = false;
  TargetOptions target;  // the server that is to load it
  ServerSettings settings;
};

std::string ShapeNames() {
  std::string names;
  for (const auto& shape : rocm::gguf::ModelShapes()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", shape.name);
  }
  return names;
}

rocm::Result<void> Write(const SynthArguments& arguments) {
  if (arguments.chain == !arguments.shape.empty()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument, "give either --chain or --shape NAME");
  }
  if (arguments.chain && arguments.check_only) return {};  // it takes 3 MB
  if (arguments.chain) return rocm::gguf::WriteChainModel(arguments.file, arguments.seed);
  const rocm::gguf::ModelShape* shape = rocm::gguf::FindModelShape(arguments.shape);
  if (shape == nullptr) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("unknown shape {}: there are {}", arguments.shape, ShapeNames()));
  }
  const auto type = rocm::gguf::ParseWeightType(arguments.type);
  if (!type) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("unknown type {}: there are q4_0, q8_0, f16", arguments.type));
  }
  rocm::gguf::Metadata metadata = rocm::gguf::SyntheticModelMetadata(*shape, *type);
  metadata.path = fmt::format("{} {}", shape->name, arguments.type);
  const auto room = FindRoom(arguments.target, arguments.settings);
  if (!room) return tl::unexpected(room.error());
  const auto fits = CheckFits(metadata, arguments.target, arguments.settings, *room);
  if (!fits || arguments.check_only) return fits;
  return rocm::gguf::WriteSyntheticModel(arguments.file, *shape, *type, arguments.seed);
}

ExitCode Synth(const SynthArguments& arguments) {
  const auto written = Write(arguments);
  if (!written) return Report(written.error());
  if (arguments.check_only) return ExitCode::kPass;
  std::error_code ignored;
  const auto size = std::filesystem::file_size(arguments.file, ignored);
  fmt::print("{}: {:.1f} MB\n", arguments.file, static_cast<double>(size) / 1e6);
  return ExitCode::kPass;
}

}  // namespace

void AddSynthCommand(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<SynthArguments>();
  SynthArguments& a = *arguments;
  CLI::App* synth = app.add_subcommand("synth", "Write a model without downloading one");
  synth->add_flag("--chain", a.chain, "The chain model: every answer is known in advance");
  synth->add_option("--shape", a.shape, "Random weights in a real model's shape: " + ShapeNames());
  synth->add_option("--type", a.type, "q4_0, q8_0 or f16")->capture_default_str();
  synth->add_option("--seed", a.seed, "Of the random weights")->capture_default_str();
  a.target.kind = TargetKind::kLlamaServer;
  synth->add_option("--backend", a.target.backend, "Of the server that is to load it");
  synth->add_option("--server-binary", a.target.server_binary, "The llama-server itself");
  synth->add_option("--device", a.target.device, "Its device");
  synth->add_option("--context", a.settings.context_per_slot, "Tokens a slot, for the estimate")
      ->check(CLI::PositiveNumber);
  synth->add_option("--slots", a.settings.slots, "For the estimate")->check(CLI::PositiveNumber);
  synth->add_flag("--ignore-estimate", a.target.ignore_estimate,
                  "Write it whether or not it fits this machine");
  synth->add_flag("--check", a.check_only, "Only say whether it would fit; write nothing");
  synth->add_option("file", a.file, "Where to write it")->required();
  synth->callback([arguments, &context] { context.exit = Synth(*arguments); });
}

}  // namespace harness
