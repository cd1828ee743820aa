// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/command_line.h"

#include <algorithm>
#include <climits>
#include <cstdint>

#include "backend/llama_server/extra_arguments.h"

namespace rocm::llama_server {
namespace {

// The server keeps prompts of idle slots in RAM, 8 GiB of them unless told otherwise.
constexpr int kPromptCacheMiB = 256;
// One thread for each open stream, and some for health, slots and metrics beside them.
constexpr int kSpareHttpThreads = 8;

tl::unexpected<Error> Refuse(const std::string& message) {
  return Fail(ErrorCode::kInvalidArgument, message);
}

bool IsTypeName(const std::string& name) {
  return std::ranges::all_of(name, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

class Builder {
 public:
  Builder(const CommandLineRequest& request, const ExtraArguments& extra)
      : request_(request), capabilities_(request.capabilities), extra_(extra) {}

  Result<std::vector<std::string>> Build() {
    for (const auto step : {&Builder::AddModel, &Builder::AddEndpoint, &Builder::AddContext,
                            &Builder::AddDevice, &Builder::AddAttention, &Builder::AddThreads}) {
      if (auto added = (this->*step)(); !added) return Fail(added.error());
    }
    AddHouseRules();
    const auto& extra = extra_.arguments();
    arguments_.insert(arguments_.end(), extra.begin(), extra.end());
    return std::move(arguments_);
  }

 private:
  void Add(std::string_view flag) { arguments_.emplace_back(flag); }
  void Add(std::string_view flag, std::string value) {
    arguments_.emplace_back(flag);
    arguments_.push_back(std::move(value));
  }
  void AddIfKnown(std::string_view flag, std::string value) {
    if (capabilities_.Has(flag)) Add(flag, std::move(value));
  }

  Result<void> AddModel() {
    const std::string& path = request_.model_path;
    if (path.empty() || path.find('\0') != std::string::npos) return Refuse("no model path");
    // Not to be taken for a flag.
    Add("--model", path[0] == '-' ? "./" + path : path);
    if (!request_.alias.empty()) AddIfKnown("--alias", request_.alias);
    return {};
  }

  Result<void> AddEndpoint() {
    // Always: builds differ in their defaults, and the environment could set them.
    if (request_.socket_path.empty()) {
      Add("--host", "127.0.0.1");
      Add("--port", "0");
    } else {
      Add("--host", request_.socket_path);
    }
    if (!request_.api_key_file.empty()) Add("--api-key-file", request_.api_key_file);
    return {};
  }

  Result<void> AddContext() {
    const int slots = request_.slots;
    const int context = request_.context_per_slot;
    if (slots < 1 || slots > 1024) return Refuse("slots must be between 1 and 1024");
    if (context < 0) return Refuse("the context length is negative");
    const std::int64_t total = std::int64_t{context} * slots;
    if (total > INT_MAX) return Refuse("context length times slots is too large");
    if (total > 0) Add("--ctx-size", std::to_string(total));
    // Without it newer builds make four slots that share one context.
    Add("--parallel", std::to_string(slots));
    return {};
  }

  Result<void> AddDevice() {
    const int layers = request_.load.gpu_layers;
    if (layers < -1) return Refuse("gpu_layers must be -1 or more");
    const bool all = layers == -1;
    Add("--n-gpu-layers", !all                                 ? std::to_string(layers)
                          : capabilities_.all_layers_by_name() ? "all"
                                                               : "999");
    if (request_.device_argument.empty()) return {};
    if (capabilities_.Has("--device")) {
      Add("--device", request_.device_argument);
    } else if (request_.device_argument == "none") {
      return Refuse("this llama-server has no --device");
    }
    return {};  // one that is pinned by the environment is checked once it runs
  }

  Result<void> AddAttention() {
    if (auto added = AddFlashAttention(); !added) return added;
    const LoadConfig& load = request_.load;
    for (const auto& [flag, type] :
         {std::pair<std::string_view, const std::string&>("--cache-type-k", load.kv_type_k),
          {"--cache-type-v", load.kv_type_v}}) {
      if (type.empty()) continue;
      if (!IsTypeName(type)) return Refuse("\"" + type + "\" is no KV cache type");
      Add(flag, type);
    }
    return {};
  }

  Result<void> AddFlashAttention() {
    const FlashAttention wanted = request_.load.flash_attention;
    if (wanted == FlashAttention::kServerDefault) return {};
    switch (capabilities_.flash_attention()) {
      case FlashAttentionDialect::kValued:
        Add("--flash-attn", wanted == FlashAttention::kOn    ? "on"
                            : wanted == FlashAttention::kOff ? "off"
                                                             : "auto");
        return {};
      case FlashAttentionDialect::kBare:  // off unless given; cannot decide by itself
        if (wanted == FlashAttention::kOn) Add("--flash-attn");
        return {};
      case FlashAttentionDialect::kNone: break;
    }
    if (wanted == FlashAttention::kOn) return Refuse("this llama-server has no flash attention");
    return {};
  }

  Result<void> AddThreads() {
    const LoadConfig& load = request_.load;
    if (load.threads < 0 || load.expected_streams < 0) return Refuse("a thread count is negative");
    if (load.threads > 0) Add("--threads", std::to_string(load.threads));
    const int streams = load.expected_streams > 0 ? load.expected_streams : 2 * request_.slots;
    if (streams > 65'536) return Refuse("too many streams are expected");
    if (!extra_.Mentions({"--threads-http"})) {
      AddIfKnown("--threads-http", std::to_string(streams + kSpareHttpThreads));
    }
    return {};
  }

  // What every server of ours gets, where its build knows it and the caller does not say otherwise.
  void AddHouseRules() {
    // A streaming server notices a lost client, and a SIGTERM, only when it writes.
    if (!extra_.Mentions({"--sse-ping-interval"})) AddIfKnown("--sse-ping-interval", "1");
    if (!extra_.Mentions({"-cram", "--cache-ram"})) {
      AddIfKnown("--cache-ram", std::to_string(kPromptCacheMiB));
    }
    // Nothing is left for it to adjust but the split over devices, which the pin decides.
    if (request_.context_per_slot > 0 && !extra_.Mentions({"-fit", "--fit"})) {
      AddIfKnown("--fit", "off");
    }
    if (capabilities_.trace_verbosity() && !extra_.Mentions({"-v", "--verbose", "--log-verbose"})) {
      Add("--log-verbosity", "4");
    }
    const std::string_view no_ui = capabilities_.FirstKnown({"--no-ui", "--no-webui"});
    for (const std::string_view flag :
         {no_ui, std::string_view("--offline"), std::string_view("--metrics"),
          std::string_view("--slots")}) {
      if (!flag.empty() && capabilities_.Has(flag)) Add(flag);
    }
  }

  const CommandLineRequest& request_;
  const Capabilities& capabilities_;
  const ExtraArguments& extra_;
  std::vector<std::string> arguments_;
};

}  // namespace

Result<std::vector<std::string>> BuildCommandLine(const CommandLineRequest& request) {
  const auto extra = ExtraArguments::Check(request.load.extra_args, request.capabilities);
  if (!extra) return Fail(extra.error());
  return Builder(request, *extra).Build();
}

Result<void> CheckEnvironment(const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) {
    if (name.starts_with("LLAMA_ARG_") || name == "LLAMA_API_KEY") {
      return Refuse("the variable " + name +
                    " would change the server behind the library's back; use LoadConfig");
    }
  }
  return {};
}

}  // namespace rocm::llama_server
