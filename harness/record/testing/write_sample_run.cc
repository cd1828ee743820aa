// SPDX-License-Identifier: EUPL-1.2
// Writes a run file as a real run would, from a simulated server instead of a real one: through
// the same records, summaries, verdicts and writer. Tests of the schema, of the reports and of
// crash safety use it. The simulated server is only plausible; no number of it is a measurement.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "harness/base/random.h"
#include "harness/base/sha256.h"
#include "harness/measure/calibration.h"
#include "harness/measure/comparison.h"
#include "harness/measure/gates.h"
#include "harness/measure/metric_check.h"
#include "harness/record/run_writer.h"

namespace harness {
namespace {

constexpr double kNsPerMs = 1e6;

struct Options {
  std::string directory;
  std::uint64_t seed = 1;
  int rounds = 5;
  int requests = 12;
  double speed = 1;  // of the simulated server
  bool hostile = false;
  bool partial = false;
  bool invalid = false;
  bool forever = false;
};

struct StageModel {
  std::string scenario;
  std::string variant;
  std::string stage;
  int concurrency = 1;    // 0: open loop
  double rate_per_s = 0;  // open loop
  int prompt_tokens = 16;
  int output_tokens = 128;
  double failure_share = 0;
  LatencyLimits limits;
  double slower = 1;  // factor on the time per token
};

std::int64_t Ms(double ms) { return std::llround(ms * kNsPerMs); }

// Prefill at 1,500 tokens/s after 12 ms; 9.5 ms a token alone, slower with more streams.
class SimulatedServer {
 public:
  SimulatedServer(std::uint64_t seed, double speed) : random_(seed), speed_(speed) {}

  RequestRecord Answer(const StageModel& model, std::int64_t due_ns, double load, double session) {
    RequestRecord r;
    r.scenario = model.scenario;
    r.variant = model.variant;
    r.stage = model.stage;
    r.http_status = 200;
    r.scheduled_ns = due_ns;
    r.connect_ns = due_ns;
    r.sent_ns = model.concurrency > 0 ? due_ns : due_ns + Ms(random_.Exponential(0.08));
    r.first_byte_ns = r.sent_ns + Ms(1 + random_.Exponential(0.4));
    const double prefill = (12 + model.prompt_tokens / 1.5) / speed_ * session * (0.6 + 0.4 * load);
    const double step = 9.5 * model.slower / speed_ * session * (0.82 + 0.18 * load);
    std::int64_t at = r.first_byte_ns + Ms(prefill * random_.LogNormal(1, 0.04));
    const bool fails = random_.Bernoulli(model.failure_share);
    const int tokens = fails ? static_cast<int>(random_.UniformInt(0, model.output_tokens / 2))
                             : model.output_tokens;
    for (int i = 0; i < tokens; ++i) {
      r.chunks.push_back({at, 1, false});
      r.ids.push_back(static_cast<std::int32_t>(265 + (i * 7) % 1135));
      // Deeper contexts cost a little more per token.
      at += Ms(step * (1 + i * 2e-4) * random_.LogNormal(1, 0.03));
    }
    r.tokens = tokens;
    r.token_source = tokens > 0 ? "ids" : "none";
    r.prompt_tokens = model.prompt_tokens;
    r.cached_tokens = 0;
    if (tokens > 0) {
      r.first_token_ns = r.chunks.front().at_ns;
      r.first_answer_ns = r.first_token_ns;
      r.last_token_ns = r.chunks.back().at_ns;
    }
    r.finished_ns = (tokens > 0 ? r.last_token_ns : at) + Ms(0.2);
    r.text_sha256 = Sha256Hex(std::to_string(tokens));
    Finish(model, fails, prefill, r);
    return r;
  }

  Random& random() { return random_; }

 private:
  void Finish(const StageModel& model, bool fails, double prefill, RequestRecord& r) {
    if (!fails) {
      r.outcome = "ok";
      r.finish_reason = "length";
      const double decode = static_cast<double>(r.last_token_ns - r.first_token_ns) / kNsPerMs;
      r.timings = rocm::Timings{0, model.prompt_tokens, prefill, r.tokens, decode - 0.05};
      return;
    }
    const bool reset = random_.Bernoulli(0.6);
    r.outcome = reset ? "connection_reset" : "stalled";
    r.error = reset ? "the server closed the connection in mid-stream" : "no byte for 5 s";
  }

