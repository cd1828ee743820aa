// SPDX-License-Identifier: EUPL-1.2

#include "harness/base/json.h"
#include "harness/scenario/loader.h"
#include "harness/scenario/names.h"

namespace harness {
namespace {

double Seconds(std::chrono::milliseconds ms) { return static_cast<double>(ms.count()) / 1000.0; }

Json Write(const Length& length) {
  struct Visitor {
    Json operator()(const FixedLength& l) const { return l.tokens; }
    Json operator()(const UniformLength& l) const { return {{"uniform", {l.from, l.to}}}; }
    Json operator()(const LognormalLength& l) const {
      return {{"lognormal", {{"median", l.median}, {"sigma", l.sigma}, {"max", l.max}}}};
    }
    Json operator()(const ChoiceLength& l) const { return {{"choice", l.tokens}}; }
  };
  return std::visit(Visitor{}, length);
}

Json Write(const Prompt& prompt) {
  struct Visitor {
    Json operator()(const TextPrompts& p) const { return {{"texts", p.texts}}; }
    Json operator()(const MessagesPrompt& p) const {
      Json messages = Json::array();
      for (const rocm::Message& m : p.messages) {
        messages.push_back({{"role", m.role}, {"content", m.content}});
      }
      return {{"messages", messages}};
    }
    Json operator()(const SyntheticPrompt& p) const {
      return {{"synthetic_tokens", Write(p.tokens)}, {"depth", p.depth}};
    }
    Json operator()(const ConversationPrompt& p) const {
      return {{"conversation", {{"turns", p.turns}, {"user_tokens", Write(p.user_tokens)}}}};
    }
  };
  return std::visit(Visitor{}, prompt);
}

Json Write(const Workload& w) {
  return {{"api", ToString(w.api)},
          {"prompt", Write(w.prompt)},
          {"output_tokens", {{w.exact_output ? "fixed" : "max", Write(w.output_tokens)}}},
          {"seed", w.seed},
          {"cache_prompt", w.cache_prompt},
          {"temperature", w.temperature},
          {"deadline_ms", w.deadline.count()},
          {"stall_timeout_ms", w.stall_timeout.count()}};
}

Json Write(const ClosedLoop& loop) {
  return {{"concurrency", loop.concurrency}, {"ramp_s", Seconds(loop.ramp)}};
}

Json Write(const OpenLoop& loop) {
  Json json = Json::object();
  switch (loop.process) {
    case ArrivalProcess::kConstant: json["constant_rate_per_s"] = loop.rate_per_s; break;
    case ArrivalProcess::kPoisson: json["poisson_rate_per_s"] = loop.rate_per_s; break;
    case ArrivalProcess::kGamma:
      json["gamma_rate_per_s"] = loop.rate_per_s;
      json["shape"] = loop.shape;
      break;
    case ArrivalProcess::kTrace: json["trace"] = loop.trace_file; break;
  }
  json["seed"] = loop.seed;
  json["max_in_flight"] = loop.max_in_flight;
  return json;
}

Json Write(const Stage& stage) {
  Json json{{"name", stage.name}};
  if (const auto* closed = std::get_if<ClosedLoop>(&stage.load)) {
    json["closed_loop"] = Write(*closed);
  } else {
    json["open_loop"] = Write(std::get<OpenLoop>(stage.load));
  }
  if (stage.requests) json["requests"] = *stage.requests;
  if (stage.duration) json["duration_s"] = Seconds(*stage.duration);
  json["record"] = stage.record;
  return json;
}

Json Write(const ServerSettings& s) {
  Json json = Json::object();
  const auto put = [&json](const char* key, const auto& value) {
    if (value) json[key] = *value;
  };
  put("slots", s.slots);
  put("context_per_slot", s.context_per_slot);
  if (s.flash_attention) {
    json["flash_attention"] = NameOf(kFlashAttentionNames, *s.flash_attention);
  }
  put("kv_type_k", s.kv_type_k);
  put("kv_type_v", s.kv_type_v);
  put("gpu_layers", s.gpu_layers);
  put("split_mode", s.split_mode);
  put("tensor_split", s.tensor_split);
  put("threads", s.threads);
  put("batch_size", s.batch_size);
  put("ubatch_size", s.ubatch_size);
  if (!s.args.empty()) json["args"] = s.args;
  if (!s.environment.empty()) json["environment"] = s.environment;
  if (s.page_cache != PageCache::kAsItIs) {
    json["page_cache"] = NameOf(kPageCacheNames, s.page_cache);
  }
  return json;
}

Json Write(const Expectation& e) {
  Json json = Json::object();
  if (!e.stage.empty()) json["stage"] = e.stage;
  if (e.answer) {
    switch (e.answer->rule) {
      case AnswerRule::kEquals: json["answer"] = {{"equals", e.answer->text}}; break;
      case AnswerRule::kContains: json["answer"] = {{"contains", e.answer->text}}; break;
      case AnswerRule::kMatches: json["answer"] = {{"matches", e.answer->text}}; break;
      case AnswerRule::kChain: json["answer"] = "chain"; break;
    }
  } else {
    json["metric"] = e.metric;
    json["op"] = ToString(e.op);
    json["value"] = e.value;
  }
  json["on"] = ToString(e.on);
  return json;
}

Json Write(const AbPlan& plan) {
  Json variants = Json::array();
  for (const AbVariant& v : plan.variants) {
    variants.push_back({{"name", v.name}, {"server", Write(v.server)}, {"binding", v.binding}});
  }
  return {{"variants", variants},
          {"rounds", plan.rounds},
          {"margin", plan.margin},
          {"metrics", plan.metrics},
          {"answers", NameOf(kAnswersNames, plan.equal_answers)}};
}

Json Write(const FaultPlan& plan) {
  Json json{{"action", ToString(plan.action)}, {"moment", ToString(plan.moment)}};
  if (plan.moment == FaultMoment::kDecode) json["after_tokens"] = plan.after_tokens;
  json["repeat"] = plan.repeat;
  json["recover_within_ms"] = plan.recover_within.count();
  json["hang_after_ms"] = plan.hang_after.count();
  json["restart"] = {{"max_restarts", plan.restart.max_restarts},
                     {"window_ms", plan.restart.window.count()},
                     {"initial_backoff_ms", plan.restart.initial_backoff.count()},
                     {"max_backoff_ms", plan.restart.max_backoff.count()}};
  return json;
}

Json Write(const Slo& slo) {
  Json json = Json::object();
  if (slo.ttft_ms) json["ttft_ms"] = *slo.ttft_ms;
  if (slo.tpot_ms) json["tpot_ms"] = *slo.tpot_ms;
  if (slo.e2e_ms) json["e2e_ms"] = *slo.e2e_ms;
  return json;
}

}  // namespace

std::string ToJson(const Scenario& s) {
  Json json{{"schema", s.schema},
            {"name", s.name},
            {"why", s.why},
            {"kind", ToString(s.kind)},
            {"timing", NameOf(kTimingNames, s.timing_judged)},
            {"rounds", s.rounds},
            {"restart_server", s.restart_server},
            {"cool_down_s", Seconds(s.cool_down)},
            {"weights", NameOf(kWeightsNames, s.random_weights)},
            {"server", Write(s.server)},
            {"workload", Write(s.workload)},
            {"stages", Json::array()}};
  for (const Stage& stage : s.stages) json["stages"].push_back(Write(stage));
  for (const SweepAxis& axis : s.sweep) {
    json["sweep"].push_back(
        {{"parameter", ToString(axis.parameter)},
         {"values", HasWords(axis.parameter) ? Json(axis.words) : Json(axis.values)},
         {"until_saturation", axis.until_saturation}});
  }
  if (!s.slo.empty()) json["slo"] = Write(s.slo);
  for (const Expectation& e : s.expect) json["expect"].push_back(Write(e));
  if (s.ab) json["ab"] = Write(*s.ab);
  if (s.fault) json["fault"] = Write(*s.fault);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace harness
