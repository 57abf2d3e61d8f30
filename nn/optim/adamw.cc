// AdamW (Loshchilov and Hutter 2019), SGD with momentum, and Lion (Chen et al. 2023).
#include "engine/kernels/optimizer.h"
#include "nn/optim/kinds.h"

namespace lk {
namespace {

class AdamW : public Optimizer {
 public:
  AdamW(const OptimizerConfig& config, std::vector<ParamGroup> groups, bool paged)
      : Optimizer(std::move(groups)),
        config_(config),
        paged_(paged),
        m_(like_parameters("exp_avg", names(), all())),
        v_(like_parameters("exp_avg_sq", names(), all())) {
    if (paged) page_states(config, {&m_, &v_});
  }
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    m_.visit(f);
    v_.visit(f);
  }

 protected:
  // All at once where their states are there all the time, since a GPU's launches cost more than
  // small tensors.
  void update_group(const std::vector<Due>& due, double lr, double weight_decay) override {
    if (paged_) return Optimizer::update_group(due, lr, weight_decay);
    for (const auto& alike : by_dtype(due, [](const Due& d) { return d.p.dtype(); }))
      update_alike(alike, lr, weight_decay);
  }
  void update(size_t i, const Var& p, double lr, double weight_decay) override {
    while_fetched({&m_, &v_}, i, [&] { update_alike({{i, p}}, lr, weight_decay); });
  }

 private:
  void update_alike(const std::vector<Due>& due, double lr, double weight_decay) {
    const AdamwStep step{lr, config_.beta1, config_.beta2, config_.eps, weight_decay, steps};
    // A dry run plans the states, and runs no kernel.
    for (const Due& d : due) m_[d.index], v_[d.index];
    on_master("adamw", due[0].p, [&](auto isa, auto type) {
      using A = decltype(type);
      std::vector<AdamwTensor<A>> tensors;
      for (const auto& [i, p] : due)
        tensors.push_back({p.value().template data<A>(), p.grad().template data<A>(),
                           m_[i].template data<A>(), v_[i].template data<A>(), p.value().numel()});
      adamw_update(isa, tensors.data(), static_cast<int64_t>(tensors.size()), step);
    });
  }
  OptimizerConfig config_;
  bool paged_;
  StateList m_, v_;
};

class Sgd : public Optimizer {
 public:
  Sgd(const OptimizerConfig& config, std::vector<ParamGroup> groups)
      : Optimizer(std::move(groups)),
        momentum_(config.momentum),
        m_(like_parameters("momentum_buffer", names(), all())) {}
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    if (momentum_ != 0) m_.visit(f);
  }

 protected:
  void update(size_t i, const Var& p, double lr, double weight_decay) override {
    const Tensor m = momentum_ != 0 ? m_[i] : Tensor();
    on_master("sgd", p, [&](auto isa, auto type) {
      using A = decltype(type);
      // A buffer of zeros times momentum is what the first step of torch does too: m = g.
      sgd_update(isa, p.value().data<A>(), p.grad().data<A>(), m.defined() ? m.data<A>() : nullptr,
                 p.value().numel(), lr, momentum_, weight_decay, false);
    });
  }

 private:
  double momentum_;
  StateList m_;
};

class Lion : public Optimizer {
 public:
  Lion(const OptimizerConfig& config, std::vector<ParamGroup> groups)
      : Optimizer(std::move(groups)),
        config_(config),
        m_(like_parameters("exp_avg", names(), all())) {}
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    m_.visit(f);
  }

 protected:
  void update(size_t i, const Var& p, double lr, double weight_decay) override {
    const Tensor m = m_[i];
    on_master("lion", p, [&](auto isa, auto type) {
      using A = decltype(type);
      lion_update(isa, p.value().data<A>(), p.grad().data<A>(), m.data<A>(), p.value().numel(), lr,
                  config_.beta1, config_.beta2, weight_decay);
    });
  }

 private:
  OptimizerConfig config_;
  StateList m_;
};

}  // namespace

Device device_of(const std::vector<Var>& params) {
  for (const Var& p : params)
    require(p.value().device() == params[0].value().device(),
            "the optimizer's parameters lie on two devices: {} on the {}, {} on the {}",
            params[0].shape(), name_of(params[0].value().device()), p.shape(),
            name_of(p.value().device()));
  return params.empty() ? Device::cpu : params[0].value().device();
}

StateList like_parameters(const std::string& kind, const std::vector<std::string>& names,
                          const std::vector<Var>& params) {
  std::vector<Shape> shapes;
  std::vector<DType> dtypes;
  for (const Var& p : params) {
    shapes.push_back(p.shape());
    dtypes.push_back(p.dtype());
  }
  return {kind, names, shapes, dtypes, device_of(params)};
}

std::unique_ptr<Optimizer> make_adamw(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<AdamW>(c, std::move(g), false);
}
std::unique_ptr<Optimizer> make_paged_adamw(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<AdamW>(c, std::move(g), true);
}
std::unique_ptr<Optimizer> make_sgd(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<Sgd>(c, std::move(g));
}
std::unique_ptr<Optimizer> make_lion(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<Lion>(c, std::move(g));
}

}  // namespace lk
