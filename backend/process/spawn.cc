// SPDX-License-Identifier: EUPL-1.2
#include "backend/process/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "backend/base/clock.h"
#include "backend/base/errno_text.h"
#include "backend/process/pidfd.h"

namespace rocm::process {
namespace {

enum class Stage : int { kSignals, kDirectory, kDescriptors, kExec, kOrphan };

// What the child writes into the exec pipe when it cannot go on.
struct Failure {
  Stage stage;
  int error;
};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// Everything the child needs, in plain memory: between fork and exec it may neither allocate nor
// lock, because another thread may have held the lock.
struct ChildPlan {
  const char* executable;
  char* const* argv;
  char* const* environment;
  const char* working_directory;  // nullptr: stay
  int in, out, err, failure;
  pid_t parent;
  bool core_dumps;
  void (*after_fork)(void*);
  void* after_fork_argument;
};

[[noreturn]] void Abandon(const ChildPlan& plan, Stage stage, int error) {
  const Failure failure{stage, error};
  // Nobody may be left to read it.
  [[maybe_unused]] const ssize_t n = ::write(plan.failure, &failure, sizeof failure);
  ::_exit(127);
}

// Raw system calls: the C library's wrappers are intercepted by sanitizers, and may lock there.
void ResetSignals() {
  // Zero is SIG_DFL without flags in the kernel's layout, whatever the architecture.
  constexpr std::array<unsigned long, 8> kDefault{};
  constexpr std::size_t kMaskBytes = 8;
  for (int signal = 1; signal <= 64; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, kDefault.data(), nullptr, kMaskBytes);
  }
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, kDefault.data(), nullptr, kMaskBytes);
}

// Every descriptor above standard error shall close at exec, whoever opened it without CLOEXEC.
void CloseOnExecAboveStandard() {
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  // Before Linux 5.11.
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1024;
  const rlim_t end = limit.rlim_cur > 65536 ? 65536 : limit.rlim_cur;
  for (rlim_t fd = 3; fd < end; ++fd) ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  if (plan.after_fork != nullptr) plan.after_fork(plan.after_fork_argument);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A parent that died before that line will not be noticed by the kernel any more.
  if (::getppid() != plan.parent) Abandon(plan, Stage::kOrphan, ESRCH);
  ResetSignals();
  if (!plan.core_dumps) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
  }
  if (plan.working_directory != nullptr && ::chdir(plan.working_directory) != 0) {
    Abandon(plan, Stage::kDirectory, errno);
  }
  if (::dup2(plan.in, 0) < 0 || ::dup2(plan.out, 1) < 0 || ::dup2(plan.err, 2) < 0) {
    Abandon(plan, Stage::kDescriptors, errno);
  }
  CloseOnExecAboveStandard();
  ::execve(plan.executable, plan.argv, plan.environment);
  Abandon(plan, Stage::kExec, errno);
}

// A descriptor of at least 3: the program that embeds us may have closed its own 0, 1 or 2, and
// dup2() in the child would then overwrite what it still needs.
Result<UniqueFd> Raise(int fd) {
  if (fd < 0) return Fail(ErrorCode::kIo, "cannot make a pipe: " + ErrnoText(errno));
  UniqueFd owned(fd);
  if (fd > 2) return owned;
  UniqueFd raised(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!raised) return Fail(ErrorCode::kIo, "cannot duplicate a pipe: " + ErrnoText(errno));
  return raised;
}

Result<Pipe> MakePipe() {
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kIo, "cannot make a pipe: " + ErrnoText(errno));
  }
  auto read = Raise(fds[0]);
  auto write = Raise(fds[1]);
  if (!read) return Fail(read.error());
  if (!write) return Fail(write.error());
  return Pipe{std::move(*read), std::move(*write)};
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  // execve() takes char* const[] for historical reasons and does not write.
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void Reap(const UniqueFd& pidfd, pid_t pid) {
  siginfo_t info{};
  const idtype_t type = pidfd ? P_PIDFD : P_PID;
  const auto id = static_cast<id_t>(pidfd ? pidfd.get() : pid);
  while (::waitid(type, id, &info, WEXITED) != 0 && errno == EINTR) {
  }
}

