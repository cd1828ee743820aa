// SPDX-License-Identifier: EUPL-1.2
// The engine in a time of its own: slots, timing model, presets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "mock_server/api/generation_params.h"
#include "mock_server/engine/scheduler.h"

namespace mock {
namespace {

TEST(TimerQueue, RunsInOrderOfTimeThenOfSetting) {
  TimerQueue queue;
  std::string order;
  Timer a(queue, [&](Ns) { order += 'a'; });
  Timer b(queue, [&](Ns) { order += 'b'; });
  Timer c(queue, [&](Ns) { order += 'c'; });
  a.Set(20);
  b.Set(10);
  c.Set(20);
  EXPECT_EQ(queue.next(), 10);
  EXPECT_EQ(queue.Run(15, 10), 1U);
  EXPECT_EQ(queue.Run(20, 10), 2U);
  EXPECT_EQ(order, "bac");
  EXPECT_TRUE(queue.empty());
}

TEST(TimerQueue, MovesCancelsAndBounds) {
  TimerQueue queue;
  int ran = 0;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 100; ++i) {
    timers.push_back(std::make_unique<Timer>(queue, [&](Ns) { ++ran; }));
    timers.back()->Set((i * 37) % 100);
  }
  for (int i = 0; i < 100; i += 2) timers[static_cast<std::size_t>(i)]->Cancel();
  timers[1]->Set(1'000);
  timers[3].reset();
  EXPECT_EQ(queue.Run(500, 10), 10U);
  EXPECT_EQ(queue.Run(500, 100), 38U);
  EXPECT_EQ(queue.next(), 1'000);
}

TEST(TimerQueue, ATimerMaySetItselfAgain) {
  TimerQueue queue;
  std::vector<Ns> times;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(queue, [&](Ns scheduled) {
    times.push_back(scheduled);
    if (times.size() < 3) timer->Set(scheduled + 10);
  });
  timer->Set(5);
  queue.Run(100, 100);
  EXPECT_EQ(times, (std::vector<Ns>{5, 15, 25}));
}

TEST(Jitter, HasItsMeanAndDeviationAndSeed) {
  for (const std::string spec : {"normal:0.2", "lognormal:0.2"}) {
    SCOPED_TRACE(spec);
    const auto jitter = ParseJitter(spec);
    ASSERT_TRUE(jitter.has_value());
    Random random(3);
    Random again(3);
    double sum = 0.0;
    double squares = 0.0;
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
      const double value = jitter->Draw(random);
      EXPECT_EQ(value, jitter->Draw(again));
      sum += value;
      squares += value * value;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, 1.0, 0.01);
    EXPECT_NEAR(std::sqrt(squares / kDraws - mean * mean), 0.2, 0.01);
  }
  EXPECT_EQ(ParseJitter("none")->Draw(*std::make_unique<Random>(1)), 1.0);
  for (const char* bad :
       {"", "normal", "normal:", "normal:x", "normal:-1", "wild:1", "normal:1x"}) {
    EXPECT_FALSE(ParseJitter(bad).has_value()) << bad;
  }
}

// Runs tasks on virtual time and keeps when their tokens were due.
class Bench : public TaskListener {
 public:
  explicit Bench(EngineConfig config) : scheduler_(std::move(config), timers_) {}

  struct Record {
    Ns submitted = 0;
    Ns started = -1;
    Ns finished = -1;
    std::vector<Ns> tokens;
    int cached = 0;
    int slot = -1;
    bool failed = false;
  };

  int Submit(const Tokens& prompt, int tokens, bool cache = true, int choices = 1) {
    auto params = std::make_shared<GenerationParams>();
    params->settings = DefaultSettings();
    params->n_predict = tokens;
    params->cache_prompt = cache;
    params->logit_bias = {{kEos, std::nullopt}};
    Scheduler::Group group;
    const int first = static_cast<int>(records.size());
    for (int i = 0; i < choices; ++i) {
      const int id = first + i;
      group.push_back(std::make_shared<Task>(id, static_cast<std::uint64_t>(id), params, prompt, i,
                                             *this, scheduler_.config().context_per_slot));
      records[id].submitted = now;
      tasks_[id] = group.back();
    }
    scheduler_.Submit({group}, now);
    return first;
  }
  void RunToEnd() {
    while (!timers_.empty()) {
      now = std::max(now, timers_.next());
      timers_.Run(now, 1);
    }
  }
  void RunUntil(Ns time) {
    while (!timers_.empty() && timers_.next() <= time) {
      now = std::max(now, timers_.next());
      timers_.Run(now, 1);
    }
    now = time;
  }
  void Cancel(int id) { scheduler_.Cancel(*tasks_[id], now); }

