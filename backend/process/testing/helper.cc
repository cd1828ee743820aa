// SPDX-License-Identifier: EUPL-1.2
// The other processes of this room's tests: children with every bad habit, and parents that are
// killed while they have one.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "backend/base/clock.h"
#include "backend/process/child.h"
#include "backend/process/environment.h"
#include "backend/process/spawn.h"

namespace {

using rocm::process::Child;
using rocm::process::ChildOptions;
using Arguments = std::vector<std::string>;

std::string g_self;

void Say(const std::string& line) {
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
}

int Hang() {
  Say("ready");
  for (;;) ::pause();
}

// --- children ---------------------------------------------------------------------------------

int Exit(const Arguments& a) { return std::stoi(a.at(0)); }

int Die(const Arguments& a) {
  const int signal = std::stoi(a.at(0));
  Say("about to die");
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  return 0;
}

int IgnoreTerm(const Arguments&) {
  ::signal(SIGTERM, SIG_IGN);
  return Hang();
}

std::atomic<int> g_terms{0};

int SecondTerm(const Arguments&) {
  ::signal(SIGTERM, [](int) {
    if (++g_terms == 2) ::_exit(42);
  });
  return Hang();
}

// Takes more than a second of work to end, and says so by nothing but its use of the CPU.
int SlowTerm(const Arguments&) {
  ::signal(SIGTERM, [](int) { ++g_terms; });
  Say("ready");
  while (g_terms == 0) ::poll(nullptr, 0, 5);
  const auto end = rocm::Now() + std::chrono::milliseconds(1'200);
  while (rocm::Now() < end) {
  }
  return 43;
}

int Tick(const Arguments&) {
  for (int i = 0;; ++i) {
    Say("tick " + std::to_string(i));
    ::poll(nullptr, 0, 2);
  }
}

// Lines of 100 bytes on both streams at once, then one word on each.
int Flood(const Arguments& a) {
  const long lines = std::stol(a.at(0));
  const auto write_all = [lines](int fd) {
    std::string block;
    for (int i = 0; i < 100; ++i) block += std::string(99, 'x') + "\n";
    for (long i = 0; i < lines; i += 100) {
      if (::write(fd, block.data(), block.size()) < 0) return;
    }
    [[maybe_unused]] const ssize_t n = ::write(fd, "done\n", 5);
  };
  std::thread other(write_all, STDERR_FILENO);
  write_all(STDOUT_FILENO);
  other.join();
  return 0;
}

int LongLine(const Arguments& a) {
  const std::string block(1 << 20, 'y');
  for (long i = 0; i < std::stol(a.at(0)); ++i) {
    if (::write(STDOUT_FILENO, block.data(), block.size()) < 0) return 1;
  }
  Say("");
  Say("after");
  return 0;
}

int Surroundings(const Arguments&) {
  std::string fds = "fds";
  DIR* dir = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] != '.' && std::stoi(entry->d_name) != ::dirfd(dir)) {
      fds += std::string(" ") + entry->d_name;
    }
  }
  ::closedir(dir);
  Say(fds);
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk") || line.starts_with("SigIgn")) Say(line);
  }
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  Say("core " + std::to_string(core.rlim_cur));
  char byte = 0;
  Say("stdin " + std::to_string(::read(STDIN_FILENO, &byte, 1)));
  Say("leads " + std::to_string(::getpgrp() == ::getpid()));
  return 0;
}

// Leaves a process behind that holds our pipes; "away": in a session of its own.
int LeaveGrandchild(const Arguments& a) {
  int settled[2];
  if (::pipe(settled) != 0) return 1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (a.at(0) == "away") ::setsid();
    ::close(settled[0]);
    ::close(settled[1]);
    for (;;) ::pause();
  }
  // Not before it has left our group, or it would be killed with it.
  ::close(settled[1]);
  char byte = 0;
  (void)!::read(settled[0], &byte, 1);
  Say("grandchild " + std::to_string(pid));
  if (a.size() > 1) return Hang();
  return 0;
}

// --- parents ----------------------------------------------------------------------------------

ChildOptions Helper(const Arguments& arguments) {
  ChildOptions options;
  options.executable = g_self;
  options.arguments = arguments;
  options.environment = rocm::process::CurrentEnvironment();
  options.on_line = [](rocm::process::LogStream, std::string_view line) {
    Say("child: " + std::string(line));
  };
  return options;
}

