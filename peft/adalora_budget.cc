#include "peft/adalora_budget.h"

#include <algorithm>
#include <cmath>

namespace lk {

void Budget::add(const Triplets& t) {
  const CategoryScope optimizer(Category::optimizer);
  const auto scored = [](Parameter* p) {
    return Scored{p, Tensor::zeros(p->shape, DType::f32), Tensor::zeros(p->shape, DType::f32)};
  };
  matrices_.push_back({scored(t.a), scored(t.e), scored(t.b)});
  initial_ += t.e->shape[0];
}

std::pair<int64_t, bool> Budget::at(int64_t step) const {
  const int64_t target = target_r * static_cast<int64_t>(matrices_.size());
  if (step <= t_init) return {initial_, false};
  if (step > total - t_final) return {target, true};
  const double left =
      1.0 - static_cast<double>(step - t_init) / static_cast<double>(total - t_final - t_init);
  return {static_cast<int64_t>(static_cast<double>(initial_ - target) * left * left * left +
                               static_cast<double>(target)),
          step % interval == 0};
}

void Budget::score(Scored& s) const {
  if (!s.parameter->var.grad().defined()) return;
  const Tensor g = s.parameter->var.grad().to(Device::cpu),
               p = s.parameter->var.value().to(Device::cpu);
  float *mean = s.importance.data<float>(), *spread = s.uncertainty.data<float>();
  visit_float(p.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < p.numel(); ++i) {
      const double now =
          std::abs(static_cast<double>(p.data<T>()[i]) * static_cast<double>(g.data<T>()[i]));
      mean[i] = static_cast<float>(beta1 * mean[i] + (1 - beta1) * now);
      spread[i] = static_cast<float>(beta2 * spread[i] + (1 - beta2) * std::abs(now - mean[i]));
    }
  });
}

void Budget::score() {
  for (Matrix& m : matrices_)
    for (Scored* s : {&m.a, &m.e, &m.b}) score(*s);
}

std::vector<double> Budget::scores(const Matrix& m) const {
  const int64_t r = m.e.parameter->shape[0], in = m.a.parameter->shape[1],
                out = m.b.parameter->shape[0];
  std::vector<double> all;
  for (int64_t i = 0; i < r; ++i) {
    double a = 0, b = 0;
    for (int64_t j = 0; j < in; ++j) a += m.a.element(i * in + j);
    for (int64_t j = 0; j < out; ++j) b += m.b.element(j * r + i);
    all.push_back(m.e.element(i) + a / static_cast<double>(in) + b / static_cast<double>(out));
  }
  return all;
}

void Budget::allocate(int64_t step, bool force) {
  const auto [budget, due] = at(step);
  const int64_t dropped = initial_ - budget;
  if ((!due && !force) || dropped <= 0) return;
  std::vector<std::vector<double>> by_matrix;
  std::vector<double> all;
  for (const Matrix& m : matrices_) {
    by_matrix.push_back(scores(m));
    all.insert(all.end(), by_matrix.back().begin(), by_matrix.back().end());
  }
  std::nth_element(all.begin(), all.begin() + (dropped - 1), all.end());
  const double threshold = all[static_cast<size_t>(dropped - 1)];
  for (size_t i = 0; i < matrices_.size(); ++i) {
    const Tensor& there = matrices_[i].e.parameter->var.value();
    const Tensor e = there.to(Device::cpu);
    for (size_t j = 0; j < by_matrix[i].size(); ++j) {
      if (by_matrix[i][j] > threshold) continue;
      if (e.dtype() == DType::f64)
        e.data<double>()[j] = 0;
      else
        e.data<float>()[j] = 0;
    }
    if (there.device() != Device::cpu) there.copy_from(e);
  }
}

void Budget::visit_state(const std::function<void(const std::string&, Tensor&)>& f) {
  for (Matrix& m : matrices_)
    for (Scored* s : {&m.a, &m.e, &m.b}) {
      f("importance." + s->parameter->name, s->importance);
      f("uncertainty." + s->parameter->name, s->uncertainty);
    }
}

}  // namespace lk
