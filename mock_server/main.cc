// SPDX-License-Identifier: EUPL-1.2
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "mock_server/options/options.h"
#include "mock_server/server/process.h"

// Under a sanitizer a fault that is asked for must still end the process by its signal, as it ends
// the real server. Called by the sanitizer's runtime, where there is one.
extern "C" const char* __asan_default_options();
extern "C" const char* __tsan_default_options();
extern "C" const char* __asan_default_options() { return "handle_segv=0:handle_abort=0"; }
extern "C" const char* __tsan_default_options() { return "handle_segv=0:handle_abort=0"; }

int main(int argc, char** argv) {
  mock::Options options;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto error = mock::ParseOptions(
      arguments, [](const std::string& name) { return std::getenv(name.c_str()); }, options);
  if (error) {
    fmt::print(stderr, "{}", error->text);
    return 1;
  }
  if (options.version) {
    fmt::print(stderr, "{}", mock::VersionText(options.dialect));
    return 0;
  }
  if (options.list_devices) {
    fmt::print("{}", mock::DevicesText(options.timing));
    return 0;
  }
  if (options.help) {
    fmt::print("{}", mock::HelpText(options.dialect));
    return 0;
  }
  return mock::RunServer(std::move(options));
}
