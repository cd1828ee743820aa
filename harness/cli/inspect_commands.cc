// SPDX-License-Identifier: EUPL-1.2
// devices, models and estimate: what is here, and what would fit.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <memory>

#include "backend/backend.h"
#include "backend/gguf/discovery.h"
#include "backend/gguf/estimate.h"
#include "backend/gguf/metadata.h"
#include "backend/gguf/synthetic_model.h"
#include "backend/gpu/devices.h"
#include "backend/gpu/vram.h"
#include "backend/llama_server/server.h"
#include "harness/base/json.h"
#include "harness/cli/commands.h"
#include "harness/target/preflight.h"

namespace harness {
namespace {

namespace gguf = rocm::gguf;
namespace gpu = rocm::gpu;

constexpr double kGiB = 1024.0 * 1024 * 1024;

double GiB(std::uint64_t bytes) { return static_cast<double>(bytes) / kGiB; }

// File names and metadata are foreign text.
void Print(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

Json ToJson(const gpu::Device& device) {
  Json json;
  json["vendor"] = gpu::ToString(device.vendor);
  json["kind"] = gpu::ToString(device.kind);
  json["name"] = device.name;
  json["uuid"] = device.uuid;
  json["ordinal"] = device.ordinal;
  json["gfx_target"] = device.gfx_target;
  json["pci_address"] = device.pci_address;
  json["memory_bytes"] = device.memory_bytes;
  if (const auto memory = gpu::ReadCardMemory(device)) json["memory_free_bytes"] = memory->free();
  return json;
}

ExitCode Devices(bool as_json) {
  const gpu::Inventory inventory = gpu::Probe();
  const auto binary = rocm::llama_server::FindServerBinary();
  Json json;
  json["devices"] = Json::array();
  for (const gpu::Device& device : inventory.devices) json["devices"].push_back(ToJson(device));
  json["backends"] = Json::object();
  for (const std::string& name : rocm::ListBackends()) {
    const rocm::Availability availability = rocm::GetBackend(name)->Available();
    json["backends"][name] = {{"available", availability.available},
                              {"reasons", availability.reasons}};
  }
  json["llama_server"] = binary ? Json(*binary) : Json(nullptr);
  if (as_json) {
    Print(json);
    return ExitCode::kPass;
  }
  for (const gpu::Device& device : inventory.devices) {
    const auto memory = gpu::ReadCardMemory(device);
    fmt::print("{}{}\n", gpu::Describe(device),
               memory ? fmt::format(", {:.1f} GiB free", GiB(memory->free())) : "");
  }
  if (inventory.devices.empty()) fmt::print("no AMD or NVIDIA GPU\n");
  for (const auto& [name, state] : json["backends"].items()) {
    fmt::print(
        "{:<8}{}\n", name,
        state["available"].get<bool>()
            ? "available"
            : fmt::format("{}", fmt::join(state["reasons"].get<std::vector<std::string>>(), "; ")));
  }
  fmt::print("llama-server: {}\n", binary ? *binary : "none");
  return ExitCode::kPass;
}

Json ToJson(const gguf::Metadata& metadata) {
  Json json;
  json["path"] = metadata.path;
  json["name"] = metadata.name;
  json["architecture"] = metadata.architecture;
  json["quantisation"] = metadata.quantisation;
  json["file_bytes"] = metadata.file_bytes;
  json["shards"] = metadata.shards;
  json["parameters"] = metadata.parameters;
  json["bits_per_weight"] = metadata.bits_per_weight;
  json["layers"] = metadata.layers;
  json["context_length"] = metadata.context_length;
  return json;
}

ExitCode Models(std::string directory, bool as_json) {
  if (directory.empty()) {
    const char* configured = std::getenv("ROCM_MODEL_DIR");
    if (configured == nullptr || *configured == '\0') {
      return Report(rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                               "no folder given, and ROCM_MODEL_DIR is not set")
                        .value());
    }
    directory = configured;
  }
  const auto found = gguf::DiscoverModels(directory);
  if (!found) return Report(found.error());
  if (as_json) {
    Json json;
    json["directory"] = directory;
    json["models"] = Json::array();
    for (const auto& model : found->models) json["models"].push_back(ToJson(model.metadata));
    json["skipped"] = Json::array();
    for (const auto& file : found->skipped) {
      json["skipped"].push_back({{"path", file.path}, {"reason", file.reason}});
    }
    Print(json);
    return ExitCode::kPass;
  }
  for (const auto& model : found->models) {
    const gguf::Metadata& m = model.metadata;
    fmt::print("{}  {} {} {:.2f} GiB, {} layers, context {}{}\n", model.path, m.architecture,
               m.quantisation, GiB(m.file_bytes), m.layers, m.context_length,
               m.shards > 1 ? fmt::format(", {} shards", m.shards) : "");
  }
  for (const auto& file : found->skipped) fmt::print("{}  skipped: {}\n", file.path, file.reason);
  if (found->models.empty()) fmt::print("no model in {}\n", directory);
  return ExitCode::kPass;
}

struct EstimateArguments {
  std::string model;
  std::string shape;  // instead of a model
  std::string type = "q4_0";
  TargetOptions target;  // where it is to go; empty: every device is shown
  gguf::MemoryRequest request;
  bool no_flash_attention = false;
  bool json = false;
};

Json ToJson(const gguf::MemoryEstimate::Side& side) {
  return {{"weights_bytes", side.weights},
          {"kv_bytes", side.kv},
          {"compute_bytes", side.compute},
          {"overhead_bytes", side.overhead},
          {"total_bytes", side.total()}};
}

void PrintSide(std::string_view name, const gguf::MemoryEstimate::Side& side) {
  fmt::print("{:<8}{:>9.2f}{:>9.2f}{:>9.2f}{:>9.2f}{:>9.2f}\n", name, GiB(side.weights),
             GiB(side.kv), GiB(side.compute), GiB(side.overhead), GiB(side.total()));
}

rocm::Result<gguf::Metadata> MetadataOf(const EstimateArguments& arguments) {
  if (arguments.model.empty() == arguments.shape.empty()) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      "give either a model file or --shape NAME");
  }
  if (arguments.shape.empty()) return gguf::ReadMetadata(arguments.model);
  const gguf::ModelShape* shape = gguf::FindModelShape(arguments.shape);
  const auto type = gguf::ParseWeightType(arguments.type);
  if (shape == nullptr || !type) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("unknown shape {} or type {}: see rocm-bench synth --help",
                                  arguments.shape, arguments.type));
  }
  gguf::Metadata metadata = gguf::SyntheticModelMetadata(*shape, *type);
  metadata.path = fmt::format("{} {}", shape->name, arguments.type);
  return metadata;
}