// hold RUNTIME ARGUMENT… : keeps one child, recorded in RUNTIME, until killed.
int Hold(const Arguments& a) {
  ChildOptions options = Helper({a.begin() + 1, a.end()});
  auto run = rocm::process::RunDirectory::Create(a.at(0));
  if (!run) return 1;
  options.run_directory = std::move(*run);
  auto child = Child::Start(std::move(options));
  if (!child) return 1;
  Say("pid " + std::to_string((*child)->pid()));
  for (;;) ::pause();
}

// Starts children one after the other, from threads that end at once, until killed.
int StartForEver(const Arguments&) {
  Say("ready");
  std::vector<std::unique_ptr<Child>> children;
  for (;;) {
    std::thread([&] {
      auto child = Child::Start(Helper({"hang"}));
      if (child) children.push_back(std::move(*child));
    }).join();
    if (children.size() >= 8) children.clear();
  }
}

// fork-race FIFO MARK: a parent whose child is held between fork and exec until FIFO is opened.
int ForkRace(const Arguments& a) {
  static std::string fifo;
  fifo = a.at(0);
  rocm::process::SpawnPlan plan;
  plan.executable = "/bin/sh";
  plan.argv = {"/bin/sh", "-c", "echo executed > " + a.at(1)};
  plan.after_fork = [](void* path) {
    ::setpgid(0, 0);  // or it would die with the group of its parent
    char text[32] = "forked ";
    char* end = text + 7;
    int divisor = 1;
    const int pid = ::getpid();
    while (pid / divisor >= 10) divisor *= 10;
    for (; divisor > 0; divisor /= 10) *end++ = static_cast<char>('0' + pid / divisor % 10);
    *end++ = '\n';
    [[maybe_unused]] const ssize_t n =
        ::write(STDOUT_FILENO, text, static_cast<std::size_t>(end - text));
    ::open(static_cast<const char*>(path), O_RDONLY);
  };
  plan.after_fork_argument = fifo.data();
  static_cast<void>(rocm::process::Spawn(plan));
  return Hang();
}

// Runs a child with our own 0, 1 and 2 closed; the exit code says whether its output arrived.
int ClosedStdio(const Arguments&) {
  ::close(0);
  ::close(1);
  ::close(2);
  ChildOptions options = Helper({"surroundings"});
  std::atomic<int> good{0};
  options.on_line = [&good](rocm::process::LogStream, std::string_view line) {
    if (line == "fds 0 1 2" || line == "stdin 0") ++good;
  };
  auto child = Child::Start(std::move(options));
  if (!child) return 90;
  if (!(*child)->WaitExited(std::chrono::seconds(20))) return 91;
  child->reset();
  return good;
}

// The exit code of a child of a program that ignores SIGCHLD.
int IgnoreChildren(const Arguments&) {
  constexpr int kChildEnded = SIGCHLD;  // what our library never touches, a program may
  ::signal(kChildEnded, SIG_IGN);
  auto child = Child::Start(Helper({"exit", "7"}));
  if (!child || !(*child)->WaitExited(std::chrono::seconds(20))) return 90;
  const int code = (*child)->exit_info()->exit_code.value_or(91);
  return code == -1 ? 92 : code;
}

}  // namespace

int main(int argc, char** argv) {
  g_self = argv[0];
  const std::map<std::string, std::function<int(const Arguments&)>> modes{
      {"exit", Exit},
      {"die", Die},
      {"hang", [](const Arguments&) { return Hang(); }},
      {"ignore-term", IgnoreTerm},
      {"second-term", SecondTerm},
      {"slow-term", SlowTerm},
      {"tick", Tick},
      {"flood", Flood},
      {"long-line", LongLine},
      {"surroundings", Surroundings},
      {"leave-grandchild", LeaveGrandchild},
      {"hold", Hold},
      {"start-for-ever", StartForEver},
      {"fork-race", ForkRace},
      {"closed-stdio", ClosedStdio},
      {"ignore-children", IgnoreChildren},
  };
  if (argc < 2 || !modes.contains(argv[1])) return 99;
  return modes.at(argv[1])(Arguments(argv + 2, argv + argc));
}
