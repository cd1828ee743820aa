// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/faults/fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace mock {
namespace {

struct FaultType {
  std::string_view name;
  FaultPlace place;
  std::string_view
      members;  // "name:kind …"; kinds: i integer, n number, s string, l integers, o object
};

constexpr std::array kTypes = std::to_array<FaultType>({
    {"bind-failure", FaultPlace::kStartup, ""},
    {"steal-port", FaultPlace::kStartup, "seconds:n"},
    {"load-exit", FaultPlace::kStartup, "code:i after_ms:n text:s"},
    {"load-signal", FaultPlace::kStartup, "signal:s after_ms:n"},
    {"out-of-memory", FaultPlace::kStartup, ""},
    {"unsupported-architecture", FaultPlace::kStartup, "architecture:s"},
    {"igpu-autofit", FaultPlace::kStartup, "integrated:i uuid:s"},
    {"never-ready", FaultPlace::kStartup, ""},
    {"ignore-sigterm", FaultPlace::kStartup, ""},
    {"stderr-flood", FaultPlace::kStartup, "mib:n"},
    {"grandchild", FaultPlace::kStartup, "seconds:n own_session:i"},

    {"status", FaultPlace::kAnswer,
     "code:i retry_after:s body:s content_type:s headers:o message:s kind:s"},
    {"html", FaultPlace::kAnswer, "code:i"},
    {"redirect", FaultPlace::kAnswer, "code:i location:s"},
    {"gzip", FaultPlace::kAnswer, ""},
    {"endless-headers", FaultPlace::kAnswer, "mib:n"},
    {"endless-header-line", FaultPlace::kAnswer, "mib:n"},
    {"endless-body", FaultPlace::kAnswer, "mib:n"},
    {"raw", FaultPlace::kAnswer, "bytes:s base64:s ending:s"},

    {"delay", FaultPlace::kWire, "ms:n"},
    {"drip", FaultPlace::kWire, "bytes:i interval_ms:n"},
    {"split", FaultPlace::kWire, "at:l every:i gap_ms:n"},
    {"cut", FaultPlace::kWire, "after_bytes:i how:s"},
    {"content-type", FaultPlace::kWire, "content_type:s"},
    {"content-length", FaultPlace::kWire, "add:i"},
    {"header", FaultPlace::kWire, "name:s value:s"},

    {"stall", FaultPlace::kStream, "token:i ms:n"},
    {"end", FaultPlace::kStream, "token:i how:s"},
    {"truncated-chunk", FaultPlace::kStream, "token:i"},
    {"chunk-size", FaultPlace::kStream, "token:i value:s"},
    {"no-finish", FaultPlace::kStream, ""},
    {"no-done", FaultPlace::kStream, ""},
    {"no-last-chunk", FaultPlace::kStream, "how:s"},
    {"error-event", FaultPlace::kStream, "token:i form:s code:i message:s"},
    {"endless-line", FaultPlace::kStream, "token:i mib:n"},
    {"endless-events", FaultPlace::kStream, "token:i mib:n"},
    {"deep-json", FaultPlace::kStream, "token:i depth:i"},
    {"invalid-utf8", FaultPlace::kStream, "token:i"},
    {"invalid-json", FaultPlace::kStream, "token:i"},
    {"newlines", FaultPlace::kStream, "style:s"},
    {"bom", FaultPlace::kStream, ""},
    {"comments", FaultPlace::kStream, "text:s"},
    {"fields", FaultPlace::kStream, "event:s id:s retry:i"},
    {"multi-line", FaultPlace::kStream, ""},
    {"usage", FaultPlace::kStream, "mode:s"},
    {"role-early", FaultPlace::kStream, ""},
    {"wrong-token", FaultPlace::kStream, "token:i tokens:i text:s id:i"},
    {"coalesce", FaultPlace::kStream, "events:i"},

    {"exit", FaultPlace::kProcess, "code:i token:i at:s"},
    {"signal", FaultPlace::kProcess, "signal:s token:i at:s"},
    {"freeze", FaultPlace::kProcess, "ms:n token:i at:s"},
});

const FaultType* FindType(std::string_view name) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [name](const FaultType& type) { return type.name == name; });
  return found == kTypes.end() ? nullptr : &*found;
}

// The kind of a member, or 0 when the type has none of that name.
char KindOf(const FaultType& type, std::string_view member) {
  std::string_view rest = type.members;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    const std::size_t colon = word.find(':');
    if (word.substr(0, colon) == member) return word[colon + 1];
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return '\0';
}

bool Fits(const Json& value, char kind) {
  switch (kind) {
    case 'i': return value.is_number_integer();
    case 'n': return value.is_number();
    case 's': return value.is_string();
    case 'o': return value.is_object();
    case 'l':
      return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
               return item.is_number_integer() && item >= 0;
             });
    default: return false;
  }
}

}  // namespace

tl::expected<Fault, std::string> Fault::Parse(const Json& json) {
  if (!json.is_object() || !json.contains("type") || !json["type"].is_string()) {
    return tl::make_unexpected(std::string("a fault is an object with a \"type\""));
  }
  Fault fault;
  fault.type_ = json["type"].get<std::string>();
  const FaultType* type = FindType(fault.type_);
  if (type == nullptr) return tl::make_unexpected("unknown fault type '" + fault.type_ + "'");
  fault.place_ = type->place;
  for (const auto& [key, value] : json.items()) {
    if (key == "type") continue;
    const char kind = KindOf(*type, key);
    if (kind == '\0') {
      return tl::make_unexpected(fmt::format("fault '{}' has no member '{}' (it takes: {})",
                                             fault.type_, key,
                                             type->members.empty() ? "none" : type->members));
    }
    if (!Fits(value, kind)) {
      return tl::make_unexpected(
          fmt::format("fault '{}': '{}' has the wrong type", fault.type_, key));
    }
  }
  fault.json_ = json;
  return fault;
}

std::int64_t Fault::Int(const char* key, std::int64_t otherwise) const {
  return Has(key) ? json_[key].get<std::int64_t>() : otherwise;
}

double Fault::Number(const char* key, double otherwise) const {
  return Has(key) ? json_[key].get<double>() : otherwise;
}

std::string Fault::Text(const char* key, std::string_view otherwise) const {
  return Has(key) ? json_[key].get<std::string>() : std::string(otherwise);
}

std::vector<std::int64_t> Fault::Ints(const char* key) const {
  return Has(key) ? json_[key].get<std::vector<std::int64_t>>() : std::vector<std::int64_t>();
}

const Fault* FindFault(const Faults& faults, std::string_view type) {
  const auto found = std::find_if(faults.begin(), faults.end(),
                                  [type](const Fault& fault) { return fault.Is(type); });
  return found == faults.end() ? nullptr : &*found;
}

Faults FaultsAt(const Faults& faults, FaultPlace place) {
  Faults there;
  std::copy_if(faults.begin(), faults.end(), std::back_inserter(there),
               [place](const Fault& fault) { return fault.place() == place; });
  return there;
}

}  // namespace mock
