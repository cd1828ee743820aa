// SPDX-License-Identifier: EUPL-1.2
#include "backend/llama_server/testing/fake_server.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace rocm::llama_server::testing {

const std::string_view kOldHelp = R"(----- common params -----

-h,    --help, --usage                  print usage and exit
--version                               show version and build info
-t,    --threads N                      number of threads to use during generation (default: -1)
                                        (env: LLAMA_ARG_THREADS)
-c,    --ctx-size N                     size of the prompt context (default: 4096, 0 = loaded from model)
                                        (env: LLAMA_ARG_CTX_SIZE)
-fa,   --flash-attn                     enable Flash Attention (default: disabled)
                                        (env: LLAMA_ARG_FLASH_ATTN)
-ctk,  --cache-type-k TYPE              KV cache data type for K (default: f16)
-ctv,  --cache-type-v TYPE              KV cache data type for V (default: f16)
--mlock                                 force system to keep model in RAM rather than swapping
--no-mmap                               do not memory-map model (slower load but may reduce pageouts if not
                                        using mlock)
-ngl,  --gpu-layers, --n-gpu-layers N   number of layers to store in VRAM
                                        (env: LLAMA_ARG_N_GPU_LAYERS)
-m,    --model FNAME                    model path
                                        (env: LLAMA_ARG_MODEL)
-v,    --verbose, --log-verbose         Set verbosity level to infinity
-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold. Messages with a higher verbosity will be
                                        ignored.

----- example-specific params -----

-np,   --parallel N                     number of parallel sequences to decode (default: 1)
-a,    --alias STRING                   set alias for model name (to be used by REST API)
--host HOST                             ip address to listen (default: 127.0.0.1)
--port PORT                             port to listen (default: 8080)
--api-key KEY                           API key to use for authentication (default: none)
                                        (env: LLAMA_API_KEY)
--threads-http N                        number of threads used to process HTTP requests (default: -1)
--metrics                               enable prometheus compatible metrics endpoint (default: disabled)
--slots                                 enable slots monitoring endpoint (default: disabled)
)";

const std::string_view kMiddleHelp = R"(----- common params -----

-h,    --help, --usage                  print usage and exit
--version                               show version and build info
-t,    --threads N                      number of threads to use during generation (default: -1)
-c,    --ctx-size N                     size of the prompt context (default: 4096, 0 = loaded from model)
-fa,   --flash-attn FA                  set Flash Attention use ('on', 'off', or 'auto', default: 'auto')
-ctk,  --cache-type-k TYPE              KV cache data type for K
-ctv,  --cache-type-v TYPE              KV cache data type for V
--mlock                                 force system to keep model in RAM
--no-mmap                               do not memory-map model
-dev,  --device <dev1,dev2,..>          comma-separated list of devices to use for offloading
-ngl,  --gpu-layers, --n-gpu-layers N   max. number of layers to store in VRAM (default: -1)
-m,    --model FNAME                    model path
-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold.
--offline                               Offline mode: forces use of cache, prevents network access
--draft, --draft-n, --draft-max N       the argument has been removed. use --spec-draft-n-max

----- example-specific params -----

-np,   --parallel N                     number of parallel sequences to decode (default: 1)
-cram, --cache-ram N                    set the maximum cache size in MiB (default: 8192)
-a,    --alias STRING                   set alias for model name (to be used by REST API)
--host HOST                             ip address to listen, or bind to an UNIX socket if the address ends
                                        with .sock (default: 127.0.0.1)
--port PORT                             port to listen (default: 8080)
--no-webui                              Disable the Web UI (default: enabled)
--api-key KEY                           API key to use for authentication (default: none)
--api-key-file FNAME                    path to file containing API keys (default: none)
--threads-http N                        number of threads used to process HTTP requests (default: -1)
--metrics                               enable prometheus compatible metrics endpoint (default: disabled)
--slots                                 enable slots monitoring endpoint (default: disabled)
--no-slots                              disables slots monitoring endpoint
)";

const std::string_view kCurrentHelp = R"(----- common params -----

-h,    --help, --usage                  print usage and exit
--version                               show version and build info
-t,    --threads N                      number of CPU threads to use during generation (default: <num_cpus>)
-c,    --ctx-size N                     size of the prompt context (default: 0, 0 = loaded from model)
-fa,   --flash-attn [on|off|auto]       set Flash Attention use ('on', 'off', or 'auto', default: 'auto')
-ctk,  --cache-type-k TYPE              KV cache data type for K
-ctv,  --cache-type-v TYPE              KV cache data type for V
-lm,   --load-mode MODE                 model loading mode (default: auto)
                                        - none: no special loading mode
                                        - mmap: memory-map model
-dev,  --device <dev1,dev2,..>          comma-separated list of devices to use for offloading
-ngl,  --gpu-layers, --n-gpu-layers N   max. number of layers to store in VRAM, either an exact number,
                                        'auto', or 'all' (default: auto)
-fit,  --fit [on|off]                   whether to adjust unset arguments to fit in device memory
-m,    --model FNAME                    model path to load
--offline                               Offline mode: forces use of cache, prevents network access
-v,    --verbose, --log-verbose         Set verbosity level to infinity
-lv,   --verbosity, --log-verbosity N   Set the verbosity threshold. Values:
                                         - 3: info
                                         - 4: trace (more info)
                                         - 5: debug

----- example-specific params -----

-np,   --parallel N                     number of server slots (default: -1, -1 = auto)
-cram, --cache-ram N                    set the maximum cache size in MiB (default: 8192)
-a,    --alias STRING                   set model name aliases, comma-separated (to be used by API)
--host HOST                             IP addresses to listen on, comma-separated, or UNIX socket paths
                                        ending in .sock
--port PORT                             port to listen (default: 9931)
--ui,  --webui, --no-ui, --no-webui     whether to enable the Web UI (default: enabled)
--api-key KEY                           API key to use for authentication (default: none)
                                        (env: LLAMA_API_KEY)
--api-key-file FNAME                    path to file containing API keys, one per line
--sse-ping-interval N                   server SSE ping interval in seconds (-1 = disabled, default: 30)
--threads-http N                        number of threads used to process HTTP requests (default: -1)
--metrics                               enable prometheus compatible metrics endpoint (default: disabled)
--slots, --no-slots                     expose slots monitoring endpoint (default: enabled)
)";

void FakeServer::Write(const std::string& path) const {
  // Renamed into place: a script that is still open for writing cannot be executed (ETXTBSY).
  const std::string fresh = path + ".new";
  {
    std::ofstream file(fresh);
    file << "#!/bin/sh\n";
    if (!journal.empty()) file << "echo \"$*\" >> '" << journal << "'\n";
    file << "case \"$1\" in\n--version) echo '" << version << "' >&2; exit 0 ;;\n"
         << "--help) cat <<'END_OF_HELP'\n"
         << help << "END_OF_HELP\nexit 0 ;;\nesac\n"
         << body << "\n";
  }
  std::filesystem::permissions(fresh, std::filesystem::perms::owner_all);
  std::rename(fresh.c_str(), path.c_str());
}

}  // namespace rocm::llama_server::testing
