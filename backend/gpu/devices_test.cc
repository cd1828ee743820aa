// SPDX-License-Identifier: EUPL-1.2
#include "backend/gpu/devices.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/gpu/fake_machine_for_tests.h"

namespace rocm::gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

Device Chosen(const FakeMachine& machine, std::string_view pin = {}) {
  return ChooseDevice(Probe(machine.places()), Vendor::kAmd, pin).value();
}

TEST(DevicesTest, CardBesideAProcessorsGraphicsInBothOrders) {
  for (const bool card_first : {true, false}) {
    FakeMachine machine;
    machine.AddCpuNode();
    if (card_first) machine.AddGpu(FakeMachine::Rx7800Xt());
    machine.AddGpu(FakeMachine::RyzenGraphics());
    if (!card_first) machine.AddGpu(FakeMachine::Rx7800Xt());
    const Inventory inventory = Probe(machine.places());
    ASSERT_EQ(inventory.devices.size(), 2u);
    EXPECT_TRUE(inventory.rocm.usable);
    EXPECT_THAT(inventory.rocm.reasons, IsEmpty());

    const Device chosen = Chosen(machine);
    EXPECT_EQ(chosen.uuid, "GPU-5b0f3a91c27d4e68");
    EXPECT_EQ(chosen.ordinal, card_first ? 0 : 1);
    EXPECT_EQ(chosen.kind, Kind::kDiscrete);
    EXPECT_EQ(chosen.gfx_target, "gfx1101");
    EXPECT_EQ(chosen.pci_address, "0000:03:00.0");
    EXPECT_EQ(chosen.memory_bytes, 16 * kGiB);
    EXPECT_EQ(chosen.compute_units, 60);
    EXPECT_EQ(chosen.render_minor, 128);
    EXPECT_EQ(chosen.kfd_gpu_id, card_first ? 41001u : 41002u);

    const Device& graphics = inventory.devices[card_first ? 1 : 0];
    EXPECT_EQ(graphics.kind, Kind::kIntegrated);
    EXPECT_EQ(graphics.gfx_target, "gfx1036");
    EXPECT_EQ(graphics.uuid, "") << "a processor's GPU has none";
  }
}

TEST(DevicesTest, ACarveOutOf96GiBIsNoCard) {
  FakeMachine machine;
  machine.AddCpuNode();
  machine.AddGpu(FakeMachine::StrixHalo());
  EXPECT_EQ(Chosen(machine).kind, Kind::kIntegrated);
  EXPECT_EQ(Chosen(machine).memory_bytes, 96 * kGiB) << "the only one, so it is used";
  machine.AddGpu(FakeMachine::Rx7800Xt());
  EXPECT_EQ(Chosen(machine).gfx_target, "gfx1101") << "six times smaller, but a card";
}

TEST(DevicesTest, OfTwoCardsTheLargerOneThenTheFirst) {
  FakeMachine machine;
  machine.AddCpuNode();
  FakeMachine::Gpu small = FakeMachine::Rx7800Xt();
  FakeMachine::Gpu large = FakeMachine::Rx7800Xt();
  small.unique_id = 0x11;
  large.unique_id = 0x22;
  large.bus = 0x43;
  large.card = 1;
  large.render_minor = 129;
  large.vram_bytes = 24 * kGiB;
  machine.AddGpu(small);
  machine.AddGpu(large);
  EXPECT_EQ(Chosen(machine).uuid, "GPU-0000000000000022");
  FakeMachine::Gpu same = large;
  same.unique_id = 0x33;
  same.bus = 0x44;
  same.card = 2;
  same.render_minor = 130;
  machine.AddGpu(same);
  EXPECT_EQ(Chosen(machine).uuid, "GPU-0000000000000022");
}

TEST(DevicesTest, EightInstinctsInKfdsOrder) {
  FakeMachine machine;
  machine.AddCpuNode();
  machine.AddCpuNode();
  for (int i = 0; i < 8; ++i) machine.AddGpu(FakeMachine::Mi300X(i));
  const Inventory inventory = Probe(machine.places());
  ASSERT_EQ(inventory.devices.size(), 8u);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(inventory.devices[static_cast<std::size_t>(i)].ordinal, i);
    EXPECT_EQ(inventory.devices[static_cast<std::size_t>(i)].uuid,
              fmt::format("GPU-8ac1e95b0000000{}", i + 1));
  }
  const Device first = Chosen(machine);
  EXPECT_EQ(first.gfx_target, "gfx942");
  EXPECT_EQ(first.name, "AMD Instinct MI300X OAM");
  EXPECT_EQ(first.compute_units, 304);
  EXPECT_EQ(first.memory_bytes, 192 * kGiB);
}

