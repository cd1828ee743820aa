// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/supervisor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "backend/process/pidfd.h"

namespace rocm::process {
namespace {

// What a dead process can have left in its pipe, however large somebody made that.
constexpr std::size_t kFinalDrainBytes = std::size_t{1} << 20;
// Read from one pipe before the other one, and the end of the process, get their turn.
constexpr std::size_t kReadBudget = std::size_t{256} << 10;

// As in linux/pidfd.h since Linux 6.15: the headers may be older than the kernel.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::array<std::uint32_t, 11> ids;
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kPidfdInfoExit = 1ULL << 3;

ExitInfo FromWaitStatus(int status) {
  ExitInfo exit;
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
  } else {
    exit.exit_code = WEXITSTATUS(status);
  }
  return exit;
}

// Where the embedding program ignores SIGCHLD, or waits for any child, our status is taken. Newer
// kernels keep it in the pidfd.
ExitInfo ExitOfStolenChild(const UniqueFd& pidfd) {
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  if (::ioctl(pidfd.get(), _IOWR(0xFF, 11, PidfdInfo), &info) == 0 &&
      (info.mask & kPidfdInfoExit) != 0) {
    return FromWaitStatus(info.exit_code);
  }
  return ExitInfo{.exit_code = -1, .signal = std::nullopt};
}

// Running, or dead and not reaped: its pid, and the group it leads, cannot be reused meanwhile.
bool HoldsItsPid(const UniqueFd& pidfd) {
  siginfo_t info{};
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int PollTimeout(TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

Child::Supervisor::Supervisor(ChildOptions options)
    : options_(std::move(options)),
      run_directory_(options_.run_directory ? options_.run_directory->path() : std::string()),
      log_(options_.log_lines, options_.log_bytes),
      out_{LogStream::kOut, {}, LineSplitter(options_.max_line_bytes)},
      err_{LogStream::kErr, {}, LineSplitter(options_.max_line_bytes)},
      exit_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      wake_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Child::Supervisor::~Supervisor() {
  if (!thread_.joinable()) return;
  // Normally the thread has ended, or is about to: the process is dead and draining is bounded.
  if (!exit_info()) Wake();
  thread_.join();
}

Result<void> Child::Supervisor::Start() {
  if (!exit_event_ || !wake_event_) return Fail(ErrorCode::kIo, "cannot make an eventfd");
  std::promise<Result<void>> started;
  std::future<Result<void>> outcome = started.get_future();
  // The thread inherits this mask: the embedding program's signals are not for it to handle.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread(&Supervisor::Run, this, std::move(started));
  } catch (const std::system_error&) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return Fail(ErrorCode::kIo, "cannot start a thread");
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return outcome.get();
}

void Child::Supervisor::Run(std::promise<Result<void>> started) {
  ::pthread_setname_np(::pthread_self(), "rocm-child");
  Result<void> spawned = SpawnAndRecord();
  const bool ok = spawned.has_value();
  started.set_value(std::move(spawned));
  if (!ok) return;
  Supervise();
  DrainAfterExit();
}

Result<void> Child::Supervisor::SpawnAndRecord() {
  SpawnPlan plan;
  plan.executable = options_.executable;
  plan.argv.push_back(options_.executable);
  plan.argv.insert(plan.argv.end(), options_.arguments.begin(), options_.arguments.end());
  plan.environment = options_.environment;
  if (options_.run_directory) plan.environment.push_back(options_.run_directory->marker());
  plan.working_directory = options_.working_directory;
  plan.core_dumps = options_.core_dumps;
  auto spawned = Spawn(plan);
  if (!spawned) return Fail(spawned.error());
  process_ = std::move(*spawned);
  out_.fd = std::move(process_.out);
  err_.fd = std::move(process_.err);
  last_output_ns_ = ToNs(Now());
  if (options_.run_directory) {
    // Without a record there is still the marker; a process that has ended already needs neither.
    static_cast<void>(options_.run_directory->Record(process_.pid));
  }
  return {};
}

bool Child::Supervisor::alive() const {
  return !AwaitEnd(process_.pidfd, std::chrono::milliseconds(0));
}

std::optional<ExitInfo> Child::Supervisor::exit_info() const {
  const std::lock_guard lock(mutex_);
  return exit_;
}

bool Child::Supervisor::WaitExitedUntil(TimePoint deadline) const {
  std::unique_lock lock(mutex_);
  return exited_.wait_until(lock, deadline, [this] { return exit_.has_value(); });
}

TimePoint Child::Supervisor::last_output() const {
  return TimePoint(Nanoseconds(last_output_ns_.load(std::memory_order_relaxed)));
}

bool Child::Supervisor::Send(int signal, Target target) {
  // Under the lock that reaping takes.
  const std::lock_guard lock(mutex_);
  if (reaped_) return false;
  if (target == Target::kProcess) {
    return SendSignal(process_.pidfd, signal);
  }
  return HoldsItsPid(process_.pidfd) && ::kill(-process_.pid, signal) == 0;
}

void Child::Supervisor::Wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_event_.get(), &one, sizeof one);
}