// The one place that was asked about: a pass, or the line that says why not.
ExitCode EstimateFor(const EstimateArguments& arguments, const gguf::Metadata& metadata) {
  ServerSettings settings;
  settings.slots = arguments.request.slots;
  if (arguments.request.context_per_slot > 0) {
    settings.context_per_slot = arguments.request.context_per_slot;
  }
  settings.gpu_layers = arguments.request.gpu_layers;
  settings.kv_type_k = arguments.request.kv_type_k;
  settings.kv_type_v = arguments.request.kv_type_v;
  if (arguments.no_flash_attention) settings.flash_attention = rocm::FlashAttention::kOff;
  const auto room = FindRoom(arguments.target, settings);
  if (!room) return Report(room.error());
  const auto fits = CheckFits(metadata, arguments.target, settings, *room);
  if (!fits) return Report(fits.error());
  if (!arguments.json && room->free_bytes) {
    fmt::print("fits {}: {:.2f} GiB free\n", room->label, GiB(*room->free_bytes));
  }
  return ExitCode::kPass;
}

ExitCode Estimate(EstimateArguments arguments) {
  const auto metadata = MetadataOf(arguments);
  if (!metadata) return Report(metadata.error());
  const bool asked = !arguments.target.backend.empty() || !arguments.target.server_binary.empty();
  arguments.request.flash_attention = !arguments.no_flash_attention;
  const auto estimate = gguf::EstimateMemory(*metadata, arguments.request);
  if (!estimate) return Report(estimate.error());

  Json fits = Json::array();
  for (const gpu::Device& device : gpu::Probe().devices) {
    if (asked) break;
    const auto memory = gpu::ReadCardMemory(device);
    if (!memory) continue;
    fits.push_back({{"device", gpu::Describe(device)},
                    {"free_bytes", memory->free()},
                    {"fits", gguf::Fits(*estimate, memory->free())}});
  }
  if (arguments.json) {
    Json json = ToJson(*metadata);
    json["context_per_slot"] = estimate->context_per_slot;
    json["slots"] = arguments.request.slots;
    json["layers_on_device"] = estimate->layers_on_device;
    json["layers_total"] = estimate->layers_total;
    json["device"] = ToJson(estimate->device);
    json["host"] = ToJson(estimate->host);
    json["proven"] = estimate->proven;
    json["fits"] = fits;
    Print(json);
    return asked ? EstimateFor(arguments, *metadata) : ExitCode::kPass;
  }
  fmt::print("{}: {} {}, {} slots of {} tokens, {} of {} layers on the device\n", metadata->path,
             metadata->architecture, metadata->quantisation, arguments.request.slots,
             estimate->context_per_slot, estimate->layers_on_device, estimate->layers_total);
  fmt::print("{:<8}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "GiB", "weights", "KV", "compute", "overhead",
             "total");
  PrintSide("device", estimate->device);
  PrintSide("host", estimate->host);
  if (!estimate->proven) {
    fmt::print("not held against a real server's log for architecture {}\n",
               metadata->architecture);
  }
  for (const Json& row : fits) {
    fmt::print("{} {}: {:.2f} GiB free\n", row["fits"].get<bool>() ? "fits" : "DOES NOT FIT",
               row["device"].get<std::string>(), GiB(row["free_bytes"].get<std::uint64_t>()));
  }
  return asked ? EstimateFor(arguments, *metadata) : ExitCode::kPass;
}

