// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "backend/error.h"
#include "backend/llama_server/capabilities.h"

namespace rocm::llama_server {

// The caller's own arguments, checked against what this library decides, and with the flags that
// changed their names (memory mapping) in the words of this build.
class ExtraArguments {
 public:
  [[nodiscard]] static Result<ExtraArguments> Check(const std::vector<std::string>& arguments,
                                                    const Capabilities& capabilities);

  // Whether the caller gave any of these flags.
  [[nodiscard]] bool Mentions(std::initializer_list<std::string_view> spellings) const;
  [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  std::vector<std::string> arguments_;
};

}  // namespace rocm::llama_server
