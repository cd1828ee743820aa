// SPDX-License-Identifier: EUPL-1.2
// Writes a year of nightly runs as real run files: five scenarios with four followed metrics each,
// every night another server build, planted changes of speed, some of them on the night of a driver
// change, a few nights that are partial or invalid. DIRECTORY/planted.json says what was planted.
// Tests of trends, dashboards and reports use it. The simulated server is only plausible; no number
// of it is a measurement.
//
// Noise: each round has a server start of its own with the machine's mood of the hour (8 %) and 1.5
// % of the start itself, over an AR(1) drift; requests of a round share all three.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/base/json.h"
#include "harness/base/random.h"
#include "harness/base/sha256.h"
#include "harness/base/wall_clock.h"
#include "harness/measure/metric_check.h"
#include "harness/record/run_lines.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr double kMood = 0.08;
constexpr double kStart = 0.015;
constexpr double kDriftMemory = 0.9;
constexpr double kDriftStep = 0.01;

struct Options {
  fs::path directory;
  std::uint64_t seed = 1;
  int nights = 365;
  int rounds = 5;
  int requests = 2;  // of one stream in one round
  int changes = 12;
  int by_driver = 3;
  std::string last = "2026-11-20T02:00:00.000Z";  // the newest night
};

struct Shape {
  const char* name;
  const char* stage;
  int streams;
  int prompt_tokens;
  int output_tokens;
};
constexpr Shape kShapes[] = {{"decode", "decode", 1, 16, 128},
                             {"chat", "steady", 1, 256, 64},
                             {"prompt_512", "prefill", 1, 512, 16},
                             {"prompt_4096", "prefill", 1, 4096, 16},
                             {"concurrent", "concurrent", 4, 64, 64}};
constexpr std::size_t kScenarios = std::size(kShapes);

struct Planted {
  int night = 0;
  std::size_t scenario = 0;
  bool decode = false;  // else prefill
  double factor = 1;    // on the rate, from that night on
  bool by_driver = false;
};

std::int64_t Ms(double ms) { return std::llround(ms * 1e6); }

class Year {
 public:
  explicit Year(Options options) : options_(std::move(options)), random_(options_.seed) { Plan(); }

  bool Write() {
    std::error_code ec;
    fs::create_directories(options_.directory, ec);
    const auto last = ParseUtc(options_.last);
    if (!last) return false;
    Json planted = Json::array();
    for (int night = 0; night < options_.nights; ++night) {
      const WallTime start = *last - std::chrono::hours(24) * (options_.nights - 1 - night);
      if (!WriteNight(night, start)) return false;
      for (const Planted& change : planted_) {
        if (change.night == night) planted.push_back(Describe(change, start));
      }
    }
    std::ofstream file(options_.directory / "planted.json");
    file << planted.dump(1) << '\n';
    return file.good();
  }

 private:
  void Plan() {
    Random random = random_.Fork("plan");
    std::vector<Planted> kinds;
    for (std::size_t scenario = 0; scenario < kScenarios; ++scenario) {
      kinds.push_back({0, scenario, false, 1, false});
      kinds.push_back({0, scenario, true, 1, false});
    }
    random.Shuffle(std::span(kinds));
    std::set<int> taken;
    for (int i = 0; i < options_.changes; ++i) {
      Planted change = kinds[static_cast<std::size_t>(i) % kinds.size()];
      do {
        change.night = static_cast<int>(random.UniformInt(30, options_.nights - 10));
      } while (taken.contains(change.night) || TooClose(change));
      taken.insert(change.night);
      const double size = random.Uniform(0.15, 0.35);
      change.factor = random.Bernoulli(0.6) ? 1 - size : 1 + size;
      change.by_driver = i < options_.by_driver;
      planted_.push_back(change);
    }
    for (int i = 0; i < 6; ++i) {
      kernel_nights_.insert(static_cast<int>(random.UniformInt(5, options_.nights - 1)));
    }
    for (int i = 0; i < 3; ++i) {
      const int night = static_cast<int>(random.UniformInt(5, options_.nights - 5));
      const bool near = std::ranges::any_of(
          planted_, [&](const Planted& change) { return std::abs(change.night - night) < 4; });
      if (!near) blemished_[night] = i == 0 ? RunStatus::kPartial : RunStatus::kInvalid;
    }
  }

  // Changes of one scenario stand a month apart, so that each has a level of its own.
  [[nodiscard]] bool TooClose(const Planted& change) const {
    return std::ranges::any_of(planted_, [&](const Planted& other) {
      return other.scenario == change.scenario && std::abs(other.night - change.night) < 30;
    });
  }

  [[nodiscard]] std::string RunId(WallTime start) const {
    return FormatUtcCompact(start) + "-" +
           Sha256Hex(FormatUtc(start) + std::to_string(options_.seed)).substr(0, 8);
  }

