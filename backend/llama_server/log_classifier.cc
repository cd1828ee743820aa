// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/log_classifier.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>

namespace rocm::llama_server {
namespace {

using std::string_view;

// A line that holds `words`, in any case, means `code`. `meaning` begins the message, which ends
// with the line itself.
struct Rule {
  string_view words;
  ErrorCode code;
  string_view meaning;
};

// Most specific first: of two matching rules the upper one counts. Wordings of several years of
// llama.cpp, ggml, ROCm, CUDA, Vulkan and the loader, in lower case.
constexpr auto kRules = std::to_array<Rule>({
    // The loader, before llama-server runs a line of its own.
    {"error while loading shared libraries", ErrorCode::kBinaryNotFound, "a library is missing"},
    {"symbol lookup error", ErrorCode::kBinaryNotFound, "a library is of another version"},
    {"' not found (required by", ErrorCode::kBinaryNotFound, "a library is of another version"},
    {"cannot read /opt/rocm", ErrorCode::kDeviceError, "rocBLAS does not know this GPU"},
    {"tensilelibrary", ErrorCode::kDeviceError, "rocBLAS does not know this GPU"},
    // The command line.
    {"error: invalid argument", ErrorCode::kInvalidArgument, "the server refuses an argument"},
    {"error: unknown argument", ErrorCode::kInvalidArgument, "the server refuses an argument"},
    {"error while handling argument", ErrorCode::kInvalidArgument,
     "the server refuses an argument"},
    {"error while handling environment", ErrorCode::kInvalidArgument,
     "the server refuses a variable of its environment"},
    {"error: expected value for argument", ErrorCode::kInvalidArgument,
     "the server refuses an argument"},
    {"quantized v cache requires flash_attn", ErrorCode::kInvalidArgument,
     "the settings contradict each other"},
    {"v cache quantization requires flash_attn", ErrorCode::kInvalidArgument,
     "the settings contradict each other"},
    // The endpoint.
    {"couldn't bind", ErrorCode::kPortInUse, "the address is taken"},
    {"address already in use", ErrorCode::kPortInUse, "the address is taken"},
    // The GPU. "Out of memory" comes dressed as a GPU error too, so it stands above.
    {"cudamalloc failed: out of memory", ErrorCode::kOutOfMemory, "out of device memory"},
    {"hipmalloc failed: out of memory", ErrorCode::kOutOfMemory, "out of device memory"},
    {"rocm error: out of memory", ErrorCode::kOutOfMemory, "out of device memory"},
    {"cuda error: out of memory", ErrorCode::kOutOfMemory, "out of device memory"},
    {"outofdevicememory", ErrorCode::kOutOfMemory, "out of device memory"},
    {"device memory allocation of size", ErrorCode::kOutOfMemory, "out of device memory"},
    {"hiperroroutofmemory", ErrorCode::kOutOfMemory, "out of device memory"},
    {"outofhostmemory", ErrorCode::kOutOfMemory, "out of memory"},
    {"unspecified launch failure", ErrorCode::kDeviceError, "the GPU failed"},
    {"illegal memory access", ErrorCode::kDeviceError, "the GPU failed"},
    {"memory access fault by gpu", ErrorCode::kDeviceError, "the GPU failed"},
    {"hw exception by gpu", ErrorCode::kDeviceError, "the GPU failed"},
    {"hsa_status_error", ErrorCode::kDeviceError, "the GPU failed"},
    {"errordevicelost", ErrorCode::kDeviceError, "the GPU was lost"},
    {"devicelosterror", ErrorCode::kDeviceError, "the GPU was lost"},
    {"gpu hang", ErrorCode::kDeviceError, "the GPU hangs"},
    {"invalid device function", ErrorCode::kDeviceError, "this build lacks code for this GPU"},
    {"no kernel image is available", ErrorCode::kDeviceError, "this build lacks code for this GPU"},
    {"hiperrornobinaryforgpu", ErrorCode::kDeviceError, "this build lacks code for this GPU"},
    {"rocm error:", ErrorCode::kDeviceError, "the GPU failed"},
    {"cuda error:", ErrorCode::kDeviceError, "the GPU failed"},
    {"rocblas error", ErrorCode::kDeviceError, "the GPU failed"},
    // The model file.
    {"unknown model architecture", ErrorCode::kModelUnsupported,
     "this llama-server does not know the model's architecture"},
    {"unsupported model architecture", ErrorCode::kModelUnsupported,
     "this llama-server does not know the model's architecture"},
    {"unknown pre-tokenizer type", ErrorCode::kModelUnsupported,
     "this llama-server does not know the model's tokenizer"},
    {"invalid ggml type", ErrorCode::kModelUnsupported,
     "this llama-server does not know a tensor type of the model"},
    {"invalid magic", ErrorCode::kModelInvalid, "not a GGUF file"},
    {"failed to read magic", ErrorCode::kModelInvalid, "not a GGUF file"},
    {"bad magic", ErrorCode::kModelInvalid, "not a GGUF file"},
    {"not within the file bounds", ErrorCode::kModelInvalid, "the model file is cut short"},
    {"corrupted or incomplete", ErrorCode::kModelInvalid, "the model file is damaged"},
    {"missing tensor", ErrorCode::kModelInvalid, "the model file lacks a tensor"},
    {"wrong number of tensors", ErrorCode::kModelInvalid, "the model file is damaged"},
    {"has wrong shape", ErrorCode::kModelInvalid, "the model file is damaged"},
    {"key not found in model", ErrorCode::kModelInvalid, "the model file lacks a key"},
    {"unable to allocate", ErrorCode::kOutOfMemory, "out of memory"},
    {"failed to allocate", ErrorCode::kOutOfMemory, "out of memory"},
    {"insufficient memory", ErrorCode::kOutOfMemory, "out of memory"},
    {"std::bad_alloc", ErrorCode::kOutOfMemory, "out of memory"},
    {"cannot allocate memory", ErrorCode::kOutOfMemory, "out of memory"},
    {"failed to open gguf file", ErrorCode::kModelNotFound, "the model file cannot be opened"},
    {"gguf_init_from_file: failed to open", ErrorCode::kModelNotFound,
     "the model file cannot be opened"},
    {"error loading model vocabulary", ErrorCode::kModelInvalid, "the model file is damaged"},
    {"error loading model: ", ErrorCode::kModelInvalid, "the model cannot be loaded"},
    {"failed to load model", ErrorCode::kModelInvalid, "the model cannot be loaded"},
    // Last words of any kind.
    {"ggml_assert", ErrorCode::kServerExited, "the server found a fault in itself"},
    {"what():", ErrorCode::kServerExited, "the server found a fault in itself"},
    {"failed to create context", ErrorCode::kServerExited, "the server could not go on"},
});

std::string ToLower(string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// "tensor 'x' not found", however the name reads.
bool IsMissingTensor(const std::string& lower) {
  const std::size_t tensor = lower.find("tensor '");
  return tensor != std::string::npos && lower.find("' not found", tensor) != std::string::npos;
}
constexpr Rule kMissingTensor{"missing tensor", ErrorCode::kModelInvalid,
                              "the model file lacks a tensor"};

const Rule* FindRule(const std::string& lower) {
  if (IsMissingTensor(lower)) {
    return std::ranges::find(kRules, kMissingTensor.words, &Rule::words);
  }
  const auto found = std::ranges::find_if(
      kRules, [&](const Rule& rule) { return lower.find(rule.words) != std::string::npos; });
  return found == kRules.end() ? nullptr : &*found;
}

// "0.00.017.871 E name: text": digits and dots, then one capital letter.
string_view StripStamp(string_view line) {
  const std::size_t end = line.find_first_not_of("0123456789.");
  if (end == string_view::npos || end < 4 || line[end] != ' ') return line;
  string_view rest = line.substr(end + 1);
  if (rest.size() > 2 && std::isupper(static_cast<unsigned char>(rest[0])) != 0 && rest[1] == ' ') {
    return rest.substr(2);
  }
  return line;
}

// ": text", fit for one line, and never half a character.
void Append(std::string& message, string_view text) {
  constexpr std::size_t kLongest = 300;
  if (text.empty()) return;
  message += ": ";
  if (text.size() <= kLongest) {
    message += text;
    return;
  }
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  message.append(text.substr(0, end)).append("…");
}

}  // namespace

string_view StripLogPrefix(string_view line) {
  line = StripStamp(line);
  // "srv    load_model: ", "llama_model_load: ": words that could be an identifier, then a colon.
  for (int names = 0; names < 2; ++names) {
    const std::size_t colon = line.find(": ");
    if (colon == string_view::npos || colon > 48) break;
    const string_view name = line.substr(0, colon);
    const bool identifier = name.find('_') != string_view::npos || name.starts_with("srv ") ||
                            name.starts_with("slot ") || name.starts_with("cmn ") ||
                            name == "error" || name == "main";
    if (!identifier || name.find_first_of("'\"(/") != string_view::npos) break;
    line.remove_prefix(colon + 2);
  }
  return line.substr(std::min(line.find_first_not_of(' '), line.size()));
}

std::optional<LogVerdict> ClassifyLog(std::span<const std::string> lines) {
  const Rule* best = nullptr;
  const std::string* best_line = nullptr;
  for (const std::string& line : lines) {
    const Rule* rule = FindRule(ToLower(line));
    if (rule != nullptr && (best == nullptr || rule < best)) {
      best = rule;
      best_line = &line;
    }
  }
  if (best == nullptr) return std::nullopt;
  LogVerdict verdict{.code = best->code, .message = std::string(best->meaning)};
  string_view said = StripLogPrefix(*best_line);
  if (constexpr string_view kLoading = "error loading model: "; said.starts_with(kLoading)) {
    said.remove_prefix(kLoading.size());
  }
  if (verdict.code == ErrorCode::kModelNotFound && said.find("ermission") != string_view::npos) {
    verdict.code = ErrorCode::kIo;
  }
  Append(verdict.message, said);
  return verdict;
}

Error DescribeDeath(string_view context, const ExitInfo& exit, std::span<const std::string> lines) {
  Error error;
  error.exit = exit;
  const std::size_t skip = lines.size() > 20 ? lines.size() - 20 : 0;
  error.log_tail.assign(lines.begin() + static_cast<std::ptrdiff_t>(skip), lines.end());
  error.message = context;
  if (const auto verdict = ClassifyLog(lines)) {
    error.code = verdict->code;
    error.message += ": " + verdict->message;
    return error;
  }
  error.code = ErrorCode::kServerExited;
  if (exit.signal == SIGKILL) {
    error.message += ": killed, perhaps by the kernel for want of memory";
  } else if (exit.signal == SIGILL) {
    error.message += ": the build needs a newer CPU";
  } else if (!error.log_tail.empty()) {
    Append(error.message, StripLogPrefix(error.log_tail.back()));
  }
  return error;
}

}  // namespace rocm::llama_server
