// LinearAdapter on every linear layer of every architecture.
#include <doctest/doctest.h>

#include "tests/nn/hooks/parts.h"

namespace lk {
namespace {

using namespace test;

TEST_CASE("LinearAdapter: on every layer the same as a changed weight; the last one is outermost") {
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f64);
    const Packed batch = pack(random_documents({5, 9, 1}, 1));
    const NoGrad no_grad;
    const double base = loss_of(*model, batch).value().item();
    size_t count = 0;
    for (Linear* l : linears(*model)) {
      CAPTURE(l->name());
      const auto adapter = std::make_shared<LowRank>(*l, DType::f64, ++count * 10);
      l->adapters() = {adapter, adapter};
      const double twice = loss_of(*model, batch).value().item();
      l->adapters() = {adapter};
      const double with_hook = loss_of(*model, batch).value().item();
      CHECK(std::abs(with_hook - base) > 1e-6);
      l->adapters().clear();
      const Tensor w = l->weight().dense(DType::f64);
      const auto changed = [&](double times) {
        // W + times * 0.5 B A
        const Var ba = linear(adapter->b.var, adapter->a.var, {}, true);
        l->weight().assign(add(Var(w), scale(ba, static_cast<float>(0.5 * times))).value());
        return loss_of(*model, batch).value().item();
      };
      CHECK(std::abs(with_hook - changed(1)) <= 1e-11 * std::abs(base));
      CHECK(std::abs(twice - changed(2)) <= 1e-11 * std::abs(base));
      l->weight().assign(w);
    }
    CHECK(count == (type == "gpt2" ? 9 : type == "llama" ? 15 : 14));
  }
  // Order: the second doubles what the first made.
  auto model = tiny_model("llama", DType::f64);
  Linear& l = linear_of(*model, 0, {Role::up});
  struct Twice : LinearAdapter {
    Var forward(const Linear&, const Var& x, const Inner& inner) override {
      return scale(inner(x), 2.0f);
    }
    void visit(const ParameterVisitor&) override {}
  };
  const auto low = std::make_shared<LowRank>(l, DType::f64, 1);
  const Var x = random_tensor({3, 16}, DType::f64, 2);
  l.adapters() = {low};
  const Tensor once = l(x).value();
  l.adapters() = {low, std::make_shared<Twice>()};
  CHECK(same_bits(l(x).value(), scale(Var(once), 2.0f).value()));
}

}  // namespace
}  // namespace lk
