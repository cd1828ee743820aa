// SPDX-License-Identifier: EUPL-1.2
#include "mock_server/server/documents.h"

#include <fmt/format.h>

#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>

#include "mock_server/api/prompt.h"
#include "mock_server/server/service.h"

namespace mock {
namespace {

Json SlotJson(Service& service, int slot) {
  Json json{{"id", slot},
            {"n_ctx", service.engine().context_per_slot},
            {"speculative", false},
            {"is_processing", false}};
  const std::shared_ptr<Task>& task = service.scheduler().InSlot(slot);
  if (task == nullptr) return json;
  const bool busy = task->busy();
  const int decoded = busy ? task->generation().decoded() : 0;
  const int limit = task->params().n_predict;
  json["is_processing"] = busy;
  json["id_task"] = task->id();
  json["n_prompt_tokens"] =
      busy ? static_cast<int>(task->prompt().size()) + decoded : task->tokens_in_slot();
  json["n_prompt_tokens_processed"] =
      busy ? static_cast<int>(task->prompt().size()) - task->cached() : 0;
  json["n_prompt_tokens_cache"] = busy ? task->cached() : 0;
  json["params"] = ShortSettings(task->params().settings);
  json["next_token"] =
      Json::array({Json{{"has_next_token", busy},
                        {"has_new_line", busy && task->generation().text().has_new_line()},
                        {"n_remain", busy && limit >= 0 ? limit - decoded : -1},
                        {"n_decoded", decoded}}});
  return json;
}

class Metrics {
 public:
  template <typename T>
  void Counter(std::string_view name, std::string_view help, T value) {
    Add("counter", name, help, value);
  }
  template <typename T>
  void Gauge(std::string_view name, std::string_view help, T value) {
    Add("gauge", name, help, value);
  }
  [[nodiscard]] std::string text() const { return out_.str(); }

