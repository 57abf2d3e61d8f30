// AdapterHub's LoRA and (IA)3 (one configuration, composition_mode "add" or "scale"), which differ
// from HF PEFT's in two ways that matter here: GPT-2's c_attn takes them for q, k or v alone, and a
// gate may stand in place of alpha / r (UniPELT).
//   add:    y = W x + s B A x            s = alpha / r, or the gate g of the document
//   scale:  y = alpha l * (W x)          l = B [out, 1]
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "peft/gate.h"
#include "peft/hub_part.h"
#include "peft/initial.h"

namespace lk {
namespace {

struct LoraOptions {
  explicit LoraOptions(const Settings& s)
      : r(s.integer("r", 1, 1 << 16)),
        alpha(s.number("alpha", 0, 1e9)),
        dropout(static_cast<float>(s.number("dropout", 0, 0.99))),
        scale(s.text("composition_mode") == "scale"),
        gated(s.boolean("use_gating")),
        init(s.text("init_weights")),
        matrices(s.texts("attn_matrices")),
        self_attention(s.boolean("selfattn_lora")),
        intermediate(s.boolean("intermediate_lora")),
        output(s.boolean("output_lora")) {
    require(scale || s.text("composition_mode") == "add",
            "{}: composition_mode is '{}'; expected add or scale", s.source(),
            s.text("composition_mode"));
    require(!s.boolean("use_dora") && !s.has("vera_d"),
            "{}: use_dora and vera_d are not supported in AdapterHub's LoRA", s.source());
    require(!scale || (r == 1 && !gated), "{}: (IA)3 has r = 1 and no gate", s.source());
    require(!s.has("leave_out") || s.json()["leave_out"].empty(),
            "{}: leave_out is not supported for LoRA", s.source());
    require(init == "lora" || init == "bert" || init == "ia3",
            "{}: init_weights is '{}'; expected lora, bert or ia3", s.source(), init);
    for (const std::string& m : matrices)
      require(m == "q" || m == "k" || m == "v", "{}: attn_matrices holds '{}'; supported: q, k, v",
              s.source(), m);
  }
  bool has(const char* matrix) const {
    return std::find(matrices.begin(), matrices.end(), matrix) != matrices.end();
  }
  int64_t r;
  double alpha;
  float dropout;
  bool scale, gated;
  std::string init;
  std::vector<std::string> matrices;
  bool self_attention, intermediate, output;
};

class HubLora : public LinearAdapter {
 public:
  // parts: of the layer's output, one after another: which of them change (GPT-2: q, k, v).
  HubLora(const std::string& module, const Linear& linear, const LoraOptions& o,
          std::vector<bool> parts, const Model& model)
      : options_(o),
        parts_(std::move(parts)),
        active_(std::count(parts_.begin(), parts_.end(), true)),
        width_(linear.out_features() / static_cast<int64_t>(parts_.size())),
        model_(model) {
    const int64_t most = std::min(width_, linear.in_features());
    require(o.scale || o.r <= most,
            "LoRA's r is {}, above the rank of '{}', whose matrices are [{}, {}]: expected 1..{}",
            o.r, linear.name(), width_, linear.in_features(), most);
    if (!o.scale) a_ = Parameter(module + "lora_A", {o.r * active_, linear.in_features()});
    b_ = Parameter(module + "lora_B", {width_ * active_, o.r});
    if (o.gated) gate_ = Gate(module + "gate.", linear.in_features(), active_);
  }

  void initialise(uint64_t seed, uint64_t stream) {
    if (options_.scale) return fill(b_, 1);
    if (options_.init == "bert") {
      fill_normal(a_, 0.02, seed, stream);
      fill_normal(b_, 0.02, seed, stream + 1);
    } else {
      fill_linear(a_, a_.shape[1], seed, stream);
      fill(b_, 0);
    }
    if (options_.gated) gate_.initialise(seed, stream + 2);
  }

  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    return forward_documents(linear, x, {}, inner);
  }
  Var forward_documents(const Linear&, const Var& x, std::span<const int32_t> offsets,
                        const Inner& inner) override {
    const Var y = inner(x);
    if (options_.scale) return mul_row(y, scale(factors(), static_cast<float>(options_.alpha)));
    const auto s = static_cast<float>(options_.alpha / static_cast<double>(options_.r));
    const Var in = dropout(x, model_.training ? options_.dropout : 0.0f);
    if (parts_.size() == 1 && !options_.gated) return low_rank_add(y, in, a_.var, b_.var, s);

    invariant(!options_.gated || !offsets.empty(), "a gate needs to know its documents");
    const std::vector<int64_t> ranks(static_cast<size_t>(active_), options_.r),
        ones(static_cast<size_t>(active_), 1);
    const std::vector<Var> u = split_columns(linear(in, a_.var), ranks);
    const std::vector<Var> g =
        options_.gated ? split_columns(gate_(x, offsets), ones) : std::vector<Var>();
    std::vector<Var> sums;
    size_t i = 0;
    for (const bool active : parts_) {
      if (!active) {
        sums.emplace_back(Tensor::zeros({x.dim(0), width_}, x.dtype(), x.value().device()));
        continue;
      }
      const Var part = linear(u[i], part_of(b_.var, i));
      sums.push_back(options_.gated ? times_document(part, g[i], offsets) : scale(part, s));
      ++i;
    }
    return add(y, sums.size() == 1 ? sums[0] : concat_columns(sums));
  }

  void visit(const ParameterVisitor& f) override {
    if (!options_.scale) f(a_);
    f(b_);
    if (options_.gated) gate_.visit(f);
  }