  double TtftMs(int id) { return ToMs(records[id].tokens.front() - records[id].submitted); }
  double DecodeRate(int id) {
    const auto& tokens = records[id].tokens;
    return static_cast<double>(tokens.size() - 1) * 1e9 /
           static_cast<double>(tokens.back() - tokens.front());
  }

  void OnSlot(Task& task) override {
    records[task.id()].started = now;
    records[task.id()].slot = task.slot();
    records[task.id()].cached = task.cached();
  }
  void OnProgress(Task&, int, Ns) override {}
  void OnPrefilled(Task&, Ns) override {}
  void OnTokens(Task& task, const TokenEvent&, Ns scheduled) override {
    records[task.id()].tokens.push_back(scheduled);
  }
  void OnFinished(Task& task, Ns scheduled) override { records[task.id()].finished = scheduled; }
  void OnFailed(Task& task, const ApiError&) override { records[task.id()].failed = true; }

  TimerQueue timers_;
  Scheduler scheduler_;
  std::map<int, Record> records;
  std::map<int, std::shared_ptr<Task>> tasks_;
  Ns now = 1'000'000;
};

Tokens Words(int count, int first = 0) {
  Tokens tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(WordToken(first + i));
  return tokens;
}

EngineConfig Hardware(const std::string& preset, int slots = 4, int context = 2'048) {
  EngineConfig config;
  config.model = *FindTimingPreset(preset);
  config.slots = slots;
  config.unified_kv = false;
  config.context_per_slot = context;
  config.context_total = context * slots;
  return config;
}

struct Published {
  const char* preset;
  double decode;
  double aggregate;
};

class Presets : public ::testing::TestWithParam<Published> {};

// The published way: prompts of about 44 characters, 128 tokens; four streams of 32 with prompts
// that are cached, all at once.
TEST_P(Presets, ReproduceThePublishedRates) {
  Bench bench(Hardware(GetParam().preset));
  const int single = bench.Submit(Words(44), 128);
  bench.RunToEnd();
  EXPECT_NEAR(bench.DecodeRate(single), GetParam().decode, GetParam().decode * 0.03);

  for (int i = 0; i < 4; ++i) bench.Submit(Words(25, 100 * i), 32);
  bench.RunToEnd();
  const Ns start = bench.now;
  std::vector<int> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(bench.Submit(Words(25, 100 * i), 32));
  bench.RunToEnd();
  Ns end = 0;
  for (const int id : ids) end = std::max(end, bench.records[id].finished);
  const double aggregate = 128.0 * 1e9 / static_cast<double>(end - start);
  EXPECT_NEAR(aggregate, GetParam().aggregate, GetParam().aggregate * 0.03);
  RecordProperty("decode", std::to_string(bench.DecodeRate(single)));
  RecordProperty("aggregate", std::to_string(aggregate));
}

INSTANTIATE_TEST_SUITE_P(Rx7800Xt, Presets,
                         ::testing::Values(Published{"rx7800xt-gemma3-4b", 109.0, 238.9},
                                           Published{"rx7800xt-llama-3.1-8b", 77.1, 166.2},
                                           Published{"rx7800xt-qwen2.5-7b", 84.4, 178.0}));

TEST(Preset, Gemma3_4bReproducesTimesToFirstToken) {
  Bench bench(Hardware("rx7800xt-gemma3-4b"));
  const int sixteen = bench.Submit(Words(16), 1, false);
  bench.RunToEnd();
  EXPECT_NEAR(bench.TtftMs(sixteen), 40.0, 1.2);
  const Tokens hello = Tokenise("Hello", true, true);
  for (int round = 0; round < 2; ++round) {
    const int id = bench.Submit(hello, 1);
    bench.RunToEnd();
    EXPECT_NEAR(bench.TtftMs(id), 14.0, 0.42) << "cached: " << bench.records[id].cached;
  }
  const TimingModel& model = bench.scheduler_.config().model;
  EXPECT_NEAR(model.load_ms + model.warm_up_ms, 6'000.0, 180.0);
  // Weights, 2 Ki tokens of context and compute: about 3.4 GiB with what the runtime takes.
  const double mib = model.weights_mib + model.KvMib(2'048, "f16", "f16") + model.compute_mib;
  EXPECT_NEAR((mib + 200.0) / 1024.0, 3.4, 0.3);
}

TEST(TimingModel, FlashAttentionPaysWithTheContext) {
  const TimingModel& model = *FindTimingPreset("rx7800xt-gemma3-4b");
  const auto gain = [&model](double context) {
    return model.StepMs(1, context, false) / model.StepMs(1, context, true) - 1.0;
  };
  EXPECT_LT(std::abs(gain(2'048)), 0.044) << "no significant difference was published at 2048";
  EXPECT_GT(gain(32'768), 0.3);
  EXPECT_LT(gain(0), 0.0);
  for (double context = 0; context < 30'000; context += 1'000) {
    EXPECT_LT(gain(context), gain(context + 1'000));
  }
}

TEST(TimingModel, GrowsWithSequencesContextAndPrompt) {
  for (const TimingModel& model : TimingPresets()) {
    SCOPED_TRACE(model.name);
    if (model.name == "instant") continue;
    EXPECT_LT(model.StepMs(1, 100, true), model.StepMs(4, 400, true));
    EXPECT_LT(model.StepMs(4, 400, true), 4 * model.StepMs(1, 100, true)) << "batching pays";
    EXPECT_LT(model.StepMs(1, 100, true), model.StepMs(1, 10'000, true));
    double last = 0.0;
    for (int tokens = 1; tokens < 300; ++tokens) {
      EXPECT_GE(model.PrefillMs(tokens), last);
      last = model.PrefillMs(tokens);
    }
  }
}

TEST(Scheduler, QueuesFirstComeFirstServed) {
  Bench bench(Hardware("tiny-cpu", 2));
  std::vector<int> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(bench.Submit(Words(4, 50 * i), 10 + i));
  EXPECT_EQ(bench.scheduler_.processing(), 2U);
  EXPECT_EQ(bench.scheduler_.deferred(), 4U);
  bench.RunToEnd();
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_LE(bench.records[ids[i - 1]].started, bench.records[ids[i]].started);
  }
  EXPECT_TRUE(bench.scheduler_.idle());
}

TEST(Scheduler, BatchedSlotsShareTheirSteps) {
  Bench bench(Hardware("tiny-cpu"));
  const int a = bench.Submit(Words(4), 20);
  const int b = bench.Submit(Words(4, 500), 20);
  bench.RunToEnd();
  const auto& first = bench.records[a].tokens;
  const auto& second = bench.records[b].tokens;
  EXPECT_TRUE(std::includes(first.begin(), first.end(), second.begin(), second.end() - 1));
}

TEST(Scheduler, UnbatchedSlotsKeepTheirOwnTime) {
  EngineConfig config = Hardware("instant");
  config.model.prefill_base_ms = 5.0;
  config.model.step_ms = 10.0;
  config.model.flash_cost = 0.0;
  Bench bench(config);
  const int a = bench.Submit(Words(4), 3);
  bench.RunUntil(bench.now + 3 * kMillisecond);
  const int b = bench.Submit(Words(4, 500), 3);
  bench.RunToEnd();
  for (const int id : {a, b}) {
    const Bench::Record& record = bench.records[id];
    EXPECT_EQ(record.tokens[0] - record.submitted, 5 * kMillisecond);
    EXPECT_EQ(record.tokens[2] - record.tokens[1], 10 * kMillisecond);
  }
  EXPECT_EQ(bench.records[b].tokens[0] - bench.records[a].tokens[0], 3 * kMillisecond);
}

TEST(Scheduler, CachesPromptsAndForgetsThemWhenTold) {
  Bench bench(Hardware("tiny-cpu"));
  const auto cached = [&bench](const Tokens& prompt, bool cache = true) {
    const int id = bench.Submit(prompt, 4, cache);
    bench.RunToEnd();
    return bench.records[id].cached;
  };
  EXPECT_EQ(cached(Words(10)), 0);
  EXPECT_EQ(cached(Words(10)), 9) << "the last token is evaluated again";
  EXPECT_EQ(cached(Words(10), false), 0);
  EXPECT_EQ(cached(Words(20)), 13) << "prompt and answer continue the chain; the last was not kept";
  EXPECT_EQ(cached(Words(10, 700)), 0);
  EXPECT_EQ(cached(Words(20)), 19) << "in the slot that it had";
}

TEST(Scheduler, ChoicesStartTogether) {
  Bench bench(Hardware("tiny-cpu", 4));
  bench.Submit(Words(4, 300), 50);
  const int group = bench.Submit(Words(4), 5, true, 4);
  EXPECT_EQ(bench.scheduler_.deferred(), 1U) << "three slots are too few";
  bench.RunToEnd();
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(bench.records[group].started, bench.records[group + i].started);
    EXPECT_EQ(bench.records[group].tokens, bench.records[group + i].tokens);
  }
}

TEST(Scheduler, CancelledTasksSayNoMore) {
  Bench bench(Hardware("tiny-cpu", 1));
  const int running = bench.Submit(Words(4), 1'000);
  const int waiting = bench.Submit(Words(4), 5);
  const int last = bench.Submit(Words(4), 5);
  bench.RunUntil(bench.now + 5 * kMillisecond);
  const std::size_t before = bench.records[running].tokens.size();
  EXPECT_GT(before, 0U);
  bench.Cancel(running);
  bench.Cancel(waiting);
  bench.RunToEnd();
  EXPECT_EQ(bench.records[running].tokens.size(), before);
  EXPECT_TRUE(bench.records[waiting].tokens.empty());
  EXPECT_EQ(bench.records[last].tokens.size(), 5U);
}

TEST(Scheduler, CancelInPrefillWaitsForItsBatch) {
  EngineConfig config = Hardware("rx7800xt-gemma3-4b", 1);
  Bench bench(config);
  const int first = bench.Submit(Words(400), 10, false);
  bench.RunUntil(bench.now + 10 * kMillisecond);
  bench.Cancel(first);
  const int second = bench.Submit(Words(4), 1, false);
  bench.RunToEnd();
  EXPECT_GT(bench.TtftMs(second), 900.0);
}

TEST(Scheduler, PromptsMustFitTheContext) {
  Bench bench(Hardware("tiny-cpu", 1, 32));
  const int too_long = bench.Submit(Words(32), 5);
  const int fits = bench.Submit(Words(31), 5);
  bench.RunToEnd();
  EXPECT_TRUE(bench.records[too_long].failed);
  EXPECT_EQ(bench.records[fits].tokens.size(), 1U);
}

TEST(Scheduler, AUnifiedCacheFillsForAll) {
  EngineConfig config = Hardware("tiny-cpu", 4, 200);
  config.unified_kv = true;
  config.context_total = 200;
  Bench bench(config);
  const int a = bench.Submit(Words(10), -1);
  const int b = bench.Submit(Words(10, 400), -1);
  bench.RunToEnd();
  EXPECT_TRUE(bench.records[a].failed);
  EXPECT_TRUE(bench.records[b].failed);
  EXPECT_NEAR(static_cast<double>(bench.records[a].tokens.size()), 90.0, 3.0);
  const int after = bench.Submit(Words(10), 5);
  bench.RunToEnd();
  EXPECT_EQ(bench.records[after].tokens.size(), 5U) << "the server stays healthy";
}

TEST(Scheduler, TheSameSeedGivesTheSameTimes) {
  const auto times = [](std::uint64_t seed) {
    EngineConfig config = Hardware("rx7800xt-gemma3-4b");
    config.model.jitter = *ParseJitter("lognormal:0.2");
    config.seed = seed;
    Bench bench(config);
    for (int i = 0; i < 6; ++i) bench.Submit(Words(5, 90 * i), 20);
    bench.RunToEnd();
    std::vector<Ns> all;
    for (const auto& [id, record] : bench.records) {
      all.insert(all.end(), record.tokens.begin(), record.tokens.end());
    }
    return all;
  };
  EXPECT_EQ(times(5), times(5));
  EXPECT_NE(times(5), times(6));
}

}  // namespace
}  // namespace mock
