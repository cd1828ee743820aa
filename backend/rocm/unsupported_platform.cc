// SPDX-License-Identifier: EUPL-1.2
// Instead of every other file of this room but the registry, where the platform is not Linux:
// supervision stands on pidfd, PDEATHSIG, close_range and /proc.
#include "backend/rocm/server_backend.h"

namespace rocm {
namespace {

constexpr const char* kReason =
    "this build of rocm_backend is a stub: supervising llama-server needs Linux (pidfd, "
    "PR_SET_PDEATHSIG, /proc); use a Linux machine, or talk to a server you started yourself";

class UnsupportedBackend final : public Backend {
 public:
  explicit UnsupportedBackend(BackendKind kind) : kind_(kind) {}
  [[nodiscard]] std::string_view Name() const override { return ToString(kind_); }
  [[nodiscard]] Availability Available() const override { return {false, {kReason}}; }
  [[nodiscard]] Result<std::unique_ptr<TextModel>> LoadModel(const std::string&,
                                                             const LoadConfig&) override {
    return Fail(ErrorCode::kBackendUnavailable, kReason);
  }

 private:
  const BackendKind kind_;
};

}  // namespace

std::shared_ptr<Backend> MakeServerBackend(BackendKind kind) {
  return std::make_shared<UnsupportedBackend>(kind);
}

// Nothing makes a stream here, but the contract's symbols must link.
class TokenStream::Source {};
TokenStream::TokenStream(std::unique_ptr<Source> source) : source_(std::move(source)) {}
TokenStream::TokenStream(TokenStream&&) noexcept = default;
TokenStream& TokenStream::operator=(TokenStream&&) noexcept = default;
TokenStream::~TokenStream() = default;
const Token* TokenStream::Next() { return nullptr; }
Result<Completion> TokenStream::Finish() { return Fail(ErrorCode::kBackendUnavailable, kReason); }
void TokenStream::Cancel() {}

}  // namespace rocm