TEST(DevicesTest, ANodeHiddenFromAContainerIsNotCounted) {
  FakeMachine machine;
  machine.AddCpuNode();
  FakeMachine::Gpu hidden = FakeMachine::Mi300X(0);
  hidden.hidden = true;
  machine.AddGpu(hidden);
  machine.AddGpu(FakeMachine::Mi300X(1));
  const Inventory inventory = Probe(machine.places());
  ASSERT_EQ(inventory.devices.size(), 1u);
  EXPECT_EQ(inventory.devices[0].ordinal, 0) << "ROCr does not count it either";
}

TEST(DevicesTest, TheNameComesFromLibdrmsTable) {
  FakeMachine machine;
  machine.AddGpu(FakeMachine::Rx7800Xt());
  EXPECT_EQ(Chosen(machine).name, "AMD gfx1101") << "better than a guess";
  machine.Write("/usr/share/libdrm/amdgpu.ids",
                "# List of AMDGPU IDs\n1.0.0\n747E,\tC8,\tAMD Radeon RX 7800 XT\n"
                "747E,\tFF,\tAMD Radeon RX 7700 XT\n");
  EXPECT_EQ(Chosen(machine).name, "AMD Radeon RX 7800 XT");
  EXPECT_EQ(Describe(Chosen(machine)),
            "GPU-5b0f3a91c27d4e68 AMD Radeon RX 7800 XT (discrete, 16.0 GiB, 0000:03:00.0)");
}

TEST(DevicesTest, TheTableWritesRevisionsWithTwoDigits) {
  FakeMachine machine;
  auto card = FakeMachine::Rx7800Xt();
  card.revision = 2;
  machine.AddGpu(card);
  machine.Write("/usr/share/libdrm/amdgpu.ids", "1.0.0\n747E,\t02,\tAMD Some Card\n");
  EXPECT_EQ(Chosen(machine).name, "AMD Some Card");
}

TEST(DevicesTest, ATargetOfTheFutureIsJudgedByItsMemory) {
  FakeMachine machine;
  FakeMachine::Gpu gpu = FakeMachine::Rx7800Xt();
  gpu.gfx_target_version = 130000;
  machine.AddGpu(gpu);
  EXPECT_EQ(Chosen(machine).kind, Kind::kDiscrete);
  EXPECT_EQ(Chosen(machine).gfx_target, "gfx1300");
  FakeMachine processor;
  gpu.unique_id = 0;
  gpu.vram_vendor = "unknown";
  processor.AddGpu(gpu);
  EXPECT_EQ(Chosen(processor).kind, Kind::kIntegrated);
}

TEST(DevicesTest, NoGpuAtAllSaysSo) {
  FakeMachine machine;
  const Inventory inventory = Probe(machine.places());
  EXPECT_THAT(inventory.devices, IsEmpty());
  EXPECT_FALSE(inventory.rocm.usable);
  ASSERT_EQ(inventory.rocm.reasons.size(), 1u);
  EXPECT_THAT(inventory.rocm.reasons[0], HasSubstr("there is no /dev/kfd"));
  const auto chosen = ChooseDevice(inventory, Vendor::kAmd);
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::kBackendUnavailable);
  EXPECT_THAT(chosen.error().message, HasSubstr("no AMD GPU can be used: there is no /dev/kfd"));
  machine.Write("/dev/kfd", "");
  machine.AddCpuNode();
  EXPECT_THAT(Probe(machine.places()).rocm.reasons,
              ElementsAre("there is /dev/kfd, but no GPU in KFD's topology"));
}

TEST(DevicesTest, WithoutKfdTheCardIsListedButNotForRocm) {
  FakeMachine machine;
  machine.AddCardOnly(FakeMachine::Rx7800Xt());
  const Inventory inventory = Probe(machine.places());
  ASSERT_EQ(inventory.devices.size(), 1u);
  EXPECT_EQ(inventory.devices[0].ordinal, -1);
  EXPECT_EQ(inventory.devices[0].memory_bytes, 16 * kGiB);
  EXPECT_FALSE(inventory.rocm.usable);
  EXPECT_FALSE(ChooseDevice(inventory, Vendor::kAmd));
}

