#include "nn/optim/optimizer.h"

#include <cmath>
#include <map>

#include "engine/device.h"
#include "engine/kernels/gradients.h"
#include "nn/optim/kinds.h"

namespace lk {
namespace {

const std::map<std::string, OptimizerMaker>& makers() {
  static const std::map<std::string, OptimizerMaker> table{
      {"adafactor", make_adafactor},
      {"adamw", make_adamw},
      {"adamw8bit", make_adamw8bit},
      {"lion", make_lion},
      {"lion8bit", make_lion8bit},
      {"paged-adamw", make_paged_adamw},
      {"paged-adamw8bit", make_paged_adamw8bit},
      {"sgd", make_sgd}};
  return table;
}

// f(isa, gradients, count); the parameters are of one dtype.
template <class F>
void on_gradients(const std::vector<Var>& params, F&& f) {
  on_master("clip_grad_norm", params[0], [&](auto isa, auto type) {
    using A = decltype(type);
    std::vector<Gradient<A>> gradients;
    for (const Var& p : params)
      gradients.push_back({p.grad().template data<A>(), p.grad().numel()});
    f(isa, gradients.data(), static_cast<int64_t>(gradients.size()));
  });
}

double square_sum(const std::vector<Var>& params) {
  double total = 0;
  for (const auto& alike : by_dtype(params, [](const Var& p) { return p.dtype(); })) {
    const Tensor sum = Tensor::empty({1}, DType::f64, alike[0].value().device());
    on_gradients(alike, [&](auto isa, const auto* gradients, int64_t count) {
      gradients_square_sum(isa, sum.data<double>(), gradients, count);
    });
    total += sum.item();
  }
  return total;
}

}  // namespace

void Optimizer::step(double lr) {
  ++steps;
  size_t index = 0;
  for (const ParamGroup& group : groups_) {
    std::vector<Due> due;
    for (const auto& [name, p] : group.params) {
      if (p.grad().defined()) due.push_back({index, p});
      ++index;
    }
    update_group(due, lr * group.lr_scale, group.weight_decay);
  }
}

void Optimizer::update_group(const std::vector<Due>& due, double lr, double weight_decay) {
  for (const auto& [index, p] : due) update(index, p, lr, weight_decay);
}

void Optimizer::zero_grad() {
  for (const ParamGroup& group : groups_)
    for (const auto& [name, p] : group.params) p.set_grad({});
}

std::vector<Var> Optimizer::all() const {
  std::vector<Var> out;
  for (const ParamGroup& group : groups_)
    for (const auto& [name, p] : group.params) out.push_back(p);
  return out;
}

std::vector<std::string> Optimizer::names() const {
  std::vector<std::string> out;
  for (const ParamGroup& group : groups_)
    for (const auto& [name, p] : group.params) out.push_back(name);
  return out;
}

std::vector<std::string> known_optimizers() {
  std::vector<std::string> out;
  for (const auto& [name, maker] : makers()) out.push_back(name);
  return out;
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config,
                                          std::vector<ParamGroup> groups) {
  const auto found = makers().find(config.name);
  if (found != makers().end()) return found->second(config, std::move(groups));
  std::string known;
  for (const std::string& name : known_optimizers()) known += (known.empty() ? "" : ", ") + name;
  fail("unknown optimizer '{}' (known: {})", config.name, known);
}

double clip_grad_norm(const std::vector<ParamGroup>& groups, double max_norm) {
  std::vector<Var> params;
  for (const ParamGroup& group : groups)
    for (const auto& [name, p] : group.params) {
      if (!p.grad().defined()) continue;
      if (!p.grad().unique()) p.set_grad(p.grad().clone());  // that of a + b is both a's and b's
      params.push_back(p);
    }
  const double norm = std::sqrt(square_sum(params));
  const double factor = max_norm / (norm + 1e-6);
  if (max_norm <= 0 || !std::isfinite(norm) || factor >= 1) return norm;
  for (const auto& alike : by_dtype(params, [](const Var& p) { return p.dtype(); }))
    on_gradients(alike, [&](auto isa, const auto* gradients, int64_t count) {
      using A = std::remove_pointer_t<decltype(gradients->g)>;
      gradients_scale(isa, gradients, count, static_cast<A>(factor));
    });
  return norm;
}

}  // namespace lk
