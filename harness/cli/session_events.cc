// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/session_events.h"

#include "harness/scenario/loader.h"

namespace harness {

double Milliseconds(std::chrono::nanoseconds t) { return static_cast<double>(t.count()) * 1e-6; }

namespace {

Json Describe(const rocm::AppliedSettings& applied) {
  Json json = Json::object();
  if (applied.slots >= 0) json["slots"] = applied.slots;
  if (applied.context_per_slot >= 0) json["context_per_slot"] = applied.context_per_slot;
  if (applied.gpu_layers >= 0) json["gpu_layers"] = applied.gpu_layers;
  if (!applied.flash_attention.empty()) json["flash_attention"] = applied.flash_attention;
  if (!applied.kv_type_k.empty()) json["kv_type_k"] = applied.kv_type_k;
  if (!applied.kv_type_v.empty()) json["kv_type_v"] = applied.kv_type_v;
  if (!applied.devices.empty()) json["devices"] = applied.devices;
  return json;
}

std::string_view NameOf(rocm::llama_server::LoggedBuffer::Kind kind) {
  using Kind = rocm::llama_server::LoggedBuffer::Kind;
  switch (kind) {
    case Kind::kModel: return "model";
    case Kind::kKvCache: return "kv_cache";
    case Kind::kCompute: return "compute";
    case Kind::kOutput: return "output";
    case Kind::kOther: break;
  }
  return "other";
}

Json DescribeMemory(const TargetFacts& facts) {
  Json json{{"buffers", Json::array()}};
  for (const rocm::llama_server::LoggedBuffer& buffer : facts.buffers) {
    json["buffers"].push_back(
        {{"kind", NameOf(buffer.kind)}, {"device", buffer.device}, {"mib", buffer.mib}});
  }
  if (!facts.memory) return json;
  const auto side = [](const rocm::MemoryReport::Side& its) {
    return Json{{"estimated_bytes", its.estimated}, {"allocated_bytes", its.allocated}};
  };
  json["device"] = side(facts.memory->device);
  json["host"] = side(facts.memory->host);
  return json;
}

}  // namespace

Json RequestedSettings(const Scenario& scenario) {
  return Json::parse(ToJson(scenario)).at("server");
}

Json DescribeServer(const TargetFacts& facts, const Scenario& scenario) {
  Json json{{"target", ToString(facts.kind)}, {"backend", facts.backend}};
  if (!facts.binary.empty()) json["binary"] = facts.binary;
  if (!facts.build.empty()) json["build"] = facts.build;
  if (!facts.argv.empty()) json["argv"] = facts.argv;
  if (!facts.environment.empty()) json["environment"] = facts.environment;
  if (facts.pid >= 0) json["pid"] = facts.pid;
  if (facts.load_duration) json["load_ms"] = Milliseconds(*facts.load_duration);
  json["requested"] =
      facts.kind == TargetKind::kAttached ? Json("not applicable") : RequestedSettings(scenario);
  json["applied"] = Describe(facts.applied);
  if (!facts.buffers.empty()) json["memory"] = DescribeMemory(facts);
  json["chain_model"] = facts.chain;
  if (!facts.not_available.empty()) json["not_available"] = facts.not_available;
  return json;
}

Json DescribeError(const rocm::Error& error) {
  Json json{{"code", rocm::ToString(error.code)}, {"message", error.message}};
  if (error.exit) json["exit"] = rocm::ToString(*error.exit);
  if (!error.log_tail.empty()) json["log_tail"] = error.log_tail;
  return json;
}

Json DescribeHost(const TelemetrySample& sample) {
  Json json = Json::object();
  const auto put = [&json](const char* key, const auto& value) {
    if (value) json[key] = *value;
  };
  put("host_cpu_share", sample.host_cpu_share);
  put("server_cpu_cores", sample.server_cpu_cores);
  put("other_cpu_cores", sample.other_cpu_cores);
  put("cpu_power_watts", sample.cpu_power_watts);
  put("server_rss_bytes", sample.server_rss_bytes);
  return json;
}

Json DescribeDevice(const DeviceSample& device) {
  Json json{{"device", device.device}, {"name", device.name}};
  const auto put = [&json](const char* key, const auto& value) {
    if (value) json[key] = *value;
  };
  put("gpu_memory_bytes", device.memory_used_bytes);
  put("gpu_memory_total_bytes", device.memory_total_bytes);
  put("server_memory_bytes", device.server_memory_bytes);
  put("temperature_celsius", device.sensors.temperature_celsius);
  put("hotspot_celsius", device.sensors.hotspot_celsius);
  put("memory_celsius", device.sensors.memory_celsius);
  put("power_watts", device.sensors.power_watts);
  put("power_cap_watts", device.sensors.power_cap_watts);
  put("core_clock_mhz", device.sensors.core_clock_mhz);
  put("memory_clock_mhz", device.sensors.memory_clock_mhz);
  put("busy_percent", device.sensors.busy_percent);
  put("throttled", device.sensors.throttled);
  put("power_limited", device.sensors.power_limited);
  if (device.foreign_processes > 0) json["foreign_processes"] = device.foreign_processes;
  return json;
}

Json DescribeClocks(const StageClocks& clocks) {
  Json json = Json::object();
  const auto put = [&json](const char* key, const Distribution& distribution) {
    if (const Quantile* median = distribution.Find(0.5)) json[key] = median->value;
  };
  put("client_ms_p50", clocks.client_ms);
  put("queue_ms_p50", clocks.queue_ms);
  put("prefill_residual_ms_p50", clocks.prefill_residual_ms);
  put("decode_residual_ms_p50", clocks.decode_residual_ms);
  json["decode_residual_share"] = clocks.decode_residual_share;
  if (clocks.prompt_tokens_unexplained) {
    json["prompt_tokens_unexplained"] = *clocks.prompt_tokens_unexplained;
  }
  if (clocks.predicted_tokens_unexplained) {
    json["predicted_tokens_unexplained"] = *clocks.predicted_tokens_unexplained;
  }
  return json;
}

}  // namespace harness
