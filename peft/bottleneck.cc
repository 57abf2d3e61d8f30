#include "peft/bottleneck.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "peft/activation.h"
#include "peft/hub_names.h"
#include "peft/initial.h"

namespace lk {
namespace {

// true, false or a text, as text.
std::string word(const Settings& s, const std::string& key) {
  if (s.is_text(key)) return s.text(key);
  return s.boolean(key) ? "true" : "false";
}

}  // namespace

BottleneckOptions::BottleneckOptions(const Settings& s)
    : after_attention(s.boolean("mh_adapter")),
      after_cross(s.boolean("cross_adapter")),
      after_ffn(s.boolean("output_adapter")),
      reduction_factor(s.number("reduction_factor", 1.0 / 64, 1e6)),
      activation(s.text("non_linearity")),
      original_ln_before(s.boolean("original_ln_before")),
      residual_before_ln(word(s, "residual_before_ln")),
      parallel(s.boolean("is_parallel")),
      parallel_reads_stream(!s.has("parallel_input") || s.text("parallel_input") == "residual"),
      ln_before(s.boolean("ln_before")),
      ln_after(s.boolean("ln_after")),
      adapter_residual_before_ln(s.boolean("adapter_residual_before_ln")),
      scaling(s.is_text("scaling") ? s.text("scaling")
                                   : std::to_string(s.number("scaling", -1e6, 1e6))),
      dropout(static_cast<float>(s.number("dropout", 0, 0.99))),
      init_weights(s.text("init_weights")),
      init_std(s.has("init_std") ? s.number("init_std", 0, 10) : 1e-2),
      gated(s.boolean("use_gating")),
      phm_dim(s.boolean("phm_layer") ? s.integer("phm_dim", 1, 4096) : 0),
      phm_rank(phm_dim > 0 ? s.integer("phm_rank", 1, 4096) : 0),
      shared_phm_rule(s.boolean("shared_phm_rule")),
      phm_init_range(s.has("phm_init_range") ? s.number("phm_init_range", 0, 10) : 1e-4) {
  require(after_attention || after_cross || after_ffn,
          "{}: none of mh_adapter, cross_adapter, output_adapter is true: there is no adapter",
          s.source());
  require(!s.has("original_ln_after") || s.boolean("original_ln_after"),
          "{}: original_ln_after = false (no residual after the adapter) is not supported",
          s.source());
  require(!s.has("stochastic_depth") || s.number("stochastic_depth", 0, 1) == 0,
          "{}: stochastic_depth is not supported", s.source());
  require(phm_dim == 0 || (s.boolean("factorized_phm_W") && !s.boolean("shared_W_phm") &&
                           !s.boolean("factorized_phm_rule") && s.boolean("phm_bias") &&
                           s.boolean("learn_phm")),
          "{}: of Compacter's variants only factorized_phm_W, phm_bias, learn_phm = true and "
          "shared_W_phm, factorized_phm_rule = false are supported",
          s.source());
  leave_out = s.integers("leave_out");
}

BottleneckLinear::BottleneckLinear(const std::string& name, int64_t in, int64_t out,
                                   const BottleneckOptions& o,
                                   std::shared_ptr<Parameter> shared_rule)
    : phm_(o.phm_dim > 0), in_(in), bias_(name + (phm_ ? "b" : "bias"), {out}) {
  if (!phm_) {
    weight_ = Parameter(name + "weight", {out, in});
    return;
  }
  const int64_t n = o.phm_dim;
  require(in % n == 0 && out % n == 0, "phm_dim {} does not divide an adapter of {} by {}", n, in,
          out);
  left_ = Parameter(name + "W_left", {n, in / n, o.phm_rank});
  right_ = Parameter(name + "W_right", {n, o.phm_rank, out / n});
  rule_ = std::move(shared_rule);
  if (!rule_) rule_ = own_rule_ = std::make_shared<Parameter>(name + "phm_rule", Shape{n, n, n});
}

void BottleneckLinear::initialise(const BottleneckOptions& o, bool down, uint64_t seed,
                                  uint64_t& stream) {
  fill(bias_, 0);
  if (phm_) {  // Glorot, of each factor
    for (Parameter* p : {&left_, &right_})
      fill_normal(*p, std::sqrt(2.0 / static_cast<double>(p->shape[1] + p->shape[2])), seed,
                  stream++);
    if (own_rule_) fill_normal(*own_rule_, 0.01, seed, stream++);
  } else if (o.init_weights == "bert") {
    fill_normal(weight_, 0.02, seed, stream++);
  } else if (o.init_weights == "houlsby") {
    fill_normal(weight_, o.init_std, seed, stream++, 2);
  } else {
    require(o.init_weights == "mam_adapter",
            "init_weights '{}' is not known (known: bert, mam_adapter, houlsby)", o.init_weights);
    if (down)
      fill_linear(weight_, in_, seed, stream++);
    else
      fill(weight_, 0);
  }
}

Var BottleneckLinear::operator()(const Var& x) const {
  if (phm_) return linear(x, phm_weight(rule_->var, left_.var, right_.var), bias_.var, true);
  return linear(x, weight_.var, bias_.var);
}

void BottleneckLinear::visit(const ParameterVisitor& f) {
  if (own_rule_) f(*own_rule_);
  if (phm_)
    f(left_), f(right_);
  else
    f(weight_);
  f(bias_);
}

Bottleneck::Bottleneck(const std::string& module, int64_t d, const BottleneckOptions& o,
                       const std::shared_ptr<Parameter>& shared_rule, const bool* training)
    : options_(o),
      // torch's Sequential: the norm, where there is one, takes place 0.
      down_(module + (o.ln_before ? "adapter_down.1." : "adapter_down.0."), d,
            std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(d) / o.reduction_factor)),
            o, shared_rule),
      up_(module + "adapter_up.",
          std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(d) / o.reduction_factor)),
          d, o, shared_rule),
      training_(training) {
  activation_of(o.activation);
  const auto norm = [&](const std::string& name, Parameter(&p)[2]) {
    p[0] = Parameter(module + name + ".weight", {d});
    p[1] = Parameter(module + name + ".bias", {d});
  };
  if (o.ln_before) norm("adapter_norm_before", norm_before_);
  if (o.ln_after) norm("adapter_norm_after", norm_after_);
  if (o.scaling == "learned") scaling_ = Parameter(module + "scaling", {1});
  if (o.scaling == "channel") scaling_ = Parameter(module + "scaling", {d});
  if (o.gated) gate_ = Gate(module + "gate.", d);
}

