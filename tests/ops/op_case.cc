#include "tests/ops/op_case.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/rng.h"
#include "tests/cuda/watch.h"
#include "tests/support.h"

namespace lk::test {
namespace {

Numbers random_numbers(int64_t n, double low, double high, uint64_t stream) {
  Random random(42, stream);
  Numbers out;
  for (int64_t i = 0; i < n; ++i) out.push_back(low + (high - low) * random.uniform53());
  return out;
}

Tensor tensor_of(const Numbers& values, const Shape& shape, DType dtype) {
  return Tensor::from(values, shape).to(dtype);
}

// Largest |a - b| over the largest |b|; infinity when anything is NaN.
double error_of(const Numbers& a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  double most = 0, size = 1e-12;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    if (!(d <= most)) most = std::isnan(d) ? INFINITY : d;
    size = std::max(size, std::abs(b[i]));
  }
  return most / size;
}

struct Run {
  Numbers y;
  std::vector<Numbers> grads;  // empty where none
};

// Runs op and its backward with weights `dy`; `need` says which inputs are leaves.
Run run(const OpCase& c, const std::vector<Numbers>& values, DType dtype,
        const std::vector<bool>& need, const Numbers& dy, Device device = Device::cpu) {
  std::vector<Var> inputs;
  for (size_t i = 0; i < values.size(); ++i) {
    const DType own = dtype == DType::bf16 && i > 0 && c.parameters_stay_f32 ? DType::f32 : dtype;
    const Tensor t = tensor_of(values[i], c.shapes[i], own).to(device);
    inputs.push_back(need[i] ? Var::leaf(t) : Var(t));
  }
  const Var y = c.op(inputs);
  Run out;
  out.y = y.value().to_vector<double>();
  if (y.needs_grad()) backward(y, tensor_of(dy, y.shape(), y.dtype()).to(y.value().device()));
  for (const Var& x : inputs)
    out.grads.push_back(x.grad().defined() ? x.grad().to_vector<double>() : Numbers());
  return out;
}

// The values as they are after rounding to `dtype`.
std::vector<Numbers> rounded(const OpCase& c, const std::vector<Numbers>& values, DType dtype) {
  std::vector<Numbers> out;
  for (size_t i = 0; i < values.size(); ++i) {
    const DType own = dtype == DType::bf16 && i > 0 && c.parameters_stay_f32 ? DType::f32 : dtype;
    out.push_back(tensor_of(values[i], c.shapes[i], own).to_vector<double>());
  }
  return out;
}

}  // namespace

void check_op(const OpCase& c) {
  CAPTURE(c.name);
  const size_t n = c.shapes.size();
  std::vector<Numbers> values;
  for (size_t i = 0; i < n; ++i)
    values.push_back(random_numbers(c.shapes[i].numel(), c.low, c.high, i + 1));
  const std::vector<bool> all(n, true);
  const Numbers expected = c.reference(values);
  const Numbers dy = random_numbers(static_cast<int64_t>(expected.size()), -1, 1, 99);

  const Run exact = run(c, values, DType::f64, all, dy);
  CHECK(error_of(exact.y, expected) <= 1e-7);  // float constants in some kernels; sums in f64
  for (size_t i = 0; i < n; ++i) {
    CAPTURE(i);
    Numbers slope;
    for (size_t j = 0; j < values[i].size(); ++j) {
      const double h = 1e-5, x = values[i][j];
      auto moved = values;
      const auto loss = [&](double at) {
        moved[i][j] = at;
        const Numbers y = c.reference(moved);
        double sum = 0;
        for (size_t k = 0; k < y.size(); ++k) sum += y[k] * dy[k];
        return sum;
      };
      slope.push_back((loss(x + h) - loss(x - h)) / (2 * h));
    }
    REQUIRE(!exact.grads[i].empty());
    CHECK(error_of(exact.grads[i], slope) <= 1e-6);
  }
  for (const DType dtype : {DType::f32, DType::bf16}) {
    CAPTURE(name_of(dtype));
    const bool half = dtype == DType::bf16;
    const auto inputs = rounded(c, values, dtype);
    const Run high = run(
        c, inputs, DType::f64, all,
        half ? tensor_of(dy, {static_cast<int64_t>(dy.size())}, dtype).to_vector<double>() : dy);
    const auto check = [&](const Run& low, double least) {
      CHECK(error_of(low.y, c.reference(inputs)) <= (half ? c.bf16 : std::max(c.f32, least)));
      for (size_t i = 0; i < n; ++i) {
        CAPTURE(i);
        CHECK(error_of(low.grads[i], high.grads[i]) <=
              (half ? c.bf16_gradient : std::max(c.f32_gradient, least)));
      }
    };
    check(run(c, values, dtype, all, dy), 0);
    // The emulator has a checker of its own, and its fibers are not for the address sanitizer.
    if (!c.cuda || sanitized()) continue;
    std::optional<Run> first;
    for (uint64_t order = 1; order <= run_count(); ++order) {
      CAPTURE(order);
      const Watch watch(order);
      const Run low = run(c, values, dtype, all, dy, Device::cuda);
      CHECK(watch.faults() == "");
      if (first)
        CHECK((low.y == first->y && low.grads == first->grads));  // to the bit
      else
        check(low, c.cuda_f32);
      first = low;
    }
  }
  for (uint32_t mask = 0; mask < (1u << n); ++mask) {
    CAPTURE(mask);
    std::vector<bool> need;
    for (size_t i = 0; i < n; ++i) need.push_back((mask >> i) & 1u);
    const Run part = run(c, values, DType::f64, need, dy);
    CHECK(part.y == exact.y);
    for (size_t i = 0; i < n; ++i) CHECK(part.grads[i] == (need[i] ? exact.grads[i] : Numbers()));
  }
}

}  // namespace lk::test