TEST(DevicesTest, OfSeveralNvidiaCardsACudaNameIsUnclear) {
  Inventory inventory;
  for (int ordinal : {0, 1}) {
    Device card;
    card.vendor = Vendor::kNvidia;
    card.ordinal = ordinal;
    card.uuid = "GPU-" + std::to_string(ordinal);
    inventory.devices.push_back(card);
  }
  const auto unclear = ChooseDevice(inventory, Vendor::kNvidia, "CUDA0");
  ASSERT_FALSE(unclear);
  EXPECT_THAT(unclear.error().message, HasSubstr("counts the fastest card first"));
  EXPECT_EQ(ChooseDevice(inventory, Vendor::kNvidia, "1")->uuid, "GPU-1");
  EXPECT_EQ(ChooseDevice(inventory, Vendor::kNvidia, "gpu-0")->ordinal, 0);
  inventory.devices.pop_back();
  EXPECT_TRUE(ChooseDevice(inventory, Vendor::kNvidia, "CUDA0"));
}

// As another user, since root may open everything.
class OtherUser {
 public:
  OtherUser() : before_(::geteuid()) {
    if (before_ == 0 && ::seteuid(65534) != 0) std::abort();
  }
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;
  ~OtherUser() {
    if (::seteuid(before_) != 0) std::abort();
  }

 private:
  uid_t before_;
};

TEST(DevicesTest, KfdThatMayNotBeOpenedNamesTheGroup) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs to give a file to another group";
  FakeMachine machine;
  machine.AddGpu(FakeMachine::Rx7800Xt());
  const struct group* video = ::getgrnam("video");
  ASSERT_NE(video, nullptr);
  const std::string kfd = machine.Path("/dev/kfd");
  ASSERT_EQ(::chown(kfd.c_str(), 0, video->gr_gid), 0);
  ASSERT_EQ(::chmod(kfd.c_str(), 0660), 0);
  const auto reasons = [&] {
    const OtherUser other;
    return Probe(machine.places()).rocm.reasons;
  };
  ASSERT_EQ(::chmod(machine.Path("/dev/dri/renderD128").c_str(), 0666), 0);
  EXPECT_THAT(reasons(),
              ElementsAre("/dev/kfd may not be opened: this user is not in the group 'video' (sudo "
                          "usermod -aG video \"$USER\", then log in anew)"));
  ASSERT_EQ(::chmod(kfd.c_str(), 0666), 0);
  EXPECT_THAT(reasons(), IsEmpty());
  ASSERT_EQ(::chmod(machine.Path("/dev/dri/renderD128").c_str(), 0600), 0);
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("/dev/dri/renderD128 may not be opened by anyone")));
  ASSERT_EQ(::chmod(kfd.c_str(), 0660), 0);
  ASSERT_EQ(::chown(kfd.c_str(), 0, 54321), 0);
  EXPECT_THAT(reasons()[0], HasSubstr("belongs to group 54321, which has no name here (in a "
                                      "container: --group-add 54321)"));
}

TEST(DevicesTest, OneUsableCardOfTwoIsEnough) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs to give a file to another user";
  FakeMachine machine;
  machine.AddGpu(FakeMachine::Rx7800Xt());
  machine.AddGpu(FakeMachine::RyzenGraphics());
  for (const char* node : {"/dev/kfd", "/dev/dri/renderD128"}) {
    ASSERT_EQ(::chmod(machine.Path(node).c_str(), 0666), 0);
  }
  ASSERT_EQ(::chmod(machine.Path("/dev/dri/renderD129").c_str(), 0600), 0);
  const OtherUser other;
  EXPECT_TRUE(Probe(machine.places()).rocm.usable);
}

TEST(ChooseDeviceTest, PinsByUuidOrdinalAndListedName) {
  FakeMachine machine;
  machine.AddGpu(FakeMachine::RyzenGraphics());
  machine.AddGpu(FakeMachine::Rx7800Xt());
  for (const char* pin : {"GPU-5b0f3a91c27d4e68", "gpu-5B0F3A91C27D4E68", "1", "ROCm1", "rocm1"}) {
    EXPECT_EQ(Chosen(machine, pin).gfx_target, "gfx1101") << pin;
  }
  EXPECT_EQ(Chosen(machine, "0").gfx_target, "gfx1036") << "as the user wishes";
  for (const char* pin :
       {"2", "GPU-1", "ROCm", "CUDA1", "0x1", "-1", "1 ", "99999999999999999999"}) {
    const auto chosen = ChooseDevice(Probe(machine.places()), Vendor::kAmd, pin);
    ASSERT_FALSE(chosen) << pin;
    EXPECT_EQ(chosen.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(chosen.error().message,
                HasSubstr(fmt::format("no device '{}'; there are 0: ", pin)));
    EXPECT_THAT(chosen.error().message, HasSubstr("1: GPU-5b0f3a91c27d4e68 AMD gfx1101"));
  }
}

}  // namespace
}  // namespace rocm::gpu
