// AdamW and Lion with states in 8-bit blocks: 8-bit Optimizers via Block-wise Quantization
// (Dettmers et al. 2021, arXiv:2110.02861). Small tensors keep theirs in f32.
#include "engine/kernels/optimizer_8bit.h"
#include "nn/optim/kinds.h"

namespace lk {
namespace {

constexpr int64_t kLeast = 4096;  // elements

bool in_8_bits(const Var& p) { return p.value().numel() >= kLeast && p.dtype() == DType::f32; }

// One moment of every parameter: codes and factors, or the plain numbers.
class Moment {
 public:
  Moment(const std::string& kind, bool is_signed, const std::vector<std::string>& names,
         const std::vector<Var>& params)
      : table_(&dynamic_steps(is_signed)),
        codes(list(kind + "_codes", names, params, 0)),
        absmax(list(kind + "_absmax", names, params, 1)),
        plain(list(kind, names, params, 2)) {}
  State8 state(size_t i) { return {codes[i].data<uint8_t>(), absmax[i].data<float>(), table_}; }
  void visit(const std::function<void(const std::string&, Tensor&)>& f) {
    codes.visit(f), absmax.visit(f), plain.visit(f);
  }

 private:
  static StateList list(const std::string& kind, const std::vector<std::string>& names,
                        const std::vector<Var>& params, int part) {
    std::vector<Shape> shapes;
    std::vector<DType> dtypes;
    for (const Var& p : params) {
      const int64_t n = p.value().numel();
      if (part == 2)
        shapes.push_back(in_8_bits(p) ? Shape{0} : p.shape());
      else if (!in_8_bits(p))
        shapes.push_back({0});
      else
        shapes.push_back({part == 0 ? n : (n + kStateBlock - 1) / kStateBlock});
      dtypes.push_back(part == 0 ? DType::u8 : part == 1 ? DType::f32 : p.dtype());
    }
    return {kind, names, shapes, dtypes, device_of(params)};
  }
  const StepTable* table_;

 public:
  StateList codes, absmax, plain;
};

class AdamW8bit : public Optimizer {
 public:
  AdamW8bit(const OptimizerConfig& config, std::vector<ParamGroup> groups, bool paged)
      : Optimizer(std::move(groups)),
        config_(config),
        m_("exp_avg", true, names(), all()),
        v_("exp_avg_sq", false, names(), all()) {
    if (paged)
      page_states(config, {&m_.codes, &m_.absmax, &m_.plain, &v_.codes, &v_.absmax, &v_.plain});
  }
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    m_.visit(f);
    v_.visit(f);
  }

 protected:
  void update(size_t i, const Var& p, double lr, double weight_decay) override {
    const AdamwStep step{lr, config_.beta1, config_.beta2, config_.eps, weight_decay, steps};
    while_fetched({&m_.codes, &m_.absmax, &m_.plain, &v_.codes, &v_.absmax, &v_.plain}, i, [&] {
      on_master("adamw8bit", p, [&](auto isa, auto type) {
        using A = decltype(type);
        if constexpr (std::is_same_v<A, float>)
          if (in_8_bits(p)) {
            adamw8bit_update(isa, p.value().data<float>(), p.grad().data<float>(), m_.state(i),
                             v_.state(i), p.value().numel(), step);
            return;
          }
        adamw_update(isa, p.value().data<A>(), p.grad().data<A>(), m_.plain[i].template data<A>(),
                     v_.plain[i].template data<A>(), p.value().numel(), step);
      });
    });
  }

 private:
  OptimizerConfig config_;
  Moment m_, v_;
};

class Lion8bit : public Optimizer {
 public:
  Lion8bit(const OptimizerConfig& config, std::vector<ParamGroup> groups)
      : Optimizer(std::move(groups)), config_(config), m_("exp_avg", true, names(), all()) {}
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    m_.visit(f);
  }

 protected:
  void update(size_t i, const Var& p, double lr, double weight_decay) override {
    on_master("lion8bit", p, [&](auto isa, auto type) {
      using A = decltype(type);
      if constexpr (std::is_same_v<A, float>)
        if (in_8_bits(p)) {
          lion8bit_update(isa, p.value().data<float>(), p.grad().data<float>(), m_.state(i),
                          p.value().numel(), lr, config_.beta1, config_.beta2, weight_decay);
          return;
        }
      lion_update(isa, p.value().data<A>(), p.grad().data<A>(), m_.plain[i].template data<A>(),
                  p.value().numel(), lr, config_.beta1, config_.beta2, weight_decay);
    });
  }

 private:
  OptimizerConfig config_;
  Moment m_;
};

}  // namespace

void page_states(const OptimizerConfig& config, const std::vector<StateList*>& lists) {
  size_t total = 0;
  for (const StateList* list : lists) total += list->paged_bytes();
  if (total == 0) return;
  const CategoryScope optimizer(Category::optimizer);
  const auto pages = PagedMemory::create(lists[0]->device(), config.page_file, total);
  for (StateList* list : lists) list->use(pages);
}

std::unique_ptr<Optimizer> make_adamw8bit(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<AdamW8bit>(c, std::move(g), false);
}
std::unique_ptr<Optimizer> make_paged_adamw8bit(const OptimizerConfig& c,
                                                std::vector<ParamGroup> g) {
  return std::make_unique<AdamW8bit>(c, std::move(g), true);
}
std::unique_ptr<Optimizer> make_lion8bit(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<Lion8bit>(c, std::move(g));
}

}  // namespace lk
