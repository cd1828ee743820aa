// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <string_view>

namespace mock {

// A valid gzip file of the text, stored without compression.
[[nodiscard]] std::string Gzip(std::string_view text);

// Empty when the text is not base64.
[[nodiscard]] std::string FromBase64(std::string_view text);

}  // namespace mock