 private:
  // Streams print six digits, as the server does.
  template <typename T>
  void Add(std::string_view type, std::string_view name, std::string_view help, T value) {
    out_ << "# HELP llamacpp:" << name << ' ' << help << "\n# TYPE llamacpp:" << name << ' ' << type
         << "\nllamacpp:" << name << ' ' << value << '\n';
  }
  std::ostringstream out_;
};

double Rate(double count, double seconds) { return seconds > 0.0 ? count / seconds : 0.0; }

}  // namespace

Json PropsDocument(Service& service) {
  const Options& options = service.options();
  Json params = ShortSettings(options.settings);
  params["reasoning_format"] = "none";
  const bool texts = false;
  return Json{{"default_generation_settings",
               {{"params", std::move(params)}, {"n_ctx", service.engine().context_per_slot}}},
              {"total_slots", service.engine().slots},
              {"model_alias", service.alias()},
              {"model_ftype", service.model().file_type},
              {"model_path", options.model},
              {"modalities", {{"vision", texts}, {"video", texts}, {"audio", texts}}},
              {"media_marker", fmt::format("<__media_{:016x}{:016x}__>", MixSeed(options.seed, 1),
                                           MixSeed(options.seed, 2))},
              {"endpoint_slots", options.slots_endpoint},
              {"endpoint_props", options.props_writable},
              {"endpoint_metrics", options.metrics},
              {"ui", false},
              {"ui_settings", Json::object()},
              {"chat_template", kChatTemplate},
              {"chat_template_caps",
               {{"supports_object_arguments", false},
                {"supports_parallel_tool_calls", false},
                {"supports_preserve_reasoning", false},
                {"supports_reasoning_effort", false},
                {"supports_string_content", true},
                {"supports_system_role", true},
                {"supports_tool_calls", false},
                {"supports_tools", false},
                {"supports_typed_content", false}}},
              {"bos_token", "<s>"},
              {"eos_token", "</s>"},
              {"build_info", options.dialect.BuildInfo()},
              {"is_sleeping", false},
              {"cors_proxy_enabled", false}};
}

Json ModelsDocument(Service& service) {
  const ModelFile& model = service.model();
  const std::string& name = service.alias();
  Json listed{{"name", name},
              {"model", name},
              {"modified_at", ""},
              {"size", ""},
              {"digest", ""},
              {"type", "model"},
              {"description", ""},
              {"tags", Json::array({""})},
              {"capabilities", Json::array({"completion"})},
              {"parameters", ""},
              {"details",
               {{"parent_model", ""},
                {"format", "gguf"},
                {"family", ""},
                {"families", Json::array({""})},
                {"parameter_size", ""},
                {"quantization_level", ""}}}};
  Json meta{{"vocab_type", 1},
            {"n_vocab", kVocabularySize},
            {"n_ctx", service.engine().context_per_slot},
            {"n_ctx_train", model.context},
            {"n_embd", model.embedding},
            {"n_params", model.parameters},
            {"size", model.bytes},
            {"ftype", model.file_type}};
  Json data{
      {"id", name},
      {"aliases", Json::array({name})},
      {"tags", Json::array()},
      {"object", "model"},
      {"architecture",
       {{"input_modalities", Json::array({"text"})}, {"output_modalities", Json::array({"text"})}}},
      {"created", WallSeconds()},
      {"owned_by", "llamacpp"},
      {"meta", std::move(meta)}};
  return Json{{"models", Json::array({std::move(listed)})},
              {"object", "list"},
              {"data", Json::array({std::move(data)})}};
}

Json SlotsDocument(Service& service) {
  Json slots = Json::array();
  for (int slot = 0; slot < service.engine().slots; ++slot) {
    slots.push_back(SlotJson(service, slot));
  }
  return slots;
}

std::string MetricsDocument(Service& service) {
  const EngineCounters& c = service.scheduler().counters();
  const auto prompt = static_cast<double>(c.prompt_tokens);
  const auto predicted = static_cast<double>(c.predicted_tokens);
  const auto calls = static_cast<double>(c.decode_calls);
  Metrics m;
  m.Counter("prompt_tokens_total", "Number of prompt tokens processed, excluding cached tokens",
            c.prompt_tokens);
  m.Counter("prompt_tokens_cached_total", "Number of prompt tokens reused from the cache",
            c.cached_tokens);
  m.Counter("prompt_seconds_total", "Total time spent processing prompts", c.prompt_seconds);
  m.Counter("tokens_predicted_total", "Number of generation tokens processed", c.predicted_tokens);
  m.Counter("tokens_predicted_seconds_total", "Total time spent generating tokens",
            c.predicted_seconds);
  m.Counter("n_decode_total",
            "Total number of llama_decode() calls, excluding speculative decoding and multimodal "
            "decoding",
            c.decode_calls);
  m.Counter("n_tokens_max", "Largest observed sequence length (prompt + generation)", c.tokens_max);
  m.Counter("spec_decode_num_draft_tokens_total", "Speculative: Total draft tokens generated", 0);
  m.Counter("spec_decode_num_accepted_tokens_total",
            "Speculative: Total draft tokens accepted by the target model", 0);
  m.Counter("spec_decode_num_drafts_total",
            "Speculative: Total speculative decoding verification steps", 0);
  m.Gauge("prompt_tokens_seconds", "Average prompt throughput in tokens/s",
          Rate(prompt, c.prompt_seconds));
  m.Gauge("predicted_tokens_seconds", "Average generation throughput in tokens/s",
          Rate(predicted, c.predicted_seconds));
  m.Gauge("requests_processing", "Number of requests processing", service.scheduler().processing());
  m.Gauge("requests_deferred", "Number of requests deferred", service.scheduler().deferred());
  m.Gauge("n_busy_slots_per_decode", "Average number of busy slots per llama_decode() call",
          Rate(static_cast<double>(c.busy_slots), calls));
  return m.text();
}

}  // namespace mock
