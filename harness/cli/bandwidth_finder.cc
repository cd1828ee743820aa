// SPDX-License-Identifier: EUPL-1.2
#include "harness/cli/bandwidth_finder.h"

#include <fmt/format.h>

#include "backend/gguf/decode_reads.h"

namespace harness {
namespace {

tl::unexpected<rocm::Error> NotKnown(std::string why) {
  return rocm::Fail(rocm::ErrorCode::kInvalidArgument, std::move(why));
}

}  // namespace

BandwidthFinder::BandwidthFinder(const TargetOptions& options, std::optional<double> given_gb_per_s)
    : model_(options.kind == TargetKind::kAttached ? "" : options.model),
      given_gb_per_s_(given_gb_per_s) {}

std::optional<BandwidthLimit> BandwidthFinder::Find(const TargetFacts& server) {
  if (!weights_read_ && !model_.empty()) {
    weights_read_ = true;
    if (const auto metadata = rocm::gguf::ReadMetadata(model_)) {
      const rocm::gguf::DecodeReads reads = rocm::gguf::WeightsReadPerToken(*metadata);
      weights_.weight_bytes_per_token = reads.bytes;
      weights_.single_stream_only = reads.experts;
    }
  }
  const auto bandwidth = Bandwidth(server);
  if (!bandwidth) {
    detail_ = {{"not_known", bandwidth.error().message}};
    return std::nullopt;
  }
  BandwidthLimit limit = weights_;
  limit.bytes_per_second = bandwidth->bytes_per_second;
  detail_ = {{"bytes_per_second", limit.bytes_per_second},
             {"source", bandwidth->source},
             {"weight_bytes_per_token", limit.weight_bytes_per_token}};
  if (limit.single_stream_only) detail_["single_stream_only"] = true;
  return limit;
}

rocm::Result<MemoryBandwidth> BandwidthFinder::Bandwidth(const TargetFacts& server) {
  if (weights_.weight_bytes_per_token == 0) {
    return NotKnown("the model's file is not at hand, so that its tensors' sizes are not known");
  }
  if (given_gb_per_s_) return MemoryBandwidth{*given_gb_per_s_ * 1e9, "given"};
  if (server.kind == TargetKind::kMock) return NotKnown("the mock reads no weights");
  if (server.backend == "cpu" || server.applied.gpu_layers == 0) return HostBandwidth();
  if (server.gpus.empty()) return NotKnown("the server's log names no GPU: give --bandwidth");
  if (server.applied.gpu_layers < 0 || server.applied.gpu_layers != server.layers) {
    return NotKnown("the weights lie in two memories, or it is not known where: give --bandwidth");
  }
  std::optional<MemoryBandwidth> common;
  for (const TargetGpu& gpu : server.gpus) {
    auto known = KnownBandwidth(gpu.name, gpu.memory_bytes);
    if (!known) {
      return NotKnown(
          fmt::format("the memory bandwidth of {} is not in the table: give --bandwidth",
                      gpu.name.empty() ? "this GPU" : gpu.name));
    }
    // A model split by layers is read card after card: at the bandwidth of one.
    if (common && common->bytes_per_second != known->bytes_per_second) {
      return NotKnown("the model is split over GPUs of different bandwidth: give --bandwidth");
    }
    common = std::move(known);
  }
  return *common;
}

rocm::Result<MemoryBandwidth> BandwidthFinder::HostBandwidth() {
  const std::uint64_t caches = LastLevelCacheBytes();
  if (weights_.weight_bytes_per_token <= caches) {
    return NotKnown(
        fmt::format("the weights ({:.1f} MiB) fit into the processor's caches ({:.1f} MiB)",
                    static_cast<double>(weights_.weight_bytes_per_token) / (1 << 20),
                    static_cast<double>(caches) / (1 << 20)));
  }
  if (!host_) host_ = MeasureHostBandwidth();
  return *host_;
}

}  // namespace harness
