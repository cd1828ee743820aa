// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/startup_faults.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "mock_server/faults/doom.h"

namespace mock {
namespace {

constexpr std::size_t kFloodLine = 200;
constexpr double kMostSeconds = 3'600.0;

unsigned Seconds(const Fault& fault, double otherwise) {
  return static_cast<unsigned>(
      std::min(kMostSeconds, std::max(1.0, fault.Number("seconds", otherwise))));
}

void Flood(double mib) {
  const std::string line = std::string(kFloodLine - 1, 'x') + '\n';
  const auto lines = static_cast<std::size_t>(mib * 1048576.0 / static_cast<double>(kFloodLine));
  for (std::size_t i = 0; i < lines; ++i) {
    // Blocks when nobody reads, as a real server does.
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno != EINTR) return;
  }
}

// Keeps the parent's pipes open after its death.
void LeaveGrandchild(const Fault& fault) {
  const pid_t pid = ::fork();
  if (pid != 0) return;
  if (fault.Int("own_session", 0) != 0) ::setsid();
  Freeze(static_cast<Ns>(Seconds(fault, 30.0)) * kSecond);
  ::_exit(0);
}

// An ordinary server that listens where the real one was told to; in a session of its own, as it
// is nobody's child.
void LetStrangerIn(const Fault& fault, Options options, const std::function<void(Options)>& serve) {
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) return;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ready[0]);
    ::setsid();
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
    ::alarm(Seconds(fault, 10.0));
    options.alias = "stranger";
    options.api_keys.clear();
    options.fault_file.clear();
    options.truth_log.clear();
    options.model.clear();
    options.timing.load_ms = 0.0;
    options.timing.warm_up_ms = 0.0;
    options.listening_fd = ready[1];
    serve(std::move(options));
    ::_exit(0);
  }
  ::close(ready[1]);
  char byte = 0;
  while (::read(ready[0], &byte, 1) < 0 && errno == EINTR) {
  }
  ::close(ready[0]);
}

enum class Visible { kBoth, kDiscrete, kIntegrated };

// What the masking variables leave: the first that is set decides.
Visible VisibleDevices(const Fault& fault) {
  const std::string integrated = std::to_string(fault.Int("integrated", 1));
  const std::string uuid = fault.Text("uuid", "GPU-1a1a1a1a1a1a1a1a");
  for (const char* name : {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"}) {
    const char* value = std::getenv(name);
    if (value == nullptr) continue;
    const std::string_view mask = value;
    if (mask == integrated || mask == uuid) return Visible::kIntegrated;
    return mask.find(',') == std::string_view::npos ? Visible::kDiscrete : Visible::kBoth;
  }
  return Visible::kBoth;
}

}  // namespace

void StartupFaults::BeforeBind(const std::function<void(Options)>& serve) {
  if (const Fault* flood = FindFault(faults_, "stderr-flood")) Flood(flood->Number("mib", 16.0));
  if (const Fault* child = FindFault(faults_, "grandchild")) LeaveGrandchild(*child);
  if (const Fault* stranger = FindFault(faults_, "steal-port")) {
    LetStrangerIn(*stranger, options_, serve);
  }
}

std::optional<double> StartupFaults::DiesAfterMs() const {
  for (const char* type : {"load-exit", "load-signal"}) {
    if (const Fault* fault = FindFault(faults_, type)) return fault->Number("after_ms", 0.0);
  }
  return std::nullopt;
}

void StartupFaults::DieWhileLoading() {
  if (const Fault* fault = FindFault(faults_, "load-exit")) {
    if (fault->Has("text")) log_.Plain(1, 'E', "{}", fault->Text("text", ""));
    truth_.End("exit during load", Now());
    Die(DoomOf(*fault));
  }
  if (const Fault* fault = FindFault(faults_, "load-signal")) {
    truth_.End("signal during load", Now());
    Die(DoomOf(*fault));
  }
}

std::optional<std::string> StartupFaults::RefusesModel() const {
  if (Has("out-of-memory")) {
    const double mib = options_.timing.weights_mib;
    log_.Plain(1, 'E',
               "ggml_backend_cuda_buffer_type_alloc_buffer: allocating {:.2f} MiB on device 0: "
               "cudaMalloc failed: out of memory",
               mib);
    log_.Plain(1, 'E', "alloc_tensor_range: failed to allocate ROCm0 buffer of size {}",
               static_cast<long long>(mib * 1048576.0));
    return "llama_model_load: error loading model: unable to allocate ROCm0 buffer";
  }
  if (const Fault* fault = FindFault(faults_, "unsupported-architecture")) {
    return fmt::format(
        "llama_model_load: error loading model: error loading model architecture: unknown model "
        "architecture: '{}'",
        fault->Text("architecture", "brandnew"));
  }
  return std::nullopt;
}

void StartupFaults::SplitOntoIntegratedGpu(const EngineConfig& engine, const ModelFile& model) {
  const Fault* fault = FindFault(faults_, "igpu-autofit");
  if (fault == nullptr) return;
  const Visible visible = VisibleDevices(*fault);
  if (visible == Visible::kDiscrete) return;
  const TimingModel& hardware = options_.timing;
  if (visible == Visible::kBoth) {
    log_.Plain(3, 'I',
               "llama_prepare_model_devices: using device ROCm1 (AMD Radeon Graphics) "
               "(0000:13:00.0) - 102400 MiB free");
  }
  HardwareLog(log_, options_).Load(engine, model, hardware.weights_mib / 2.0);
  log_.Plain(1, 'E',
             "ROCm error: unspecified launch failure in function "
             "ggml_backend_cuda_buffer_set_tensor at ggml-cuda.cu");
  log_.Plain(1, 'E', "  current device: {}, in function ggml_backend_cuda_buffer_set_tensor",
             fault->Int("integrated", 1));
  truth_.End("igpu-autofit", Now());
  Die(Doom{0, SIGABRT});
}

}  // namespace mock
