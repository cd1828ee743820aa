// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/fault_trigger.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/gpu/fake_machine_for_tests.h"
#include "harness/cli/own_children.h"
#include "harness/cli/vram_release.h"

namespace harness {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A process that waits to be struck.
class Victim {
 public:
  Victim() {
    // A sanitizer's own handler would turn the signal into an exit.
    const auto before = ::signal(SIGSEGV, SIG_DFL);
    pid_ = ::fork();
    while (pid_ == 0) ::pause();
    ::signal(SIGSEGV, before);
  }
  ~Victim() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // The signal that ended it.
  int Reap() {
    int status = 0;
    (void)::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  pid_t pid_ = -1;
};

FaultPlan Plan(FaultAction action, FaultMoment moment) {
  FaultPlan plan;
  plan.action = action;
  plan.moment = moment;
  plan.after_tokens = 5;
  return plan;
}

TEST(FaultTrigger, StrikesADecodeOnceItHasItsTokens) {
  Victim victim;
  FaultTrigger trigger(Plan(FaultAction::kSegv, FaultMoment::kDecode), victim.pid());
  trigger.OnStarted();
  trigger.OnTokens(4);
  EXPECT_EQ(trigger.struck_ns(), 0);
  trigger.OnTokens(5);
  EXPECT_GT(trigger.struck_ns(), 0);
  EXPECT_EQ(victim.Reap(), SIGSEGV);
  EXPECT_FALSE(trigger.Strike()) << "once";
}

TEST(FaultTrigger, StrikesAPrefillHalfWayToItsFirstToken) {
  Victim victim;
  FaultTrigger trigger(Plan(FaultAction::kAbort, FaultMoment::kPrefill), victim.pid());
  trigger.OnStarted();
  const auto begin = rocm::Now();
  while (rocm::Now() - begin < milliseconds(40)) (void)::poll(nullptr, 0, 1);
  trigger.OnTokens(1);
  EXPECT_EQ(trigger.struck_ns(), 0) << "the first one only shows how long it takes";
  const auto second = rocm::Now();
  trigger.OnStarted();
  EXPECT_EQ(victim.Reap(), SIGABRT);
  while (trigger.struck_ns() == 0) (void)::poll(nullptr, 0, 1);
  EXPECT_GE(trigger.struck_ns() - rocm::ToNs(second), 20'000'000);
}

TEST(FaultTrigger, AnUnknownProcessIsNotStruck) {
  FaultTrigger trigger(Plan(FaultAction::kKill, FaultMoment::kLoad), 0);
  EXPECT_TRUE(trigger.Strike()) << "and not our own group";
}

TEST(OwnChildren, AreThoseOfThisProcess) {
  Victim first, second;
  const auto children = OwnChildren();
  ASSERT_EQ(children.size(), 2u);
  EXPECT_TRUE((children[0] == second.pid() && children[1] == first.pid()) ||
              (children[0] == first.pid() && children[1] == second.pid()));
}

TEST(ExitWatch, StampsTheEndAndTheNextOne) {
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  std::atomic<bool> serves{false};
  ExitWatch watch(fd, [&] { return serves.load(); });
  EXPECT_EQ(watch.Await(rocm::Now() + milliseconds(5)), 0);
  const std::int64_t before = rocm::ToNs(rocm::Now());
  ASSERT_EQ(::eventfd_write(fd, 1), 0);
  const std::int64_t ended = watch.Await(rocm::Now() + seconds(10));
  EXPECT_GE(ended, before);
  EXPECT_LE(ended, rocm::ToNs(rocm::Now()));
  serves = true;
  const auto asked = rocm::Now();
  while (watch.served_ns() == 0 && rocm::Now() - asked < seconds(10)) (void)::poll(nullptr, 0, 1);
  watch.Stop();
  EXPECT_GT(watch.served_ns(), ended);
  ::close(fd);
}

TEST(ReleaseWatch, SeesWhenMemoryIsFreeAgain) {
  using rocm::gpu::FakeMachine;
  FakeMachine machine;
  machine.AddGpu(FakeMachine::Rx7800Xt());
  const auto devices = rocm::gpu::Probe(machine.places()).devices;
  const auto used = [&](std::uint64_t mib) {
    machine.Write("/sys/devices/pci0000:00/0000:03:00.0/mem_info_vram_used",
                  std::to_string(mib << 20) + "\n");
  };
  used(4096);
  machine.Write("/sys/class/kfd/kfd/proc/100/vram_" + std::to_string(devices.at(0).kfd_gpu_id),
                std::to_string(3400ULL << 20) + "\n");
  const MemoryInUse before = ReadMemoryInUse(devices, 100, machine.places());
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  ExitWatch exit(fd, [] { return false; });
  ReleaseWatch release(devices, before, exit, machine.places());
  ASSERT_EQ(::eventfd_write(fd, 1), 0);
  ASSERT_NE(exit.Await(rocm::Now() + seconds(10)), 0);
  const std::int64_t freed = rocm::ToNs(rocm::Now());
  used(696);
  Injection injection;
  const auto begin = rocm::Now();
  while (!release.done() && rocm::Now() - begin < seconds(10)) (void)::poll(nullptr, 0, 1);
  release.Finish(injection);
  EXPECT_EQ(injection.released_bytes, 3400LL << 20);
  ASSERT_TRUE(injection.released_ns);
  EXPECT_GE(*injection.released_ns, freed);
  exit.Stop();
  ::close(fd);
}

TEST(ReleaseWatch, SaysNothingWhereNothingWasHeld) {
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  ExitWatch exit(fd, [] { return false; });
  ReleaseWatch release({}, {}, exit);
  Injection injection;
  release.Finish(injection);
  EXPECT_EQ(injection.released_bytes, std::nullopt);
  exit.Stop();
  ::close(fd);
}

}  // namespace
}  // namespace harness
