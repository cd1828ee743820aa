// SPDX-License-Identifier: EUPL-1.2
#include <backend/backend.h>

#include <iostream>

int main(int argc, char** argv) {
  auto model = rocm::DefaultBackend()->LoadModel(argc > 1 ? argv[1] : "model.gguf");
  if (!model) {
    std::cerr << rocm::ToString(model.error()) << '\n';
    return 3;
  }
  auto stream = (*model)->Generate(argc > 2 ? argv[2] : "hello", {.max_tokens = 3});
  if (!stream) return std::cerr << rocm::ToString(stream.error()) << '\n', 3;
  for (const rocm::Token& token : *stream) std::cout << token.text << std::flush;
  auto end = stream->Finish();
  if (!end) return std::cerr << rocm::ToString(end.error()) << '\n', 3;
  std::cout << "\n[" << rocm::ToString(end->finish_reason) << "]\n";
}
