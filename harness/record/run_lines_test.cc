// SPDX-License-Identifier: EUPL-1.2
#include "harness/record/run_lines.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace harness {
namespace {

using nlohmann::json;

RequestRecord Example() {
  RequestRecord r;
  r.scenario = "decode";
  r.variant = "b";
  r.round = 2;
  r.stage = "steady";
  r.index = 5;
  r.outcome = "ok";
  r.finish_reason = "length";
  r.tokens = 3;
  r.token_source = "ids";
  r.prompt_tokens = 6;
  r.cached_tokens = 0;
  r.http_status = 200;
  r.scheduled_ns = 100;
  r.connect_ns = 110;
  r.sent_ns = 120;
  r.first_byte_ns = 130;
  r.first_token_ns = 200;
  r.first_answer_ns = 200;
  r.last_token_ns = 400;
  r.finished_ns = 410;
  r.chunks = {{200, 1, false}, {400, 2, false}};
  r.timings = rocm::Timings{0, 6, 7.5, 3, 0.25};
  r.text = "never in the file";
  r.text_sha256 = "abc";
  r.ids = {598, 599, 600};
  return r;
}

TEST(RequestLine, HoldsEveryNameThatOthersRelyOn) {
  std::string line;
  AppendRequestLine(Example(), true, line);
  EXPECT_EQ(
      line,
      R"({"type":"request","scenario":"decode","variant":"b","round":2,"stage":"steady","index":5,)"
      R"("outcome":"ok","error":"","http_status":200,"finish_reason":"length","tokens":3,)"
      R"("token_source":"ids","prompt_tokens":6,"cached_tokens":0,"scheduled_ns":100,)"
      R"("connect_ns":110,"sent_ns":120,"first_byte_ns":130,"first_token_ns":200,)"
      R"("first_answer_ns":200,"last_token_ns":400,"finished_ns":410,)"
      R"("chunks":[[200,1],[400,2]],"timings":{"cache_n":0,"prompt_n":6,"prompt_ms":7.5,)"
      R"("predicted_n":3,"predicted_ms":0.25},"text_sha256":"abc","ids":[598,599,600]})");
}

TEST(RequestLine, WithoutChunksAndTimings) {
  RequestRecord record = Example();
  record.timings.reset();
  record.ids.clear();
  std::string line;
  AppendRequestLine(record, false, line);
  const json parsed = json::parse(line);
  EXPECT_FALSE(parsed.contains("chunks"));
  EXPECT_FALSE(parsed.contains("ids"));
  EXPECT_TRUE(parsed.at("timings").is_null());
}

TEST(Lines, HostileNamesStayOneLineOfJson) {
  const std::string hostile = std::string("</script>\n{\"type\":\"end\"}\xff\xc3") + '\0';
  RequestRecord record = Example();
  record.scenario = hostile;
  record.error = hostile;
  std::string request;
  AppendRequestLine(record, true, request);
  RunEvent event;
  event.event = "note";
  event.detail = {{"text", hostile}};
  RunEnd end;
  end.reasons = {hostile};
  Verdict verdict;
  verdict.reason = hostile;
  StageSummary summary;
  summary.scenario = hostile;
  RunHeader header;
  header.command = {hostile};
  for (const std::string& line :
       {request, EventLine(event), EndLine(end, 1, 0), VerdictLine(verdict),
        SummaryLine(summary, {}, "series"), HeaderLine(header, "id")}) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_FALSE(json::parse(line, nullptr, false).is_discarded()) << line;
  }
}

TEST(Lines, SummaryHoldsDistributionsAndFlags) {
  StageSummary summary;
  summary.scenario = "s";
  summary.stage = "steady";
  summary.window = {1'000'000'000, 3'500'000'000};
  summary.requests = 3;
  summary.requests_ok = 3;
  summary.outcomes = {{"ok", 3}};
  summary.distributions["ttft_ms"] = Describe(std::vector<double>{1, 2, 3});
  summary.distributions["tpot_ms"] = {};
  summary.values["throughput_tokens_per_s"] = std::numeric_limits<double>::quiet_NaN();
  SummaryContext context;
  context.error_bounds["ttft_ms.p50"] = 0.25;
  const json line = json::parse(SummaryLine(summary, context, "0123456789abcdef"));
  EXPECT_EQ(line.at("type"), "summary");
  EXPECT_EQ(line.at("window").at("seconds"), 2.5);
  const json& ttft = line.at("metrics").at("ttft_ms");
  EXPECT_EQ(ttft.at("n"), 3);
  EXPECT_EQ(ttft.at("p50").at("value"), 2.0);
  EXPECT_EQ(ttft.at("p50").at("supported"), false);
  EXPECT_TRUE(ttft.at("p99").at("low").is_number());
  EXPECT_TRUE(ttft.at("p99").at("high").is_null());
  EXPECT_EQ(line.at("metrics").at("tpot_ms"), json({{"n", 0}}));
  EXPECT_TRUE(line.at("values").at("throughput_tokens_per_s").is_null());
  EXPECT_EQ(line.at("error_bounds").at("ttft_ms.p50"), 0.25);
}

}  // namespace
}  // namespace harness
