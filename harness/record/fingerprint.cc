// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/fingerprint.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "harness/base/json.h"
#include "harness/base/sha256.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::string Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\"";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

// The first 64 KiB of a file as the kernel shows it; empty when there is none.
std::string ReadSmall(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::size_t{64} << 10U, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

// The value after "KEY<separator>" at the start of a line.
std::string LineValue(const std::string& text, std::string_view key, char separator) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find(separator);
    if (at != std::string::npos && Trim(std::string_view(line).substr(0, at)) == key) {
      return Trim(std::string_view(line).substr(at + 1));
    }
  }
  return {};
}

void Put(Json& json, std::string_view key, std::string value) {
  if (!value.empty()) json[std::string(key)] = std::move(value);
}

void PutFile(Json& json, std::string_view key, const fs::path& path) {
  Put(json, key, Trim(ReadSmall(path)));
}

Json CpuIdentity(const fs::path& root) {
  const std::string info = ReadSmall(root / "proc/cpuinfo");
  std::string model = LineValue(info, "model name", ':');
  if (model.empty()) model = LineValue(info, "Model", ':');  // some ARM boards
  Json cpu = Json::object();
  Put(cpu, "model", model);
  cpu["threads"] = std::thread::hardware_concurrency();
  return cpu;
}

// One governor for all, or each that is in use: "performance,powersave".
std::string Governors(const fs::path& root) {
  std::set<std::string> seen;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(root / "sys/devices/system/cpu", ec)) {
    const std::string governor = Trim(ReadSmall(entry.path() / "cpufreq/scaling_governor"));
    if (!governor.empty()) seen.insert(governor);
  }
  std::string joined;
  for (const std::string& governor : seen) joined += (joined.empty() ? "" : ",") + governor;
  return joined;
}

// "[always] madvise never" means always.
std::string Chosen(const std::string& text) {
  const auto open = text.find('[');
  const auto close = text.find(']', open);
  if (open == std::string::npos || close == std::string::npos) return Trim(text);
  return text.substr(open + 1, close - open - 1);
}

Json MachineCovariates(const fs::path& root) {
  Json json = Json::object();
  PutFile(json, "kernel", root / "proc/sys/kernel/osrelease");
  Put(json, "os", LineValue(ReadSmall(root / "etc/os-release"), "PRETTY_NAME", '='));
  Put(json, "memory", LineValue(ReadSmall(root / "proc/meminfo"), "MemTotal", ':'));
  Put(json, "cpu_governor", Governors(root));
  const fs::path cpu = root / "sys/devices/system/cpu";
  PutFile(json, "cpu_energy_preference", cpu / "cpu0/cpufreq/energy_performance_preference");
  PutFile(json, "cpu_boost", cpu / "cpufreq/boost");
  PutFile(json, "cpu_no_turbo", cpu / "intel_pstate/no_turbo");
  PutFile(json, "smt", cpu / "smt/control");
  PutFile(json, "platform_profile", root / "sys/firmware/acpi/platform_profile");
  Put(json, "huge_pages", Chosen(ReadSmall(root / "sys/kernel/mm/transparent_hugepage/enabled")));
  std::error_code ec;
  for (const auto& supply : fs::directory_iterator(root / "sys/class/power_supply", ec)) {
    if (Trim(ReadSmall(supply.path() / "type")) != "Mains") continue;
    PutFile(json, "mains_power", supply.path() / "online");
  }
  const std::string flags = " " + LineValue(ReadSmall(root / "proc/cpuinfo"), "flags", ':') + " ";
  if (flags.find(" hypervisor ") != std::string::npos) json["virtual_machine"] = true;
  return json;
}

bool IsRelevant(std::string_view name) {
  constexpr std::array<std::string_view, 8> kPrefixes = {
      "GGML_", "HSA_", "ROCBLAS_", "HIP_", "HIPBLASLT_", "ROCR_", "LLAMA_ARG_", "AMD_"};
  constexpr std::array<std::string_view, 5> kNames = {"CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL",
                                                      "OMP_NUM_THREADS", "RADV_PERFTEST",
                                                      "VK_DRIVER_FILES"};
  constexpr std::array<std::string_view, 4> kSecrets = {"KEY", "TOKEN", "SECRET", "PASSWORD"};
  const auto contains = [&](std::string_view word) {
    return name.find(word) != std::string_view::npos;
  };
  if (std::ranges::any_of(kSecrets, contains)) return false;
  const auto starts = [&](std::string_view prefix) { return name.starts_with(prefix); };
  return std::ranges::any_of(kPrefixes, starts) || std::ranges::find(kNames, name) != kNames.end();
}

Json EnvironmentFacts(const FingerprintInput& input) {
  std::map<std::string, std::string> kept;
  const auto keep = [&](const std::string& name, const std::string& value) {
    if (IsRelevant(name)) kept[name] = value;
  };
  if (input.environment) {
    for (const auto& [name, value] : *input.environment) keep(name, value);
  } else {
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      const auto equals = text.find('=');
      if (equals == std::string_view::npos) continue;
      keep(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
    }
  }
  Json json = Json::object();
  for (const auto& [name, value] : kept) json[name] = value;
  return json;
}

Json GpuCovariates(const GpuFacts& gpu) {
  Json json = Json::object();
  Put(json, "driver", gpu.driver);
  Put(json, "runtime", gpu.runtime);
  Put(json, "performance_level", gpu.performance_level);
  if (gpu.power_cap_w) json["power_cap_w"] = *gpu.power_cap_w;
  return json;
}

}  // namespace

Fingerprint CollectFingerprint(const FingerprintInput& input, const fs::path& root) {
  Fingerprint result;
  result.identity["cpu"] = CpuIdentity(root);
  result.identity["gpus"] = Json::array();
  result.covariates = MachineCovariates(root);
  result.covariates["gpus"] = Json::array();
  for (const GpuFacts& gpu : input.gpus) {
    result.identity["gpus"].push_back({{"model", gpu.model}, {"uuid", gpu.uuid}});
    result.covariates["gpus"].push_back(GpuCovariates(gpu));
  }
  result.identity["backend"] = input.backend_kind;
  if (input.model) {
    result.identity["model"] = {{"sha256", input.model->sha256},
                                {"bytes", input.model->bytes},
                                {"architecture", input.model->architecture},
                                {"name", input.model->name},
                                {"quantisation", input.model->quantisation}};
  } else {
    result.identity["model"] = nullptr;
  }
  Put(result.covariates, "server_build", input.server_build);
  result.covariates["environment"] = EnvironmentFacts(input);
  return result;
}

std::string SeriesKey(const Fingerprint& fingerprint, std::string_view scenario,
                      std::string_view variant, std::string_view stage, const Json& settings) {
  // An array keeps the parts apart, and plain json sorts the keys: the order in which somebody
  // filled an object must not start a new trend.
  const nlohmann::json identity = fingerprint.identity;
  const nlohmann::json asked = settings;
  const nlohmann::json key = {scenario, variant, stage, identity, asked};
  const std::string text = key.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return Sha256Hex(text).substr(0, 16);
}

}  // namespace harness