void Child::Supervisor::Supervise() {
  for (;;) {
    std::array<pollfd, 4> fds{{{process_.pidfd.get(), POLLIN, 0},
                               {wake_event_.get(), POLLIN, 0},
                               {out_.fd.get(), POLLIN, 0},
                               {err_.fd.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[0].revents != 0) {
      NoticeExit();
      return;
    }
    if (fds[1].revents != 0) return;
    if (fds[2].revents != 0) ReadAvailable(out_, kReadBudget);
    if (fds[3].revents != 0) ReadAvailable(err_, kReadBudget);
  }
}

void Child::Supervisor::NoticeExit() {
  // First what it said last, so that whoever learns of the end finds the reason in the log.
  ReadBoth(kFinalDrainBytes);
  const ExitInfo exit = Reap();
  options_.run_directory.reset();  // before anybody can know, so that nobody finds it
  {
    const std::lock_guard lock(mutex_);
    exit_ = exit;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(exit_event_.get(), &one, sizeof one);
  exited_.notify_all();
  if (options_.on_exit) options_.on_exit(exit);
}

ExitInfo Child::Supervisor::Reap() {
  const std::lock_guard lock(mutex_);
  // What it started has lost its master.
  if (HoldsItsPid(process_.pidfd)) ::kill(-process_.pid, SIGKILL);
  siginfo_t info{};
  int outcome = 0;
  do {
    outcome = ::waitid(P_PIDFD, static_cast<id_t>(process_.pidfd.get()), &info, WEXITED);
  } while (outcome != 0 && errno == EINTR);
  reaped_ = true;
  if (outcome != 0) return ExitOfStolenChild(process_.pidfd);
  ExitInfo exit;
  (info.si_code == CLD_EXITED ? exit.exit_code : exit.signal) = info.si_status;
  return exit;
}

// Something outside the group may hold the pipes for ever.
void Child::Supervisor::DrainAfterExit() {
  const TimePoint deadline = Now() + options_.drain_timeout;
  while ((out_.fd || err_.fd) && Now() < deadline) {
    std::array<pollfd, 3> fds{
        {{wake_event_.get(), POLLIN, 0}, {out_.fd.get(), POLLIN, 0}, {err_.fd.get(), POLLIN, 0}}};
    const int ready = ::poll(fds.data(), fds.size(), PollTimeout(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || fds[0].revents != 0) break;
    ReadBoth(kReadBudget);
  }
  for (Stream* stream : {&out_, &err_}) {
    stream->splitter.Flush([&](std::string_view line) { OnLine(stream->which, line); });
    stream->fd.reset();
  }
}

void Child::Supervisor::ReadBoth(std::size_t budget) {
  for (Stream* stream : {&out_, &err_}) {
    if (stream->fd) ReadAvailable(*stream, budget);
  }
}

void Child::Supervisor::ReadAvailable(Stream& stream, std::size_t budget) {
  std::array<char, 64 << 10> buffer;
  std::size_t total = 0;
  while (total < budget) {
    const ssize_t n = ::read(stream.fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n <= 0) {
      stream.splitter.Flush([&](std::string_view line) { OnLine(stream.which, line); });
      stream.fd.reset();
      break;
    }
    total += static_cast<std::size_t>(n);
    last_output_ns_.store(ToNs(Now()), std::memory_order_relaxed);
    stream.splitter.Feed(std::string_view(buffer.data(), static_cast<std::size_t>(n)),
                         [&](std::string_view line) { OnLine(stream.which, line); });
    const std::string_view pending = stream.splitter.pending();
    if (!pending.empty() && options_.on_partial_line) {
      options_.on_partial_line(stream.which, pending);
    }
  }
}

void Child::Supervisor::OnLine(LogStream which, std::string_view line) {
  log_.Add(line);
  if (options_.on_line) options_.on_line(which, line);
}

}  // namespace rocm::process
