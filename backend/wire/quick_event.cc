// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/quick_event.h"

#include <simdjson.h>

#include <cstdint>
#include <cstring>
#include <limits>

namespace rocm::wire {
namespace {

// Takes strict JSON apart from the front. Every function returns false where the text is not what
// it asks for; nothing is undone then.
class Scanner {
 public:
  explicit Scanner(std::string_view text)
      : at_(text.data()), end_(text.data() + text.size()), text_(text) {}

  bool Take(char c) {
    Blanks();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  // `first` of the members of an object or array, or a comma before the next one; `close` ends it.
  // True where a member follows.
  bool More(bool& first, char close, bool& ok) {
    if (Take(close)) return false;
    ok = first || Take(',');
    first = false;
    return ok;
  }

  bool Key(std::string_view& key) { return Plain(key) && Take(':'); }

  // A string without escapes.
  bool Plain(std::string_view& out) {
    if (!Take('"')) return false;
    const char* const start = at_;
    if (!Run() || *at_ != '"') return false;
    out = {start, static_cast<std::size_t>(at_ - start)};
    ++at_;
    return true;
  }

  // A string with simple escapes, appended to `out`.
  bool Text(std::string& out) {
    if (!Take('"')) return false;
    for (;;) {
      const char* const start = at_;
      if (!Run()) return false;
      out.append(start, at_);
      if (*at_++ == '"') return true;
      if (at_ == end_ || !Escape(*at_++, out)) return false;
    }
  }

  bool Int(std::int64_t& out) {
    Blanks();
    const bool negative = at_ != end_ && *at_ == '-';
    if (negative) ++at_;
    const char* const start = at_;
    std::int64_t value = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - start < 18) {
      value = value * 10 + (*at_++ - '0');
    }
    if (at_ == start || (*start == '0' && at_ - start > 1)) return false;
    // A fraction, an exponent or more digits.
    if (at_ != end_ && *at_ != ',' && *at_ != ']' && *at_ != '}' && *at_ != ' ') return false;
    out = negative ? -value : value;
    return true;
  }

  bool Word(std::string_view word) {
    Blanks();
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  [[nodiscard]] bool AtNull() {
    Blanks();
    return at_ != end_ && *at_ == 'n';
  }

  // Nothing is left, and what there was is UTF-8.
  bool Finished() {
    Blanks();
    return at_ == end_ && (!beyond_ascii_ || simdjson::validate_utf8(text_.data(), text_.size()));
  }

 private:
  void Blanks() {
    while (at_ != end_ && *at_ == ' ') ++at_;
  }

  // Up to a quote or a backslash.
  bool Run() {
    while (end_ - at_ >= 8 && IsOrdinary(at_)) at_ += 8;
    for (; at_ != end_; ++at_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"' || c == '\\') return true;
      if (c < 0x20) return false;
      if (c >= 0x80) beyond_ascii_ = true;
    }
    return false;
  }

  // Eight bytes at once: no quote, no backslash, nothing below a blank or beyond ASCII.
  static bool IsOrdinary(const char* bytes) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    constexpr std::uint64_t kHigh = kOnes * 0x80U;
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    const auto has_zero = [](std::uint64_t w) { return (w - kOnes) & ~w & kHigh; };
    const std::uint64_t below_blank = (word - kOnes * 0x20U) & ~word & kHigh;
    return ((word & kHigh) | below_blank | has_zero(word ^ (kOnes * '"')) |
            has_zero(word ^ (kOnes * '\\'))) == 0;
  }

  static bool Escape(char c, std::string& out) {
    switch (c) {
      case '"':
      case '\\':
      case '/': out.push_back(c); return true;
      case 'n': out.push_back('\n'); return true;
      case 't': out.push_back('\t'); return true;
      case 'r': out.push_back('\r'); return true;
      case 'b': out.push_back('\b'); return true;
      case 'f': out.push_back('\f'); return true;
      default: return false;
    }
  }