  Random random_;
  double speed_;
};

class SampleRun {
 public:
  SampleRun(Options options, RunWriter& writer)
      : options_(std::move(options)), writer_(writer), server_(options_.seed, options_.speed) {
    for (const int streams : {1, 4, 16, 64}) {
      CalibrationPoint point;
      point.concurrency = streams;
      point.ttft_error_ms = Describe(std::vector<double>{0.02 + 0.002 * streams});
      point.chunk_error_ms = Describe(std::vector<double>{0.03 + 0.003 * streams});
      calibration_.points.push_back(point);
    }
  }

  [[nodiscard]] static std::vector<StageModel> Plan(bool hostile) {
    std::vector<StageModel> plan;
    plan.push_back({"seed/decode", "", "steady", 1, 0, 10, 128, 0, {}});
    for (const int prompt : {16, 128, 512, 2048}) {
      plan.push_back({"ttft/by_prompt_length",
                      "prompt_tokens=" + std::to_string(prompt),
                      "steady",
                      1,
                      0,
                      prompt,
                      16,
                      0,
                      {}});
    }
    for (const int streams : {1, 2, 4, 8, 16}) {
      plan.push_back({"concurrency/sweep",
                      "concurrency=" + std::to_string(streams),
                      "steady",
                      streams,
                      0,
                      64,
                      64,
                      0,
                      {}});
    }
    LatencyLimits limits;
    limits.ttft_ms = 120;
    limits.tpot_ms = 14;
    plan.push_back({"load/chat_poisson_slo", "", "steady", 0, 4, 64, 64, 0.04, limits});
    if (hostile) {
      for (const char* name :
           {"<script>alert(1)</script>", "$\\frac{$", "_hidden|`x`", "a\xff\xc3(",
            "[x](javascript:alert(1))", "\u202Eevil\u0007\n# heading"}) {
        plan.push_back({name, name, name, 1, 0, 8, 8, 0, {}});
      }
      plan.push_back({std::string(100'000, 'w'), "", "steady", 1, 0, 8, 8, 0, {}});
    }
    return plan;
  }

  int Run() {
    const std::vector<StageModel> plan = Plan(options_.hostile);
    bool ok = WriteHeader(plan);
    do {
      for (const StageModel& model : plan) ok = RunStage(model) && ok;
      ok = RunComparison() && ok;
    } while (options_.forever);
    if (options_.partial) return ok ? 0 : 1;
    RunEnd end;
    if (options_.invalid) {
      end = {RunStatus::kInvalid, {"client_cpu_share: the busiest load thread used 97 %"}, 4};
    } else if (failed_ > 0) {
      end.exit_code = 1;
    }
    ok = writer_.End(end).has_value() && ok;
    return ok ? 0 : 1;
  }

 private:
  bool WriteHeader(const std::vector<StageModel>& plan) {
    RunHeader header;
    header.tool_version = "0.1.0";
    header.command = {"rocm-bench", "run", "scenarios/suites/nightly.txt", "--target", "mock"};
    header.target = "mock";
    header.suite = "scenarios/suites/nightly.txt";
    header.seeds = {{"run", options_.seed}};
    std::string last;
    for (const StageModel& model : plan) {
      if (model.scenario != last) {
        header.scenarios.push_back({{"schema", 1}, {"name", model.scenario}, {"kind", "load"}});
      }
      last = model.scenario;
    }
    FingerprintInput input;
    input.backend_kind = "mock";
    input.model = ModelFacts{Sha256Hex("model"), 2'851'000'000, "gemma3", "Gemma 3 4B", "Q4_K_M"};
    input.server_build = "b11669";
    header.fingerprint = CollectFingerprint(input);
    header.server.binary = "mock-llama-server";
    header.server.build = "b11669";
    header.server.argv = {"mock-llama-server", "--model", "model.gguf", "-c", "2048"};
    header.server.requested = {{"slots", 1}, {"context_per_slot", 2048}};
    header.server.applied = {{"slots", 1}, {"context_per_slot", 2048}};
    header.calibration = {{"made_at", "2026-01-01T00:00:00.000Z"}};
    return writer_.Header(header).has_value();
  }

  std::vector<RequestRecord> Round(const StageModel& model, int round) {
    // What differs from one server start to the next.
    const double session = server_.random().LogNormal(1, 0.015);
    std::vector<RequestRecord> records;
    if (model.concurrency > 0) {
      std::vector<std::int64_t> free(static_cast<std::size_t>(model.concurrency), now_ns_);
      for (int i = 0; i < options_.requests * std::max(1, model.concurrency / 2); ++i) {
        auto& next = *std::ranges::min_element(free);
        records.push_back(server_.Answer(model, next, model.concurrency, session));
        next = records.back().finished_ns + Ms(0.3);
      }
    } else {
      double at = 0;
      for (int i = 0; i < options_.requests * 12; ++i) {
        at += server_.random().Exponential(1e3 / model.rate_per_s);
        records.push_back(server_.Answer(model, now_ns_ + Ms(at), 2, session));
      }
    }
    std::int64_t index = 0;
    for (RequestRecord& record : records) {
      record.round = round;
      record.index = index++;
      now_ns_ = std::max(now_ns_, record.finished_ns);
    }
    return records;
  }

  bool RunStage(const StageModel& model) {
    bool ok = true;
    std::vector<StageSummary> summaries;
    std::vector<RequestRecord> all;
    StagePlan plan;
    plan.concurrency = model.concurrency;
    plan.fixed_output_tokens = model.output_tokens;
    plan.limits = model.limits;
    for (int round = 0; round < options_.rounds; ++round) {
      RunEvent event;
      event.event = "server_started";
      event.scenario = model.scenario;
      event.variant = model.variant;
      event.round = round;
      event.detail = {{"pid", 4242}, {"load_ms", 6012.5}};
      ok = writer_.Event(event).has_value() && ok;
      now_ns_ += Ms(6'500);
      const std::vector<RequestRecord> records = Round(model, round);
      for (const RequestRecord& record : records) ok = writer_.Request(record).has_value() && ok;
      summaries.push_back(Summarise(records, plan));
      ok = writer_.Summary(summaries.back(), Context(model, summaries.back())).has_value() && ok;
      all.insert(all.end(), records.begin(), records.end());
    }
    StageSummary total = SummariseRounds(summaries, all);
    ok = writer_.Summary(total, Context(model, summaries.back())).has_value() && ok;
    return JudgeStage(model, total, all) && ok;
  }

  // Two variants, interleaved; "on" is 8 % slower per token and equal to the first token.
  bool RunComparison() {
    bool ok = true;
    MetricRounds tpot{"tpot_ms.p50", {}, {}};
    MetricRounds ttft{"ttft_ms.p50", {}, {}};
    std::map<std::string, std::vector<StageSummary>> rounds;
    std::map<std::string, std::vector<RequestRecord>> all;
    for (int round = 0; round < 4 * options_.rounds; ++round) {
      std::map<std::string, StageSummary> summaries;
      const bool off_first = BaselineFirst(round + 1).back();
      for (const bool off : {off_first, !off_first}) {
        const StageModel model{
            "ab/flash_attention", off ? "off" : "on", "decode", 1, 0, 64, 32, 0, {},
            off ? 1.0 : 1.08};
        const std::vector<RequestRecord> records = Round(model, round);
        for (const RequestRecord& record : records) ok = writer_.Request(record).has_value() && ok;
        StagePlan plan;
        plan.concurrency = 1;
        StageSummary summary = Summarise(records, plan);
        ok = writer_.Summary(summary, Context(model, summary)).has_value() && ok;
        rounds[model.variant].push_back(summary);
        all[model.variant].insert(all[model.variant].end(), records.begin(), records.end());
        summaries[model.variant] = std::move(summary);
      }
      for (MetricRounds* metric : {&tpot, &ttft}) {
        const RoundPair pair{FindStatistic(summaries["off"], metric->metric)->value,
                             FindStatistic(summaries["on"], metric->metric)->value};
        (round < 2 * options_.rounds ? metric->first : metric->confirmation).push_back(pair);
      }
    }
    for (const auto& [variant, summaries] : rounds) {
      const StageModel model{"ab/flash_attention", variant, "decode", 1, 0, 64, 32, 0, {}, 1};
      const StageSummary total = SummariseRounds(summaries, all[variant]);
      ok = writer_.Summary(total, Context(model, total)).has_value() && ok;
    }
    for (Verdict verdict : JudgeComparison(std::vector{tpot, ttft})) {
      verdict.scenario = "ab/flash_attention";
      verdict.variant = "on against off";
      verdict.stage = "decode";
      ok = writer_.Write(verdict).has_value() && ok;
    }
    return ok;
  }

  SummaryContext Context(const StageModel& model, const StageSummary& summary) const {
    SummaryContext context;
    context.settings = {{"slots", std::max(1, model.concurrency)}, {"context_per_slot", 2048}};
    for (const char* path : {"ttft_ms.p50", "ttft_ms.p90", "ttft_ms.p99", "tpot_ms.p50",
                             "decode_tokens_per_s.p50", "throughput_tokens_per_s"}) {
      if (const auto bound = ErrorBound(calibration_, summary, path)) {
        context.error_bounds[path] = *bound;
      }
    }
    return context;
  }

  bool JudgeStage(const StageModel& model, const StageSummary& summary,
                  const std::vector<RequestRecord>& records) {
    bool ok = true;
    GateInput input;
    input.open_loop = model.concurrency == 0;
    input.busiest_thread_share = 0.07;
    for (const Verdict& verdict : JudgeGates(summary, records, input)) {
      ok = writer_.Write(verdict).has_value() && ok;
    }
    MetricCheck failures{"requests_failed", "==", 0};
    MetricCheck ttft{"ttft_ms.p99", "<=", 5000};
    for (const MetricCheck& check : {failures, ttft}) {
      const Verdict verdict =
          Judge(check, summary, ErrorBound(calibration_, summary, check.metric));
      failed_ += verdict.finding == Finding::kFail ? 1 : 0;
      ok = writer_.Write(verdict).has_value() && ok;
    }
    return ok;
  }

  const Options options_;
  RunWriter& writer_;
  SimulatedServer server_;
  Calibration calibration_;
  std::int64_t now_ns_ = 5'000'000'000;
  int failed_ = 0;
};

bool Parse(int argc, char** argv, Options& options) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--hostile") {
      options.hostile = true;
    } else if (arg == "--partial") {
      options.partial = true;
    } else if (arg == "--invalid") {
      options.invalid = true;
    } else if (arg == "--forever") {
      options.forever = true;
    } else if (!arg.starts_with("--") && options.directory.empty()) {
      options.directory = arg;
    } else if (i + 1 == args.size()) {
      return false;
    } else if (arg == "--seed") {
      options.seed = std::stoull(args[++i]);
    } else if (arg == "--rounds") {
      options.rounds = std::stoi(args[++i]);
    } else if (arg == "--requests") {
      options.requests = std::stoi(args[++i]);
    } else if (arg == "--speed") {
      options.speed = std::stod(args[++i]);
    } else {
      return false;
    }
  }
  return !options.directory.empty();
}

int Main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "write-sample-run DIRECTORY [--seed N] [--rounds N] [--requests N] [--speed X] "
                 "[--hostile] [--partial] [--invalid] [--forever]\n");
    return 2;
  }
  std::signal(SIGXFSZ, SIG_IGN);
  RunWriterConfig config;
  config.directory = options.directory;
  config.min_free_bytes = 0;
  auto writer = RunWriter::Create(config);
  if (!writer) {
    std::fprintf(stderr, "%s\n", rocm::ToString(writer.error()).c_str());
    return 2;
  }
  std::printf("%s\n", (*writer)->path().c_str());
  std::fflush(stdout);
  const int rc = SampleRun(options, **writer).Run();
  if ((*writer)->lost_lines() > 0) {
    std::fprintf(stderr, "lost lines: %lld\n", static_cast<long long>((*writer)->lost_lines()));
  }
  return rc;
}

}  // namespace
}  // namespace harness

int main(int argc, char** argv) { return harness::Main(argc, argv); }
