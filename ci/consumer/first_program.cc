// SPDX-License-Identifier: EUPL-1.2
// first_program MODEL PROMPT [BACKEND]
#include <backend/backend.h>

#include <iostream>

int Complain(const rocm::Error& error) {
  std::cerr << rocm::ToString(error) << '\n';
  return 3;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto backend = argc > 3 ? rocm::GetBackend(argv[3]) : rocm::DefaultBackend();
  auto model = backend->LoadModel(argv[1]);
  if (!model) return Complain(model.error());
  auto stream = (*model)->Generate(argv[2], {.max_tokens = 3});
  if (!stream) return Complain(stream.error());
  for (const rocm::Token& token : *stream) std::cout << token.text << std::flush;
  auto end = stream->Finish();
  if (!end) return Complain(end.error());
  std::cout << " [" << rocm::ToString(end->finish_reason) << "]\n";
}
