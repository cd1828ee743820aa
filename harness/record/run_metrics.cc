// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>
#include <utility>

#include "harness/measure/metric_check.h"
#include "harness/measure/request_metrics.h"
#include "harness/record/json_text.h"

namespace harness {
namespace {

using prometheus::Labels;
using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr std::size_t kMaxLabelBytes = 120;
constexpr std::size_t kMaxSets = 200;

const Buckets& TtftBuckets() {
  static const Buckets buckets = {.001, .005, .01, .02, .04, .06, .08, .1,
                                  .25,  .5,   .75, 1,   2.5, 5,   7.5, 10};
  return buckets;
}
const Buckets& TokenBuckets() {
  static const Buckets buckets = {.001, .002, .003, .004, .005, .0075, .01, .025, .05, .075,
                                  .1,   .15,  .2,   .3,   .4,   .5,    .75, 1,    2.5};
  return buckets;
}
const Buckets& DurationBuckets() {
  static const Buckets buckets = {.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300};
  return buckets;
}

// A family whose number of label sets stays bounded.
template <typename Metric>
class Bounded {
 public:
  explicit Bounded(prometheus::Family<Metric>& family) : family_(family) {}

  template <typename... Args>
  Metric& At(Labels labels, const Args&... args) {
    if (!seen_.contains(labels)) {
      if (seen_.size() >= kMaxSets) {
        for (auto& [name, value] : labels) value = "other";
      }
      seen_.insert(labels);
    }
    return family_.Add(labels, args...);
  }

 private:
  prometheus::Family<Metric>& family_;
  std::set<Labels> seen_;
};

Labels Where(std::string_view scenario, std::string_view variant, std::string_view stage) {
  return {{"scenario", ScrapeLabel(scenario)},
          {"variant", ScrapeLabel(variant)},
          {"stage", ScrapeLabel(stage)}};
}

Labels With(Labels labels, const std::string& name, std::string_view value) {
  labels[name] = ScrapeLabel(value);
  return labels;
}

double NumberIn(const nlohmann::ordered_json& detail, const char* key, double fallback) {
  const auto it = detail.find(key);
  return it != detail.end() && it->is_number() ? it->get<double>() : fallback;
}

std::string TextIn(const nlohmann::ordered_json& detail, const char* key) {
  const auto it = detail.find(key);
  return it != detail.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// With these nothing more is to be expected of a fault that was injected before.
bool EndsFault(std::string_view event) {
  return event == "server_exited" || event == "server_hung" || event == "server_ready" ||
         event == "server_recovered" || event == "not_recovered" || event == "crash_loop_ended";
}

}  // namespace

class RunMetrics::Families {
 public:
  explicit Families(prometheus::Registry& registry)
      : ttft(Histogram(registry, "rocm_bench_time_to_first_token_seconds",
                       "From when a request was due to its first token.")),
        itl(Histogram(registry, "rocm_bench_inter_token_latency_seconds",
                      "Gaps between chunks, per token.")),
        duration(Histogram(registry, "rocm_bench_request_duration_seconds",
                           "From when a request was due to its end.")),
        requests(Counter(registry, "rocm_bench_requests_total", "Requests by their outcome.")),
        tokens(Counter(registry, "rocm_bench_output_tokens_total",
                       "Generated tokens of requests that were ok.")),
        decode(Gauge(registry, "rocm_bench_decode_tokens_per_second",
                     "Median decode rate of the last stage, without prefill.")),
        prefill(Gauge(registry, "rocm_bench_prefill_tokens_per_second",
                      "Median prefill rate of the last stage, by the server's own clock.")),
        throughput(Gauge(registry, "rocm_bench_throughput_tokens_per_second",
                         "Tokens of all streams in the steady window.")),
        goodput(Gauge(registry, "rocm_bench_goodput_ratio",
                      "Share of requests within every limit of the scenario.")),
        mbu(Gauge(registry, "rocm_bench_bandwidth_utilisation_ratio",
                  "Weight bytes read per token times decode rate, over memory bandwidth.")),
        regression(Gauge(registry, "rocm_bench_regression_ratio",
                         "Candidate over baseline, for each confirmed regression.")),
        regressed_answers(Gauge(registry, "rocm_bench_regressed_answers",
                                "Requests or answers that the candidate alone spoilt, for each "
                                "confirmed regression of theirs.")),
        valid(Gauge(registry, "rocm_bench_run_valid", "1 when the last run was valid.")),
        last_success(Gauge(registry, "rocm_bench_last_success_timestamp_seconds",
                           "End of the last valid run without a failed check.")),
        load(Gauge(registry, "rocm_bench_model_load_seconds",
                   "From starting the server until the model answered.")),
        recovery(Gauge(registry, "rocm_bench_recovery_duration_seconds",
                       "From a server's death until it served again.")),
        memory(Gauge(registry, "rocm_bench_gpu_memory_used_bytes", "Device memory in use.")),
        restarts(Counter(registry, "rocm_bench_server_restarts_total",
                         "Servers started again after their death.")),
        backend_loads(
            Counter(registry, "rocm_backend_loads_total", "Model loads by their result.")),
        backend_crashes(
            Counter(registry, "rocm_backend_crashes_total", "Servers that ended by themselves.")),
        backend_queue(Histogram(registry, "rocm_backend_queue_seconds",
                                "From sending a request to the first byte of its answer, which "
                                "llama-server sends when a slot is free.")),
        backend_resident(Gauge(registry, "rocm_backend_resident_memory_bytes",
                               "The server process's memory outside the device.")),
        backend_device(Gauge(registry, "rocm_backend_gpu_memory_used_bytes",
                             "The server process's memory on the device.")),
        backend_unreleased(Gauge(registry, "rocm_backend_gpu_memory_unreleased_bytes",
                                 "More device memory in use after the last server was stopped "
                                 "than before it was started.")) {}

