// Adafactor (Shazeer and Stern 2018), without relative step and momentum, as transformers.Adafactor
// runs with relative_step = False: a matrix keeps the means of its squared gradient by row and by
// column.
#include <algorithm>
#include <cmath>

#include "engine/parallel.h"
#include "nn/optim/kinds.h"

namespace lk {
namespace {

constexpr double kEps = 1e-30, kEpsScale = 1e-3;

double root_mean_square(const double* x, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i] * x[i];
  return std::sqrt(total / static_cast<double>(std::max<int64_t>(n, 1)));
}

// [rows] of a matrix, [cols] of it, all of a vector; empty where not kept.
std::vector<Shape> state_shapes(const std::vector<Var>& params, int which) {
  std::vector<Shape> out;
  for (const Var& p : params) {
    const bool matrix = p.shape().rank() >= 2;
    if (which == 2)
      out.push_back(matrix ? Shape{0} : p.shape());
    else
      out.push_back(matrix ? Shape{which == 0 ? p.value().numel() / p.dim(-1) : p.dim(-1)}
                           : Shape{0});
  }
  return out;
}

class Adafactor : public Optimizer {
 public:
  Adafactor(const OptimizerConfig& config, std::vector<ParamGroup> groups)
      : Optimizer(std::move(groups)),
        config_(config),
        row_("exp_avg_sq_row", names(), state_shapes(all(), 0),
             std::vector<DType>(all().size(), DType::f32)),
        col_("exp_avg_sq_col", names(), state_shapes(all(), 1),
             std::vector<DType>(all().size(), DType::f32)),
        full_("exp_avg_sq", names(), state_shapes(all(), 2),
              std::vector<DType>(all().size(), DType::f32)) {
    require_cpu("adafactor", all());
  }
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    row_.visit(f);
    col_.visit(f);
    full_.visit(f);
  }

 protected:
  void update(size_t index, const Var& p, double lr, double weight_decay) override {
    const int64_t n = p.value().numel();
    const Tensor g = p.grad().to(DType::f64);
    Tensor u = g.clone();
    const double beta2 = 1.0 - std::pow(static_cast<double>(steps), config_.decay_rate);
    if (p.shape().rank() >= 2)
      factored(u, g, row_[index], col_[index], beta2);
    else
      whole(u, g, full_[index], beta2);
    const double shrink =
        std::max(1.0, root_mean_square(u.data<double>(), n) / config_.clip_threshold);
    const Tensor value = p.value().to(DType::f64);
    const double rate = config_.scale_parameter
                            ? lr * std::max(kEpsScale, root_mean_square(value.data<double>(), n))
                            : lr;
    visit_float(p.dtype(), [&](auto type) {
      using T = decltype(type);
      T* out = p.value().data<T>();
      for (int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(value.data<double>()[i] * (1 - weight_decay * rate) -
                                rate * u.data<double>()[i] / shrink);
    });
  }

 private:
  static void factored(const Tensor& u, const Tensor& g, const Tensor& row, const Tensor& col,
                       double beta2) {
    const int64_t rows = row.numel(), cols = col.numel();
    const double* x = g.data<double>();
    float *r = row.data<float>(), *c = col.data<float>();
    double row_total = 0;
    std::vector<double> col_sum(static_cast<size_t>(cols), 0.0);
    for (int64_t i = 0; i < rows; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < cols; ++j) {
        const double square = x[i * cols + j] * x[i * cols + j] + kEps;
        sum += square;
        col_sum[static_cast<size_t>(j)] += square;
      }
      r[i] = static_cast<float>(beta2 * r[i] + (1 - beta2) * sum / static_cast<double>(cols));
      row_total += r[i];
    }
    for (int64_t j = 0; j < cols; ++j)
      c[j] = static_cast<float>(beta2 * c[j] + (1 - beta2) * col_sum[static_cast<size_t>(j)] /
                                                   static_cast<double>(rows));
    const double row_mean = row_total / static_cast<double>(rows);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j)
        u.data<double>()[i * cols + j] =
            x[i * cols + j] / std::sqrt(r[i] / row_mean) / std::sqrt(static_cast<double>(c[j]));
  }

  static void whole(const Tensor& u, const Tensor& g, const Tensor& state, double beta2) {
    for (int64_t i = 0; i < g.numel(); ++i) {
      const double x = g.data<double>()[i];
      float& s = state.data<float>()[i];
      s = static_cast<float>(beta2 * s + (1 - beta2) * (x * x + kEps));
      u.data<double>()[i] = x / std::sqrt(static_cast<double>(s));
    }
  }

  OptimizerConfig config_;
  StateList row_, col_, full_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adafactor(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<Adafactor>(c, std::move(g));
}

}  // namespace lk
