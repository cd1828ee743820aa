// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

namespace harness {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kMs = 1'000'000;

RequestRecord Answer(const std::string& scenario) {
  RequestRecord r;
  r.scenario = scenario;
  r.stage = "steady";
  r.outcome = "ok";
  r.tokens = 5;
  r.scheduled_ns = 1000 * kMs;
  r.sent_ns = r.scheduled_ns;
  r.first_token_ns = 1030 * kMs;
  r.last_token_ns = 1070 * kMs;
  r.finished_ns = 1071 * kMs;
  // One token, then four in one chunk: four gaps' worth of 10 ms in one observation.
  r.chunks = {{1030 * kMs, 1, false}, {1070 * kMs, 4, false}};
  return r;
}

const std::string kWhere = R"({scenario="s",stage="steady",variant="-")";

TEST(RunMetrics, RequestsInBaseUnits) {
  RunMetrics metrics;
  metrics.Observe(Answer("s"));
  RequestRecord failed = Answer("s");
  failed.outcome = "stalled";
  metrics.Observe(failed);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("# TYPE rocm_bench_time_to_first_token_seconds histogram"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_time_to_first_token_seconds_sum" + kWhere + "} 0.03\n"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_time_to_first_token_seconds_bucket" + kWhere +
                              R"(,le="0.02"} 0)"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_time_to_first_token_seconds_bucket" + kWhere +
                              R"(,le="0.04"} 1)"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_inter_token_latency_seconds_sum" + kWhere + "} 0.01\n"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_request_duration_seconds_count" + kWhere + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_output_tokens_total" + kWhere + "} 5\n"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_bench_requests_total{outcome="ok",scenario="s")"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_bench_requests_total{outcome="stalled",scenario="s")"));
}

TEST(RunMetrics, TheBackendsOwn) {
  RunMetrics metrics;
  RequestRecord request = Answer("s");
  request.first_byte_ns = request.sent_ns + 15 * kMs;
  metrics.Observe(request);
  RunEvent event;
  event.scenario = "s";
  event.event = "sample";
  event.detail = {{"server_rss_bytes", 26'000'000}};
  metrics.Observe(event);
  event.detail = {{"device", "GPU-1"}, {"server_memory_bytes", 3'000'000}};
  metrics.Observe(event);
  event.event = "memory_released";
  event.detail = {{"device", "GPU-1"}, {"before_bytes", 100}, {"after_bytes", 612}};
  metrics.Observe(event);
  event.detail = {{"device", "GPU-2"}, {"before_bytes", 612}, {"after_bytes", 100}};
  metrics.Observe(event);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("rocm_backend_queue_seconds_sum" + kWhere + "} 0.015\n"));
  EXPECT_THAT(text,
              HasSubstr(R"(rocm_backend_queue_seconds_bucket)" + kWhere + R"(,le="0.01"} 0)"));
  EXPECT_THAT(
      text, HasSubstr(R"(rocm_backend_resident_memory_bytes{scenario="s",variant="-"} 26000000)"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_backend_gpu_memory_used_bytes{device="GPU-1"} 3000000)"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_backend_gpu_memory_unreleased_bytes{device="GPU-1"} 512)"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_backend_gpu_memory_unreleased_bytes{device="GPU-2"} 0)"));
}