  std::mutex mutex;
  Bounded<prometheus::Histogram> ttft, itl, duration;
  Bounded<prometheus::Counter> requests, tokens;
  Bounded<prometheus::Gauge> decode, prefill, throughput, goodput, mbu, regression,
      regressed_answers, valid, last_success, load, recovery, memory;
  Bounded<prometheus::Counter> restarts, backend_loads, backend_crashes;
  Bounded<prometheus::Histogram> backend_queue;
  Bounded<prometheus::Gauge> backend_resident, backend_device, backend_unreleased;
  std::set<Labels> struck;  // scenarios and variants with a fault whose end has not been seen

 private:
  static prometheus::Family<prometheus::Histogram>& Histogram(prometheus::Registry& registry,
                                                              const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  static prometheus::Family<prometheus::Counter>& Counter(prometheus::Registry& registry,
                                                          const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  static prometheus::Family<prometheus::Gauge>& Gauge(prometheus::Registry& registry,
                                                      const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
};

RunMetrics::RunMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      families_(std::make_unique<Families>(*registry_)) {}
RunMetrics::~RunMetrics() = default;

void RunMetrics::Observe(const RequestRecord& record) {
  const Labels where = Where(record.scenario, record.variant, record.stage);
  const RequestMetrics metrics = Measure(record);
  const std::lock_guard lock(families_->mutex);
  families_->requests.At(With(where, "outcome", record.outcome)).Increment();
  if (!record.ok()) return;
  families_->tokens.At(where).Increment(record.tokens);
  if (metrics.ttft_ms) {
    families_->ttft.At(where, TtftBuckets()).Observe(*metrics.ttft_ms / 1e3);
  }
  if (metrics.e2e_ms) {
    families_->duration.At(where, DurationBuckets()).Observe(*metrics.e2e_ms / 1e3);
  }
  if (record.sent_ns > 0 && record.first_byte_ns > record.sent_ns) {
    families_->backend_queue.At(where, TtftBuckets())
        .Observe(static_cast<double>(record.first_byte_ns - record.sent_ns) / 1e9);
  }
  auto& itl = families_->itl.At(where, TokenBuckets());
  for (std::size_t i = 1; i < record.chunks.size(); ++i) {
    const double gap =
        static_cast<double>(record.chunks[i].at_ns - record.chunks[i - 1].at_ns) / 1e9;
    const int tokens = record.chunks[i].tokens > 0 ? record.chunks[i].tokens : 1;
    itl.Observe(gap / tokens);
  }
}

void RunMetrics::Observe(const StageSummary& summary) {
  const Labels where = Where(summary.scenario, summary.variant, summary.stage);
  const std::lock_guard lock(families_->mutex);
  const auto set = [&](Bounded<prometheus::Gauge>& family, std::string_view path) {
    if (const auto found = FindStatistic(summary, path)) family.At(where).Set(found->value);
  };
  set(families_->decode, "decode_tokens_per_s.p50");
  set(families_->prefill, "prefill_tokens_per_s.p50");
  set(families_->throughput, "throughput_tokens_per_s");
  set(families_->goodput, "goodput_ratio");
  set(families_->mbu, "bandwidth_utilisation_ratio");
}

void RunMetrics::Observe(const Verdict& verdict) {
  if (verdict.finding != Finding::kRegression || !verdict.observed) return;
  const Labels where = Where(verdict.scenario, verdict.variant, verdict.stage);
  const std::lock_guard lock(families_->mutex);
  auto& family = IsRatio(verdict.metric) ? families_->regression : families_->regressed_answers;
  family.At(With(where, "metric", verdict.metric)).Set(*verdict.observed);
}

void RunMetrics::Observe(const RunEvent& event) {
  const Labels where = {{"scenario", ScrapeLabel(event.scenario)},
                        {"variant", ScrapeLabel(event.variant)}};
  const std::lock_guard lock(families_->mutex);
  // A server that was killed on purpose is no crash; one that outlived the blow may crash later.
  const bool struck = EndsFault(event.event) && families_->struck.erase(where) > 0;
  if (event.event == "server_ready") {
    families_->backend_loads.At(With(where, "result", "ok")).Increment();
    const double load_ms = NumberIn(event.detail, "load_ms", -1);
    if (load_ms >= 0) families_->load.At(where).Set(load_ms / 1e3);
  } else if (event.event == "load_failed") {
    families_->backend_loads.At(With(where, "result", "failed")).Increment();
  } else if (event.event == "fault_injected") {
    families_->struck.insert(where);
  } else if (event.event == "server_exited") {
    if (!struck) families_->backend_crashes.At(where).Increment();
  } else if (event.event == "server_recovered") {
    families_->restarts.At(where).Increment();
    const double recovery_ms = NumberIn(event.detail, "recovery_ms", -1);
    if (recovery_ms >= 0) families_->recovery.At(where).Set(recovery_ms / 1e3);
  } else if (event.event == "sample") {
    const Labels device = {{"device", ScrapeLabel(TextIn(event.detail, "device"))}};
    const auto set = [&](Bounded<prometheus::Gauge>& family, const char* key,
                         const Labels& labels) {
      const double bytes = NumberIn(event.detail, key, -1);
      if (bytes >= 0) family.At(labels).Set(bytes);
    };
    set(families_->memory, "gpu_memory_bytes", device);
    set(families_->backend_device, "server_memory_bytes", device);
    set(families_->backend_resident, "server_rss_bytes", where);
  } else if (event.event == "memory_released") {
    const double before = NumberIn(event.detail, "before_bytes", -1);
    const double after = NumberIn(event.detail, "after_bytes", -1);
    if (before >= 0 && after >= 0) {
      families_->backend_unreleased.At({{"device", ScrapeLabel(TextIn(event.detail, "device"))}})
          .Set(std::max(0.0, after - before));
    }
  }
}

void RunMetrics::Observe(const RunEnd& end, WallTime finished) {
  const std::lock_guard lock(families_->mutex);
  families_->valid.At({}).Set(end.status == RunStatus::kValid ? 1 : 0);
  if (end.status == RunStatus::kValid && end.exit_code == 0) {
    const std::chrono::duration<double> since_epoch = finished.time_since_epoch();
    families_->last_success.At({}).Set(since_epoch.count());
  }
}

std::string RunMetrics::Text() const {
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

std::string ScrapeLabel(std::string_view text) {
  // The JSON writer already knows what valid UTF-8 is; its escapes are undone by dropping them.
  std::string clean;
  std::string quoted;
  AppendJsonString(text.substr(0, 4 * kMaxLabelBytes), quoted);
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    const char c = quoted[i];
    if (c != '\\') {
      clean += c;
    } else if (quoted[i + 1] == '"' || quoted[i + 1] == '\\') {
      clean += quoted[++i];
    } else {  // \n, or a control character as \u00XX
      clean += ' ';
      i += quoted[i + 1] == 'u' ? 5 : 1;
    }
  }
  if (clean.size() > kMaxLabelBytes) {
    std::size_t end = kMaxLabelBytes;
    while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0U) == 0x80U) --end;
    clean.resize(end);
  }
  return clean.empty() ? "-" : clean;
}

}  // namespace harness
