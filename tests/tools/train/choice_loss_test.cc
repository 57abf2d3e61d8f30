#include "tools/train/choice_loss.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "tests/support.h"

namespace lk {
namespace {

using Numbers = std::vector<double>;

Var variable(const Numbers& values) {
  return Var::leaf(Tensor::from<double>(values, {static_cast<int64_t>(values.size())}));
}

// Two records: answers of 2, 1 and 3 tokens; answers of 1 and 2 tokens.
const ChoiceTokens kTokens{{0, 2, 3, 6, 7, 9}, {0, 3, 5}};
const Numbers kLogP{-0.5, -1.5, -0.2, -2.0, -0.4, -3.0, -0.7, -1.1, -0.3};

TEST_CASE("T-Few's losses: the numbers of the equations") {
  // By hand, from exp and log alone.
  const double lm = (0.5 + 1.5) / 2 + 0.7;
  const auto u = [](double log_p) { return -std::log(1 - std::exp(log_p) + 0.01); };
  const double ul = (u(-0.2) + u(-2.0) + u(-0.4) + u(-3.0)) / 4 + (u(-1.1) + u(-0.3)) / 2;
  const auto ln = [](const Numbers& beta) {
    double total = 0;
    for (const double b : beta) total += std::exp(b);
    return -std::log(std::exp(beta[0]) / total);
  };
  const double lengths = ln({-1.0, -0.2, -1.8}) + ln({-0.7, -0.7});
  const auto loss = [](double unlikelihood, double length_normalized) {
    return choice_loss(variable(kLogP), kTokens, {unlikelihood, length_normalized}).value().item();
  };
  CHECK(std::abs(loss(0, 0) - lm) <= 1e-12);
  CHECK(std::abs(loss(1, 0) - (lm + ul)) <= 1e-12);
  CHECK(std::abs(loss(0, 1) - (lm + lengths)) <= 1e-12);
  CHECK(std::abs(loss(1, 1) - (lm + ul + lengths)) <= 1e-12);
  CHECK(std::abs(loss(0.5, 2) - (lm + 0.5 * ul + 2 * lengths)) <= 1e-12);
  // The same as numbers, so that a slip in the formulas above would show.
  CHECK(std::abs(lm - 1.7) <= 1e-12);
  CHECK(std::abs(ul - 1.5782158478333854) <= 1e-12);
  CHECK(std::abs(lengths - 1.9946649092265178) <= 1e-12);
}

TEST_CASE("T-Few's losses: a record without wrong answers, and two records apart") {
  const ChoiceTokens alone{{0, 2}, {0, 1}};
  CHECK(std::abs(choice_loss(variable({-1, -3}), alone, {1, 1}).value().item() - 2) <= 1e-12);
  // Accumulation: the sum over records is that of each by itself.
  const double both = choice_loss(variable(kLogP), kTokens, {1, 1}).value().item();
  const double first =
      choice_loss(variable({-0.5, -1.5, -0.2, -2.0, -0.4, -3.0}), {{0, 2, 3, 6}, {0, 3}}, {1, 1})
          .value()
          .item();
  const double second =
      choice_loss(variable({-0.7, -1.1, -0.3}), {{0, 1, 3}, {0, 2}}, {1, 1}).value().item();
  CHECK(std::abs(both - first - second) <= 1e-12);
}

TEST_CASE("T-Few's losses: gradients against central differences") {
  for (const ChoiceWeights& w : {ChoiceWeights{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0.3, 1.7}}) {
    const Var x = variable(kLogP);
    backward(choice_loss(x, kTokens, w));
    for (size_t i = 0; i < kLogP.size(); ++i) {
      constexpr double kStep = 1e-5;
      Numbers up = kLogP, down = kLogP;
      up[i] += kStep;
      down[i] -= kStep;
      const double slope = (choice_loss(variable(up), kTokens, w).value().item() -
                            choice_loss(variable(down), kTokens, w).value().item()) /
                           (2 * kStep);
      CHECK(std::abs(x.grad().item(static_cast<int64_t>(i)) - slope) <= 1e-8);
    }
  }
}

}  // namespace
}  // namespace lk