TEST(RunMetrics, SummariesVerdictsEventsAndTheEnd) {
  RunMetrics metrics;
  StageSummary summary;
  summary.scenario = "s";
  summary.stage = "steady";
  summary.distributions["decode_tokens_per_s"] = Describe(std::vector<double>{100});
  summary.values["goodput_ratio"] = 0.75;
  metrics.Observe(summary);
  Verdict verdict;
  verdict.finding = Finding::kRegression;
  verdict.metric = "ttft_ms.p50";
  verdict.observed = 1.25;
  metrics.Observe(verdict);
  RunEvent event;
  event.event = "server_ready";
  event.detail = {{"load_ms", 6500}};
  metrics.Observe(event);
  event.event = "server_exited";
  metrics.Observe(event);
  event.event = "server_recovered";
  event.detail = {{"recovery_ms", 250}};
  metrics.Observe(event);
  event.event = "sample";
  event.detail = {{"gpu_memory_bytes", 3'500'000'000}, {"device", "GPU-1"}};
  metrics.Observe(event);
  metrics.Observe(RunEnd{}, WallTime(std::chrono::milliseconds(1'700'000'000'500)));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("rocm_bench_decode_tokens_per_second" + kWhere + "} 100\n"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_goodput_ratio" + kWhere + "} 0.75\n"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_bench_regression_ratio{metric="ttft_ms.p50")"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_bench_model_load_seconds{scenario="-",variant="-"} 6.5)"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_backend_crashes_total{scenario="-",variant="-"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(rocm_bench_recovery_duration_seconds{scenario="-",variant="-"} 0.25)"));
  EXPECT_THAT(text, HasSubstr(R"(rocm_bench_gpu_memory_used_bytes{device="GPU-1"} 3500000000)"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_run_valid 1\n"));
  EXPECT_THAT(text, HasSubstr("rocm_bench_last_success_timestamp_seconds 1700000000.5"));
}

TEST(RunMetrics, AFaultOnPurposeIsNoCrash) {
  RunMetrics metrics;
  const auto tell = [&](const char* scenario, std::initializer_list<const char*> events) {
    for (const char* name : events) {
      RunEvent event;
      event.scenario = scenario;
      event.event = name;
      metrics.Observe(event);
    }
  };
  const char* const killed = "kill_decode";
  tell(killed, {"fault_injected", "server_exited", "server_ready", "server_recovered"});
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("rocm_backend_crashes_total{")));
  tell(killed, {"server_exited"});  // nobody struck it this time
  EXPECT_THAT(metrics.Text(),
              HasSubstr(R"(rocm_backend_crashes_total{scenario="kill_decode",variant="-"} 1)"));
  // A blow that ended no process excuses none either, and no other scenario's.
  tell("stop_decode", {"fault_injected", "server_hung", "server_stopped", "server_exited"});
  tell("term_load", {"fault_injected", "server_recovered", "server_exited"});
  tell("kill_idle", {"fault_injected"});
  tell("decode", {"server_exited"});
  for (const std::string crashed : {"stop_decode", "term_load", "decode"}) {
    EXPECT_THAT(metrics.Text(), HasSubstr(R"(rocm_backend_crashes_total{scenario=")" + crashed +
                                          R"(",variant="-"} 1)"));
  }
}

TEST(RunMetrics, CountsAreNotToldAsRatios) {
  RunMetrics metrics;
  Verdict verdict;
  verdict.finding = Finding::kRegression;
  verdict.observed = 2;
  for (const char* metric : {"answers_differing", "answers_degenerate", "requests_failed"}) {
    verdict.metric = metric;
    metrics.Observe(verdict);
    EXPECT_THAT(metrics.Text(), HasSubstr(R"(rocm_bench_regressed_answers{metric=")" +
                                          std::string(metric) + R"(",scenario="-")"));
  }
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("rocm_bench_regression_ratio{")));
}

TEST(RunMetrics, AFailedRunIsNoSuccess) {
  RunMetrics metrics;
  RunEnd end;
  end.exit_code = 1;
  metrics.Observe(end, WallTime(std::chrono::seconds(5)));
  EXPECT_THAT(metrics.Text(), HasSubstr("rocm_bench_run_valid 1\n"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("rocm_bench_last_success_timestamp_seconds 5")));
  end.status = RunStatus::kInvalid;
  metrics.Observe(end, WallTime(std::chrono::seconds(5)));
  EXPECT_THAT(metrics.Text(), HasSubstr("rocm_bench_run_valid 0\n"));
}

TEST(RunMetrics, LabelSetsAreBounded) {
  RunMetrics metrics;
  for (int i = 0; i < 1'000; ++i) metrics.Observe(Answer("scenario-" + std::to_string(i)));
  const std::string text = metrics.Text();
  std::size_t series = 0;
  for (std::size_t at = 0;
       (at = text.find("\nrocm_bench_output_tokens_total{", at)) != std::string::npos; ++at) {
    ++series;
  }
  EXPECT_EQ(series, 201U);
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(rocm_bench_output_tokens_total{scenario="other",stage="other",variant="other"} 4000)"));
}

TEST(RunMetrics, HostileNamesStayOneLine) {
  RunMetrics metrics;
  metrics.Observe(Answer("a\"b\\c\nrocm_bench_run_valid 7\n\xff\xc3" + std::string(1, '\0')));
  const std::string text = metrics.Text();
  EXPECT_EQ(text.find("\nrocm_bench_run_valid 7"), std::string::npos);
  EXPECT_THAT(text, HasSubstr(R"(scenario="a\"b\\c rocm_bench_run_valid 7)"));
}

TEST(ScrapeLabel, IsShortValidText) {
  EXPECT_EQ(ScrapeLabel(""), "-");
  EXPECT_EQ(ScrapeLabel("plain é"), "plain é");
  EXPECT_EQ(ScrapeLabel("a\"b\\c"), "a\"b\\c");
  EXPECT_EQ(ScrapeLabel("a\x01\x7f\nb"), "a   b");
  EXPECT_EQ(ScrapeLabel("\xff"), "\xEF\xBF\xBD");
  EXPECT_EQ(ScrapeLabel(std::string(100'000, 'x')), std::string(120, 'x'));
  std::string long_text = std::string(119, 'x') + "é";
  EXPECT_EQ(ScrapeLabel(long_text), std::string(119, 'x'));
}

}  // namespace
}  // namespace harness
