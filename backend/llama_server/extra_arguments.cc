// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/extra_arguments.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace rocm::llama_server {
namespace {

using std::string_view;

struct Reserved {
  string_view flag;
  string_view why;
};

constexpr string_view kEndpoint = "the library chooses where the server listens";
constexpr string_view kKey = "the library makes the key";
constexpr string_view kModel = "the model is what LoadModel() was given";
constexpr string_view kNoModelFetch = "models are never downloaded, nor chosen by the server";
constexpr string_view kUi = "an embedded server shows no user interface";
constexpr string_view kTools = "an embedded server runs no tools";
constexpr string_view kLog = "the library reads the log";
constexpr string_view kExits = "the server would print and exit";
constexpr string_view kCompletions = "the server could not complete text any more";
constexpr string_view kObserved = "the library relies on it";

constexpr auto kReserved = std::to_array<Reserved>({
    {"--host", kEndpoint},
    {"--port", kEndpoint},
    {"--reuse-port", kEndpoint},
    {"--path", kEndpoint},
    {"--api-prefix", kEndpoint},
    {"--ssl-key-file", kEndpoint},
    {"--ssl-cert-file", kEndpoint},
    {"--api-key", kKey},
    {"--api-key-file", kKey},
    {"-m", kModel},
    {"--model", kModel},
    {"-a", kObserved},
    {"--alias", kObserved},
    {"-mu", kNoModelFetch},
    {"--model-url", kNoModelFetch},
    {"-dr", kNoModelFetch},
    {"--docker-repo", kNoModelFetch},
    {"-hf", kNoModelFetch},
    {"-hfr", kNoModelFetch},
    {"--hf-repo", kNoModelFetch},
    {"-hff", kNoModelFetch},
    {"--hf-file", kNoModelFetch},
    {"-hft", kNoModelFetch},
    {"--hf-token", kNoModelFetch},
    {"-hfv", kNoModelFetch},
    {"-hfrv", kNoModelFetch},
    {"--hf-repo-v", kNoModelFetch},
    {"-hffv", kNoModelFetch},
    {"--hf-file-v", kNoModelFetch},
    {"-hfd", kNoModelFetch},
    {"-hfrd", kNoModelFetch},
    {"--hf-repo-draft", kNoModelFetch},
    {"--spec-draft-hf", kNoModelFetch},
    {"-mmu", kNoModelFetch},
    {"--mmproj-url", kNoModelFetch},
    {"--models-dir", kNoModelFetch},
    {"--models-preset", kNoModelFetch},
    {"--models-max", kNoModelFetch},
    {"--models-autoload", kNoModelFetch},
    {"--no-models-autoload", kNoModelFetch},
    {"--offline", kObserved},
    {"-c", "use LoadConfig::context_len"},
    {"--ctx-size", "use LoadConfig::context_len"},
    {"-np", "use LoadConfig::parallel_slots"},
    {"--parallel", "use LoadConfig::parallel_slots"},
    {"-ngl", "use LoadConfig::gpu_layers"},
    {"--gpu-layers", "use LoadConfig::gpu_layers"},
    {"--n-gpu-layers", "use LoadConfig::gpu_layers"},
    {"-fa", "use LoadConfig::flash_attention"},
    {"--flash-attn", "use LoadConfig::flash_attention"},
    {"-ctk", "use LoadConfig::kv_type_k"},
    {"--cache-type-k", "use LoadConfig::kv_type_k"},
    {"-ctv", "use LoadConfig::kv_type_v"},
    {"--cache-type-v", "use LoadConfig::kv_type_v"},
    {"-t", "use LoadConfig::threads"},
    {"--threads", "use LoadConfig::threads"},
    {"-dev", "use LoadConfig::device"},
    {"--device", "use LoadConfig::device"},
    {"--ui", kUi},
    {"--webui", kUi},
    {"--no-ui", kUi},
    {"--no-webui", kUi},
    {"--tools", kTools},
    {"--tools-runtime", kTools},
    {"--mcp-servers-config", kTools},
    {"--mcp-servers-json", kTools},
    {"-ag", kTools},
    {"--agent", kTools},
    {"--ui-mcp-proxy", kTools},
    {"--webui-mcp-proxy", kTools},
    {"--metrics", kObserved},
    {"--slots", kObserved},
    {"--no-slots", kObserved},
    {"--log-disable", kLog},
    {"--log-file", kLog},
    {"--log-jsonl", kLog},
    {"-lv", kLog},
    {"--verbosity", kLog},
    {"--log-verbosity", kLog},
    {"--embedding", kCompletions},
    {"--embeddings", kCompletions},
    {"--rerank", kCompletions},
    {"--reranking", kCompletions},
    {"-h", kExits},
    {"--help", kExits},
    {"--usage", kExits},
    {"--version", kExits},
    {"-cl", kExits},
    {"--cache-list", kExits},
    {"--completion-bash", kExits},
    {"--list-devices", kExits},
});

// Presets that download a model.
constexpr std::array<string_view, 5> kReservedPrefixes{"--fim-qwen", "--gpt-oss-", "--vision-gemma",
                                                       "--embd-", "--tts-"};

bool IsNumber(string_view text) {
  return text.size() > 1 &&
         (std::isdigit(static_cast<unsigned char>(text[1])) != 0 || text[1] == '.');
}
bool IsFlag(string_view text) {
  return text.starts_with('-') && text.size() > 1 && !IsNumber(text);
}

std::string_view WhyReserved(string_view flag) {
  // llama.cpp takes no "--flag=value" and reads underscores as dashes.
  std::string name(flag.substr(0, flag.find('=')));
  if (name.starts_with("--")) std::ranges::replace(name, '_', '-');
  for (const Reserved& reserved : kReserved) {
    if (reserved.flag == name) return reserved.why;
  }
  // --embd-normalize only shapes an answer that nobody asks for.
  if (name == "--embd-normalize") return {};
  for (const string_view prefix : kReservedPrefixes) {
    if (name.starts_with(prefix)) return kNoModelFetch;
  }
  return {};
}

// The old switches in the words of builds that know --load-mode only.
string_view ToLoadMode(string_view flag) {
  if (flag == "--no-mmap") return "none";
  if (flag == "--mmap") return "mmap";
  if (flag == "--mlock") return "mmap+mlock";
  return {};
}

Result<std::vector<std::string>> ToSwitches(const std::string& mode) {
  if (mode == "auto" || mode == "mmap") return std::vector<std::string>{};
  if (mode == "none") return std::vector<std::string>{"--no-mmap"};
  if (mode == "mlock") return std::vector<std::string>{"--no-mmap", "--mlock"};
  if (mode == "mmap+mlock") return std::vector<std::string>{"--mlock"};
  return Fail(ErrorCode::kInvalidArgument,
              "extra argument --load-mode " + mode + ": this llama-server cannot do that");
}

}  // namespace