  // The layer's new weight, from w [out, in]; the bias of (IA)3 moves too.
  void merge_into(Linear& linear) {
    const NoGrad no_grad;
    Tensor w = linear.weight().dense(DType::f32);
    const int64_t in = w.dim(1);
    if (options_.scale) {
      const Tensor l = scale(factors(), static_cast<float>(options_.alpha)).value();
      for (int64_t i = 0; i < w.numel(); ++i)
        w.data<float>()[i] *= static_cast<float>(l.item(i / in));
      if (linear.has_bias()) {
        Tensor b = linear.bias().var.value().to(DType::f32).clone();
        for (int64_t i = 0; i < b.numel(); ++i) b.data<float>()[i] *= static_cast<float>(l.item(i));
        linear.bias().set(b.to(linear.bias().var.dtype()));
      }
    } else {
      int64_t i = 0;
      for (size_t p = 0; p < parts_.size(); ++p) {
        if (!parts_[p]) continue;
        const Tensor block =
            w.rows(static_cast<int64_t>(p) * width_, static_cast<int64_t>(p + 1) * width_);
        gemm(block, b_.var.value().rows(i * width_, (i + 1) * width_),
             a_.var.value().rows(i * options_.r, (i + 1) * options_.r),
             {.alpha = static_cast<float>(options_.alpha / static_cast<double>(options_.r)),
              .accumulate = true});
        ++i;
      }
    }
    linear.weight().assign(w);
  }
  const Gate& gate() const { return gate_; }

 private:
  // Rows of part i of B.
  Var part_of(const Var& b, size_t i) const {
    if (active_ == 1) return b;
    std::vector<int32_t> rows;
    for (int64_t r = 0; r < width_; ++r)
      rows.push_back(static_cast<int32_t>(static_cast<int64_t>(i) * width_ + r));
    return gather_rows(b, rows);
  }
  // (IA)3's factor of each output, 1 where a part stays as it is: [out, 1]
  Var factors() const {
    if (parts_.size() == 1) return b_.var;
    std::vector<Var> all;
    size_t i = 0;
    for (const bool active : parts_)
      all.push_back(
          active ? part_of(b_.var, i++)
                 : Var(Tensor::full({width_, 1}, b_.var.dtype(), 1.0).to(b_.var.value().device())));
    return concat_rows(all);
  }

  LoraOptions options_;
  std::vector<bool> parts_;
  int64_t active_, width_;
  const Model& model_;
  Parameter a_, b_;
  Gate gate_;
};

class LoraPart : public HubPart {
 public:
  explicit LoraPart(const Settings& config) : options_(config), source_(config.source()) {}

  void attach(Model& model, const HubNames& names, uint64_t seed) override {
    // AdapterHub calls Llama's down projection "intermediate" and its up projection "output".
    const bool swapped = model.info().model_type == "llama";
    uint64_t stream = 1;
    model.visit_linears([&](Linear& l) {
      std::vector<bool> parts{true};
      bool chosen = false;
      if (l.role() == Role::qkv) {
        parts = {options_.has("q"), options_.has("k"), options_.has("v")};
        chosen = options_.self_attention && (parts[0] || parts[1] || parts[2]);
      } else if (l.role() == Role::q || l.role() == Role::k || l.role() == Role::v) {
        chosen = options_.self_attention && options_.has(std::string(name_of(l.role())).c_str());
      } else if (l.role() == Role::up) {
        chosen = swapped ? options_.output : options_.intermediate;
      } else if (l.role() == Role::down) {
        chosen = swapped ? options_.intermediate : options_.output;
      }
      if (!chosen) return;
      auto lora = std::make_shared<HubLora>(HubNames::lora(l.name(), names.adapter()), l, options_,
                                            parts, model);
      lora->initialise(seed, stream);
      stream += 3;
      l.adapters().push_back(lora);
      targets_.emplace_back(&l, lora);
    });
    require(!targets_.empty(), "{}: no matrix is chosen for LoRA", source_);
  }
  void visit(const ParameterVisitor& f) override {
    for (auto& [linear, lora] : targets_) lora->visit(f);
  }
  void merge() override {
    require(!options_.gated,
            "a gated LoRA cannot be merged: its weight differs from text to text; use the adapter "
            "beside its base");
    for (auto& [linear, lora] : targets_) {
      before_.push_back({linear->weight().dense(DType::f32), linear->bias().var.value()});
      lora->merge_into(*linear);
      std::erase(linear->adapters(), std::static_pointer_cast<LinearAdapter>(lora));
    }
  }
  void unmerge() override {
    require(!before_.empty(), "{}: the LoRA was not merged", source_);
    for (size_t i = 0; i < targets_.size(); ++i) {
      const auto& [linear, lora] = targets_[i];
      linear->weight().assign(before_[i].weight);
      if (linear->has_bias()) linear->bias().set(before_[i].bias);
      linear->adapters().push_back(lora);
    }
    before_.clear();
  }
  void visit_gates(const GateVisitor& f) override {
    if (!options_.gated) return;
    for (const auto& [linear, lora] : targets_) f("lora", lora->gate());
  }

 private:
  struct Base {
    Tensor weight, bias;
  };
  LoraOptions options_;
  std::string source_;
  std::vector<Base> before_;  // of each target, while merged
  std::vector<std::pair<Linear*, std::shared_ptr<HubLora>>> targets_;
};

}  // namespace

std::unique_ptr<HubPart> make_hub_lora(const Settings& config) {
  return std::make_unique<LoraPart>(config);
}

}  // namespace lk