  const char* at_;
  const char* end_;
  std::string_view text_;
  bool beyond_ascii_ = false;
};

bool ReadId(Scanner& scan, std::vector<std::int32_t>& ids) {
  std::int64_t id = 0;
  if (!scan.Int(id) || id < std::numeric_limits<std::int32_t>::min() ||
      id > std::numeric_limits<std::int32_t>::max()) {
    return false;
  }
  ids.push_back(static_cast<std::int32_t>(id));
  return true;
}

bool ReadIds(Scanner& scan, std::vector<std::int32_t>& ids) {
  if (!scan.Take('[')) return false;
  bool first = true;
  bool ok = true;
  while (scan.More(first, ']', ok)) {
    if (!ReadId(scan, ids)) return false;
  }
  return ok;
}

bool ReadSmall(Scanner& scan, int& out) {
  std::int64_t value = 0;
  if (!scan.Int(value) || value < 0 || value > std::numeric_limits<int>::max()) return false;
  out = static_cast<int>(value);
  return true;
}

bool SkipInt(Scanner& scan) {
  std::int64_t ignored = 0;
  return scan.Int(ignored);
}

bool SkipPlain(Scanner& scan) {
  std::string_view ignored;
  return scan.Plain(ignored);
}

bool ReadNativeField(Scanner& scan, std::string_view key, CompletionDelta& delta,
                     EventFields& fields) {
  if (key == "index") return ReadSmall(scan, fields.choice);
  if (key == "content") {
    fields.has_choice = true;
    return scan.Text(delta.text);
  }
  if (key == "tokens") return ReadIds(scan, delta.ids);
  if (key == "stop") {
    fields.has_choice = true;
    return scan.Word("false");
  }
  if (key == "id_slot") return SkipInt(scan);
  if (key == "tokens_predicted") return scan.Int(fields.predicted) && fields.predicted >= 0;
  if (key == "tokens_evaluated") return ReadSmall(scan, fields.prompt_tokens);
  return false;
}

bool ReadDelta(Scanner& scan, CompletionDelta& delta, EventFields& fields) {
  if (!scan.Take('{')) return false;
  bool first = true;
  bool ok = true;
  bool role = false;
  while (scan.More(first, '}', ok)) {
    std::string_view key;
    if (!scan.Key(key)) return false;
    if (key == "content") {
      if (scan.AtNull() ? !scan.Word("null") : !scan.Text(delta.text)) return false;
    } else if (key == "reasoning_content") {
      if (!delta.reasoning.empty() || !scan.Text(delta.reasoning)) return false;
    } else if (key == "role") {
      role = true;
      if (!SkipPlain(scan)) return false;
    } else {
      return false;
    }
  }
  fields.role_only = role && !delta.has_content();
  return ok;
}

bool ReadChoiceField(Scanner& scan, std::string_view key, CompletionDelta& delta,
                     EventFields& fields) {
  if (key == "text") return scan.Text(delta.text);
  if (key == "index") return ReadSmall(scan, fields.choice);
  if (key == "logprobs" || key == "finish_reason") return scan.Word("null");
  if (key == "delta") return ReadDelta(scan, delta, fields);
  return false;
}

bool ReadOnlyChoice(Scanner& scan, CompletionDelta& delta, EventFields& fields) {
  if (!scan.Take('[') || !scan.Take('{')) return false;
  fields.has_choice = true;
  bool first = true;
  bool ok = true;
  while (scan.More(first, '}', ok)) {
    std::string_view key;
    if (!scan.Key(key) || !ReadChoiceField(scan, key, delta, fields)) return false;
  }
  return ok && scan.Take(']');
}

bool ReadOpenAiField(Scanner& scan, std::string_view key, CompletionDelta& delta,
                     EventFields& fields) {
  if (key == "choices") return ReadOnlyChoice(scan, delta, fields);
  if (key == "created") return SkipInt(scan);
  if (key == "id" || key == "model" || key == "system_fingerprint") return SkipPlain(scan);
  if (key == "object") {
    std::string_view kind;
    return scan.Plain(kind) && kind != "error";
  }
  return false;
}

template <typename ReadField>
bool ReadObject(std::string_view json, const ReadField& read_field) {
  Scanner scan(json);
  if (!scan.Take('{')) return false;
  bool first = true;
  bool ok = true;
  while (scan.More(first, '}', ok)) {
    std::string_view key;
    if (!scan.Key(key) || !read_field(scan, key)) return false;
  }
  return ok && scan.Finished();
}

}  // namespace

bool ReadQuickNative(std::string_view json, CompletionDelta& delta, EventFields& fields) {
  return ReadObject(json, [&](Scanner& scan, std::string_view key) {
    return ReadNativeField(scan, key, delta, fields);
  });
}

bool ReadQuickOpenAi(std::string_view json, CompletionDelta& delta, EventFields& fields) {
  return ReadObject(json, [&](Scanner& scan, std::string_view key) {
    return ReadOpenAiField(scan, key, delta, fields);
  });
}

}  // namespace rocm::wire
