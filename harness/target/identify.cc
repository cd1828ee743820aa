// SPDX-License-Identifier: EUPL-1.2
#include "harness/target/identify.h"

#include <array>
#include <string>

#include "backend/gguf/chain_model.h"
#include "backend/http/control_client.h"
#include "backend/wire/completion_request.h"
#include "backend/wire/control_reply.h"

namespace harness {
namespace {

using rocm::http::CallOptions;
using rocm::http::ControlClient;

CallOptions Options(std::stop_token stop) {
  CallOptions options;
  options.cancel = std::move(stop);
  return options;
}

// The context that /props reports, and slots; -1 where a build does not say.
void TakeProps(const rocm::wire::ServerProps& props, TargetFacts& facts) {
  facts.llama_server = true;
  facts.build = props.build_info;
  facts.applied.slots = props.total_slots;
  facts.applied.context_per_slot = props.context_per_slot;
}

}  // namespace

rocm::Result<TargetFacts> Identify(const rocm::http::Endpoint& endpoint, std::stop_token stop) {
  const ControlClient client(endpoint);
  TargetFacts facts;
  // Every OpenAI-compatible server has this one.
  const auto models = client.Get("/v1/models", Options(stop));
  if (!models) return tl::unexpected(models.error());
  if (models->status == 401 || models->status == 403) {
    return tl::unexpected(client.GetOk("/v1/models", Options(stop)).error());
  }
  if (models->status == 503) {
    return rocm::Fail(rocm::ErrorCode::kUnavailable, "the server is still loading its model");
  }
  if (models->ok()) {
    const auto served = rocm::wire::ParseModels(models->body);
    if (served && !served->empty()) {
      const rocm::wire::ServedModel& first = served->front();
      facts.served_model = first.id;
      if (first.vocabulary > 0) {
        rocm::ModelInfo info;
        info.name = first.id;
        info.vocab_size = first.vocabulary;
        info.context_length = first.context_train;
        info.hidden_size = first.embedding;
        info.parameters = first.parameters;
        info.file_bytes = first.bytes;
        facts.model = info;
      }
    }
  }
  const auto props = client.GetOk("/props", Options(stop));
  if (props) {
    const auto parsed = rocm::wire::ParseProps(props->body);
    if (parsed && parsed->total_slots > 0) TakeProps(*parsed, facts);
  }
  if (facts.llama_server) {
    facts.chain = SpeaksChain(endpoint, stop);
  } else {
    facts.not_available = {"slots and context: no /props", "prompts of exact length: no /tokenize",
                           "fixed output lengths: ignore_eos is llama-server's",
                           "token ids: not in the streams of this server",
                           "server-side timings: not in the streams of this server"};
  }
  return facts;
}

bool SpeaksChain(const rocm::http::Endpoint& endpoint, std::stop_token stop) {
  namespace chain = rocm::gguf::chain;
  const ControlClient client(endpoint);
  const std::array<std::int32_t, 3> ids{chain::WordToken(0), chain::WordToken(777),
                                        chain::WordToken(chain::kWords - 1)};
  const auto reply =
      client.PostOk("/detokenize", rocm::wire::BuildDetokenize(ids), Options(std::move(stop)));
  if (!reply) return false;
  const auto text = rocm::wire::ParseDetokenized(reply->body);
  std::string expected;
  for (const std::int32_t id : ids) expected += chain::Piece(id);
  return text && *text == expected;
}

}  // namespace harness