Result<ExtraArguments> ExtraArguments::Check(const std::vector<std::string>& arguments,
                                             const Capabilities& capabilities) {
  ExtraArguments checked;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.find('\0') != std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, "an extra argument contains a zero byte");
    }
    // Values too are looked at: a flag that wants none would make the next one a flag again.
    if (IsFlag(argument)) {
      if (const string_view why = WhyReserved(argument); !why.empty()) {
        return Fail(ErrorCode::kInvalidArgument,
                    "extra argument " + argument + " is reserved: " + std::string(why));
      }
    }
    const bool modern = capabilities.load_mode() == LoadModeDialect::kLoadMode;
    if (const string_view mode = ToLoadMode(argument);
        modern && !mode.empty() && !capabilities.Has(argument)) {
      checked.arguments_.insert(checked.arguments_.end(), {"--load-mode", std::string(mode)});
      continue;
    }
    const bool load_mode = argument == "--load-mode" || argument == "-lm";
    if (load_mode && capabilities.load_mode() == LoadModeDialect::kMmapFlags &&
        i + 1 < arguments.size()) {
      auto switches = ToSwitches(arguments[++i]);
      if (!switches) return Fail(switches.error());
      checked.arguments_.insert(checked.arguments_.end(), switches->begin(), switches->end());
      continue;
    }
    checked.arguments_.push_back(argument);
  }
  return checked;
}

bool ExtraArguments::Mentions(std::initializer_list<string_view> spellings) const {
  return std::ranges::any_of(arguments_, [&](const std::string& argument) {
    return std::ranges::find(spellings, string_view(argument)) != spellings.end();
  });
}

}  // namespace rocm::llama_server
