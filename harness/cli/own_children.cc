// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/own_children.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

#include "backend/gpu/sysfs.h"

namespace harness {

std::vector<pid_t> OwnChildren() {
  std::vector<std::pair<unsigned long long, pid_t>> found;  // by start time
  for (const auto& [pid, folder] : rocm::gpu::Numbered("/proc", "")) {
    const std::string line = rocm::gpu::ReadText(folder + "/stat").value_or("");
    const auto name_end = line.rfind(')');  // the name may hold anything
    if (name_end == std::string::npos) continue;
    std::istringstream rest(line.substr(name_end + 1));
    std::string skipped;
    pid_t parent = 0;
    rest >> skipped >> parent;
    for (int field = 5; field < 22; ++field) rest >> skipped;
    unsigned long long started = 0;
    if (rest >> started && parent == ::getpid()) found.emplace_back(started, pid);
  }
  std::ranges::sort(found, std::greater<>());
  std::vector<pid_t> pids;
  for (const auto& [started, pid] : found) pids.push_back(pid);
  return pids;
}

}  // namespace harness
