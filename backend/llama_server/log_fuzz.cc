// SPDX-License-Identifier: EUPL-1.2
// Any bytes as the output of a llama-server: its log, its --version and its --help.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/testing/fuzzing.h"
#include "backend/llama_server/capabilities.h"
#include "backend/llama_server/log_classifier.h"
#include "backend/llama_server/log_facts.h"
#include "backend/process/line_splitter.h"

namespace rocm::llama_server {
namespace {

using fuzzing::Require;

// One line that can be shown and written as JSON.
void RequirePrintable(std::string_view text, std::size_t longest) {
  Require(text.size() <= longest);
  Require(process::CleanLine(text) == text);
}

std::vector<std::string> Lines(std::string_view bytes, std::size_t step) {
  constexpr std::size_t kLongest = 256;
  std::vector<std::string> lines;
  process::LineSplitter splitter(kLongest);
  const auto sink = [&](std::string_view line) {
    // A replaced byte grows to three; the note about a cut adds some.
    RequirePrintable(line, 3 * kLongest + 64);
    lines.emplace_back(line);
  };
  for (std::size_t at = 0; at < bytes.size(); at += step)
    splitter.Feed(bytes.substr(at, step), sink);
  splitter.Flush(sink);
  return lines;
}

}  // namespace
}  // namespace rocm::llama_server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rocm::llama_server;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> lines = Lines(bytes, size + 1);
  Require(lines == Lines(bytes, 3));

  LogFacts facts;
  for (const std::string& line : lines) {
    ReadLogLine(line, facts);
    Require(line.ends_with(StripLogPrefix(line)));
  }
  Require(facts.devices.size() <= 256 && facts.buffers.size() <= 256);
  if (const auto verdict = ClassifyLog(lines)) RequirePrintable(verdict->message, 600);
  const rocm::Error death = DescribeDeath("it ended", {.exit_code = 1, .signal = {}}, lines);
  RequirePrintable(death.message, 700);
  Require(death.log_tail.size() <= 20);

  const std::string text(bytes);
  const Capabilities capabilities(text.substr(0, 100), text);
  for (const char* flag : {"--model", "-fa", "--no-ui", "--host"}) {
    Require(capabilities.Has(flag) || !capabilities.TakesValue(flag));
  }
  return 0;
}