  [[nodiscard]] Json Describe(const Planted& change, WallTime start) const {
    const Shape& shape = kShapes[change.scenario];
    std::vector<std::string> affects{"throughput_tokens_per_s"};
    if (change.decode) {
      affects.insert(affects.begin(), "decode_tokens_per_s.p50");
    } else {
      affects.insert(affects.begin(), {"prefill_tokens_per_s.p50", "ttft_ms.p50"});
    }
    return {{"night", change.night},  {"run_id", RunId(start)},  {"started_at", FormatUtc(start)},
            {"scenario", shape.name}, {"stage", shape.stage},    {"metric", affects.front()},
            {"affects", affects},     {"factor", change.factor}, {"by_driver", change.by_driver}};
  }

  [[nodiscard]] int Count(int night, const std::set<int>& nights) const {
    return static_cast<int>(
        std::ranges::count_if(nights, [&](int changed) { return changed <= night; }));
  }

  [[nodiscard]] std::string HeaderOf(int night, WallTime start) {
    std::set<int> driver_nights;
    for (const Planted& change : planted_) {
      if (change.by_driver) driver_nights.insert(change.night);
    }
    build_ = "b" + std::to_string(9'000 + 3 * night);
    RunHeader header;
    header.tool_version = "0.1.0";
    header.command = {"rocm-bench", "run", "scenarios/suites/nightly.txt", "--target",
                      "llama-server"};
    header.target = "llama-server";
    header.suite = "nightly.txt";
    for (const Shape& shape : kShapes) {
      header.scenarios.push_back({{"schema", 1}, {"name", shape.name}, {"kind", "load"}});
      header.seeds[shape.name] = 7;
    }
    header.fingerprint.identity = {
        {"cpu", {{"model", "Simulated CPU"}, {"threads", 32}}},
        {"gpus", {{{"model", "Simulated GPU 16 GiB"}, {"uuid", "GPU-51a0000000000001"}}}},
        {"backend", "rocm"},
        {"model",
         {{"sha256", Sha256Hex("simulated model")},
          {"bytes", 2'851'000'000},
          {"architecture", "gemma3"},
          {"name", "Simulated 4B"},
          {"quantisation", "Q4_K_M"}}}};
    header.fingerprint.covariates = {
        {"kernel", "6.12." + std::to_string(40 + Count(night, kernel_nights_))},
        {"os", "Simulated Linux 13"},
        {"cpu_governor", "performance"},
        {"gpus",
         {{{"driver", "amdgpu 6.14." + std::to_string(5 + Count(night, driver_nights))},
           {"runtime", "ROCm 7.2"},
           {"power_cap_w", 212}}}},
        {"environment", Json::object()}};
    header.server.binary = "/opt/llama.cpp/" + build_ + "/llama-server";
    header.server.build = build_;
    fingerprint_ = header.fingerprint;
    Json line = Json::parse(HeaderLine(header, RunId(start)));
    line["started_at"] = FormatUtc(start);
    return line.dump();
  }

  bool WriteNight(int night, WallTime start) {
    std::string text = HeaderOf(night, start) + "\n";
    now_ns_ = 60'000'000'000;
    std::int64_t requests = 0;
    for (std::size_t scenario = 0; scenario < kScenarios; ++scenario) {
      requests += WriteScenario(night, scenario, text);
    }
    RunEnd end;
    const auto blemish = blemished_.find(night);
    if (blemish != blemished_.end()) {
      end = {blemish->second, {"client_cpu_share: the busiest load thread used 97 %"}, 4};
    }
    if (end.status == RunStatus::kPartial) {
      text.resize(text.size() - 40);  // killed while it wrote a line
    } else {
      Json line = Json::parse(EndLine(end, requests, 0));
      line["finished_at"] = FormatUtc(start + std::chrono::minutes(50));
      line["finished_ns"] = now_ns_;
      text += line.dump() + "\n";
    }
    std::ofstream file(options_.directory / (RunId(start) + ".jsonl"), std::ios::binary);
    file << text;
    return file.good();
  }

  std::int64_t WriteScenario(int night, std::size_t scenario, std::string& text) {
    const Shape& shape = kShapes[scenario];
    StagePlan plan;
    plan.concurrency = shape.streams;
    plan.fixed_output_tokens = shape.output_tokens;
    SummaryContext context;
    context.settings = {{"slots", shape.streams}, {"context_per_slot", 8192}};
    const std::string series =
        SeriesKey(fingerprint_, shape.name, "", shape.stage, context.settings);
    std::vector<StageSummary> summaries;
    std::vector<RequestRecord> all;
    for (int round = 0; round < options_.rounds; ++round) {
      RunEvent event;
      event.event = "server_started";
      event.at_ns = now_ns_;
      event.scenario = shape.name;
      event.round = round;
      event.detail = {{"build", build_}, {"pid", 4242}, {"load_ms", 6012.5}};
      text += EventLine(event) + "\n";
      const std::vector<RequestRecord> records = Round(night, scenario, round);
      for (const RequestRecord& record : records) {
        AppendRequestLine(record, false, text);
        text += '\n';
      }
      summaries.push_back(Summarise(records, plan));
      text += SummaryLine(summaries.back(), context, series) + "\n";
      all.insert(all.end(), records.begin(), records.end());
    }
    StageSummary total = summaries.front();
    if (summaries.size() > 1) {
      total = SummariseRounds(summaries, all);
      text += SummaryLine(total, context, series) + "\n";
    }
    text += VerdictLine(Judge({"requests_failed", "==", 0}, total, 0)) + "\n";
    return static_cast<std::int64_t>(all.size());
  }

  std::vector<RequestRecord> Round(int night, std::size_t scenario, int round) {
    const Shape& shape = kShapes[scenario];
    drift_ = kDriftMemory * drift_ + random_.Normal(0, kDriftStep);
    const double mood = std::exp(drift_ + random_.Normal(0, kMood) + random_.Normal(0, kStart));
    double prefill = 1'500 * mood;  // tokens/s
    double decode = 105 * mood / (1 + 0.22 * (shape.streams - 1));
    for (const Planted& change : planted_) {
      if (change.scenario != scenario || night < change.night) continue;
      (change.decode ? decode : prefill) *= change.factor;
    }
    now_ns_ += Ms(6'500);
    std::vector<RequestRecord> records;
    std::vector<std::int64_t> free(static_cast<std::size_t>(shape.streams), now_ns_);
    for (int i = 0; i < options_.requests * shape.streams; ++i) {
      auto& next = *std::ranges::min_element(free);
      records.push_back(Answer(shape, next, prefill, decode));
      records.back().round = round;
      records.back().index = i;
      next = records.back().finished_ns + Ms(0.3);
      now_ns_ = std::max(now_ns_, next);
    }
    return records;
  }

  RequestRecord Answer(const Shape& shape, std::int64_t at, double prefill, double decode) {
    RequestRecord r;
    r.scenario = shape.name;
    r.stage = shape.stage;
    r.outcome = "ok";
    r.http_status = 200;
    r.finish_reason = "length";
    r.tokens = shape.output_tokens;
    r.token_source = "ids";
    r.prompt_tokens = shape.prompt_tokens;
    r.cached_tokens = 0;
    r.scheduled_ns = r.connect_ns = r.sent_ns = at;
    r.first_byte_ns = at + Ms(0.9);
    const double prompt_ms = shape.prompt_tokens / prefill * 1e3 * random_.LogNormal(1, 0.01);
    const double decode_ms = (shape.output_tokens - 1) / decode * 1e3 * random_.LogNormal(1, 0.005);
    r.first_token_ns = r.first_answer_ns = at + Ms(1.2 + prompt_ms);
    r.last_token_ns = r.first_token_ns + Ms(decode_ms);
    r.finished_ns = r.last_token_ns + Ms(0.2);
    // Four tokens at once after the first, for the throughput; left out of the file.
    r.chunks.push_back({r.first_token_ns, 1, false});
    for (int sent = 1; sent < shape.output_tokens; sent += 4) {
      const int tokens = std::min(4, shape.output_tokens - sent);
      const double share = static_cast<double>(sent + tokens - 1) / (shape.output_tokens - 1);
      r.chunks.push_back({r.first_token_ns + Ms(decode_ms * share), tokens, false});
    }
    r.timings = rocm::Timings{0, shape.prompt_tokens, prompt_ms, shape.output_tokens, decode_ms};
    r.text_sha256 = Sha256Hex(shape.name);
    return r;
  }

  const Options options_;
  Random random_;
  std::vector<Planted> planted_;
  std::set<int> kernel_nights_;
  std::map<int, RunStatus> blemished_;
  Fingerprint fingerprint_;
  std::string build_;
  double drift_ = 0;
  std::int64_t now_ns_ = 0;
};

bool Parse(int argc, char** argv, Options& options) {
  const std::map<std::string, int*> numbers = {{"--nights", &options.nights},
                                               {"--rounds", &options.rounds},
                                               {"--requests", &options.requests},
                                               {"--changes", &options.changes},
                                               {"--by-driver", &options.by_driver}};
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const bool more = i + 1 < argc;
    if (const auto number = numbers.find(arg); number != numbers.end() && more) {
      *number->second = std::stoi(argv[++i]);
    } else if (arg == "--seed" && more) {
      options.seed = std::stoull(argv[++i]);
    } else if (arg == "--last" && more) {
      options.last = argv[++i];
    } else if (!arg.starts_with("--") && options.directory.empty()) {
      options.directory = arg;
    } else {
      return false;
    }
  }
  // Every change needs a place of its own, a month from its neighbours.
  return !options.directory.empty() && options.rounds > 0 && options.requests > 0 &&
         options.nights >= 10 && (options.changes == 0 || options.nights >= 30 * options.changes);
}

int Main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "write-simulated-year DIRECTORY [--seed N] [--nights N] [--rounds N] "
                 "[--requests N] [--changes N (nights >= 30 N)] [--by-driver N] [--last UTC]\n");
    return 2;
  }
  if (!Year(options).Write()) {
    std::fprintf(stderr, "cannot write to %s\n", options.directory.c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace harness

int main(int argc, char** argv) { return harness::Main(argc, argv); }
