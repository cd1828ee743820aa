// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/load_memory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "backend/gguf/chain_model.h"
#include "backend/gpu/fake_machine_for_tests.h"
#include "harness/cli/load_estimate.h"
#include "harness/cli/run_report.h"
#include "harness/cli/telemetry_gates.h"

namespace harness {
namespace {

using rocm::gpu::FakeMachine;
constexpr double kMiB = 1 << 20;

TEST(LoadEstimate, FollowsWhatTheServerApplied) {
  const std::string model =
      std::filesystem::path(::testing::TempDir()) / "load_estimate_chain.gguf";
  ASSERT_TRUE(rocm::gguf::WriteChainModel(model));
  TargetFacts server;
  server.kind = TargetKind::kLlamaServer;
  server.applied.slots = 1;
  server.applied.context_per_slot = 1024;
  const auto on_cpu = EstimateValues(server, model);
  EXPECT_GT(on_cpu.at("estimate_host_bytes"),
            static_cast<double>(std::filesystem::file_size(model)) / 2);
  EXPECT_FALSE(on_cpu.contains("estimate_device_bytes"));
  server.applied.slots = 4;
  EXPECT_GT(EstimateValues(server, model).at("estimate_host_bytes"),
            on_cpu.at("estimate_host_bytes"));
  server.gpus.push_back({});
  EXPECT_GT(EstimateValues(server, model).at("estimate_device_bytes"), 0);
  EXPECT_TRUE(EstimateValues(server, model + ".not").empty());
  server.kind = TargetKind::kMock;
  EXPECT_TRUE(EstimateValues(server, model).empty());
  std::filesystem::remove(model);
}

TEST(LoadMemory, OfTheCardThatTheServerUses) {
  FakeMachine machine;
  machine.AddGpu(FakeMachine::Rx7800Xt());
  machine.AddGpu(FakeMachine::RyzenGraphics());
  const auto devices = rocm::gpu::Probe(machine.places()).devices;
  ASSERT_EQ(devices.size(), 2u);
  const MemoryInUse before = ReadMemoryInUse(devices, -1, machine.places());
  ASSERT_EQ(before.cards.at(0).used, 700u << 20);
  EXPECT_EQ(before.cards.at(0).of_process, std::nullopt);
  machine.Write("/sys/devices/pci0000:00/0000:03:00.0/mem_info_vram_used", "3770679296\n");
  machine.Write("/sys/class/kfd/kfd/proc/100/vram_" + std::to_string(devices[0].kfd_gpu_id),
                "3000000000\n");
  machine.Write("/proc/100/stat",
                "100 (x) S 1 100 3 4 5 6 7 8 9 10 2 1 0 0 20 0 3 0 99 1000 4 0\n");
  const MemoryInUse after = ReadMemoryInUse(devices, 100, machine.places());
  TargetFacts server;
  server.load_duration = std::chrono::milliseconds(6'100);
  const auto values = LoadValues(server, before, after);
  EXPECT_EQ(values.at("load_ms"), 6'100);
  EXPECT_EQ(values.at("vram_after_load_bytes"), 3'770'679'296.0) << "not the desktop's other card";
  EXPECT_EQ(values.at("vram_of_load_bytes"), 3'770'679'296.0 - 700 * kMiB);
  EXPECT_EQ(values.at("server_vram_bytes"), 3e9);
  EXPECT_GT(values.at("server_rss_bytes"), 0);
}

TEST(LoadMemory, WhatIsNotKnownIsLeftOut) {
  EXPECT_TRUE(LoadValues({}, {}, {}).empty());
  MemoryInUse card;
  card.cards.push_back({700u << 20, std::nullopt});
  EXPECT_TRUE(LoadValues({}, card, card).empty()) << "a card that nothing was loaded onto";
}

TEST(TelemetryGates, AWarningWithAReasonAndAValidRun) {
  StageSummary summary;
  summary.scenario = "s";
  summary.stage = "steady";
  summary.requests = summary.requests_ok = 1;
  const TelemetryFlag flags[] = {{TelemetryFlag::Kind::kThrottled, "GPU-1", 3, 0},
                                 {TelemetryFlag::Kind::kForeignProcess, "GPU-1", 5, 2}};
  StageReport stage;
  stage.scenario = "s";
  stage.stage.name = "steady";
  stage.summary = summary;
  stage.verdicts = JudgeTelemetry(flags, summary);
  ASSERT_EQ(stage.verdicts.size(), 2u);
  EXPECT_EQ(stage.verdicts[0].finding, Finding::kWarning);
  RunReport report;
  report.stages.push_back(stage);
  const RunEnd end = JudgeRun(report, std::nullopt, false);
  EXPECT_EQ(end.status, RunStatus::kValid);
  EXPECT_EQ(end.exit_code, 0);
  ASSERT_EQ(end.reasons.size(), 2u);
  EXPECT_EQ(end.reasons[0],
            "s steady: GPU-1 slowed itself down (heat or hardware protection) in 3 samples");
  EXPECT_EQ(end.reasons[1], "s steady: 2 processes of others computed on GPU-1 meanwhile");
}

}  // namespace
}  // namespace harness
