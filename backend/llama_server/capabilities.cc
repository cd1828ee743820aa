// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/capabilities.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace rocm::llama_server {
namespace {

using std::string_view;

bool IsFlagStart(string_view text) {
  if (text.size() < 2 || text[0] != '-') return false;
  const auto letter =
      static_cast<unsigned char>(text[1] == '-' && text.size() > 2 ? text[2] : text[1]);
  return std::isalnum(letter) != 0;
}

// One option of the help text: its spellings, whether a value follows, and its description.
struct HelpEntry {
  std::vector<std::string> names;
  bool takes_value = false;
  std::string text;  // lower case, on one line

  [[nodiscard]] bool Names(string_view flag) const {
    return std::ranges::find(names, flag) != names.end();
  }
};

void AppendText(HelpEntry& entry, string_view text) {
  entry.text += ' ';
  for (const char c : text) {
    entry.text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
}

// "-c,    --ctx-size N      size of …": names are separated by commas, the value follows after one
// blank, the description after several.
HelpEntry ParseEntry(string_view line) {
  HelpEntry entry;
  for (;;) {
    const std::size_t end = line.find_first_of(", ");
    entry.names.emplace_back(line.substr(0, end));
    if (end == string_view::npos) return entry;
    line.remove_prefix(end);
    if (line[0] != ',') break;
    const std::size_t next = line.find_first_not_of(", ");
    if (next == string_view::npos) return entry;
    line.remove_prefix(next);
    if (!IsFlagStart(line)) break;
  }
  entry.takes_value = line.size() > 1 && line[0] == ' ' && line[1] != ' ';
  AppendText(entry, line);
  return entry;
}

std::vector<HelpEntry> ParseHelp(string_view help) {
  constexpr std::size_t kMaxIndent = 4;  // deeper lines are descriptions
  std::vector<HelpEntry> entries;
  while (!help.empty()) {
    const std::size_t end = help.find('\n');
    string_view line = help.substr(0, end);
    help.remove_prefix(end == string_view::npos ? help.size() : end + 1);
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == string_view::npos) continue;
    line.remove_prefix(indent);
    if (indent <= kMaxIndent && IsFlagStart(line)) {
      entries.push_back(ParseEntry(line));
    } else if (!entries.empty()) {
      AppendText(entries.back(), line);
    }
  }
  std::erase_if(entries, [](const HelpEntry& entry) {
    return entry.text.find("argument has been removed") != std::string::npos;
  });
  return entries;
}

// The number and the commit in "version: 5092 (d3bd719b)" and
// "version: 0.7.0 (build 11669, commit Debian)".
void ParseVersion(string_view text, int& build, std::string& commit) {
  const auto number_at = [&](std::size_t at) {
    const string_view rest = text.substr(std::min(at, text.size()));
    std::from_chars(rest.data(), rest.data() + rest.size(), build);
  };
  const std::size_t open = text.find('(');
  const std::size_t close = text.find(')', open == string_view::npos ? 0 : open);
  if (open == string_view::npos || close == string_view::npos) return;
  const string_view inside = text.substr(open + 1, close - open - 1);
  constexpr string_view kBuild = "build ";
  constexpr string_view kCommit = "commit ";
  if (inside.starts_with(kBuild)) {
    number_at(open + 1 + kBuild.size());
    const std::size_t at = inside.find(kCommit);
    if (at != string_view::npos) commit = inside.substr(at + kCommit.size());
    return;
  }
  constexpr string_view kVersion = "version: ";
  const std::size_t at = text.find(kVersion);
  if (at != string_view::npos) number_at(at + kVersion.size());
  commit = inside;
}

}  // namespace

Capabilities::Capabilities(std::string version_text, string_view help_text)
    : version_text_(std::move(version_text)) {
  ParseVersion(version_text_, build_, commit_);
  for (const HelpEntry& entry : ParseHelp(help_text)) {
    for (const std::string& name : entry.names) flags_.emplace(name, entry.takes_value);
    const auto says = [&](string_view words) {
      return entry.text.find(words) != std::string::npos;
    };
    if (entry.Names("--host")) unix_sockets_ = says("unix socket");
    if (entry.Names("--api-key")) api_key_in_environment_ = says("llama_api_key");
    if (entry.Names("--n-gpu-layers")) all_layers_by_name_ = says("'all'");
    if (entry.Names("--log-verbosity") || entry.Names("--verbosity")) {
      trace_verbosity_ = says("4: trace");
    }
  }
}

bool Capabilities::Has(string_view flag) const { return flags_.contains(flag); }

bool Capabilities::TakesValue(string_view flag) const {
  const auto found = flags_.find(flag);
  return found != flags_.end() && found->second;
}

string_view Capabilities::FirstKnown(std::initializer_list<string_view> spellings) const {
  for (const string_view flag : spellings) {
    if (Has(flag)) return flag;
  }
  return {};
}

FlashAttentionDialect Capabilities::flash_attention() const {
  if (!Has("--flash-attn")) return FlashAttentionDialect::kNone;
  return TakesValue("--flash-attn") ? FlashAttentionDialect::kValued : FlashAttentionDialect::kBare;
}

LoadModeDialect Capabilities::load_mode() const {
  if (Has("--load-mode")) return LoadModeDialect::kLoadMode;
  return Has("--no-mmap") ? LoadModeDialect::kMmapFlags : LoadModeDialect::kNone;
}

UiDialect Capabilities::ui() const {
  if (Has("--no-ui")) return UiDialect::kNoUi;
  return Has("--no-webui") ? UiDialect::kNoWebui : UiDialect::kNone;
}

}  // namespace rocm::llama_server
