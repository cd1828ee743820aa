// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/environment.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

namespace rocm::process {
namespace {

using std::string_view;

// Compute stacks and their run-times.
constexpr auto kRecordedPrefixes = std::to_array<string_view>(
    {"AMD_",      "CUDA_",    "GGML_",  "GOMP_",   "GPU_",     "HIPBLASLT_", "HIP_",
     "HSA_",      "KMP_",     "MESA_",  "MIOPEN_", "NVIDIA_",  "OMP_",       "ONEAPI_",
     "RADV_",     "ROCBLAS_", "ROCR_",  "SYCL_",   "TENSILE_", "UR_",        "VK_",
     "ZE_",       "ZES_",     "__GLX_", "__NV_",   "ANV_",     "INTEL_",     "HSAKMT_",
     "OPENBLAS_", "MKL_",     "BLIS_",  "ROCTX_",  "ROCPROF_", "AMDGPU_",    "MALLOC_"});
constexpr auto kRecordedNames = std::to_array<string_view>(
    {"DRI_PRIME", "GLIBC_TUNABLES", "LD_LIBRARY_PATH", "ROCM_PATH", "ROCM_HOME"});

// Needed to run at all, to find files, to print, and to say what a sanitizer shall do.
constexpr auto kPlainNames = std::to_array<string_view>({"PATH",
                                                         "HOME",
                                                         "USER",
                                                         "LOGNAME",
                                                         "SHELL",
                                                         "LANG",
                                                         "LANGUAGE",
                                                         "TZ",
                                                         "TZDIR",
                                                         "TERM",
                                                         "TMPDIR",
                                                         "XDG_RUNTIME_DIR",
                                                         "XDG_CACHE_HOME",
                                                         "XDG_CONFIG_HOME",
                                                         "XDG_DATA_HOME",
                                                         "XDG_DATA_DIRS",
                                                         "XDG_CONFIG_DIRS",
                                                         "ASAN_OPTIONS",
                                                         "LSAN_OPTIONS",
                                                         "TSAN_OPTIONS",
                                                         "UBSAN_OPTIONS"});
constexpr string_view kLocalePrefix = "LC_";

bool HasPrefix(string_view name, const auto& prefixes) {
  return std::ranges::any_of(prefixes, [&](string_view p) { return name.starts_with(p); });
}
bool IsOneOf(string_view name, const auto& names) {
  return std::ranges::find(names, name) != names.end();
}

bool IsValidName(string_view name) {
  return !name.empty() && name.find('=') == string_view::npos &&
         name.find('\0') == string_view::npos;
}

}  // namespace

bool IsRecorded(string_view name) {
  return HasPrefix(name, kRecordedPrefixes) || IsOneOf(name, kRecordedNames);
}

bool IsInheritable(string_view name) {
  return IsRecorded(name) || IsOneOf(name, kPlainNames) || name.starts_with(kLocalePrefix);
}

Result<ChildEnvironment> BuildEnvironment(const EnvironmentRequest& request) {
  std::map<std::string, std::string> all;
  std::set<std::string> dropped;
  for (const string_view entry : request.inherited) {
    const std::size_t equals = entry.find('=');
    if (equals == string_view::npos || equals == 0) continue;
    std::string name(entry.substr(0, equals));
    if (IsInheritable(name)) {
      // getenv() sees the first of doubled names; a child must not see another one.
      all.try_emplace(std::move(name), entry.substr(equals + 1));
    } else {
      dropped.insert(std::move(name));
    }
  }
  for (const std::string& name : request.remove) {
    if (all.erase(name) > 0) dropped.insert(name);
  }
  all.try_emplace("GGML_NO_BACKTRACE", "1");
  for (const auto* added : {&request.pin, &request.set}) {
    for (const auto& [name, value] : *added) {
      if (!IsValidName(name) || value.find('\0') != std::string::npos) {
        return Fail(ErrorCode::kInvalidArgument,
                    "\"" + name + "\" cannot be set in an environment");
      }
      all.insert_or_assign(name, value);
      dropped.erase(name);
    }
  }
  ChildEnvironment child;
  for (const auto& [name, value] : all) {
    child.entries.emplace_back(name).append("=").append(value);
    if (IsRecorded(name)) child.recorded.emplace(name, value);
  }
  child.dropped.assign(dropped.begin(), dropped.end());
  return child;
}

std::vector<std::string> CurrentEnvironment() {
  std::vector<std::string> entries;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    entries.emplace_back(*entry);
  }
  return entries;
}

}  // namespace rocm::process
