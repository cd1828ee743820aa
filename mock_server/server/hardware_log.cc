// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/hardware_log.h"

#include <algorithm>

namespace mock {
void HardwareLog::Devices() {
  const TimingModel& hardware = options_.timing;
  if (hardware.device.empty()) return;
  const int level = verbosity();
  const double free_mib = hardware.device_mib - hardware.reserved_mib;
  log_.Plain(level, 'I', "ggml_cuda_init: found 1 ROCm devices:");
  log_.Plain(level, 'I', "  Device 0: {}, gfx1101 (0x1101), VMM: no, Wave Size: 32",
             hardware.description);
  if (options_.dialect.build == kCurrent) {
    log_.Common(level, 'I', "common_param", "device_info:");
    log_.Common(level, 'I', "common_param", "  - {:<8}: {} ({:.0f} MiB, {:.0f} MiB free)",
                hardware.device, hardware.description, hardware.device_mib, free_mib);
  }
  if (on_gpu()) {
    log_.Plain(level, 'I', "{}: using device {} ({}) (0000:03:00.0) - {:.0f} MiB free",
               options_.dialect.build == kOld ? "llama_model_load_from_file_impl"
                                              : "llama_prepare_model_devices",
               hardware.device, hardware.description, free_mib);
  }
}

void HardwareLog::Load(const EngineConfig& engine, const ModelFile& model, double split_mib) {
  const TimingModel& hardware = options_.timing;
  const int level = verbosity();
  const double kv = hardware.KvMib(static_cast<double>(engine.context_total), options_.cache_type_k,
                                   options_.cache_type_v);
  log_.Plain(level, 'I',
             "llama_model_loader: loaded meta data with {} tensors from {} (version GGUF V3 "
             "(latest))",
             model.tensors, options_.model);
  log_.Plain(level, 'I', "print_info: arch                  = {}", model.architecture);
  if (on_gpu()) {
    const int wanted = options_.gpu_layers < 0 ? 1'000 : options_.gpu_layers;
    const int all = hardware.layers + 1;
    log_.Plain(level, 'I', "load_tensors: offloading {} repeating layers to GPU",
               std::min(wanted, hardware.layers));
    log_.Plain(level, 'I', "load_tensors: offloaded {}/{} layers to GPU", std::min(wanted, all),
               all);
    log_.Plain(level, 'I', "load_tensors: {:>12} model buffer size = {:8.2f} MiB", hardware.device,
               hardware.weights_mib - split_mib);
    if (split_mib > 0.0) {
      log_.Plain(level, 'I', "load_tensors: {:>12} model buffer size = {:8.2f} MiB", "ROCm1",
                 split_mib);
    }
  }
  log_.Plain(level, 'I', "load_tensors: {:>12} model buffer size = {:8.2f} MiB", "CPU_Mapped",
             on_gpu() ? hardware.weights_mib * 0.15 : hardware.weights_mib);
  const std::string place = on_gpu() ? hardware.device : std::string("CPU");
  log_.Plain(level, 'I', "llama_context: n_seq_max             = {}", engine.slots);
  log_.Plain(level, 'I', "llama_context: n_ctx                 = {}", engine.context_total);
  log_.Plain(level, 'I', "llama_context: n_ctx_seq             = {}", engine.context_per_slot);
  log_.Plain(level, 'I', "llama_context: flash_attn            = {}", options_.flash_attention);
  log_.Plain(level, 'I', "llama_context: kv_unified            = {}", engine.unified_kv);
  log_.Plain(level, 'I', "llama_kv_cache: {:>10} KV buffer size = {:8.2f} MiB", place, kv);
  log_.Plain(
      level, 'I',
      "llama_kv_cache: size = {:7.2f} MiB ({:6} cells, {:3} layers, {:2}/{} seqs), K ({}): "
      "{:7.2f} MiB, V ({}): {:7.2f} MiB",
      kv, engine.context_per_slot, hardware.layers, engine.slots,
      engine.unified_kv ? 1 : engine.slots, options_.cache_type_k,
      hardware.KvMib(engine.context_total, options_.cache_type_k, options_.cache_type_k) / 2,
      options_.cache_type_v,
      hardware.KvMib(engine.context_total, options_.cache_type_v, options_.cache_type_v) / 2);
  log_.Plain(level, 'I', "sched_reserve: {:>10} compute buffer size = {:8.2f} MiB", place,
             hardware.compute_mib);
}

}  // namespace mock
