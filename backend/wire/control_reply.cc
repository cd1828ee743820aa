// SPDX-License-Identifier: EUPL-1.2
#include "backend/wire/control_reply.h"

#include "backend/wire/error_reply.h"
#include "backend/wire/json.h"

namespace rocm::wire {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

tl::unexpected<Error> NotThat(std::string_view what, std::string_view body) {
  return Fail(ErrorCode::kProtocol, "the server's answer is not what " + std::string(what) +
                                        " should give: " + OneLine(body, 120));
}

// Fields that are absent, or of another type, leave `out` alone.
template <typename T>
void Take(object block, std::string_view key, T& out) {
  element value;
  if (block[key].get(value) == simdjson::SUCCESS) (void)Read(value, out);
}

bool ParseObject(std::string_view body, object& out) {
  element root;
  return ParseJson(body, root) == simdjson::SUCCESS &&
         root.get_object().get(out) == simdjson::SUCCESS;
}

Result<std::string> ParseText(std::string_view body, std::string_view key,
                              std::string_view endpoint) {
  object block;
  element value;
  std::string text;
  if (!ParseObject(body, block) || block[key].get(value) != simdjson::SUCCESS ||
      !Read(value, text)) {
    return NotThat(endpoint, body);
  }
  return text;
}

ServedModel ReadModel(object entry) {
  ServedModel model;
  Take(entry, "id", model.id);
  array aliases;
  if (entry["aliases"].get_array().get(aliases) == simdjson::SUCCESS) {
    for (const element alias : aliases) {
      std::string name;
      if (Read(alias, name)) model.aliases.push_back(std::move(name));
    }
  }
  object meta;
  if (entry["meta"].get_object().get(meta) == simdjson::SUCCESS) {
    Take(meta, "n_vocab", model.vocabulary);
    Take(meta, "n_ctx", model.context);
    Take(meta, "n_ctx_train", model.context_train);
    Take(meta, "n_embd", model.embedding);
    Take(meta, "n_params", model.parameters);
    Take(meta, "size", model.bytes);
  }
  return model;
}

}  // namespace

Result<ServerProps> ParseProps(std::string_view body) {
  object block;
  if (!ParseObject(body, block) || block["error"].error() == simdjson::SUCCESS) {
    return NotThat("/props", body);
  }
  ServerProps props;
  Take(block, "model_alias", props.model_alias);
  Take(block, "model_path", props.model_path);
  Take(block, "build_info", props.build_info);
  Take(block, "bos_token", props.bos_token);
  Take(block, "eos_token", props.eos_token);
  Take(block, "chat_template", props.chat_template);
  Take(block, "total_slots", props.total_slots);
  object settings;
  if (block["default_generation_settings"].get_object().get(settings) == simdjson::SUCCESS) {
    Take(settings, "n_ctx", props.context_per_slot);
  }
  return props;
}

Result<std::vector<SlotState>> ParseSlots(std::string_view body) {
  element root;
  array list;
  if (ParseJson(body, root) != simdjson::SUCCESS ||
      root.get_array().get(list) != simdjson::SUCCESS) {
    return NotThat("/slots", body);
  }
  std::vector<SlotState> slots;
  for (const element entry : list) {
    object block;
    if (entry.get_object().get(block) != simdjson::SUCCESS) return NotThat("/slots", body);
    SlotState& slot = slots.emplace_back();
    Take(block, "id", slot.id);
    Take(block, "n_ctx", slot.context);
    Take(block, "is_processing", slot.processing);
  }
  return slots;
}

Result<std::vector<ServedModel>> ParseModels(std::string_view body) {
  object block;
  array list;
  if (!ParseObject(body, block) || block["data"].get_array().get(list) != simdjson::SUCCESS) {
    return NotThat("/v1/models", body);
  }
  std::vector<ServedModel> models;
  for (const element entry : list) {
    object model;
    if (entry.get_object().get(model) != simdjson::SUCCESS) return NotThat("/v1/models", body);
    models.push_back(ReadModel(model));
  }
  return models;
}

Result<std::vector<std::int32_t>> ParseTokens(std::string_view body) {
  object block;
  array list;
  if (!ParseObject(body, block) || block["tokens"].get_array().get(list) != simdjson::SUCCESS) {
    return NotThat("/tokenize", body);
  }
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (const element entry : list) {
    int id = 0;
    object piece;
    element value;
    if (entry.get_object().get(piece) == simdjson::SUCCESS) {
      if (piece["id"].get(value) != simdjson::SUCCESS || !Read(value, id)) {
        return NotThat("/tokenize", body);
      }
    } else if (!Read(entry, id)) {
      return NotThat("/tokenize", body);
    }
    ids.push_back(id);
  }
  return ids;
}

Result<std::string> ParseDetokenized(std::string_view body) {
  return ParseText(body, "content", "/detokenize");
}

Result<std::string> ParseTemplated(std::string_view body) {
  return ParseText(body, "prompt", "/apply-template");
}

}  // namespace rocm::wire
