// SPDX-License-Identifier: EUPL-1.2
#include "harness/load/request_in_flight.h"

#include <algorithm>
#include <utility>

namespace harness {

using rocm::TimePoint;
using rocm::ToNs;

RequestInFlight::RequestInFlight(StageState& state, const RequestKey& key,
                                 const PreparedRequest& prepared)
    : state_(state) {
  RequestRecord& r = done.record;
  r.scenario = state.input.scenario;
  r.variant = state.input.variant;
  r.round = state.input.round;
  r.stage = state.input.stage->name;
  r.index = key.index;
  // Room for all of it: the sink then never allocates while it is being timed.
  const auto tokens = static_cast<std::size_t>(std::clamp(prepared.output_tokens, 0, 65'536));
  r.chunks.reserve(tokens + 2);
  r.ids.reserve(tokens + 2);
  r.text.reserve(6 * tokens + 16);
  done.output_tokens = prepared.output_tokens;
  done.exact_output = prepared.exact_output;
  done.prompt_tokens = prepared.prompt_tokens;
  done.chain_last = prepared.chain_last;
}

bool RequestInFlight::OnDelta(const rocm::wire::CompletionDelta& delta, TimePoint at,
                              bool coalesced) {
  const std::int64_t ns = ToNs(at);
  if (!delta.has_content()) {
    OnNoText(delta, ns);
    return true;
  }
  RequestRecord& r = done.record;
  if (r.first_token_ns == 0) r.first_token_ns = ns;
  if (r.first_answer_ns == 0 && !delta.text.empty()) r.first_answer_ns = ns;
  r.last_token_ns = ns;
  ChunkTime chunk;
  chunk.at_ns = ns;
  chunk.tokens = delta.count < 0 ? -1 : delta.count + std::exchange(pending_tokens_, 0);
  chunk.coalesced = coalesced;
  r.chunks.push_back(chunk);
  r.text += delta.text;
  r.ids.insert(r.ids.end(), delta.ids.begin(), delta.ids.end());
  seen_tokens_ += std::max(chunk.tokens, 1);
  state_.tokens.fetch_add(std::max(chunk.tokens, 1), std::memory_order_relaxed);
  if (state_.input.on_tokens) state_.input.on_tokens(seen_tokens_);
  return true;
}

// Part of a character, whose tokens belong to the chunk that completes it, or the token by which
// the model ended its answer: it was generated, so the decode time reaches to it.
void RequestInFlight::OnNoText(const rocm::wire::CompletionDelta& delta, std::int64_t ns) {
  if (delta.count > 0) {
    pending_tokens_ += delta.count;
    if (done.record.first_token_ns != 0) done.record.last_token_ns = ns;
  }
  if (delta.finish_reason == rocm::FinishReason::kStop && stopped_ns_ == 0) stopped_ns_ = ns;
}

void RequestInFlight::CountEnd(rocm::wire::TokenSource source) {
  RequestRecord& r = done.record;
  if (r.chunks.empty()) return;
  ChunkTime& last = r.chunks.back();
  if (last.tokens >= 0) {
    last.tokens += std::exchange(pending_tokens_, 0);
  } else if (source != rocm::wire::TokenSource::kChunks) {
    // Events without counts: the server counts that last token, and says "stop" when it has it.
    r.last_token_ns = std::max(r.last_token_ns, stopped_ns_);
  }
}

void RequestInFlight::Finish(rocm::http::StreamEnd&& end, std::optional<TimePoint> due) {
  RequestRecord& r = done.record;
  const auto ns = [](TimePoint t) { return t == TimePoint{} ? 0 : ToNs(t); };
  r.connect_ns = ns(end.times.connect_started);
  r.sent_ns = ns(end.times.sent);
  r.first_byte_ns = ns(end.times.first_byte);
  r.finished_ns = ns(end.times.finished);
  r.scheduled_ns = due ? ns(*due) : (r.sent_ns != 0 ? r.sent_ns : r.connect_ns);
  r.http_status = end.http_status;
  r.tokens = end.tokens;
  r.token_source = rocm::wire::ToString(end.token_source);
  CountEnd(end.token_source);
  r.timings = end.completion.timings;
  const rocm::Usage& usage = end.completion.usage;
  if (usage.prompt_tokens > 0) {
    r.prompt_tokens = usage.prompt_tokens;
    r.cached_tokens = usage.cached_tokens;
  } else if (r.timings) {
    r.prompt_tokens = r.timings->prompt_n + r.timings->cache_n;
  }
  if (r.timings) r.cached_tokens = r.timings->cache_n;
  if (end.error) {
    r.outcome = rocm::ToString(end.error->code);
    r.error = end.error->message;
    done.error = std::move(end.error);
  } else {
    r.outcome = "ok";
    r.finish_reason = rocm::ToString(end.completion.finish_reason);
  }
  state_.chunks.fetch_add(static_cast<std::int64_t>(r.chunks.size()), std::memory_order_relaxed);
  if (!r.ok()) state_.failed.fetch_add(1, std::memory_order_relaxed);
  state_.finished.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace harness