tl::unexpected<Error> ExplainFailure(const SpawnPlan& plan, const Failure& failure) {
  const std::string what = "cannot start " + plan.executable + ": ";
  switch (failure.stage) {
    case Stage::kDirectory:
      return Fail(ErrorCode::kIo,
                  "cannot start in " + plan.working_directory + ": " + ErrnoText(failure.error));
    case Stage::kExec:
      if (failure.error == ENOENT && ::access(plan.executable.c_str(), F_OK) == 0) {
        return Fail(ErrorCode::kBinaryNotFound,
                    what + "the file is there, but the interpreter or loader it names is not");
      }
      if (failure.error == ENOEXEC) {
        return Fail(ErrorCode::kBinaryNotFound, what + "not a program of this machine's kind");
      }
      if (failure.error == E2BIG) {
        return Fail(ErrorCode::kInvalidArgument, what + "arguments and environment are too long");
      }
      if (failure.error == ENOMEM || failure.error == EAGAIN || failure.error == ETXTBSY) {
        return Fail(ErrorCode::kIo, what + ErrnoText(failure.error));
      }
      return Fail(ErrorCode::kBinaryNotFound, what + ErrnoText(failure.error));
    case Stage::kSignals:
    case Stage::kDescriptors:
    case Stage::kOrphan: break;
  }
  return Fail(ErrorCode::kIo, what + ErrnoText(failure.error));
}

// Waits until the child has executed its program (the pipe closes) or says why not.
Result<void> AwaitExec(const SpawnPlan& plan, const UniqueFd& pipe) {
  const TimePoint deadline = Now() + plan.exec_timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Now());
    pollfd poll_fd{pipe.get(), POLLIN, 0};
    const int ready =
        ::poll(&poll_fd, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      return Fail(ErrorCode::kStartTimeout,
                  "cannot start " + plan.executable + ": not executed in time");
    }
    Failure failure{};
    const ssize_t n = ::read(pipe.get(), &failure, sizeof failure);
    if (n < 0 && errno == EINTR) continue;
    if (n == sizeof failure) return ExplainFailure(plan, failure);
    return {};
  }
}

// fork() with every signal blocked, so that no handler of the embedding program runs in the child.
pid_t ForkChild(const ChildPlan& plan) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) RunChild(plan);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

void MakeNonBlocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

}  // namespace

Result<SpawnedProcess> Spawn(const SpawnPlan& plan) {
  auto out = MakePipe();
  auto err = MakePipe();
  auto failure = MakePipe();
  auto null = Raise(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const auto* pipe : {&out, &err, &failure}) {
    if (!*pipe) return Fail(pipe->error());
  }
  if (!null) return Fail(ErrorCode::kIo, "cannot open /dev/null");
  const std::vector<char*> argv = Pointers(plan.argv);
  const std::vector<char*> environment = Pointers(plan.environment);
  const ChildPlan child{
      .executable = plan.executable.c_str(),
      .argv = argv.data(),
      .environment = environment.data(),
      .working_directory =
          plan.working_directory.empty() ? nullptr : plan.working_directory.c_str(),
      .in = null->get(),
      .out = out->write.get(),
      .err = err->write.get(),
      .failure = failure->write.get(),
      .parent = ::getpid(),
      .core_dumps = plan.core_dumps,
      .after_fork = plan.after_fork,
      .after_fork_argument = plan.after_fork_argument,
  };
  SpawnedProcess spawned;
  spawned.pid = ForkChild(child);
  if (spawned.pid < 0) {
    Error error;
    error.code = ErrorCode::kIo;
    error.message = "cannot make a process: " + ErrnoText(errno);
    error.retryable = true;
    return Fail(std::move(error));
  }
  ::setpgid(spawned.pid, spawned.pid);  // in the child too: whoever is first
  spawned.pidfd = OpenPidfd(spawned.pid);
  const int pidfd_error = errno;
  out->write.reset();
  err->write.reset();
  failure->write.reset();
  Result<void> executed = AwaitExec(plan, failure->read);
  if (executed && !spawned.pidfd) {
    executed = Fail(ErrorCode::kIo, "cannot watch a process: " + ErrnoText(pidfd_error));
  }
  if (!executed) {
    ::kill(spawned.pid, SIGKILL);  // not reaped yet, so the pid is still ours
    Reap(spawned.pidfd, spawned.pid);
    return Fail(executed.error());
  }
  spawned.out = std::move(out->read);
  spawned.err = std::move(err->read);
  MakeNonBlocking(spawned.out);
  MakeNonBlocking(spawned.err);
  return spawned;
}

}  // namespace rocm::process