void Bottleneck::initialise(uint64_t seed, uint64_t& stream) {
  down_.initialise(options_, true, seed, stream);
  up_.initialise(options_, false, seed, stream);
  for (auto* norm : {&norm_before_, &norm_after_})
    if ((*norm)[0].shape.rank() > 0) fill((*norm)[0], 1), fill((*norm)[1], 0);
  if (scaling_.shape.rank() > 0) fill(scaling_, 1);
  if (options_.gated) gate_.initialise(seed, stream++);
}

Var Bottleneck::forward(const Var& h, const Sublayer& at) {
  const BottleneckOptions& o = options_;
  Var x = h, residual = h;
  if (o.parallel) {
    x = o.parallel_reads_stream ? at.residual : at.input;
  } else if (o.original_ln_before) {
    x = add(h, at.residual);
    if (at.norm && o.residual_before_ln == "post_add") residual = x;
    if (at.norm) x = at.norm(x);
  }
  if (!o.parallel && o.residual_before_ln == "false") residual = x;

  constexpr float kEps = 1e-5f;  // torch's LayerNorm
  const Var in = o.ln_before ? layer_norm(x, norm_before_[0].var, norm_before_[1].var, kEps) : x;
  Var y = up_(activation_of(o.activation)(down_(in)));
  if (o.scaling == "learned")
    y = scale_by(y, scaling_.var);
  else if (o.scaling == "channel")
    y = mul_row(y, scaling_.var);
  else if (const double s = std::stod(o.scaling); s != 1.0)
    y = scale(y, static_cast<float>(s));
  y = dropout(y, *training_ ? o.dropout : 0.0f);
  if (o.gated) y = times_document(y, gate_(x, at.offsets), at.offsets);
  if (!o.parallel && o.adapter_residual_before_ln) y = add(y, residual);
  if (o.ln_after) y = layer_norm(y, norm_after_[0].var, norm_after_[1].var, kEps);
  return !o.parallel && o.adapter_residual_before_ln ? y : add(y, residual);
}

void Bottleneck::visit(const ParameterVisitor& f) {
  if (options_.ln_before) f(norm_before_[0]), f(norm_before_[1]);
  down_.visit(f);
  up_.visit(f);
  if (scaling_.shape.rank() > 0) f(scaling_);
  if (options_.ln_after) f(norm_after_[0]), f(norm_after_[1]);
  if (options_.gated) gate_.visit(f);
}

void Bottlenecks::attach(Model& model, const BottleneckOptions& o, const std::string& adapter,
                         uint64_t seed) {
  const HubNames names(model, adapter);
  const int64_t d = model.info().hidden_size;
  uint64_t stream = 1;
  if (o.phm_dim > 0 && o.shared_phm_rule) {
    rule_ = std::make_shared<Parameter>(names.shared() + "phm_rule",
                                        Shape{o.phm_dim, o.phm_dim, o.phm_dim});
    fill_normal(*rule_, o.phm_init_range, seed, stream++);
  }
  for (size_t l = 0; l < model.blocks().size(); ++l) {
    if (std::find(o.leave_out.begin(), o.leave_out.end(), static_cast<int64_t>(l)) !=
        o.leave_out.end())
      continue;
    const auto plug = [&](const std::string& module,
                          std::vector<std::shared_ptr<BlockAdapter>>& place) {
      all_.push_back(std::make_shared<Bottleneck>(module, d, o, rule_, &model.training));
      all_.back()->initialise(seed, stream);
      place.push_back(all_.back());
    };
    if (o.after_attention) plug(names.attention_adapter(l), model.blocks()[l].attn_out);
    if (o.after_cross && names.has_cross(l))
      plug(names.cross_adapter(l), model.blocks()[l].cross_out);
    if (o.after_ffn) plug(names.output_adapter(l), model.blocks()[l].ffn_out);
  }
}

void Bottlenecks::visit(const ParameterVisitor& f) {
  if (rule_) f(*rule_);
  for (const auto& adapter : all_) adapter->visit(f);
}

}  // namespace lk
