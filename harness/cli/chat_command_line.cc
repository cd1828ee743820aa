// SPDX-License-Identifier: EUPL-1.2
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>

#include "harness/cli/chat_command.h"
#include "harness/cli/commands.h"

namespace harness {
void AddChatCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<ChatOptions>();
  ChatOptions& o = *options;
  CLI::App* chat = app.add_subcommand("chat", "Talk to a model; Ctrl-C cuts an answer short");
  chat->add_option("--model", o.model, "GGUF file")->required();
  chat->add_option("--backend", o.backend, "rocm, cuda, vulkan, sycl or cpu")
      ->capture_default_str();
  chat->add_option("--server-binary", o.load.server_binary, "llama-server to start");
  chat->add_option("--server-arg", o.load.extra_args, "Passed on to it")->take_all();
  chat->add_option("--device", o.load.device, "A uuid, an ordinal or a name");
  chat->add_option("--context", o.load.context_len, "Tokens; 0: automatic");
  chat->add_option("--system", o.system, "The system message");
  chat->add_option("--max-tokens", o.generate.max_tokens, "Of an answer")->capture_default_str();
  chat->add_option("--temperature", o.generate.temperature, "0: greedy")->capture_default_str();
  chat->add_option("--seed", o.generate.seed, "Of the sampling");
  chat->add_flag("--json", o.json, "One object an answer");
  chat->callback([options, &context] {
    context.exit = RunChat(*options, context.signals, std::cin, std::cout, std::cerr);
  });
}

}  // namespace harness
