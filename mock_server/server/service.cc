// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "mock_server/api/prompt.h"
#include "mock_server/faults/answers.h"
#include "mock_server/faults/faulty_exchange.h"
#include "mock_server/server/completion_job.h"
#include "mock_server/server/documents.h"

namespace mock {
namespace {

// Deeper JSON than this is refused: copying it would use up the stack.
constexpr int kMaxDepth = 512;
constexpr std::size_t kStoredPrompts = 64;

int Depth(std::string_view json) {
  int depth = 0;
  int deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

ApiResult<Json> ParseBody(const std::string& body) {
  if (body.empty()) {
    return BadRequest(
        "[json.exception.parse_error.101] parse error at line 1, column 1: attempting to parse an "
        "empty input; check that your input string or stream contains the expected JSON");
  }
  if (Depth(body) > kMaxDepth) return BadRequest("The request is nested too deeply");
  try {
    return Json::parse(body);
  } catch (const Json::parse_error& error) {
    return BadRequest(error.what());
  }
}

EngineConfig MakeEngine(const Options& options, std::int64_t trained_context) {
  EngineConfig engine;
  engine.model = options.timing;
  engine.slots = options.parallel;
  engine.unified_kv = options.kv_unified.value_or(false);
  const int context = options.context > 0 ? options.context : static_cast<int>(trained_context);
  engine.context_total = context;
  engine.context_per_slot = engine.unified_kv ? context : std::max(1, context / engine.slots);
  engine.flash_attention = options.flash_attention != "off";
  engine.batch = options.batch;
  engine.tokens_per_chunk = options.tokens_per_chunk;
  engine.slot_similarity = options.slot_similarity;
  engine.stored_prompts = options.cache_ram_mib == 0 ? 0 : kStoredPrompts;
  engine.seed = options.seed;
  return engine;
}

std::string ReplyId(std::uint64_t seed, std::int64_t request) {
  constexpr std::string_view kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  Random random(MixSeed(seed ^ 0x1D5, static_cast<std::uint64_t>(request)));
  std::string id = "chatcmpl-";
  for (int i = 0; i < 32; ++i) id += kLetters[random.Next() % kLetters.size()];
  return id;
}

ApiError NotSupported(std::string_view what, std::string_view flag) {
  return ApiError{501,
                  fmt::format("This server does not support {}. Start it with `{}`", what, flag),
                  "not_supported_error", Json::object()};
}

HttpReply PlainError(int status, std::string_view message, std::string_view type) {
  HttpReply reply;
  reply.status = status;
  // In this order: the answers that are made before any endpoint is asked.
  reply.body = Dump(Json{{"error", {{"message", message}, {"type", type}, {"code", status}}}});
  return reply;
}

HttpReply NotFound() { return PlainError(404, "File Not Found", "not_found_error"); }

HttpReply JsonReply(const Json& json) {
  HttpReply reply;
  reply.body = Dump(json);
  return reply;
}

}  // namespace

Service::Service(Options options, TimerQueue& timers, Log& log, TruthLog& truth, FaultBook& faults)
    : options_(std::move(options)), timers_(timers), log_(log), truth_(truth), fault_book_(faults) {
  alias_ = options_.alias.empty() ? options_.model : options_.alias;
  if (alias_.empty()) alias_ = "chain";
  engine_ = MakeEngine(options_, model_.context);
}

Service::~Service() = default;

void Service::Loaded(ModelFile model) {
  model_ = std::move(model);
  engine_ = MakeEngine(options_, model_.context);
  scheduler_ = std::make_unique<Scheduler>(engine_, timers_);
  loaded_at_ = WallSeconds();
  loaded_ = true;
}

void Service::Tidy() { retired_.clear(); }

void Service::Retire(std::int64_t request) {
  const auto job = jobs_.find(request);
  if (job == jobs_.end()) return;
  retired_.push_back(std::move(job->second));
  jobs_.erase(job);
}

void Service::HaltStreams() {
  if (scheduler_ != nullptr) scheduler_->Halt();
}

void Service::AbandonStreams() {
  auto jobs = jobs_;
  for (auto& [request, job] : jobs) job->Abandon();
}

void Service::Reply(Exchange& exchange, HttpReply reply) {
  const HttpRequest& request = exchange.request();
  const bool head = request.method == "HEAD";
  const bool keep = exchange.keep_alive() && reply.status < 400;
  std::string bytes = ReplyHead(reply, {request.Header("origin"), keep, head});
  if (!head) bytes += reply.body;
  exchange.Send(bytes);
  exchange.Finish(keep ? Ending::kKeepOpen : Ending::kClose);
}

void Service::Reply(Exchange& exchange, const ApiError& error) {
  HttpReply reply;
  reply.status = error.status;
  reply.body = error.Body();
  Reply(exchange, std::move(reply));
}

bool Service::Authorised(const HttpRequest& request) const {
  if (options_.api_keys.empty()) return true;
  const std::string_view path = request.path;
  if (path == "/health" || path == "/v1/health" || path == "/") return true;
  std::string_view key = request.Header("authorization");
  if (key.empty()) key = request.Header("x-api-key");
  constexpr std::string_view kBearer = "Bearer ";
  if (key.starts_with(kBearer)) key.remove_prefix(kBearer.size());
  return std::find(options_.api_keys.begin(), options_.api_keys.end(), key) !=
         options_.api_keys.end();
}

void Service::Doomed(const Fault& fault) {
  if (!fault.Is("freeze")) {
    Doomed(DoomOf(fault));
    return;
  }
  truth_.Flush();
  const double ms = fault.Number("ms", -1.0);
  Freeze(ms < 0.0 ? 86'400 * kSecond : FromMs(ms));
}

void Service::Doomed(const Doom& doom) {
  truth_.End(doom.signal == 0 ? "exit" : "signal", Now());
  Die(doom);
}

// Of the mock itself: open to everybody, at any time.
bool Service::AnswerMock(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  if (request.path != "/mock/faults") return false;
  if (request.method == "POST") {
    const ApiResult<Json> script = ParseBody(request.body);
    const std::optional<std::string> problem =
        script ? fault_book_.Load(*script) : script.error().message;
    if (problem) {
      Reply(exchange, ApiError{400, *problem, "invalid_request_error", Json::object()});
      return true;
    }
  } else if (request.method == "DELETE") {
    fault_book_.Clear();
  }
  Reply(exchange, JsonReply(fault_book_.Show()));
  return true;
}

void Service::Handle(std::shared_ptr<Exchange> exchange) {
  if (AnswerMock(*exchange)) return;
  struck_ = fault_book_.Strike(exchange->request());
  if (!struck_.empty()) {
    const Faults wire = FaultsAt(struck_, FaultPlace::kWire);
    if (!wire.empty()) {
      exchange = std::make_shared<FaultyExchange>(std::move(exchange), wire, timers_,
                                                  [this](const Doom& doom) { Doomed(doom); });
    }
    for (const Fault& fault : struck_) {
      if (fault.place() == FaultPlace::kProcess && !fault.Has("token") &&
          fault.Text("at", "received") == "received") {
        truth_.Fault(-1, fault.type(), Now());
        Doomed(fault);
      }
    }
    const Faults answers = FaultsAt(struck_, FaultPlace::kAnswer);
    if (!answers.empty()) {
      truth_.Fault(-1, answers.front().type(), Now());
      AnswerWithFault(answers.front(), exchange, timers_);
      return;
    }
  }
  const HttpRequest& request = exchange->request();
  if (request.method == "OPTIONS") {
    const std::string_view origin = request.Header("origin");
    const bool keep = exchange->keep_alive();
    exchange->Send(fmt::format(
        "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: {}\r\n"
        "Access-Control-Allow-Credentials: true\r\n"
        "Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r\n"
        "Access-Control-Allow-Headers: *\r\nContent-Type: text/html\r\n{}Content-Length: 0\r\n\r\n",
        origin, keep ? "Keep-Alive: timeout=5, max=100\r\n" : "Connection: close\r\n"));
    exchange->Finish(keep ? Ending::kKeepOpen : Ending::kClose);
    return;
  }
  if (!Authorised(request)) {
    Reply(*exchange, PlainError(401, "Invalid API Key", "authentication_error"));
    return;
  }
  std::string path = request.path;
  if (!options_.api_prefix.empty()) {
    path = path.starts_with(options_.api_prefix) ? path.substr(options_.api_prefix.size()) : "";
  }
  if (!loaded_) {
    Reply(*exchange, PlainError(503, "Loading model", "unavailable_error"));
    return;
  }
  try {
    Route(exchange, path);
  } catch (const Json::exception& error) {
    Reply(*exchange, ApiError{400, error.what(), "invalid_request_error", Json::object()});
  }
}

void Service::Route(const std::shared_ptr<Exchange>& exchange, const std::string& path) {
  const std::string& method = exchange->request().method;
  const bool get = method == "GET" || method == "HEAD";
  if (get && RouteGet(*exchange, path)) return;
  if (method == "POST" && RoutePost(exchange, path)) return;
  Reply(*exchange, NotFound());
}

bool Service::RouteGet(Exchange& exchange, const std::string& path) {
  if (path == "/health" || path == "/v1/health") {
    Reply(exchange, JsonReply(Json{{"status", "ok"}}));
  } else if (path == "/props") {
    Reply(exchange, JsonReply(PropsDocument(*this)));
  } else if (path == "/models" || path == "/v1/models") {
    Reply(exchange, JsonReply(ModelsDocument(*this)));
  } else if (path == "/slots") {
    if (options_.slots_endpoint) {
      Reply(exchange, JsonReply(SlotsDocument(*this)));
    } else {
      Reply(exchange, NotSupported("slots endpoint", "--slots"));
    }
  } else if (path == "/metrics") {
    if (!options_.metrics) {
      Reply(exchange, NotSupported("metrics endpoint", "--metrics"));
      return true;
    }
    HttpReply reply;
    reply.body = MetricsDocument(*this);
    reply.content_type = "text/plain; version=0.0.4";
    reply.extra = {{"Process-Start-Time-Unix", std::to_string(loaded_at_)}};
    Reply(exchange, std::move(reply));
  } else {
    return false;
  }
  return true;
}

namespace {

ApiResult<Json> TokeniseDocument(const Json& body) {
  if (!body.is_object() || !body.contains("content")) return Json{{"tokens", Json::array()}};
  const auto flag = [&body](const char* name, bool otherwise) {
    return body.contains(name) && body[name].is_boolean() ? body[name].get<bool>() : otherwise;
  };
  auto tokens =
      TokeniseContent(body["content"], flag("add_special", false), flag("parse_special", true));
  if (!tokens) return tl::make_unexpected(std::move(tokens.error()));
  if (!flag("with_pieces", false)) return Json{{"tokens", *tokens}};
  Json list = Json::array();
  for (const TokenId id : *tokens) {
    const std::string piece = Piece(id, true);
    Json shown = piece;
    // Bytes that are no text by themselves are listed as numbers.
    if (piece.size() == 1 && static_cast<unsigned char>(piece[0]) >= 0x80) {
      shown = Json::array({static_cast<unsigned char>(piece[0])});
    }
    list.push_back(Json{{"id", id}, {"piece", std::move(shown)}});
  }
  return Json{{"tokens", std::move(list)}};
}

ApiResult<Json> DetokeniseDocument(const Json& body) {
  std::string text;
  if (body.is_object() && body.contains("tokens")) {
    for (const Json& id : body["tokens"]) {
      const auto value = id.get<std::int64_t>();
      if (!IsToken(value)) return BadRequest("Invalid token");
      text += Piece(static_cast<TokenId>(value), true);
    }
  }
  return Json{{"content", text}};
}

}  // namespace

bool Service::RoutePost(const std::shared_ptr<Exchange>& exchange, const std::string& path) {
  if (path == "/completion" || path == "/completions") {
    StartCompletion(exchange, Api::kNative);
    return true;
  }
  if (path == "/v1/completions") {
    StartCompletion(exchange, Api::kCompletion);
    return true;
  }
  if (path == "/v1/chat/completions" || path == "/chat/completions") {
    StartCompletion(exchange, Api::kChat);
    return true;
  }
  if (path == "/props" && !options_.props_writable) {
    Reply(*exchange, NotSupported("changing global properties", "--props"));
    return true;
  }
  if (path == "/embedding" || path == "/embeddings" || path == "/v1/embeddings") {
    Reply(*exchange, NotSupported("embeddings", "--embeddings"));
    return true;
  }
  if (path.starts_with("/slots/")) {
    Reply(*exchange, NotSupported("slots action", "--slot-save-path"));
    return true;
  }
  using Handler = ApiResult<Json> (*)(const Json&);
  Handler handler = nullptr;
  if (path == "/tokenize") handler = TokeniseDocument;
  if (path == "/detokenize") handler = DetokeniseDocument;
  if (path == "/apply-template") {
    handler = [](const Json& body) -> ApiResult<Json> {
      return ApplyTemplate(body).map([](const ChatPrompt& prompt) {
        return Json{{"prompt", prompt.text}};
      });
    };
  }
  if (path == "/props") {
    handler = [](const Json&) -> ApiResult<Json> { return Json{{"success", true}}; };
  }
  if (handler == nullptr) return false;
  const ApiResult<Json> answer = ParseBody(exchange->request().body).and_then(handler);
  if (answer) {
    Reply(*exchange, JsonReply(*answer));
  } else {
    Reply(*exchange, answer.error());
  }
  return true;
}

void Service::StartCompletion(const std::shared_ptr<Exchange>& exchange, Api api) {
  const Ns received = Now();
  const std::int64_t request = next_request_++;
  ReplyContext context;
  context.api = api;
  context.id = ReplyId(options_.seed, request);
  context.model = alias_;
  context.build = options_.dialect.BuildInfo();
  std::shared_ptr<GenerationParams> params = std::make_shared<GenerationParams>();
  std::vector<Tokens> prompts;
  const auto parse = [&]() -> ApiResult<void> {
    auto body = ParseBody(exchange->request().body);
    if (!body) return tl::make_unexpected(std::move(body.error()));
    if (api == Api::kChat) {
      auto chat = ApplyTemplate(*body);
      if (!chat) return tl::make_unexpected(std::move(chat.error()));
      context.prefill = std::move(chat->prefill);
      context.reasoning_tokens = options_.reasoning_tokens;
      prompts.push_back(Tokenise(chat->text, true, true));
    } else {
      auto list = ParsePrompts(body->at("prompt"));
      if (!list) return tl::make_unexpected(std::move(list.error()));
      prompts = std::move(*list);
    }
    auto read = ParseGenerationParams(*body, api, options_.settings, engine_.slots);
    if (!read) return tl::make_unexpected(std::move(read.error()));
    *params = std::move(*read);
    return {};
  };
  const ApiResult<void> parsed = [&]() -> ApiResult<void> {
    try {
      return parse();
    } catch (const Json::exception& error) {
      return BadRequest(error.what());
    }
  }();
  TruthLog::Arrival arrival;
  arrival.request = request;
  arrival.endpoint = exchange->request().path;
  arrival.peer = exchange->request().peer;
  arrival.client_id = exchange->request().Header("x-request-id");
  arrival.reply_id = api == Api::kNative ? std::string_view() : context.id;
  arrival.stream = params->stream;
  arrival.seed = params->seed;
  truth_.Received(arrival, received);
  if (!parsed) {
    truth_.Failed(request, parsed.error().status, parsed.error().message, Now());
    Reply(*exchange, parsed.error());
    return;
  }
  if (!options_.cache_prompt) params->cache_prompt = false;
  const int choices = params->choices;
  const auto job = std::make_shared<CompletionJob>(*this, exchange, request, std::move(context),
                                                   params, struck_);
  jobs_.emplace(request, job);
  job->Start(std::move(prompts), choices);
}

}  // namespace mock
