// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"

namespace rocm::process {

// The folder of this user where run directories live: `configured`, else $XDG_RUNTIME_DIR/
// rocm-backend, else /tmp/rocm-backend-UID. Made if missing. Refused unless it is a real folder,
// ours, and closed to others (0700).
[[nodiscard]] Result<std::string> RuntimeDirectory(const std::string& configured = {});

// A 0700 folder of one child: its socket and the record by which a later process can tell whose
// child it was. Its name says which process made it, so that a folder whose maker is dead is known
// to be left over, even when the maker died before it wrote anything. Removed by the destructor.
class RunDirectory {
 public:
  [[nodiscard]] static Result<std::unique_ptr<RunDirectory>> Create(const std::string& runtime);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // "ROCM_BACKEND_RUN=<name>": in the environment of the child and of all that it starts.
  [[nodiscard]] std::string marker() const;
  // Notes pid, start time and executable as /proc shows them now.
  [[nodiscard]] Result<void> Record(pid_t pid) const;

 private:
  explicit RunDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// What ReapOrphans() found and did.
struct ReapReport {
  std::vector<pid_t> killed;
  int directories_removed = 0;
  std::vector<std::string> problems;  // one line each
};

// Ends the children of dead processes and removes their run directories. A process is killed only
// when its pid, start time, boot and executable are those recorded, or when it carries the run
// directory's marker in its environment. Run directories of live processes, and of other pid
// namespaces, are left alone; so is everything where it cannot be told (no descriptors left).
// Takes at most a few seconds.
[[nodiscard]] ReapReport ReapOrphans(const std::string& runtime);

}  // namespace rocm::process
