// SPDX-License-Identifier: EUPL-1.2
// A program that embeds a llama-server and is killed by a test.
//   llama_server_test_parent BINARY MODEL RUNTIME [thread]
// Prints "pid N" once the server is ready, then lives on. "thread": the thread that started the
// server has ended by then.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "backend/llama_server/server.h"

namespace {

using rocm::llama_server::Server;
using rocm::llama_server::ServerConfig;

std::unique_ptr<Server> Start(char** argv) {
  ServerConfig config;
  config.load.server_binary = argv[1];
  config.model_path = argv[2];
  config.runtime_directory = argv[3];
  config.context_per_slot = 512;
  config.load.threads = 1;
  config.load.gpu_layers = 0;
  auto server = Server::Start(std::move(config));
  if (server) return std::move(*server);
  std::printf("failed %s\n", ToString(server.error()).c_str());
  std::fflush(stdout);
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  std::unique_ptr<Server> server;
  if (argc > 4) {
    std::thread([&] { server = Start(argv); }).join();
  } else {
    server = Start(argv);
  }
  if (server == nullptr) return 1;
  std::printf("pid %d\n", server->pid());
  std::fflush(stdout);
  for (;;) ::pause();
}
