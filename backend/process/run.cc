// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/run.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "backend/process/child.h"

namespace rocm::process {

Result<RunOutput> Run(const RunOptions& options) {
  std::mutex mutex;
  std::condition_variable_any changed;
  RunOutput output;
  bool overflow = false;
  bool exited = false;

  ChildOptions child_options;
  child_options.executable = options.executable;
  child_options.arguments = options.arguments;
  child_options.environment = options.environment;
  child_options.max_line_bytes = std::size_t{64} << 10;
  child_options.log_lines = 20;
  child_options.destructor_grace = std::chrono::milliseconds{0};
  child_options.on_line = [&](LogStream stream, std::string_view line) {
    const std::lock_guard lock(mutex);
    if (output.out.size() + output.err.size() + line.size() > options.max_output_bytes) {
      overflow = true;
      changed.notify_all();
      return;
    }
    std::string& text = stream == LogStream::kOut ? output.out : output.err;
    text.append(line).push_back('\n');
  };
  child_options.on_exit = [&](const ExitInfo& exit) {
    const std::lock_guard lock(mutex);
    output.exit = exit;
    exited = true;
    changed.notify_all();
  };
  auto child = Child::Start(std::move(child_options));
  if (!child) return Fail(child.error());
  bool timely = false;
  {
    std::unique_lock lock(mutex);
    timely = changed.wait_until(lock, options.stop, Now() + options.timeout,
                                [&] { return overflow || exited; });
  }
  child->reset();  // kills what still runs, and reads to the end
  const std::string what = options.executable + " ";
  if (overflow) return Fail(ErrorCode::kLimitExceeded, what + "prints without end");
  if (timely) return output;
  if (options.stop.stop_requested()) return Fail(ErrorCode::kCancelled, what + "was cancelled");
  return Fail(ErrorCode::kDeadlineExceeded,
              what + "did not end within " + std::to_string(options.timeout.count()) + " ms");
}

}  // namespace rocm::process