void AddEstimate(CLI::App& app, CommandContext& context) {
  auto arguments = std::make_shared<EstimateArguments>();
  EstimateArguments& a = *arguments;
  CLI::App* estimate = app.add_subcommand("estimate", "What memory a model will take");
  a.target.kind = TargetKind::kLlamaServer;
  estimate->add_option("model", a.model, "GGUF file");
  estimate->add_option("--shape", a.shape, "A synthetic model that need not exist yet");
  estimate->add_option("--type", a.type, "Of its weights")->capture_default_str();
  estimate->add_option("--backend", a.target.backend, "Exit 3 where it does not fit its device");
  estimate->add_option("--server-binary", a.target.server_binary,
                       "The same, as this build sees it");
  estimate->add_option("--device", a.target.device, "The device, where there are several");
  estimate->add_option("--context", a.request.context_per_slot, "Tokens a slot; 0: automatic")
      ->check(CLI::NonNegativeNumber);
  estimate->add_option("--slots", a.request.slots, "Requests at the same time")
      ->check(CLI::PositiveNumber);
  estimate->add_option("--gpu-layers", a.request.gpu_layers, "-1: all");
  estimate->add_option("--kv-type-k", a.request.kv_type_k, "f16, q8_0, …");
  estimate->add_option("--kv-type-v", a.request.kv_type_v, "f16, q8_0, …");
  estimate->add_flag("--no-flash-attention", a.no_flash_attention, "As with -fa off");
  estimate->add_flag("--json", a.json, "As JSON");
  estimate->callback([arguments, &context] { context.exit = Estimate(*arguments); });
}

}  // namespace

void AddInspectCommands(CLI::App& app, CommandContext& context) {
  auto as_json = std::make_shared<bool>(false);
  auto directory = std::make_shared<std::string>();

  CLI::App* devices = app.add_subcommand("devices", "GPUs, and which backends can be used here");
  devices->add_flag("--json", *as_json, "As JSON");
  devices->callback([as_json, &context] { context.exit = Devices(*as_json); });

  CLI::App* models = app.add_subcommand("models", "The models of a folder, and what was skipped");
  models->add_option("directory", *directory, "Default: ROCM_MODEL_DIR");
  models->add_flag("--json", *as_json, "As JSON");
  models->callback([as_json, directory, &context] { context.exit = Models(*directory, *as_json); });

  AddEstimate(app, context);
}

}  // namespace harness
