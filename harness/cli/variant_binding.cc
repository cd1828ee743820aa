// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/variant_binding.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>

#include "backend/http/endpoint.h"

namespace harness {
namespace {

bool IsModel(const std::string& path) {
  std::array<char, 4> magic{};
  std::ifstream file(path, std::ios::binary);
  return file.read(magic.data(), magic.size()) && std::string_view(magic.data(), 4) == "GGUF";
}

rocm::Result<void> Take(const std::string& name, const std::string& value,
                        VariantBinding& binding) {
  const auto set = [&](std::string& field, const char* what) -> rocm::Result<void> {
    if (!field.empty()) {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("--variant {}: has two of {}", name, what));
    }
    field = value;
    return {};
  };
  if (value.find("://") != std::string::npos || value.starts_with("unix:")) {
    const auto endpoint = rocm::http::ParseEndpoint(value);
    if (!endpoint) return tl::unexpected(endpoint.error());
    return set(binding.url, "a URL");
  }
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(value, ignored)) {
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("--variant {}: no such file: {}", name, value));
  }
  if (IsModel(value)) return set(binding.model, "a model");
  if (::access(value.c_str(), X_OK) == 0) return set(binding.binary, "a server binary");
  return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                    fmt::format("--variant {}: {} is neither a GGUF file nor executable, and no "
                                "URL",
                                name, value));
}

}  // namespace

rocm::Result<VariantBindings> ParseBindings(const std::vector<std::string>& texts) {
  VariantBindings bindings;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return rocm::Fail(
          rocm::ErrorCode::kInvalidArgument,
          fmt::format("--variant {}: must be NAME=BINARY, NAME=MODEL or NAME=URL", text));
    }
    const std::string name = text.substr(0, equals);
    VariantBinding& binding = bindings[name];
    const auto taken = Take(name, text.substr(equals + 1), binding);
    if (!taken) return tl::unexpected(taken.error());
    if (!binding.url.empty() && (!binding.binary.empty() || !binding.model.empty())) {
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("--variant {}: a server behind a URL has its own binary and "
                                    "model",
                                    name));
    }
  }
  return bindings;
}

rocm::Result<void> CheckBindings(const std::vector<Scenario>& scenarios,
                                 const VariantBindings& bindings) {
  std::set<std::string> used;
  for (const Scenario& scenario : scenarios) {
    if (!scenario.ab) continue;
    for (const AbVariant& variant : scenario.ab->variants) {
      if (variant.binding.empty()) continue;
      used.insert(variant.binding);
      if (bindings.contains(variant.binding)) continue;
      return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                        fmt::format("{}: the variant {} needs --variant {}=BINARY, MODEL or URL",
                                    scenario.file, variant.name, variant.binding));
    }
  }
  for (const auto& [name, binding] : bindings) {
    if (used.contains(name)) continue;
    return rocm::Fail(rocm::ErrorCode::kInvalidArgument,
                      fmt::format("--variant {}: no scenario of this run has a binding of that "
                                  "name",
                                  name));
  }
  return {};
}

std::string SideName(const std::string& axis, const AbVariant& variant) {
  return axis.empty() ? variant.name : fmt::format("{},{}", axis, variant.name);
}

TargetOptions Bind(const TargetOptions& target, const AbVariant& variant,
                   const VariantBindings& bindings) {
  TargetOptions bound = target;
  const auto found = bindings.find(variant.binding);
  if (variant.binding.empty() || found == bindings.end()) return bound;
  const VariantBinding& binding = found->second;
  if (!binding.url.empty()) {
    bound.kind = TargetKind::kAttached;
    bound.url = binding.url;
    return bound;
  }
  if (!binding.binary.empty()) bound.server_binary = binding.binary;
  if (!binding.model.empty()) bound.model = binding.model;
  return bound;
}

}  // namespace harness
